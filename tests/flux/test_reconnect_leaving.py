"""Leaving a stream while its connection is lost, and what stays behind."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.abc
import pytest
from structlog.testing import capture_logs

from tests.support.audio import FRAME
from tests.support.flux_peer import DOWN, Link, flux_peer, hanging_up_at_once, in_turn, polite, tcp_peer
from tests.support.streams import KEY, opened, take
from tests.support.waiting import settle, until
from turnkit.errors import ConfigError, ConnectionFailed, RemoteProtocolError
from turnkit.flux import StreamItem, connect
from turnkit.turns.events import StreamLost, StreamRestored
from turnkit.wire import Connected

pytestmark = pytest.mark.anyio


async def swallowing(link: Link) -> None:
    """Neither Connected nor anything else."""
    await link.gone()


def assert_no_tasks_are_left() -> None:
    """On trio, a nursery that is closed has none."""
    try:
        left = asyncio.all_tasks() - {asyncio.current_task()}
    except RuntimeError:
        return
    assert [task.get_coro() for task in left if "turnkit" in repr(task.get_coro())] == []


LOST = {"backing off": (503, hanging_up_at_once), "connecting": (0, swallowing)}


@pytest.mark.parametrize("when", LOST)
@pytest.mark.parametrize("how", ["close", "leave", "cancel"])
async def test_leaving_during_an_outage_is_prompt(when: str, how: str) -> None:
    """The iteration ends, nothing is waited for, and neither a task nor a socket stays."""
    status, second = LOST[when]
    ended: list[str] = []
    async with flux_peer(
        in_turn(hanging_up_at_once, second), refuse=lambda n: (status, b"", {}) if n and status else None
    ) as peer:
        began = anyio.current_time()
        with anyio.CancelScope() as scope:
            async with connect(
                url=peer.url, connect_timeout=1000, backoff_first=1000, backoff_max=1000, reconnect_timeout=10_000
            ) as stream:

                async def iterate() -> None:
                    async for item in stream:
                        ended.append(type(item).__name__)  # noqa: PERF401 - it is looked at after a cancellation
                    ended.append("over")

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(iterate)
                    await until(lambda: len(peer.requests) == 2 and stream._reconnecting is not None)
                    await settle()
                    await stream.send_audio(bytes(10 * FRAME))
                    if how == "cancel":
                        scope.cancel()
                    elif how == "close":
                        await stream.close()
                        await stream.close()
                    else:
                        tasks.cancel_scope.cancel()
        assert anyio.current_time() - began < 1
        assert stream.lost_audio_seconds == pytest.approx(0.8)
        assert_no_tasks_are_left()
        for link in peer.links:
            await link.gone()
    assert ended == ["Connected", "StreamLost", "over"][: 3 if how == "close" else 2]


async def test_a_consumer_that_stops_waiting_and_comes_back_gets_what_it_missed() -> None:
    """Cancelling one anext breaks nothing: the next goes on where it was, in pauses and in attempts."""

    async def slow(link: Link) -> None:
        await anyio.sleep(0.3)
        await link.connected()
        await link.hang_up()

    async with (
        flux_peer(in_turn(hanging_up_at_once, slow), refuse=lambda n: DOWN if n == 1 else None) as peer,
        connect(url=peer.url) as stream,
    ):
        await take(stream, 2)
        items: list[StreamItem] = []
        cancelled = 0
        while len(items) < 2:
            with anyio.move_on_after(0.2 if cancelled < 4 else 10) as scope:
                items.append(await anext(stream))
            cancelled += scope.cancelled_caught
        assert cancelled >= 4
    assert [type(item) for item in items] == [StreamRestored, Connected]


async def test_every_connection_but_the_last_is_gone() -> None:
    """Fifty losses later there is one socket, and afterwards none; tasks neither."""
    async with opened(hanging_up_at_once, reconnect_timeout=1e6, backoff_max=0.5) as (stream, peer):
        await take(stream, 150)
        for link in peer.links[:-1]:
            await link.gone()
    await peer.links[-1].gone()
    assert_no_tasks_are_left()


async def test_a_stream_that_nobody_reads_is_left_as_ever() -> None:
    """A loss that nobody has seen is no error on the way out."""
    async with opened(hanging_up_at_once, reconnect_timeout=5) as (stream, peer):
        await peer.links[0].gone()
        await stream.send_audio(bytes(FRAME))
    assert len(peer.requests) == 1


async def test_a_host_that_comes_back_as_something_else_is_tried_again(anyio_backend_name: str) -> None:
    """What answers may be a proxy for a while: no WebSocket, then Flux again; then somebody who only hangs up."""
    served = 0

    async def answer(tcp: anyio.abc.SocketStream) -> None:
        nonlocal served
        served += 1
        await tcp.receive()
        await tcp.send(b"220 mail.example ESMTP\r\n\r\n" if served % 2 else b"HTTP/1.1 200 OK\r\n\r\n")

    async with tcp_peer(answer) as host, opened(hanging_up_at_once, reconnect_timeout=4) as (stream, _):
        await take(stream, 2)
        stream._connector.host = host
        with pytest.raises(ConnectionFailed) as gone:
            await anext(stream)
    assert {type(attempt) for attempt in gone.value.attempts[1:]} == {RemoteProtocolError}


async def test_a_loss_says_nothing_personal() -> None:
    """Neither what was said nor the key, in log, reason or error."""
    with capture_logs() as logged:
        async with opened(in_turn(turn_then_drop, polite), reconnect_timeout=5) as (stream, _):
            items = await take(stream, 5)
    events = [entry["event"] for entry in logged if entry["log_level"] != "debug"]
    assert events == ["flux_lost", "flux_restored"]
    shown = [*map(repr, logged), *(repr(item) for item in items if isinstance(item, (StreamLost, StreamRestored)))]
    assert not any(KEY in text or "hello" in text for text in shown)


async def turn_then_drop(link: Link) -> None:
    await link.connected()
    await link.turn("StartOfTurn", "hello")
    await link.drop()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reconnect_timeout": -1}, r"reconnect_timeout=-1: must be a positive.*, or 0 to do without"),
        ({"reconnect_timeout": float("inf")}, "reconnect_timeout=inf"),
        ({"replay_seconds": -0.1}, "replay_seconds"),
        ({"backoff_first": 0}, "backoff_first=0"),
        ({"backoff_first": 9}, r"backoff_first=9: must be at most backoff_max=8\.0"),
        ({"message_timeout": 0}, r"message_timeout=0: .*, or inf to do without"),
        ({"silence_after": "1"}, "silence_after='1'"),
    ],
)
async def test_bounds_that_cannot_hold_are_refused(given: dict[str, Any], said: str) -> None:
    """Before the network, each naming itself, its value and the rule."""
    with pytest.raises(ConfigError, match=said):
        connect(api_key=KEY, **given)
    connect(
        api_key=KEY, reconnect_timeout=0, replay_seconds=0, message_timeout=float("inf"), silence_after=float("inf")
    )
