"""The caller is gone: nothing more is begun or heard, what must finish does, and the run returns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from tests.support.kinds import kinds
from tests.support.sessions import EAGER, TURN, listen, outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.session import Reply, Session
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Note,
    PlaybackAdvanced,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    TurnDropped,
    TurnResumed,
    TurnStarted,
    UserIdle,
)
from turnkit.wire import decode

pytestmark = pytest.mark.anyio

LONG = "one two three four five six seven eight nine ten"


async def say_much(reply: Reply) -> None:
    await reply.say(LONG)


async def seconds(work: Callable[[], Any]) -> float:
    """How long it takes."""
    began = anyio.current_time()
    await work()
    return anyio.current_time() - began


@pytest.mark.parametrize("drain", [True, False])
async def test_the_reply_ends_where_it_stands_and_the_run_returns(drain: bool) -> None:
    """Although the source goes on, and whether the run would drain or not."""
    voice = Voice()
    session = Session(respond=say_much, speak=voice.speak)
    ends = outcomes(session)
    source = script(*turn(0, "hello"), 0.35, session.hang_up, 3600)
    assert await seconds(lambda: session.run(source, drain=drain)) == pytest.approx(0.35)
    assert ends == [(0, "interrupted", "one two three")]
    assert voice.heard == "one two three four", "the word that was under way is the last"
    assert session.floor is None
    assert session.user == "listening"


async def test_while_it_drains_nothing_more_is_waited_for() -> None:
    """The source has ended, and the caller goes while the bot still speaks."""
    voice = Voice()
    session = Session(respond=say_much, speak=voice.speak)
    ends = outcomes(session)

    async def leave() -> None:
        await anyio.sleep(0.55)
        session.hang_up()

    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave)
            assert await seconds(lambda: session.run(script(*turn(0, "hello")))) == pytest.approx(0.55)
    assert logs == [], "that is no drain that took too long"
    assert ends == [(0, "interrupted", "one two three four five")]


async def test_a_draft_and_an_open_turn_come_to_nothing() -> None:
    """With the reasons that they were closed."""
    session = Session()
    signals = listen(session)
    await session.run(script(*EAGER, session.hang_up, StartOfTurn(1, "never heard")))
    assert kinds(signals) == ["TurnStarted", "Speculate", "Cancel", "TurnDropped"]
    cancel, dropped = signals[-2:]
    assert isinstance(cancel, Cancel)
    assert isinstance(dropped, TurnDropped)
    assert (cancel.reason, dropped.reason) == (CancelReason.CLOSED, DropReason.CLOSED)


async def test_a_pending_reply_and_what_waits_for_the_floor_are_cancelled() -> None:
    """Nothing of them is begun."""
    voice, begun = Voice(), list[str]()

    async def wait_and_see(reply: Reply) -> None:
        begun.append(reply.transcript)
        await anyio.sleep(10)
        await reply.say("too late")

    session = Session(respond=wait_and_see, speak=voice.speak)
    ends = outcomes(session)
    await session.run(
        script(*TURN, 1, lambda: session.initiate("and another thing", wait=True), 1, session.hang_up, 3600)
    )
    assert ends == [(0, "cancelled", "")]
    assert begun == ["tea"]
    assert voice.sounds == []


@pytest.mark.parametrize("kind", [TurnStarted, Speculate, Commit, Cancel, BargeIn, ReplyEnded, TurnDropped])
async def test_it_may_be_called_in_any_callback(kind: type[Any]) -> None:
    """What the machine had decided is carried out first; each reply has one end, and nothing is told after the last."""
    voice = Voice()
    session = Session(respond=say_much, speak=voice.speak)
    session.on(kind, lambda _: session.hang_up())
    signals, ends = listen(session), outcomes(session)
    withdrawn = [StartOfTurn(2, "well"), EagerEndOfTurn(2, "well"), TurnResumed(2, "well"), EndOfTurn(2, "")]
    source = script(*turn(0, "hello"), 0.25, *turn(1, "stop"), 0.25, *withdrawn, 3600)
    assert await seconds(lambda: session.run(source)) < 3600
    replies = {signal.reply for signal in signals if isinstance(signal, (Speculate, Commit))}
    assert sorted(replies) == sorted(reply for reply, *_ in ends)
    begun = [signal.turn for signal in signals if isinstance(signal, TurnStarted)]
    over = [signal.turn for signal in signals if isinstance(signal, TurnDropped)]
    over += [signal.turn for signal in signals if isinstance(signal, Commit) and signal.turn is not None]
    assert sorted(over) == sorted(begun)


async def test_a_commit_that_was_just_decided_is_told_and_cancelled() -> None:
    """The callback that hangs up stands before the Commit in the same answer of the machine."""
    session = Session()
    signals, ends = listen(session), outcomes(session)
    session.on(Cancel, lambda _: session.hang_up())
    await session.run(script(*EAGER, *turn(0, "other words", eager=False)[1:], 3600))
    assert kinds(signals)[-4:] == ["Speculate", "Cancel", "Commit", "Cancel"]
    assert ends == [(0, "cancelled", ""), (1, "cancelled", "")]


async def test_it_may_be_called_from_within_a_reply() -> None:
    """`respond` ends where it stands, but for what must finish; so does `speak`."""
    log: list[str] = []

    async def respond(reply: Reply) -> None:
        await reply.say("goodbye")
        await anyio.sleep(0.05)
        async with reply.must_finish():
            session.hang_up()
            await anyio.sleep(4)
            log.append("booked")
        log.append("never")

    session = Session(respond=respond, speak=Voice().speak)
    ends = outcomes(session)
    assert await seconds(lambda: session.run(script(*TURN, 3600))) == pytest.approx(4.05)
    assert log == ["booked"]
    assert ends == [(0, "interrupted", "")]

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        playback.started()
        session.hang_up()
        await anyio.sleep(3600)

    session = Session(respond=echo, speak=speak)
    ends = outcomes(session)
    assert await seconds(lambda: session.run(script(*TURN, 3600))) == pytest.approx(0.3)
    assert ends == [(0, "interrupted", "")]


async def test_what_must_finish_is_bounded() -> None:
    """By its own timeout, and not by the drain."""

    async def respond(reply: Reply) -> None:
        async with reply.must_finish(timeout=7):
            await anyio.sleep_forever()

    session = Session(respond=respond, speak=Voice().speak, drain_timeout=1)
    assert await seconds(lambda: session.run(script(*TURN, 1, session.hang_up, 3600))) == pytest.approx(7)


async def test_a_host_that_plays_by_itself_is_stopped_too() -> None:
    """The callback that plays the reply is cancelled, and the end of it told."""
    session = Session()
    ends = outcomes(session)
    stopped: list[float] = []

    @session.on(Commit)
    async def play(commit: Commit) -> None:
        session.playback_started(commit.reply)
        try:
            await anyio.sleep(3600)
        finally:
            stopped.append(anyio.current_time() - began)

    began = anyio.current_time()
    await session.run(script(*TURN, PlaybackAdvanced(0, "some"), 1, session.hang_up, 3600))
    assert stopped == [pytest.approx(1)]
    assert [(reply, outcome) for reply, outcome, _ in ends] == [(0, "interrupted")]


@pytest.mark.parametrize("kind", [Commit, UserIdle])
async def test_the_source_is_closed(kind: type[Any]) -> None:
    """An async generator runs its finally, wherever it stands: where it has just given an item, and where it waits."""
    log: list[str] = []

    async def source() -> AsyncIterator[object]:
        try:
            for event in TURN:
                yield event
            await anyio.sleep_forever()
        finally:
            log.append("closed")

    session = Session(idle_timeout=5)
    session.on(kind, lambda _: session.hang_up())
    session.on(Commit, lambda commit: session.playback_finished(commit.reply))
    await session.run(source())
    assert log == ["closed"]


async def test_more_than_once_before_and_after() -> None:
    """Twice is once; before the run, it ends as it begins, with nothing read; after it nothing happens."""
    session, read = Session(), list[str]()
    signals = listen(session)
    session.hang_up()
    assert session.floor is None
    await session.run(script(lambda: read.append("read"), *TURN, 3600))
    session.hang_up()
    session.hang_up()
    assert read == []
    assert signals == []


async def test_the_rest_of_a_message_is_not_taken() -> None:
    """A callback for what is odd about a message hangs up before the turn event of the same message."""
    session = Session()
    signals = listen(session)
    session.on(Note, lambda _: session.hang_up())
    message = {"type": "TurnInfo", "event": "StartOfTurn", "turn_index": 0, "transcript": "tea"}
    blank = message | {"event": "Update", "transcript": ""}
    await session.run(script(blank | {"sequence_id": 1}, message | {"sequence_id": 5}))
    assert kinds(signals) == ["Note"]


async def test_of_a_burst_of_messages_the_rest_is_not_taken() -> None:
    """They come at once, and nobody waits between them."""
    session = Session()
    signals = listen(session)
    session.on(TurnStarted, lambda _: session.hang_up())
    message = {"type": "TurnInfo", "turn_index": 0, "transcript": "tea"}
    events = ("StartOfTurn", "Update", "EagerEndOfTurn", "EndOfTurn")
    burst = [decode(message | {"event": event, "sequence_id": number}) for number, event in enumerate(events)]
    await session.run(script(*burst))
    assert kinds(signals) == ["TurnStarted", "TurnDropped"]


async def test_the_error_of_a_source_that_fails_in_closing_is_not_lost() -> None:
    """It is raised on, after everything is closed."""

    async def source() -> AsyncIterator[object]:
        try:
            yield TURN[0]
            await anyio.sleep_forever()
        finally:
            raise ConnectionResetError("it is gone already")

    session = Session()

    async def leave() -> None:
        await anyio.sleep(1)
        session.hang_up()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
        with pytest.raises(ConnectionResetError):
            await session.run(source())
