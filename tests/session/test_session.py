"""The session: the order of effects, whose scope what lives in, and that nothing holds up the turn-taking."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import pytest
import structlog

from tests.support.kinds import kinds
from tests.support.sessions import listen, script
from turnkit.errors import ConfigError, FluxError, LocalProtocolError
from turnkit.session import Session
from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Hold,
    Note,
    NoteKind,
    Resume,
    Signal,
    Speculate,
    StartOfTurn,
    StreamLost,
    TurnDropped,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    Update,
    UserIdle,
)
from turnkit.turns.policy import Verdict

pytestmark = pytest.mark.anyio

TURN: list[Event] = [StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea", 0.6), EndOfTurn(0, "tea", 0.8, trigger="model")]
EAGER = TURN[:2]
OVER: list[Event] = [StartOfTurn(1, "stop")]


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


async def test_the_machine_is_woken_at_its_deadlines() -> None:
    """Idle, hold and stall come by the clock alone, and each alarm is moved when a nearer one is set."""
    session = Session(
        barge_in=lambda overlap: Verdict.HOLD, idle_timeout=0.3, hold_timeout=0.1, stall_timeout=0.2, stall_grace=0.1
    )
    signals = listen(session)
    began = anyio.current_time()
    await session.run(script(0.35, *TURN, lambda: session.playback_started(0), *OVER, 0.5))
    timed = [signal for signal in signals if isinstance(signal, (UserIdle, Hold, Resume, TurnStalled, TurnDropped))]
    assert kinds(timed) == ["UserIdle", "Hold", "Resume", "TurnStalled", "TurnDropped"]
    assert [signal.at - began for signal in timed] == pytest.approx([0.3, 0.35, 0.45, 0.55, 0.65], abs=1e-6)
    assert all(one.at <= other.at for one, other in pairwise(signals))


async def test_any_shape_of_message_is_taken() -> None:
    """Frames as text, bytes, mappings, SDK-like objects; events; what cannot be read is a Note and loses nothing."""
    session = Session()
    signals = listen(session)

    class SdkTurnInfo:
        def __init__(self, **fields: Any) -> None:
            self.__dict__.update(type="TurnInfo", **fields)

    await session.run(
        script(
            '{"type": "Connected", "sequence_id": 0}',
            b'{"type": "TurnInfo", "event": "StartOfTurn", "turn_index": "0", "transcript": "a", "sequence_id": 1}',
            {"type": "TurnInfo", "event": "Update", "turn_index": 0, "transcript": "a b", "sequence_id": 2},
            SdkTurnInfo(event="EndOfTurn", turn_index=0, transcript="a b", sequence_id=3),
            b"\x00\x01",
            "not json",
            None,
            object(),
            {"type": "TurnInfo", "event": "Update", "turn_index": "x"},
            {"type": "TurnInfo", "event": "TurnPondered", "turn_index": 1, "sequence_id": 4},
            {"type": "Novelty", "transcript": "secret"},
            {"type": "Warning", "code": "FORCE_END_TURN_NO_ACTIVE_TURN", "sequence_id": 5},
            {"type": "ConfigureFailure", "code": "INVALID_THRESHOLD", "sequence_id": 9},
            {"type": "ConfigureSuccess", "sequence_id": 10},
            EndOfTurn(1, "more"),
        )
    )
    assert [signal.transcript for signal in signals if isinstance(signal, Commit)] == ["a b", "more"]
    assert session.notes == {
        NoteKind.MALFORMED_MESSAGE: 5,
        NoteKind.UNKNOWN_MESSAGE: 2,
        NoteKind.FLUX_WARNING: 1,
        NoteKind.CONFIGURE_FAILED: 1,
        NoteKind.SEQUENCE_GAP: 1,
        NoteKind.MISSING_START: 1,
    }
    assert "secret" not in str([signal for signal in signals if isinstance(signal, Note)])


async def test_a_lost_stream_is_told_dealt_with_and_raised() -> None:
    """The source's error loses the stream: the words wait for their grace, are committed, handled, then it raises."""
    session = Session(lost_turn_grace=0.2)
    signals = listen(session)
    answered: list[str] = []

    @session.on(Commit)
    async def answer(signal: Commit) -> None:
        await anyio.sleep(0.2)
        answered.append(signal.transcript)

    with pytest.raises(FluxError, match="INTERNAL_SERVER_ERROR"):
        await session.run(script(*EAGER, FluxError("INTERNAL_SERVER_ERROR")))
    assert kinds(signals) == ["TurnStarted", "Speculate", "Cancel", "Commit", "Cancel"]
    assert answered == ["tea"]


async def test_an_error_message_loses_the_stream_and_connected_restores_it() -> None:
    """For sources that bring messages only: Error is the loss, the next Connected the return; counting starts anew."""
    session = Session()
    signals = listen(session)
    await session.run(
        script(
            {"type": "Connected", "sequence_id": 0},
            StartOfTurn(7, "tea"),
            {"type": "Error", "code": "INTERNAL_SERVER_ERROR", "sequence_id": 1},
            StreamLost("the same loss again"),
            {"type": "Connected", "sequence_id": 0},
            StartOfTurn(0, "with milk"),
            EndOfTurn(0, "with milk"),
        )
    )
    commits = [signal for signal in signals if isinstance(signal, Commit)]
    assert [(commit.turn, commit.unanswered) for commit in commits] == [(1, ("tea",))]
    assert not session.notes


