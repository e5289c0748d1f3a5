"""Audio that stops inside a turn goes on as silence."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.abc
import pytest

from tests.support.audio import FRAME, SILENCE, SPEECH, speak
from tests.support.flux_peer import Link, in_turn
from tests.support.streams import opened, read_by_another
from tests.support.waiting import settle
from turnkit.wire import FluxOptions

pytestmark = pytest.mark.anyio


class Timed:
    """A Flux with an open turn, which ends it once it has heard `enough` seconds; when what came is noted."""

    def __init__(self, enough: float, rate: int = 32000) -> None:
        self.enough = enough
        self.rate = rate
        self.times: list[float] = []

    async def __call__(self, link: Link) -> None:
        await link.connected()
        await link.hear()
        self.times.append(anyio.current_time())
        await link.turn("StartOfTurn", "hello", audio_window_end=0.08)
        while len(link.audio) / self.rate < self.enough:
            if isinstance(await link.hear(), dict):
                return await link.close(None)
            self.times.append(anyio.current_time())
        await link.turn("EndOfTurn", "hello", trigger="timeout", audio_window_end=self.enough)
        await link.hang_up()


@pytest.mark.parametrize(
    ("encoding", "silence", "rate"),
    [("linear16", b"\0", 32000), ("linear32", b"\0", 64000), ("mulaw", b"\xff", 16000), ("alaw", b"\xd5", 16000)],
)
async def test_audio_that_stops_inside_a_turn_goes_on_as_silence(encoding: str, silence: bytes, rate: int) -> None:
    """Half a second later, 80 ms every 80 ms, until the turn has ended, and not a frame more; it counts as audio."""
    speech = b"\x01" * (rate * 80 // 1000)
    flux = Timed(4.0, rate)
    options = FluxOptions(encoding=encoding, sample_rate=16000)
    async with opened(flux, options) as (stream, peer), read_by_another(stream) as read:
        await speak(stream, 0.8, speech)
        await anyio.sleep(60)
        assert stream.audio_sent == pytest.approx(4.0)
    assert b"".join(peer.audio) == speech * 10 + silence * (40 * len(speech))
    pauses = [after - before for before, after in zip(flux.times, flux.times[1:], strict=False)]
    assert pauses == pytest.approx([0.08] * 9 + [0.5] + [0.08] * 39, abs=0.01)
    assert [type(item).__name__ for item in read] == ["Connected", "TurnInfo", "TurnInfo"]


async def test_pieces_may_be_as_far_apart_as_they_are_long() -> None:
    """Twice the last piece is waited for, if that is more: a second of audio every second is no pause."""
    flux = Timed(7.0)
    async with opened(flux) as (stream, peer), read_by_another(stream):
        await speak(stream, 4, b"\x01" * 32000, 1.0)
        assert b"\0" not in b"".join(peer.audio)
        await anyio.sleep(60)
    silent = next(number for number, frame in enumerate(peer.audio) if b"\0" in frame)
    assert flux.times[silent] - flux.times[silent - 1] == pytest.approx(2.0, abs=0.01)
    assert len(b"".join(peer.audio).lstrip(b"\x01")) == pytest.approx(3 * 32000, abs=FRAME)


async def test_audio_that_comes_back_ends_the_silence() -> None:
    """Nothing of it is lost or cut, and the next pause is waited for anew."""
    flux = Timed(1000)
    async with opened(flux) as (stream, peer), read_by_another(stream):
        for _ in range(3):
            await speak(stream, 0.8)
            await anyio.sleep(1.0)
        await settle()
    frames = peer.audio
    assert set(frames) == {SPEECH, SILENCE}
    assert frames[:10] == [SPEECH] * 10
    assert frames.count(SPEECH) == 30
    assert 18 <= frames.count(SILENCE) <= 24  # each time at 0.5, 0.58 ... 1.06 s after the last frame


async def test_a_frame_that_is_not_full_does_not_hold_up_the_silence() -> None:
    """What is there of it goes first, filled up with silence; and the turn ends."""
    flux = Timed(2.0)
    async with opened(flux) as (stream, peer), read_by_another(stream) as read:
        await stream.send_audio(SPEECH + SPEECH[:1000])
        await anyio.sleep(30)
    heard = b"".join(peer.audio)
    assert heard.rstrip(b"\0") == SPEECH + SPEECH[:1000]
    assert len(heard) == pytest.approx(2 * 32000, abs=FRAME)
    assert [type(item).__name__ for item in read] == ["Connected", "TurnInfo", "TurnInfo"]


async def test_silence_does_not_come_between_the_bytes_of_a_sample() -> None:
    """What is there of a sample waits until the rest comes."""
    flux = Timed(2.0)
    async with opened(flux) as (stream, peer), read_by_another(stream):
        await stream.send_audio(SPEECH + b"\x07\x07\x01")
        await anyio.sleep(30)
        await stream.send_audio(b"\x02" + SPEECH)
        await stream.flush()
    heard = b"".join(peer.audio)
    assert heard[: FRAME + 2] == SPEECH + b"\x07\x07"
    assert heard[FRAME + 2 :].lstrip(b"\0") == b"\x01\x02" + SPEECH
    assert len(heard) % 2 == 0


@pytest.mark.parametrize(
    ("options", "given", "turn"),
    [
        (FluxOptions(), {}, False),
        (FluxOptions(), {"silence_after": float("inf")}, True),
        (FluxOptions(encoding="opus", sample_rate=48000), {}, True),
        (FluxOptions(encoding=None, sample_rate=None), {}, True),
    ],
)
async def test_where_silence_is_not_wanted_none_is_sent(options: FluxOptions, given: Any, turn: bool) -> None:
    """Outside of turns, where it is switched off, and where its bytes are not known."""

    async def play(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.turn("StartOfTurn" if turn else "Update", "hello")
        await link.hang_up()

    async with opened(play, options, **given) as (stream, peer), read_by_another(stream):
        await stream.send_audio(SPEECH)
        await anyio.sleep(60)
    assert peer.audio == [SPEECH]


async def test_without_any_audio_there_is_no_silence_either() -> None:
    """A stream that is only listened to stays that way."""

    async def play(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.hang_up()

    async with opened(play) as (stream, peer), read_by_another(stream):
        await anyio.sleep(60)
    assert peer.audio == []


async def test_silence_ends_with_the_connection_and_with_the_stream() -> None:
    """The turn was lost with it; and what of the silence Flux had not covered is sent again like all audio."""

    async def first(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.turn("StartOfTurn", "hello", audio_window_end=0.08)
        await link.hear_audio(1.6)
        await link.drop()

    async with (
        opened(in_turn(first, Timed(1000)), reconnect_timeout=5) as (stream, peer),
        read_by_another(stream) as read,
    ):
        await stream.send_audio(SPEECH)
        await anyio.sleep(10)
        await stream.close()
        await anyio.sleep(10)
    assert [type(item).__name__ for item in read].count("StreamLost") == 1
    assert set(peer.links[1].own[:-1][:19]) == {SILENCE}
