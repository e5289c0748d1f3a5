"""What a stream keeps and counts where nobody reads, and where Flux tells what cannot be."""

from __future__ import annotations

import anyio
import pytest

from tests.support.audio import FRAME, RATE, spoken
from tests.support.flux_peer import Link, hanging_up_at_once, in_turn, polite
from tests.support.kinds import kinds
from tests.support.streams import opened, take
from tests.support.waiting import settle
from turnkit.errors import ConnectionFailed
from turnkit.flux import FluxStream
from turnkit.flux.audio_buffer import AudioBuffer
from turnkit.wire import FluxOptions, TurnInfo

pytestmark = pytest.mark.anyio


def kept(stream: FluxStream) -> int:
    """How many bytes of audio the stream keeps."""
    audio = stream._protocol.audio
    assert isinstance(audio, AudioBuffer)
    return audio.end - audio.first


@pytest.mark.parametrize("window", [1e308, 1.7e308, 2.0**60, 1e12, 5.0])
async def test_a_window_beyond_all_seconds_covers_what_was_sent(window: float) -> None:
    """No number that Flux sends raises out of anything, and the stream's time stays that of the audio."""

    async def first(link: Link) -> None:
        await link.connected()
        await link.hear_audio(0.8)
        await link.turn("Update", "well", audio_window_end=window)
        await link.drop()

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear_audio(0.8)
        await link.turn("Update", audio_window_end=0.8)
        await link.hang_up()

    audio = spoken(1.6)
    async with opened(in_turn(first, second), reconnect_timeout=5) as (stream, peer):
        await stream.send_audio(audio[: RATE * 8 // 10])
        assert kinds(await take(stream, 5))[2:] == ["StreamLost", "StreamRestored", "Connected"]
        for at in range(RATE * 8 // 10, len(audio), FRAME):
            await stream.send_audio(audio[at : at + FRAME])
        update = await anext(stream)
        assert isinstance(update, TurnInfo)
        assert update.audio_window_end == pytest.approx(1.6)
    assert peer.links[1].audio == audio[RATE * 8 // 10 :]
    assert stream.lost_audio_seconds == 0


@pytest.mark.parametrize("encoding", [None, "opus"])
async def test_a_window_beyond_all_seconds_does_not_spoil_the_time_of_containers(encoding: str | None) -> None:
    """How much was sent is not known there, but no second is beyond counting."""
    options = FluxOptions(encoding=encoding, sample_rate=48000 if encoding else None)

    async def play(link: Link) -> None:
        await link.connected()
        await link.turn("Update", audio_window_end=1.7e308)
        await link.drop()

    async with opened(play, options, reconnect_timeout=5, backoff_max=5) as (stream, _):
        items = [item for item in await take(stream, 12) if isinstance(item, TurnInfo)]
    assert all(item.audio_window_end <= 1.8e308 for item in items)


@pytest.mark.parametrize("reconnect_timeout", [5, 0])
async def test_audio_for_a_connection_that_nobody_finds_lost_is_bounded(reconnect_timeout: float) -> None:
    """Ten minutes of it: the last replay_seconds are kept, the rest is counted, and the stream is not called open."""
    minutes = 10
    script = in_turn(hanging_up_at_once, polite)
    async with opened(script, reconnect_timeout=reconnect_timeout, replay_seconds=15) as (stream, peer):
        await peer.links[0].gone()
        await settle()
        refused = 0
        for _ in range(minutes * 60 * 10 // 8):
            await anyio.sleep(0.01)
            try:
                await stream.send_audio(bytes(10 * FRAME))
            except ConnectionFailed:
                refused += 1
            assert kept(stream) <= 15 * RATE + FRAME
        assert not stream.connected
        assert repr(stream).startswith("<FluxStream lost")
        assert bool(refused) == (not reconnect_timeout)
        if reconnect_timeout:
            assert kinds(await take(stream, 4)) == ["Connected", "StreamLost", "StreamRestored", "Connected"]
            assert stream.lost_audio_seconds == pytest.approx(minutes * 60 - 15)
    if reconnect_timeout:
        assert len(peer.links[1].audio) == pytest.approx(15 * RATE, abs=FRAME)


async def test_what_lay_unread_when_a_connection_broke_is_read_first() -> None:
    """Messages, and the coverage in them, count although a frame did not leave meanwhile."""

    async def first(link: Link) -> None:
        await link.connected()
        await link.hear_audio(0.8)
        await link.turn("Update", "well", audio_window_end=0.8)
        await link.drop()

    audio = spoken(2)
    async with opened(in_turn(first, polite), reconnect_timeout=5) as (stream, peer):
        await stream.send_audio(audio[: 10 * FRAME])
        await peer.links[0].gone()
        for at in range(10 * FRAME, len(audio), FRAME):
            await anyio.sleep(0.08)
            await stream.send_audio(audio[at : at + FRAME])
        assert not stream.connected
        assert kinds(await take(stream, 3)) == ["Connected", "TurnInfo", "StreamLost"]
        await take(stream, 2)
    assert peer.links[1].audio == audio[10 * FRAME :]
    assert stream.lost_audio_seconds == 0


async def test_bytes_that_are_half_a_sample_are_never_dropped_alone() -> None:
    """With nothing to be kept, pieces of odd sizes stay in step with their samples through an outage."""
    samples = bytes(range(250))
    async with opened(in_turn(hanging_up_at_once, polite), reconnect_timeout=5, replay_seconds=0) as (stream, peer):
        await take(stream, 2)
        await stream.send_audio(samples[:101])
        await stream.send_audio(samples[101:103])
        await take(stream, 2)
        await stream.send_audio(samples[103:])
        await stream.flush()
    assert peer.links[1].audio == samples[102:]
    assert stream.lost_audio_seconds == pytest.approx(102 / RATE)