async def test_draining_lets_the_reply_that_has_the_floor_finish() -> None:
    """When the source ends, the committed reply's work is waited for; an open turn and its draft are not."""
    session = Session()
    signals = listen(session)
    spoken: list[int] = []

    @session.on(Commit)
    async def speak(signal: Commit) -> None:
        session.playback_started(signal.reply)
        await anyio.sleep(0.3)
        spoken.append(signal.reply)
        session.playback_finished(signal.reply)

    await session.run(script(*TURN))
    assert spoken == [0]
    assert kinds(signals)[-1] == "Commit", "nothing was cancelled"


async def test_without_drain_nothing_is_waited_for() -> None:
    """drain=False closes at once and cancels what still runs."""
    session = Session()
    signals = listen(session)
    log: list[str] = []

    @session.on(Commit)
    async def speak(signal: Commit) -> None:
        try:
            await anyio.sleep(3600)
        finally:
            log.append("over")

    await session.run(script(*TURN, 0.01), drain=False)
    assert log == ["over"]
    assert signals[-1] == Cancel(0, 0, CancelReason.CLOSED, at=signals[-1].at)


async def test_a_cancelled_run_still_closes_its_books() -> None:
    """Whoever plays or pays for a reply learns that it is over, also when the whole call is cancelled."""
    session = Session()
    signals = listen(session)
    with anyio.move_on_after(0.1):
        await session.run(script(*EAGER, 3600))
    assert kinds(signals) == ["TurnStarted", "Speculate", "Cancel", "TurnDropped"]


async def test_the_host_may_report_late_and_initiate_only_while_running() -> None:
    """Reports outside the run change nothing; initiate outside the run is a mistake; a session runs once."""
    session = Session()
    session.playback_started(0)
    with pytest.raises(LocalProtocolError, match="not running"):
        session.initiate()
    outcome: list[int | None] = []
    await session.run(script(lambda: outcome.append(session.initiate()), lambda: outcome.append(session.initiate())))
    assert outcome == [0, None]
    session.playback_finished(0)
    session.discard_draft(0)
    with pytest.raises(LocalProtocolError, match="not running"):
        session.initiate()
    with pytest.raises(LocalProtocolError, match="runs once"):
        await session.run(script())


async def test_protect_and_discard_reach_the_machine() -> None:
    """protect defers what is said over the reply; discard_draft makes the turn's reply a new one."""
    session = Session()
    signals = listen(session)
    await session.run(
        script(
            *EAGER,
            lambda: session.discard_draft(0, "context_changed"),
            TURN[2],
            lambda: session.playback_advanced(1, "One"),
            lambda: session.protect(1),
            StartOfTurn(1, "but"),
            EndOfTurn(1, "but"),
            lambda: session.playback_finished(1),
        )
    )
    assert next(signal.reason for signal in signals if isinstance(signal, Cancel)) is CancelReason.CONTEXT_CHANGED
    assert "BargeIn" not in kinds(signals)
    assert [signal.turn for signal in signals if isinstance(signal, Commit)] == [0, 1]
    assert session.user is UserState.LISTENING


async def test_a_wrong_registration_says_what_is_right() -> None:
    """on() refuses what is not a signal or not callable, with the names there are."""
    session = Session()
    with pytest.raises(ConfigError, match="must be one of the signals TurnStarted"):
        session.on(StartOfTurn, print)  # type: ignore[type-var]
    with pytest.raises(ConfigError, match="must be callable"):
        session.on(BargeIn, "stop")  # type: ignore[call-overload]


async def test_a_hundred_runs_are_the_same_run() -> None:
    """The same messages at the same times give the same signals, every time."""

    async def once() -> list[Signal]:
        session = Session(idle_timeout=0.5)
        signals = listen(session)
        events: list[Event] = [*TURN, *OVER, Update(1, "stop it"), EndOfTurn(1, "stop it")]
        await session.run(script(*events))
        began = signals[0].at
        return [type(signal)(**{**_fields(signal), "at": round(signal.at - began, 1)}) for signal in signals]

    runs = [await once() for _ in range(100)]
    assert all(run == runs[0] for run in runs)


def _fields(signal: Signal) -> dict[str, Any]:
    return {name: getattr(signal, name) for name in signal.__struct_fields__}


async def test_a_second_connected_is_a_reconnect_that_nobody_told_of() -> None:
    """Turns are counted from 0 on the new connection: they are not taken for old ones, and an open one is carried."""
    connected = {"type": "Connected", "request_id": "r", "sequence_id": 0}

    def frame(event: str, index: int, text: str) -> dict[str, object]:
        return {"type": "TurnInfo", "event": event, "turn_index": index, "transcript": text}

    session = Session(lost_turn_grace=5.0)
    heard: list[object] = []
    session.on(Commit, heard.append)
    session.on(TurnDropped, heard.append)
    session.on(Commit, lambda commit: session.playback_started(commit.reply))
    session.on(Commit, lambda commit: session.playback_finished(commit.reply))
    first = [frame("StartOfTurn", 0, "one"), frame("EndOfTurn", 0, "one"), frame("StartOfTurn", 1, "half of")]
    second = [frame("StartOfTurn", 0, "a sentence"), frame("EndOfTurn", 0, "a sentence")]
    await session.run(script(connected, *first, connected, *second))
    assert NoteKind.STALE_TURN not in session.notes
    _, dropped, other = heard
    assert isinstance(dropped, TurnDropped)
    assert dropped.reason == DropReason.STREAM_LOST
    assert isinstance(other, Commit)
    assert (other.transcript, "half of" in other.unanswered) == ("a sentence", True)
