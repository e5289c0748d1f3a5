"""Callbacks: in which order they run, whose scope their work lives in, and that nothing holds up the turn-taking."""

from __future__ import annotations

import anyio
import pytest
import structlog

from tests.support.kinds import kinds
from tests.support.sessions import EAGER, OVER, TURN, listen, script, turn
from turnkit.session import Session
from turnkit.turns.chart import ReplyState
from turnkit.turns.events import (
    BargeIn,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Note,
    NoteKind,
    Signal,
    Speculate,
    StartOfTurn,
    TurnResumed,
    TurnStarted,
)

pytestmark = pytest.mark.anyio


async def test_signals_reach_their_callbacks_in_order() -> None:
    """on(...) takes any number of callbacks, as a call or a decorator, and only for the signal asked for."""
    session = Session()
    heard: list[object] = []

    @session.on(Commit)
    def first(commit: Commit) -> None:
        heard.append(("first", commit.reply))

    session.on(Commit, lambda commit: heard.append(("second", commit.transcript)))
    session.on(BargeIn, heard.append)
    await session.run(script(*TURN))
    assert heard == [("first", 0), ("second", "tea")]


async def test_a_sync_callback_runs_in_the_step_that_decided() -> None:
    """By the time the source is asked for the next message, the barge-in has been carried out."""
    session = Session()
    log: list[str] = []
    session.on(BargeIn, lambda signal: log.append("stopped"))
    await session.run(
        script(
            *TURN, lambda: session.playback_started(0), lambda: log.append("before"), *OVER, lambda: log.append("after")
        )
    )
    assert log == ["before", "stopped", "after"]


async def test_an_async_callback_never_holds_up_the_reader() -> None:
    """Callbacks that wait do so beside the reader; a plain function that returns a coroutine counts as async."""
    session = Session()
    log: list[str] = []
    gate = anyio.Event()

    async def slow(signal: Signal) -> None:
        await gate.wait()
        log.append(type(signal).__name__)

    session.on(TurnStarted, slow)
    session.on(Commit, lambda signal: slow(signal))
    await session.run(script(*TURN, lambda: log.append("read on"), lambda: gate.set()))
    assert log[0] == "read on"
    assert sorted(log[1:]) == ["Commit", "TurnStarted"]


async def test_an_async_draft_dies_with_its_cancel() -> None:
    """TurnResumed cancels the work on the draft where it stands."""
    session = Session()
    log: list[str] = []

    @session.on(Speculate)
    async def draft(signal: Speculate) -> None:
        log.append(f"begin {signal.transcript}")
        try:
            await anyio.sleep(1)
            log.append("done")
        finally:
            log.append("over")

    await session.run(script(*EAGER, 0.1, TurnResumed(0, "tea for"), 5))
    assert log == ["begin tea", "over"]


async def test_work_on_a_draft_goes_on_through_its_commit_and_ends_with_barge_in() -> None:
    """A kept draft's task is the reply's; the user's barge-in ends it."""
    session = Session()
    log: list[str] = []

    @session.on(Speculate)
    async def draft(signal: Speculate) -> None:
        try:
            await anyio.sleep(1)
            session.playback_started(signal.reply)
            log.append("speaking")
            await anyio.sleep(60)
        finally:
            log.append(f"over {anyio.current_time() - began:.1f}")

    began = anyio.current_time()
    session.on(BargeIn, lambda signal: log.append("barge-in"))
    await session.run(script(*TURN, 2, *OVER, 1))
    assert log == ["speaking", "barge-in", "over 2.0"]


async def test_work_that_is_cancelled_before_it_begins_does_not_begin() -> None:
    """Speculate and Cancel from one burst of messages: the LLM is never called."""
    session = Session()
    log: list[str] = []

    @session.on(Speculate)
    async def draft(signal: Speculate) -> None:
        log.append(f"begin {signal.reply}")

    await session.run(script(*EAGER, TurnResumed(0, "tea"), EagerEndOfTurn(0, "tea now"), EndOfTurn(0, "tea now")))
    assert log == ["begin 1"]


async def test_a_slow_host_does_not_start_a_draft_that_was_withdrawn() -> None:
    """Between Speculate and the LLM call the host looks something up; the turn is resumed meanwhile: no call."""
    session = Session()
    called: list[str] = []

    @session.on(Speculate)
    async def draft(signal: Speculate) -> None:
        await anyio.sleep(0.3)
        called.append(signal.transcript)

    await session.run(
        script(
            StartOfTurn(0, "Cancel my booking"),
            EagerEndOfTurn(0, "Cancel my booking"),
            0.1,
            TurnResumed(0, "Cancel my booking"),
            0.1,
            EagerEndOfTurn(0, "Cancel my booking? No, do not cancel it."),
            EndOfTurn(0, "Cancel my booking? No, do not cancel it."),
            1,
        )
    )
    assert called == ["Cancel my booking? No, do not cancel it."]


async def test_a_failing_callback_is_reported_and_the_call_goes_on() -> None:
    """Sync or async, on a signal or on the very Note: logged without personal data, noted, never raised."""
    session = Session()
    signals = listen(session)

    @session.on(TurnStarted)
    def sync_failure(signal: TurnStarted) -> None:
        raise ValueError(signal.transcript)

    @session.on(Commit)
    async def async_failure(signal: Commit) -> None:
        await anyio.sleep(0.1)
        raise ValueError(signal.transcript)

    @session.on(Note)
    def note_failure(signal: Note) -> None:
        raise RuntimeError

    with structlog.testing.capture_logs() as logs:
        await session.run(script(StartOfTurn(0, "secret"), 0.1, EndOfTurn(0, "secret"), 1))
    assert kinds(signals) == ["TurnStarted", "Note", "Commit", "Note", "Cancel"]
    assert session.notes[NoteKind.CALLBACK_FAILED] == 4, "two failures, and two failures to hear of them"
    for entry in logs:
        assert "secret" not in str({key: value for key, value in entry.items() if not key.startswith("personal_")})
    assert "secret" not in str([signal for signal in signals if isinstance(signal, Note)])


async def test_reports_from_inside_a_callback_keep_their_order() -> None:
    """What a callback's own report leads to is dispatched after the signals that are already there."""
    session = Session()
    signals = listen(session)

    @session.on(Commit)
    def play(signal: Commit) -> None:
        session.playback_started(signal.reply)
        assert session.floor == (signal.reply, ReplyState.AUDIBLE)
        session.playback_finished(signal.reply)
        if signal.turn is not None:
            session.initiate()

    await session.run(script(*TURN))
    assert [signal.turn for signal in signals if isinstance(signal, Commit)] == [0, None]


async def test_a_callback_registered_while_a_signal_is_told_hears_of_the_next() -> None:
    """One that registers itself again at each signal does not go round for ever."""
    session = Session()
    heard: list[int] = []

    def again(signal: TurnStarted) -> None:
        heard.append(signal.turn)
        assert len(heard) < 10, "it hears of one signal for ever"
        session.on(TurnStarted, again)

    session.on(TurnStarted, again)
    with anyio.fail_after(60):
        await session.run(script(*turn(0, "one", eager=False), *turn(1, "two", eager=False)), drain=False)
    assert heard == [0, 1, 1]
