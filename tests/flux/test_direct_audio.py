"""Audio that is written at once, where the connection allows it: without a task switch, and with the same bounds."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.support.audio import FRAME, spoken
from tests.support.flux_peer import Link, in_turn, polite
from tests.support.kinds import kinds
from tests.support.streams import opened, take
from turnkit.timers import on_trio
from turnkit.wire import FluxOptions

pytestmark = pytest.mark.anyio


async def test_a_frame_in_real_time_leaves_without_a_task_switch() -> None:
    """On asyncio nobody else runs between a call and its return; trio has no way to write at once."""
    ran: list[int] = []

    async def other() -> None:
        ran.append(1)

    audio = spoken(4)
    switched = 0
    async with opened(polite) as (stream, peer), anyio.create_task_group() as tasks:
        for at in range(0, len(audio), FRAME):
            await anyio.sleep(0.08)
            ran.clear()
            tasks.start_soon(other)
            await stream.send_audio(audio[at : at + FRAME])
            switched += len(ran)
    assert (switched == 0) == (not on_trio())
    assert b"".join(peer.audio) == audio
    assert {len(frame) for frame in peer.audio} == {FRAME}


async def test_others_have_their_turn_however_much_is_sent() -> None:
    """A caller who never pauses lets others run after every few frames, and in the middle of a large piece."""
    ran: list[int] = []

    async def other() -> None:
        ran.append(1)

    async with opened(polite) as (stream, _), anyio.create_task_group() as tasks:
        for count in (2, 2, 2, 200):
            await stream.send_audio(bytes(FRAME))
            ran.clear()
            tasks.start_soon(other)
            await stream.send_audio(bytes(count * FRAME))
            assert ran


async def test_a_peer_that_stops_reading_is_found_out_also_in_real_time() -> None:
    """Once the buffers are full, whoever speaks is held up for a second, and the connection is lost, not the audio."""
    over = anyio.Event()

    async def deaf(link: Link) -> None:
        await link.connected()
        await over.wait()

    options = FluxOptions(encoding="linear32", sample_rate=48000)
    bounds: dict[str, Any] = {
        "send_timeout": 1,
        "reconnect_timeout": 5,
        "replay_seconds": 1000,
        "message_timeout": 1000,
    }
    async with opened(in_turn(deaf, polite), options, **bounds) as (stream, peer):
        piece = 48000 * 4 // 10
        audio = bytes(range(256)) * (2500 * piece // 256)  # more than the largest buffers that kernels give to sockets
        at, began = 0, 0.0
        while stream.connected:
            await anyio.sleep(0.1)
            began = anyio.current_time()
            await stream.send_audio(audio[at : at + piece])
            at += piece
            assert at < len(audio)
        assert anyio.current_time() - began == pytest.approx(1, abs=0.1)
        items = await take(stream, 4)
        assert kinds(items) == ["Connected", "StreamLost", "StreamRestored", "Connected"]
        assert "took no data for 1 s (send_timeout)" in items[1].reason  # type: ignore[union-attr]
        over.set()
    assert peer.links[1].audio == audio[:at]
    assert stream.lost_audio_seconds == 0
