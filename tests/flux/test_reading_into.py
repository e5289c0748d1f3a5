"""Items given to a function: the same as iterating gives, on asyncio without a task switch."""

from __future__ import annotations

import asyncio
import json
import tracemalloc

import anyio
import pytest

from tests.support.flux_peer import Link, in_turn, polite
from tests.support.kinds import kinds
from tests.support.streams import opened
from tests.support.waiting import settle
from turnkit.errors import ConnectionFailed, FluxError, LocalProtocolError
from turnkit.flux import FluxStream, StreamItem
from turnkit.timers import on_trio
from turnkit.turns.events import StreamLost
from turnkit.wire import FluxOptions, TurnInfo, Unknown

pytestmark = pytest.mark.anyio


def in_a_task() -> bool:
    """Whether a task runs; trio runs nothing else."""
    return on_trio() or asyncio.current_task() is not None


async def gathered(stream: FluxStream) -> list[StreamItem]:
    """All items that the stream gives to a function."""
    items: list[StreamItem] = []

    def take(item: StreamItem) -> bool:
        items.append(item)
        return True

    await stream.read_into(take)
    return items


async def test_messages_are_given_in_the_callback_that_brought_them() -> None:
    """On asyncio outside of any task, several in one go; the same ones in the same order as iterating gives."""
    where: list[bool] = []
    texts: list[str] = []

    async def speak(link: Link) -> None:
        await link.connected()
        await settle()
        for number in range(5):
            await link.turn("Update", str(number))
        await link.hang_up()

    async with opened(speak) as (stream, _):

        def take(item: StreamItem) -> bool:
            if isinstance(item, TurnInfo):
                where.append(in_a_task())
                texts.append(item.transcript)
            return len(texts) < 5

        await stream.read_into(take)
    assert texts == ["0", "1", "2", "3", "4"]
    assert any(where) == on_trio()


async def test_reading_a_message_takes_no_more_memory_for_it_than_it_fills() -> None:
    """Objects made large and cut to size leave holes that make a process grow."""
    peaks: list[int] = []

    async def speak(link: Link) -> None:
        await link.connected()
        await settle()
        for number in range(5):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            await link.turn("Update", str(number))
            await settle()
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
        await link.turn("Update", "over")
        await link.hang_up()

    tracemalloc.start()
    try:
        async with opened(speak) as (stream, _):
            await stream.read_into(lambda item: not isinstance(item, TurnInfo) or item.transcript != "over")
    finally:
        tracemalloc.stop()
    assert len(peaks) == 5
    assert 0 < max(peaks) < 32_000


async def test_what_comes_in_fragments_keeps_its_place() -> None:
    """So do unreadable frames, and what was there before anybody read."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("Update", "before")
        await link.hear()
        for number in range(10):
            said = json.dumps({"type": "TurnInfo", "event": "Update", "turn_index": 0, "transcript": str(number)})
            await link.send(said)
            half = len(said) // 2
            await link._websocket.send([said[:half], said[half:]])
            await link.send(b"\xff")
        await link.close(1000)

    async with opened(speak, FluxOptions(encoding=None, sample_rate=None)) as (stream, _):
        items: list[StreamItem] = []

        def take(item: StreamItem) -> bool:
            items.append(item)
            return True

        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                with pytest.raises(ConnectionFailed, match=r"unasked .code 1000"):
                    await stream.read_into(take)

            tasks.start_soon(read)
            await settle()
            await stream.send_audio(b"go")
    texts = [item.transcript if isinstance(item, TurnInfo) else "?" for item in items[1:]]
    assert texts == ["before", *(text for number in range(10) for text in (str(number), str(number), "?"))]
    assert all(isinstance(item, Unknown) for item in items[1:] if not isinstance(item, TurnInfo))


async def test_a_loss_is_told_and_mended_as_when_iterating() -> None:
    """By an Error after which Flux does not hang up, and by a connection that is gone."""

    async def erring(link: Link) -> None:
        await link.connected()
        await settle()
        await link.turn("Update", "one")
        await link.say("Error", code="INTERNAL_SERVER_ERROR", description="")
        await link.gone()

    async def dropping(link: Link) -> None:
        await link.connected()
        await settle()
        await link.turn("Update", "two")
        await link.drop()

    async with opened(in_turn(erring, dropping, polite), reconnect_timeout=5) as (stream, _):
        items: list[StreamItem] = []

        def take(item: StreamItem) -> bool:
            items.append(item)
            return len(items) < 9

        await stream.read_into(take)
    cycle = ["Connected", "TurnInfo", "StreamLost", "StreamRestored"]
    assert kinds(items) == (cycle * 3)[:9]
    assert next(item.reason for item in items if isinstance(item, StreamLost)).startswith("Flux said")


async def test_an_error_that_is_final_is_raised() -> None:
    """Also if Flux does not hang up; and the stream is over then."""

    async def fail(link: Link) -> None:
        await link.connected()
        await settle()
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="")
        await link.gone()

    async with opened(fail, reconnect_timeout=5) as (stream, _):
        with pytest.raises(FluxError, match="UNPARSABLE"):
            await gathered(stream)
        assert await gathered(stream) == []


async def test_what_the_function_raises_is_raised_to_the_reader() -> None:
    """The item was taken; what comes after it is for whoever reads next."""

    async def speak(link: Link) -> None:
        await link.connected()
        await settle()
        await link.turn("Update", "one")
        await link.turn("Update", "two")
        await link.hang_up()

    async with opened(speak) as (stream, _):

        def take(item: StreamItem) -> bool:
            if isinstance(item, TurnInfo):
                raise KeyError("mine")
            return True

        with pytest.raises(KeyError, match="mine"):
            await stream.read_into(take)
        after = await anext(stream)
        assert isinstance(after, TurnInfo)
        assert after.transcript == "two"


async def test_one_reader_at_a_time() -> None:
    """A second one is the caller's mistake, and changes nothing for the first; reading can be cancelled and resumed."""
    async with opened(polite) as (stream, _), anyio.create_task_group() as tasks:
        tasks.start_soon(gathered, stream)
        await settle()
        with pytest.raises(LocalProtocolError, match="only one task"):
            await gathered(stream)
        with pytest.raises(LocalProtocolError, match="only one task"):
            await anext(stream)
        tasks.cancel_scope.cancel()
    assert await gathered(stream) == []
