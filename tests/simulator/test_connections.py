"""The simulator over a real socket: connections from Connected to their end, as any Flux client would see them."""

from __future__ import annotations

import json
import logging
import wave
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.simulator_client import BOUND, CLOSE, HELLO, RAW, audio, call, dial, events
from turnkit import wire
from turnkit.errors import ConfigError
from turnkit.simulator import FRAME, PATH, RecordedFrame, Recording, serve

pytestmark = pytest.mark.anyio


async def test_a_scripted_call_from_connected_to_the_end() -> None:
    """Connected comes first, one counter numbers all messages, one id marks them, and their keys come as in Flux."""
    async with serve(HELLO) as flux:
        messages, code = await call(flux, [*audio(5.0), CLOSE], f"{RAW}&eager_eot_threshold=0.4")
    assert messages[0] == {"type": "Connected", "request_id": messages[0]["request_id"], "sequence_id": 0}
    assert [message["sequence_id"] for message in messages] == list(range(len(messages)))
    assert len({message["request_id"] for message in messages}) == 1
    assert events(messages) == ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]
    end = next(message for message in messages if message.get("event") == "EndOfTurn")
    assert " ".join(end) == (
        "type request_id event turn_index audio_window_start audio_window_end transcript words "
        "end_of_turn_confidence trigger sequence_id"
    )
    assert end["transcript"] == "I'd like a table for two, please."
    assert set(end["words"][0]) == {"word", "confidence", "start", "end"}
    assert code == 1005
    (connection,) = flux.connections
    assert connection.request_id == end["request_id"]
    assert connection.audio_seconds == pytest.approx(5.0, abs=FRAME)
    assert (connection.commands, connection.messages, connection.open) == (["CloseStream"], len(messages), False)


async def test_nothing_happens_without_audio() -> None:
    """The only clock is the audio: the next message after Connected is the Update about the first 0.24 s."""
    async with serve(HELLO) as flux, dial(flux) as socket:
        assert json.loads(await socket.recv())["type"] == "Connected"
        for frame in audio(0.24):
            await socket.send(frame)
        assert json.loads(await socket.recv())["audio_window_end"] == 0.24


async def test_every_connection_hears_the_script_from_its_start() -> None:
    """Callers that ring at the same time are served alike, and counted apart."""
    heard: list[list[dict[str, Any]]] = []
    async with serve(HELLO) as flux, anyio.create_task_group() as group:

        async def ring() -> None:
            messages, _ = await call(flux, [*audio(4.0), CLOSE])
            heard.append([{**message, "request_id": ""} for message in messages])

        for _ in range(5):
            group.start_soon(ring)
    assert len(heard) == 5
    assert all(messages == heard[0] for messages in heard)
    assert len({connection.request_id for connection in flux.connections}) == 5


@pytest.mark.parametrize(
    ("query", "second"),
    [
        ("model=flux-general-en&encoding=linear32&sample_rate=8000", 32000),
        ("model=flux-general-en&encoding=mulaw&sample_rate=8000", 8000),
    ],
)
async def test_the_encoding_tells_how_long_the_bytes_are(query: str, second: int) -> None:
    """Windows follow encoding and rate."""
    async with serve(HELLO) as flux:
        messages, _ = await call(flux, [bytes(second), CLOSE], query)
    assert messages[-1]["audio_window_end"] == 0.96
    assert flux.connections[0].audio_seconds == 1.0


async def test_a_wav_file_is_heard_without_encoding(tmp_path: Path) -> None:
    """A container needs neither `encoding` nor `sample_rate`."""
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    data = path.read_bytes()
    async with serve(HELLO) as flux:
        messages, _ = await call(flux, [data[:30], data[30:], CLOSE], "model=flux-general-en")
        assert messages[-1]["audio_window_end"] == 0.96
        _, code = await call(flux, [b"OggS" + bytes(60), CLOSE], "model=flux-general-en")
        assert code == 1008


async def test_the_multilingual_model_reports_languages() -> None:
    """Every TurnInfo has what was detected, nothing without words, and the hints in force."""
    async with serve(HELLO) as flux:
        hints = '{"type":"Configure","language_hints":["de"]}'
        query = RAW.replace("-en", "-multi") + "&language_hint=en&language_hint=es"
        messages, _ = await call(flux, [*audio(2.0), hints, *audio(2.0), CLOSE], query)
    turns = [message for message in messages if message["type"] == "TurnInfo"]
    assert all(turn["languages"] == (["en"] if turn["words"] else []) for turn in turns)
    assert [turns[0]["languages_hinted"], turns[-1]["languages_hinted"]] == [["en", "es"], ["de"]]
    success = next(message for message in messages if message["type"] == "ConfigureSuccess")
    assert success["language_hints"] == ["de"]


