"""What only time can tell: a Flux that falls silent, sends that block, pings without pongs."""

from __future__ import annotations

import asyncio

import anyio
import anyio.abc
import pytest
import trio

from tests.support.audio import speak
from tests.support.flux_peer import Link, flux_peer, in_turn, polite, tcp_peer
from tests.support.streams import everything, opened, read_by_another
from tests.support.waiting import settle
from tests.support.wire_peer import upgraded
from turnkit.errors import ConnectionFailed
from turnkit.flux import StreamItem, connect
from turnkit.timers import on_trio
from turnkit.turns.events import StreamLost, StreamRestored
from turnkit.wire import FluxOptions, TurnInfo

pytestmark = pytest.mark.anyio


async def mute(link: Link) -> None:
    """Connected, and then never a word, though it listens."""
    await link.connected()
    await link.hang_up()


async def talkative(link: Link) -> None:
    """An Update for every third frame, until it is closed."""
    await link.connected()
    while True:
        for _ in range(3):
            heard = await link.hear()
            if isinstance(heard, dict):
                return await link.close(None)
        await link.turn("Update", audio_window_end=len(link.audio) / 32000)


# No message while audio flows ---------------------------------------------------------------------------------------


async def test_a_flux_that_says_nothing_while_audio_flows_is_lost() -> None:
    """message_timeout after the first audio; each connection has as long."""
    at: list[float] = []
    script = in_turn(mute, mute, polite)
    async with opened(script, reconnect_timeout=60) as (stream, _), anyio.create_task_group() as tasks:
        await anext(stream)
        with anyio.move_on_after(30) as scope:  # without audio there is nothing to say
            await anext(stream)
        assert scope.cancelled_caught
        began = anyio.current_time()
        tasks.start_soon(speak, stream, 25)
        for _ in range(2):
            lost = await anext(stream)
            at.append(anyio.current_time() - began)
            assert isinstance(lost, StreamLost)
            assert "sent no message for 10.0 s of audio (message_timeout)" in lost.reason
            assert isinstance(await anext(stream), StreamRestored)
            await anext(stream)
    assert at == pytest.approx([10, 20], abs=0.1)


async def test_without_reconnecting_a_silent_flux_is_a_failed_connection() -> None:
    """It is raised to whoever reads."""
    async with opened(mute, message_timeout=2) as (stream, _), anyio.create_task_group() as tasks:
        tasks.start_soon(speak, stream, 1.6)
        with pytest.raises(ConnectionFailed, match="message_timeout"):
            await everything(stream)


async def test_a_flux_that_talks_is_never_suspected() -> None:
    """Nor is one that has nothing to say because no audio comes."""
    async with (
        opened(talkative, message_timeout=1, reconnect_timeout=5) as (stream, _),
        read_by_another(stream) as read,
    ):
        for _ in range(3):
            await speak(stream, 20)
            await anyio.sleep(10)
    assert not any(isinstance(item, StreamLost) for item in read)


async def test_a_consumer_that_is_busy_is_not_taken_for_a_silent_flux() -> None:
    """Messages lie there, nobody takes them: that is not Flux's fault, and none of them is lost."""
    async with opened(talkative, message_timeout=1, reconnect_timeout=5) as (stream, _):
        await anext(stream)
        await speak(stream, 30)
        items = [await anext(stream) for _ in range(125)]
        await speak(stream, 0.96)
        items += [await anext(stream) for _ in range(4)]
    assert all(isinstance(item, TurnInfo) for item in items)


async def test_a_program_that_stood_still_does_not_blame_flux() -> None:
    """After a blocked event loop the timers are late, and the messages not read yet."""
    async with (
        opened(talkative, message_timeout=10, reconnect_timeout=5) as (stream, _),
        read_by_another(stream) as read,
    ):
        await speak(stream, 2.4)
        for _ in range(5):
            await speak(stream, 0.24)
            pass_time(12)
            await settle()
            await anyio.sleep(0.5)
    assert not any(isinstance(item, StreamLost) for item in read)


def pass_time(seconds: float) -> None:
    """The clock goes on, and nobody can do anything meanwhile."""
    if on_trio():
        trio.lowlevel.current_clock().jump(seconds)  # type: ignore[attr-defined]
    else:
        asyncio.get_running_loop()._jumping.now += seconds  # type: ignore[attr-defined]


async def test_the_watchdog_can_be_switched_off() -> None:
    """With message_timeout=inf a Flux may be silent for ever."""
    async with (
        opened(mute, message_timeout=float("inf"), reconnect_timeout=5) as (stream, peer),
        read_by_another(stream),
    ):
        await speak(stream, 60)
    assert len(peer.requests) == 1


# Sends that block, pings without pongs ------------------------------------------------------------------------------


async def test_a_peer_that_stops_reading_is_lost_and_what_it_did_not_take_is_sent_again() -> None:
    """A frame that does not leave within send_timeout costs the connection, not the call, and not its audio."""
    over = anyio.Event()

    async def deaf(link: Link) -> None:
        await link.connected()
        await over.wait()

    options = FluxOptions(encoding="linear32", sample_rate=48000)
    async with opened(
        in_turn(deaf, polite), options, send_timeout=1, reconnect_timeout=5, replay_seconds=1000, message_timeout=1000
    ) as (stream, peer):
        audio = bytes(range(256)) * 100_000
        await stream.send_audio(audio)
        items = [await anext(stream) for _ in range(4)]
        assert [type(item).__name__ for item in items] == ["Connected", "StreamLost", "StreamRestored", "Connected"]
        assert "took no data for 1 s (send_timeout)" in items[1].reason  # type: ignore[union-attr]
        over.set()
    assert peer.links[1].audio == audio
    assert stream.lost_audio_seconds == 0


async def test_a_peer_that_answers_no_ping_is_lost() -> None:
    """After 20 s a ping, 20 s later it is due, and two seconds go to the closing handshake that is not answered."""

    async def pongless(tcp: anyio.abc.SocketStream) -> None:
        await upgraded(tcp)
        await anyio.sleep_forever()

    async with tcp_peer(pongless) as host, connect(url=f"ws://{host}") as stream:
        await anext(stream)
        began = anyio.current_time()
        lost = await anext(stream)
        assert anyio.current_time() - began == pytest.approx(42, abs=0.1)
    assert isinstance(lost, StreamLost)
    assert "did not answer a ping within 20.0 s" in lost.reason


# Backpressure -------------------------------------------------------------------------------------------------------


async def test_a_consumer_that_sleeps_through_pings_loses_nothing() -> None:
    """A minute and more of messages waits for it, while pings are answered and pongs seen."""

    async def chatty(link: Link) -> None:
        await link.connected()
        for number in range(900):
            await anyio.sleep(0.08)
            await link.turn("Update", str(number))
        await link.hang_up()

    async with (
        flux_peer(chatty, ping_interval=5, ping_timeout=5) as peer,
        connect(url=peer.url, reconnect_timeout=5) as stream,
    ):
        await anyio.sleep(75)
        items: list[StreamItem] = [await anext(stream) for _ in range(901)]
    assert [item.transcript for item in items if isinstance(item, TurnInfo)] == [str(number) for number in range(900)]
    assert stream.missed_messages == 0
