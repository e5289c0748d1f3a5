"""A session on a Flux stream: stalled turns are forced to end, outages are lived through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import Link, in_turn, polite
from tests.support.streams import opened
from tests.support.waiting import settle, until
from turnkit.errors import ConnectionFailed
from turnkit.session import Session
from turnkit.turns.events import BargeIn, Commit, NoteKind, StartOfTurn, StreamLost, StreamRestored, TurnStalled, Update

pytestmark = pytest.mark.anyio


async def stalling(link: Link) -> None:
    """A turn that makes no progress until it is forced to end."""
    await link.connected()
    await link.turn("StartOfTurn", "hello")
    await link.hear_until("ForceEndTurn")
    await link.turn("EndOfTurn", "hello", trigger="manual")
    await link.hang_up()


async def test_a_session_forces_the_end_of_a_turn_that_stalls() -> None:
    """The source is told, and the turn is committed as Flux ends it."""
    session = Session(stall_timeout=8, stall_grace=2)
    commits: list[Commit] = []
    async with opened(stalling) as (stream, peer):

        @session.on(Commit)
        async def commit(signal: Commit) -> None:
            commits.append(signal)
            await stream.close()

        await session.run(stream)
    assert [(signal.trigger, signal.transcript) for signal in commits] == [("manual", "hello")]
    assert [command["type"] for command in peer.commands] == ["ForceEndTurn", "CloseStream"]
    assert not session.notes


async def stuck(link: Link) -> None:
    """A turn that has two words in its first second, and from then on nothing but blank Updates."""
    await link.connected()
    await link.hear_audio(0.8)
    await link.turn("StartOfTurn", "hello", audio_window_end=0.8)
    await link.hear_audio(1.04)
    await link.turn("Update", "hello there", audio_window_end=1.04)
    for count in range(1, 100):
        end = round(1.04 + 0.24 * count, 2)
        await link.hear_audio(end)
        await link.turn("Update", "", audio_window_end=end)


async def test_a_turn_that_gets_nowhere_and_cannot_be_forced_costs_the_connection() -> None:
    """Blank Updates satisfy no watchdog: what was said since the last new words is sent again."""
    audio = Random(1).randbytes(12 * 32000)

    async def healthy(link: Link) -> None:
        await link.connected()
        await link.hear_audio(4.0)
        await link.hang_up()

    async with opened(in_turn(stuck, healthy), answer_timeout=2, reconnect_timeout=5) as (stream, peer):
        items: list[object] = []
        async with anyio.create_task_group() as group:

            async def speak() -> None:
                for start in range(0, len(audio), 2560):
                    if start == 4 * 32000:
                        assert await stream.send_force_end_turn()
                    await stream.send_audio(audio[start : start + 2560])
                    await anyio.sleep(0.08)
                    if len(peer.links) == 2 and len(peer.links[1].audio) > 5 * 32000:
                        return await stream.close()

            group.start_soon(speak)
            items += [item async for item in stream]
        (lost,) = [item for item in items if isinstance(item, StreamLost)]
        assert "did not end a turn that got nowhere within 2 s (answer_timeout)" in lost.reason
        start = round(1.04 * 32000)
        assert peer.links[1].audio[: 4 * 32000] == audio[start : start + 4 * 32000]
        assert stream.lost_audio_seconds == 0


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_forced_end_that_is_late_costs_nothing_while_there_is_progress(goes_on: bool) -> None:
    """New words, or a turn that ended by itself, show that Flux is there."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.hear_until("ForceEndTurn")
        if goes_on:
            await link.turn("Update", "hello there", audio_window_end=1.04)
        else:
            await link.turn("EndOfTurn", "hello", trigger="model")
        await link.hang_up()

    async with (
        opened(speak, answer_timeout=2, reconnect_timeout=5) as (stream, peer),
        anyio.create_task_group() as group,
    ):
        items: list[object] = []

        async def read() -> None:
            items.extend([item async for item in stream])

        group.start_soon(read)
        await settle()
        with pytest.raises(ConnectionFailed, match="did not answer ForceEndTurn"):
            await stream.force_end_turn()
        await anyio.sleep(1)
        await stream.close()
    assert not [item for item in items if isinstance(item, StreamLost)]
    assert len(peer.requests) == 1