async def test_pings_are_answered() -> None:
    """The protocol's own keep-alive works, as on Flux."""
    async with serve(HELLO) as flux, dial(flux) as socket:
        pong = await socket.ping()
        await (pong.wait() if hasattr(pong, "wait") else pong)


async def test_a_client_that_vanishes_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    """A broken connection is over at once, others go on, and no traceback is printed."""
    async with serve(HELLO) as flux:
        async with dial(flux) as socket, dial(flux) as other:
            assert json.loads(await socket.recv())["type"] == "Connected"
            for frame in audio(2.0):
                await socket.send(frame)
            if hasattr(socket, "transport"):
                socket.transport.abort()
            else:
                await socket.stream.aclose()
            await other.send(bytes(32000))
            assert [json.loads(await other.recv())["sequence_id"] for _ in range(4)] == [0, 1, 2, 3]
        messages, _ = await call(flux, [*audio(1.0), CLOSE])
        assert messages[-1]["audio_window_end"] == 0.96
    assert [connection.open for connection in flux.connections] == [False] * 3
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_leaving_the_context_closes_open_connections() -> None:
    """Clients see 1001, and the port is free again."""
    async with serve(HELLO) as flux:
        stop = anyio.Event()
        codes: list[int | None] = []

        async def stay() -> None:
            async with dial(flux) as socket:
                await socket.recv()
                stop.set()
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                codes.append(socket.close_code)

        async with anyio.create_task_group() as group, serve(HELLO) as flux:
            group.start_soon(stay)
            with anyio.fail_after(BOUND):
                await stop.wait()
        assert codes == [1001]
        async with serve(HELLO, port=flux.port) as again:
            assert again.port == flux.port


async def test_leaving_the_context_does_not_wait_for_a_client_that_stopped_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its connection is cut once it had its time."""
    monkeypatch.setattr("turnkit.simulator.server._SHUTDOWN_TIMEOUT", 0.1)
    fat = RecordedFrame(json.dumps({"type": "Fat", "padding": "x" * 1_000_000}), wire.Unknown(type="Fat"), due=0.0)
    with anyio.fail_after(BOUND):
        async with serve(Recording((fat,) * 30)) as flux:
            stream = await anyio.connect_tcp("127.0.0.1", flux.port)
            await stream.send(
                f"GET {PATH}?{RAW} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
            )
            assert (await stream.receive(12)) == b"HTTP/1.1 101"
        assert [connection.open for connection in flux.connections] == [False]
        assert flux.connections[0].messages < 30
        await stream.aclose()


async def test_a_cancelled_context_ends_with_its_connections() -> None:
    """Cancellation passes through, on any library."""
    with anyio.fail_after(BOUND), anyio.CancelScope() as scope:
        async with serve(HELLO) as flux, dial(flux) as socket:
            await socket.recv()
            scope.cancel()
            await socket.recv()
    assert scope.cancelled_caught
    assert not flux.connections[0].open


@pytest.mark.parametrize("request_bytes", [b"", b"hello\r\n\r\n", b"GET /v2/listen HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_stranger_at_the_port_does_no_harm(request_bytes: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What is no WebSocket request is turned away without a traceback, and Flux clients are served after it."""
    with anyio.fail_after(BOUND):
        async with serve(HELLO) as flux:
            stream = await anyio.connect_tcp("127.0.0.1", flux.port)
            await stream.send(request_bytes)
            await stream.send_eof()
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    await stream.receive()
            await stream.aclose()
            messages, _ = await call(flux, [CLOSE])
    assert [message["type"] for message in messages] == ["Connected"]
    assert not [record for record in caplog.records if record.exc_info]


async def test_an_error_inside_the_context_comes_out_as_it_is() -> None:
    """Not wrapped in a group, on any library."""
    with pytest.raises(KeyError, match="mine"):
        async with serve(HELLO):
            raise KeyError("mine")


async def test_what_cannot_be_served_is_refused() -> None:
    """A play of another kind and a port that is taken are mistakes in the settings."""
    with pytest.raises(ConfigError, match="must be a Script, a Recording, a LiveCaller or an Ear"):
        async with serve("hello"):  # type: ignore[arg-type]
            pass
    async with serve(HELLO) as flux:
        with pytest.raises(ConfigError, match=f"port={flux.port}: cannot listen there"):
            async with serve(HELLO, port=flux.port):
                pass
