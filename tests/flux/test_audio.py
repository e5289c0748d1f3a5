"""Audio on its way to Flux: frames, order, and what does not leave."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import cast

import anyio
import anyio.abc
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from tests.support.flux_peer import Link, polite
from tests.support.streams import opened
from turnkit.errors import ConnectionFailed, LocalProtocolError
from turnkit.flux import FluxStream
from turnkit.flux.address import checked_address
from turnkit.flux.bounds import Bounds
from turnkit.flux.connecting import Connector
from turnkit.flux.credential import Credential
from turnkit.timers import on_trio
from turnkit.wire import Configure, FluxOptions

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("encoding", "sample_rate", "size"),
    [("linear16", 16000, 2560), ("linear16", 44100, 7056), ("linear32", 8000, 2560), ("mulaw", 8000, 640)],
)
async def test_audio_leaves_in_frames_of_80_ms(encoding: str, sample_rate: int, size: int) -> None:
    """Whatever the pieces, the frames are 80 ms, the last one what is left, and the seconds are counted."""
    options = FluxOptions(encoding=encoding, sample_rate=sample_rate)
    async with opened(polite, options) as (stream, peer):
        await stream.send_audio(bytes(size - 1))
        assert stream.audio_sent == 0.0
        await stream.send_audio(bytearray(size + 1))
        await stream.send_audio(memoryview(bytes(8)))
        await stream.send_audio(b"")
        assert stream.audio_sent == pytest.approx(0.16)
        await stream.flush()
        await stream.flush()
        await stream.send_audio(bytes(12))
    assert [len(frame) for frame in peer.audio] == [size, size, 8, 12]


@pytest.mark.parametrize("encoding", [None, "opus", "ogg-opus"])
async def test_containers_and_opus_pass_as_they_are(encoding: str | None) -> None:
    """Their bytes cannot be cut; only empty pieces are left out, for Deepgram takes an empty frame as a close."""
    options = FluxOptions(encoding=encoding, sample_rate=48000 if encoding else None)
    async with opened(polite, options) as (stream, peer):
        for piece in (b"OggS", b"", bytes(100_000)):
            await stream.send_audio(piece)
        await stream.flush()
        assert stream.audio_sent is None
    assert [len(frame) for frame in peer.audio] == [4, 100_000]


class Wire:
    """A websocket that only takes frames, and as websockets' do: on asyncio at once, on trio after a checkpoint."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    async def send(self, frame: bytes) -> None:
        if on_trio():
            await checkpoint()
        self.frames.append(frame)
        await checkpoint()


@asynccontextmanager
async def wired(wire: Wire, options: FluxOptions | None = None) -> AsyncIterator[FluxStream]:
    """A stream that writes to `wire`."""
    bounds = Bounds()
    line = Connector(checked_address("ws://127.0.0.1", allow_unencrypted=False), Credential(), None, None, bounds)
    await line.background.begin()
    try:
        yield FluxStream(wire, options or FluxOptions(), line, bounds, Random(0))
    finally:
        await line.background.stop()


@settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=6000), max_size=8), sample_bytes=st.sampled_from([1, 2, 4]))
async def test_any_split_of_any_audio_arrives_as_the_same_bytes(pieces: list[bytes], sample_bytes: int) -> None:
    """The bytes come in order, in frames of exactly 80 ms save the last, never an empty one, never half a sample."""
    encoding = {1: "mulaw", 2: "linear16", 4: "linear32"}[sample_bytes]
    wire = Wire()
    async with wired(wire, FluxOptions(encoding=encoding, sample_rate=8000)) as stream:
        for piece in pieces:
            await stream.send_audio(piece)
        await stream.flush()
    whole = b"".join(pieces)
    frames = wire.frames
    assert b"".join(frames) == whole[: len(whole) - len(whole) % sample_bytes]
    assert all(len(frame) == 640 * sample_bytes for frame in frames[:-1])
    assert all(0 < len(frame) <= 640 * sample_bytes for frame in frames)
    assert stream.audio_sent == pytest.approx(sum(map(len, frames)) / sample_bytes / 8000)


async def test_concurrent_senders_keep_their_order() -> None:
    """Each call's audio stays together, in the order of the calls."""
    wire = Wire()
    called: list[int] = []

    async def send(stream: FluxStream, number: int) -> None:
        called.append(number)
        await stream.send_audio(bytes([number]) * 10 * 2560)

    async with wired(wire) as stream, anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(send, stream, number)
    assert b"".join(wire.frames) == b"".join(bytes([number]) * 10 * 2560 for number in called)


async def test_audio_that_is_no_bytes_is_refused() -> None:
    """Text is the caller's mistake."""
    async with opened(polite) as (stream, _):
        with pytest.raises(LocalProtocolError, match="audio must be bytes, not str"):
            await stream.send_audio(cast(bytes, "audio"))


async def test_after_close_nothing_can_be_sent() -> None:
    """Sending after close() is the caller's mistake, inside the context and after it."""
    async with opened(polite) as (stream, _):
        await stream.close()
        for call in (stream.send_audio(b""), stream.flush(), stream.force_end_turn(), stream.configure(Configure())):
            with pytest.raises(LocalProtocolError, match="closed"):
                await call
    with pytest.raises(LocalProtocolError, match="closed"):
        await stream.send_audio(b"")


async def test_a_peer_that_stops_reading_fails_the_send_and_the_stream() -> None:
    """A frame that does not leave within send_timeout drops the connection: sender and reader learn it."""

    over = anyio.Event()

    async def deaf(link: Link) -> None:
        await link.connected()
        await over.wait()

    async with opened(deaf, FluxOptions(encoding=None, sample_rate=None), send_timeout=0.05) as (stream, _):
        await anext(stream)

        async def pour() -> None:
            while True:
                await stream.send_audio(bytes(2**19))

        with pytest.raises(ConnectionFailed, match=r"took no data for 0\.05 s"):
            await pour()
        with pytest.raises(ConnectionFailed, match=r"took no data for 0\.05 s"):
            await anext(stream)
        over.set()


async def test_a_cancelled_send_leaves_the_stream_whole() -> None:
    """What had not left goes first next time; nothing is lost, doubled or cut."""
    audio = bytes(range(256)) * 100

    class Cancelling(Wire):
        async def send(self, frame: bytes) -> None:
            if len(self.frames) == 2:
                scope.cancel()
            await super().send(frame)

    wire = Cancelling()
    async with wired(wire) as stream:
        with anyio.CancelScope() as scope:
            await stream.send_audio(audio)
        assert scope.cancelled_caught
        assert len(wire.frames) == 3
        await stream.send_audio(audio)
        await stream.flush()
    assert b"".join(wire.frames) == audio * 2
