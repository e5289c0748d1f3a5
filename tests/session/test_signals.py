"""The signals of a session as a stream: in order, bounded, and over when the session is."""

from __future__ import annotations

import anyio
import pytest
from structlog.testing import capture_logs

from tests.support.kinds import kinds
from tests.support.sessions import TURN, listen, script, turn
from tests.support.voices import Voice, echo
from tests.support.waiting import settle
from turnkit.errors import ConfigError
from turnkit.session import Session
from turnkit.session.signal_stream import SignalStream
from turnkit.turns.events import Commit, ReplyEnded, Signal, StartOfTurn, TurnStarted, Update

pytestmark = pytest.mark.anyio


async def read(stream: SignalStream, into: list[Signal | ReplyEnded], pause: float = 0.0) -> None:
    """Take all there is, with a pause after each."""
    async for signal in stream:
        await anyio.sleep(pause)
        into.append(signal)


async def test_a_slow_reader_gets_them_in_the_order_in_which_they_are_told() -> None:
    """Where async callbacks overtake each other; ReplyEnded is among them, and it ends with the session."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    told: list[Signal | ReplyEnded] = listen(session)  # type: ignore[assignment]
    session.on(ReplyEnded, told.append)
    seen: list[Signal | ReplyEnded] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, session.signals(), seen, 0.3)
        await session.run(script(*turn(0, "hello"), 0.4, *turn(1, "stop"), 5))
    assert seen == told
    assert kinds(seen).count("ReplyEnded") == 2
    assert kinds(seen)[-1] == "ReplyEnded"


async def test_what_was_told_before_the_first_look_is_there() -> None:
    """It is kept from the call of `signals` on, also if that comes before the run; a reader after the run gets it."""
    session = Session()
    stream, seen = session.signals(), list[Signal | ReplyEnded]()
    await session.run(script(*TURN))
    await read(stream, seen)
    assert kinds(seen) == ["TurnStarted", "Speculate", "Commit", "Cancel", "ReplyEnded"]


async def test_only_the_types_that_were_asked_for() -> None:
    """And several readers at once, each with its own."""
    session = Session()
    commits, rest = session.signals(Commit, Commit), session.signals(TurnStarted, ReplyEnded)
    one, other = list[Signal | ReplyEnded](), list[Signal | ReplyEnded]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, commits, one)
        tasks.start_soon(read, rest, other)
        await session.run(script(*TURN))
    assert kinds(one) == ["Commit"]
    assert kinds(other) == ["TurnStarted", "ReplyEnded"]


async def test_of_a_reader_that_is_too_slow_the_oldest_are_dropped_and_counted() -> None:
    """The call does not wait, and the log says it once."""
    session = Session()
    stream, seen = session.signals(limit=3), list[Signal | ReplyEnded]()
    updates = [Update(0, "word " * count) for count in range(2, 10)]
    with capture_logs() as logs:
        await session.run(script(StartOfTurn(0, "word"), *updates))
    await read(stream, seen)
    assert kinds(seen) == ["TurnUpdated", "TurnUpdated", "TurnDropped"]
    assert stream.missed == 7
    assert [(entry["event"], entry["limit"]) for entry in logs if entry["event"] == "signals_missed"] == [
        ("signals_missed", 3)
    ]


async def test_one_that_is_closed_costs_nothing_more() -> None:
    """Left as a `with`, it is empty and over, and the session no longer tells it."""
    session = Session()
    with session.signals() as stream:
        await session.run(script(lambda: None, *TURN[:1], stream.close, *TURN[1:]))
    assert [signal async for signal in stream] == []
    assert not session._callbacks.registered
    other = session.signals()
    assert [signal async for signal in other] == [], "the session is over"


async def test_a_reader_that_waits_is_woken_by_each_and_by_the_end() -> None:
    """It need not poll, also when the run is cancelled."""
    session = Session()
    seen: list[tuple[float, str]] = []
    began = anyio.current_time()

    def see(what: str) -> None:
        seen.append((round(anyio.current_time() - began, 3), what))

    async def look() -> None:
        async for signal in session.signals():
            see(type(signal).__name__)
        see("end")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await settle()
        with anyio.move_on_after(4):
            await session.run(script(1, StartOfTurn(0, "tea"), 2, 3600))
    assert seen == [(1.0, "TurnStarted"), (4.0, "TurnDropped"), (4.0, "end")]


async def test_wrong_kinds_and_limits_are_refused() -> None:
    """With what is right, and nothing is registered."""
    session = Session()
    with pytest.raises(ConfigError, match="must be one of the signals TurnStarted"):
        session.signals(Commit, StartOfTurn)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="limit=0: must be"):
        session.signals(limit=0)
    assert not session._callbacks.registered