class Source:
    """A source that says a turn began, and chatters on without progress."""

    def __init__(self, failing: bool = False) -> None:
        self.forced = 0
        self.failing = failing

    async def send_force_end_turn(self) -> None:
        self.forced += 1
        if self.failing:
            raise ConnectionFailed("gone")
        await anyio.sleep_forever()

    async def __aiter__(self) -> AsyncIterator[object]:
        yield StartOfTurn(0, "hello", 0.5, 0.5)
        for second in range(12):
            await anyio.sleep(1)
            yield Update(0, "hello", 0.5, 0.5 + second)


@pytest.mark.parametrize("failing", [False, True])
async def test_a_source_that_cannot_end_the_turn_holds_nobody_up(failing: bool) -> None:
    """The reader reads on, the machine ends the turn by itself, and a failure is a Note."""
    source = Source(failing)
    session = Session(stall_timeout=8, stall_grace=2)
    seen: list[tuple[str, float]] = []
    began = anyio.current_time()
    for kind in (TurnStalled, Commit, BargeIn):
        session.on(kind, lambda signal: seen.append((type(signal).__name__, round(signal.at - began))))
    session.on(Commit, lambda signal: seen.append((signal.trigger, 0)))
    await session.run(source, drain=False)
    assert seen == [("TurnStalled", 8), ("Commit", 10), ("stalled", 0)]
    assert source.forced == 1
    assert session.notes[NoteKind.CALLBACK_FAILED] == failing


async def test_a_source_that_knows_nothing_of_it_is_left_alone() -> None:
    """A plain generator has no end to force."""
    session = Session(stall_timeout=8, stall_grace=2)
    commits: list[str] = []
    session.on(Commit, lambda signal: commits.append(signal.trigger))

    async def plain() -> AsyncIterator[object]:
        async for item in Source():
            yield item

    await session.run(plain())
    assert commits == ["stalled"]
    assert not session.notes


async def test_a_session_lives_through_an_outage() -> None:
    """The turn that was open is answered on its words, and the next one is an ordinary one; nothing surprises it."""

    async def first(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.drop()

    async def second(link: Link) -> None:
        await link.connected()
        await anyio.sleep(5)
        await link.turn("StartOfTurn", "again")
        await link.turn("EndOfTurn", "again", trigger="model")
        await link.hang_up()

    session = Session(lost_turn_grace=2)
    commits: list[tuple[str, str]] = []
    async with opened(in_turn(first, second), reconnect_timeout=5) as (stream, _):

        @session.on(Commit)
        async def commit(signal: Commit) -> None:
            commits.append((signal.trigger, signal.transcript))
            session.playback_started(signal.reply)
            session.playback_finished(signal.reply)
            if signal.trigger == "model":
                await stream.close()

        await session.run(stream)
    assert commits == [("stream_lost", "hello"), ("model", "again")]
    assert not session.notes


async def test_a_session_hears_of_one_restoring_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connected after StreamRestored is no second one."""
    restored: list[object] = []
    session = Session()
    feed = session._dispatcher.feed

    def spy(event: Any, *rest: Any) -> Any:
        if isinstance(event, (StreamLost, StreamRestored)):
            restored.append(event)
        return feed(event, *rest)

    monkeypatch.setattr(type(session._dispatcher), "feed", lambda _, *given: spy(*given))

    async def first(link: Link) -> None:
        await link.connected()
        await link.drop()

    async with (
        opened(in_turn(first, polite), reconnect_timeout=5) as (stream, peer),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(session.run, stream)
        await until(lambda: len(peer.links) == 2)
        await until(lambda: len(restored) == 2)
        await settle()
        await stream.close()
    assert [type(event).__name__ for event in restored] == ["StreamLost", "StreamRestored"]
