"""The simulator over a real socket, with raw WebSocket clients: what any Flux client would see."""

from __future__ import annotations

import json
import logging
import sys
import wave
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response

from turnkit import wire
from turnkit.errors import ConfigError
from turnkit.simulator import FRAME, PATH, RecordedFrame, Recording, Refusal, Script, Simulator, say, serve

pytestmark = pytest.mark.anyio

RAW = "model=flux-general-en&encoding=linear16&sample_rate=16000"
HELLO = Script((say("I'd like a table for two, please.", at=0.5),), seed=3)
SILENCE = bytes(2560)
CLOSE = '{"type":"CloseStream"}'
FORCE = '{"type":"ForceEndTurn"}'
BOUND = 20.0


@asynccontextmanager
async def dial(flux: Simulator, query: str = RAW, *, path: str = PATH, **options: Any) -> AsyncIterator[Any]:
    """A raw client of the running library, compression and proxies off."""
    connect: Callable[..., Any]
    if "trio" in sys.modules and sys.modules["trio"].lowlevel.in_trio_run():
        from websockets.trio.client import connect as connect
    else:
        from websockets.asyncio.client import connect as connect
    with anyio.fail_after(BOUND):
        async with connect(f"{flux.url}{path}?{query}", compression=None, proxy=None, **options) as socket:
            yield socket


async def call(
    flux: Simulator, frames: Iterable[str | bytes], query: str = RAW, **options: Any
) -> tuple[list[dict[str, Any]], int | None]:
    """Send all frames, read until the server closes; the messages and the close code."""
    texts: list[str] = []
    async with dial(flux, query, **options) as socket, anyio.create_task_group() as group:

        async def read() -> None:
            with suppress(ConnectionClosed):
                while True:
                    texts.append(await socket.recv())

        group.start_soon(read)
        for frame in frames:
            try:
                await socket.send(frame)
            except ConnectionClosed:
                break
    return [json.loads(text) for text in texts], socket.close_code


async def refusal(flux: Simulator, query: str = RAW, **options: Any) -> Response:
    """The HTTP answer to an upgrade that must be refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with dial(flux, query, **options):
            pass
    return refused.value.response


def audio(seconds: float) -> list[bytes]:
    return [SILENCE] * round(seconds / FRAME)


def events(messages: list[dict[str, Any]]) -> list[str]:
    return [message["event"] for message in messages if message.get("event", "Update") != "Update"]


# A connection -----------------------------------------------------------------------------------------------------


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
    with pytest.raises(ConfigError, match="must be a Script or a Recording"):
        async with serve("hello"):  # type: ignore[arg-type]
            pass
    async with serve(HELLO) as flux:
        with pytest.raises(ConfigError, match=f"port={flux.port}: cannot listen there"):
            async with serve(HELLO, port=flux.port):
                pass


# The upgrade ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("model=flux-general-en&language=en", 400, "INVALID_QUERY_PARAMETER"),
        (f"{RAW}&eot_threshold=1.01", 400, "INVALID_QUERY_PARAMETER"),
        (f"{RAW}&eager_eot_threshold=0.8", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=linear16", 400, "INVALID_QUERY_PARAMETER"),
        (f"{RAW}&redact=pci", 400, "INVALID_QUERY_PARAMETER"),
        (RAW.replace("-en", "-xx"), 403, "INSUFFICIENT_PERMISSIONS"),
    ],
)
async def test_a_bad_query_is_refused_with_fluxs_status_and_body(query: str, status: int, code: str) -> None:
    """The body names code, message and request id; two headers repeat them."""
    async with serve(HELLO) as flux:
        response = await refusal(flux, query)
        assert flux.refusals == [Refusal(status, code)]
        assert flux.connections == []
    body = json.loads(response.body)
    assert response.status_code == status
    assert list(body) == ["err_code", "err_msg", "request_id"]
    assert body["err_code"] == code
    assert response.headers["dg-request-id"] == body["request_id"]
    assert response.headers["dg-error"] == body["err_msg"]
    assert response.headers["Content-Type"] == "application/json"


async def test_a_language_hint_where_none_belongs_has_the_other_body() -> None:
    """`code` and `description`, as Flux answers it."""
    async with serve(HELLO) as flux:
        response = await refusal(flux, f"{RAW}&language_hint=en")
    assert response.status_code == 400
    assert json.loads(response.body) == {
        "code": "INVALID_PARAMETER",
        "description": "language_hint is not supported for model flux-general-en",
    }
    assert response.headers["dg-request-id"]
    assert "language_hint" in response.headers["dg-error"]


async def test_flux_is_at_one_path_only() -> None:
    """`/v1/listen` does not serve it; and what a client sends never breaks a header."""
    async with serve(HELLO) as flux:
        assert (await refusal(flux, path="/v1/listen")).status_code == 404
        assert (await refusal(flux, path="/v2/listen/")).status_code == 404
        response = await refusal(flux, f"{RAW}&caf%C3%A9%0D%0Ax-evil:1=1")
        assert response.headers["dg-error"].endswith("unknown field `caf???x-evil:1`")
        assert "x-evil" not in response.headers


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        ({"additional_headers": {"Authorization": "Token key-1"}}, None),
        ({"additional_headers": {"Authorization": "token key-1"}}, None),
        ({"additional_headers": {"Authorization": "Bearer a.b.c"}}, None),
        ({"subprotocols": ["token", "key-1"]}, "token"),
        ({"subprotocols": ["bearer", "a.b.c"]}, "bearer"),
        ({"subprotocols": ["x-deepgram-session-id", "s", "token", "key-1"]}, "token"),
    ],
)
async def test_good_credentials_are_taken_in_each_form(options: dict[str, Any], protocol: str | None) -> None:
    """Header or subprotocol, key or token; the scheme's case does not matter; a browser gets its subprotocol back."""
    async with serve(HELLO, api_key="key-1", token="a.b.c") as flux, dial(flux, **options) as socket:
        assert json.loads(await socket.recv())["request_id"] == socket.response.headers["dg-request-id"]
        assert socket.subprotocol == protocol


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"additional_headers": {"Authorization": "Token key-2"}},
        {"additional_headers": {"Authorization": "Bearer key-1"}},
        {"additional_headers": {"Authorization": "Token a.b.c"}},
        {"additional_headers": {"Authorization": "Basic key-1"}},
        {"additional_headers": {"Authorization": "key-1"}},
        {"subprotocols": ["token", "key-2"]},
        {"subprotocols": ["bearer", "key-1"]},
        {"subprotocols": ["token"]},
        {"subprotocols": ["key-1"]},
    ],
)
async def test_bad_credentials_are_refused(options: dict[str, Any]) -> None:
    """401, before anything is said about the query; a key behind Bearer is as bad as a wrong one."""
    async with serve(HELLO, api_key="key-1", token="a.b.c") as flux:
        response = await refusal(flux, "model=nova-3", **options)
    assert response.status_code == 401
    assert json.loads(response.body)["err_code"] == "INVALID_AUTH"


async def test_without_credentials_set_any_are_good() -> None:
    """And so are none at all."""
    async with serve(HELLO) as flux:
        for options in ({}, {"additional_headers": {"Authorization": "Bearer x"}}, {"subprotocols": ["token", "x"]}):
            messages, _ = await call(flux, [CLOSE], **options)
            assert [message["type"] for message in messages] == ["Connected"]


async def test_keys_and_words_never_reach_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """Not even with every logger at DEBUG."""
    with caplog.at_level(logging.DEBUG):
        async with serve(HELLO, api_key="key-1") as flux:
            await call(flux, [*audio(4.0), CLOSE], logger=logging.getLogger("client"), subprotocols=["token", "key-1"])
            assert "key-1" not in repr(flux) + repr(flux.connections) + repr(vars(flux))
    server = [record.getMessage() for record in caplog.records if record.name.startswith("turnkit")]
    assert not any("key-1" in line or "table" in line for line in server)


# Commands ---------------------------------------------------------------------------------------------------------


async def test_configure_is_answered_with_the_whole_configuration_in_order_with_the_audio() -> None:
    """Its answer comes between the Updates of the audio before and after it, and what it leaves out stays."""
    command = '{"type":"Configure","thresholds":{"eot_threshold":0.9},"keyterms":["Deepgram"],"numerals":true}'
    query = f"{RAW}&eager_eot_threshold=0.4&eot_timeout_ms=4000&profanity_filter=true"
    async with serve(HELLO) as flux:
        messages, _ = await call(flux, [*audio(0.24), command, *audio(0.24), CLOSE], query)
    assert [message["type"] for message in messages] == ["Connected", "TurnInfo", "ConfigureSuccess", "TurnInfo"]
    assert messages[2] == {
        "type": "ConfigureSuccess",
        "request_id": messages[0]["request_id"],
        "thresholds": {"eot_threshold": 0.9, "eager_eot_threshold": 0.4, "eot_timeout_ms": 4000},
        "keyterms": ["Deepgram"],
        "profanity_filter": True,
        "numerals": True,
        "sequence_id": 2,
    }


async def test_a_configure_out_of_range_fails_whole_and_the_stream_goes_on() -> None:
    """The old configuration stays in force, with nothing of the refused one."""
    bad = '{"type":"Configure","thresholds":{"eot_threshold":0.6,"eot_timeout_ms":100},"numerals":true}'
    async with serve(HELLO) as flux:
        messages, code = await call(flux, [bad, '{"type":"Configure"}', CLOSE])
    failure, success = messages[1:]
    assert (failure["type"], failure["code"]) == ("ConfigureFailure", "INVALID_THRESHOLD")
    assert "eot_timeout_ms" in failure["description"]
    assert success["thresholds"] == {"eot_threshold": 0.7, "eager_eot_threshold": None, "eot_timeout_ms": 5000}
    assert success["numerals"] is False
    assert code == 1005


async def test_thresholds_changed_in_a_turn_decide_how_it_ends() -> None:
    """At 1.0 only silence ends a turn, after the timeout that was asked for."""
    never = '{"type":"Configure","thresholds":{"eot_threshold":1.0,"eot_timeout_ms":1000}}'
    async with serve(HELLO) as flux:
        messages, _ = await call(flux, [*audio(1.6), never, *audio(4.0), CLOSE])
    end = next(message for message in messages if message.get("event") == "EndOfTurn")
    assert end["trigger"] == "timeout"
    assert 0 <= end["audio_window_end"] - HELLO.end - 1.0 < FRAME
    after = messages[messages.index(end) + 1]
    assert (after["turn_index"], after["audio_window_start"]) == (1, end["audio_window_end"])


async def test_an_eager_end_is_taken_back_when_words_go_on() -> None:
    """TurnResumed carries the longer text, in the same turn."""
    script = Script.parse("0.5 That is all. (0.8) Or is it?", seed=1)
    async with serve(script) as flux:
        query = f"{RAW}&eot_threshold=1.0&eager_eot_threshold=0.5"
        messages, _ = await call(flux, [*audio(3.0), FORCE, CLOSE], query)
    assert events(messages)[:3] == ["StartOfTurn", "EagerEndOfTurn", "TurnResumed"]
    eager = next(message for message in messages if message.get("event") == "EagerEndOfTurn")
    resumed = next(message for message in messages if message.get("event") == "TurnResumed")
    assert eager["transcript"] == "That is all."
    assert len(resumed["words"]) > len(eager["words"])
    assert resumed["turn_index"] == eager["turn_index"] == 0


async def test_force_end_turn_ends_an_open_turn_and_earns_a_warning_otherwise() -> None:
    """Before StartOfTurn and once more after the end: a Warning, and the stream goes on."""
    async with serve(HELLO) as flux:
        messages, code = await call(flux, [FORCE, *audio(1.6), FORCE, FORCE, *audio(0.24), CLOSE])
    warnings = [message for message in messages if message["type"] == "Warning"]
    assert {key: warnings[0][key] for key in ("type", "code", "description")} == {
        "type": "Warning",
        "code": "FORCE_END_TURN_NO_ACTIVE_TURN",
        "description": "Received ForceEndTurn while no turn was active; the request was ignored.",
    }
    assert len(warnings) == 2
    end = next(message for message in messages if message.get("event") == "EndOfTurn")
    before = messages[messages.index(end) - 1]
    assert (end["trigger"], end["transcript"]) == ("manual", before["transcript"])
    assert end["end_of_turn_confidence"] == before["end_of_turn_confidence"]
    assert messages[-1]["turn_index"] == 1
    assert [message["sequence_id"] for message in messages] == list(range(len(messages)))
    assert code == 1005


@pytest.mark.parametrize("last", [CLOSE, b""])
async def test_closing_reports_what_is_left_and_ends_no_turn(last: str | bytes) -> None:
    """The last Update covers all whole frames; no EndOfTurn and no close code. An empty frame closes as well."""
    async with serve(HELLO) as flux:
        messages, code = await call(flux, [*audio(1.76), last, FORCE])
    assert events(messages) == ["StartOfTurn"]
    assert [message["audio_window_end"] for message in messages[-2:]] == [1.68, 1.76]
    assert code == 1005


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ('{"type":"KeepAlive"}', "unknown variant `KeepAlive`"),
        ('{"type":"Finalize"}', "unknown variant `Finalize`"),
        ('{"type":"Configure","numerals":"true"}', ""),
        ('{"type":"Configure","features":{}}', "features"),
        ("hello", "expected a JSON object"),
    ],
)
async def test_text_that_flux_cannot_read_is_fatal(text: str, description: str) -> None:
    """An Error, numbered like the rest, then a close without a code, whatever else the client goes on sending."""
    async with serve(HELLO) as flux:
        messages, code = await call(flux, [*audio(0.24), text, *audio(60.0), CLOSE])
    assert list(messages[-1]) == ["type", "code", "description", "sequence_id"]
    assert (messages[-1]["type"], messages[-1]["code"]) == ("Error", "UNPARSABLE_CLIENT_MESSAGE")
    assert messages[-1]["sequence_id"] == len(messages) - 1 == 2
    assert messages[-1]["description"].startswith("Could not deserialize last text message: ")
    assert description in messages[-1]["description"]
    assert code == 1005
    assert not flux.connections[0].open


# Recordings -------------------------------------------------------------------------------------------------------


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


async def _play(flux: Simulator, frames: Iterable[str | bytes]) -> list[tuple[str, float]]:
    """What came, verbatim, each with the seconds of audio that had been sent by then."""
    texts: list[tuple[str, float]] = []
    sent = 0
    async with dial(flux) as socket, anyio.create_task_group() as group:

        async def read() -> None:
            with suppress(ConnectionClosed):
                while True:
                    texts.append((await socket.recv(), sent / 32000))

        group.start_soon(read)
        for frame in frames:
            sent += len(frame) if isinstance(frame, bytes) else 0
            await socket.send(frame)
            await anyio.lowlevel.checkpoint()
    return texts


async def test_a_recorded_session_is_reproduced_in_step_with_its_audio(preamble: Path, preamble_wav: Path) -> None:
    """All 105 frames of a real session come verbatim, in order, and none before its audio was sent."""
    with wave.open(str(preamble_wav)) as file:
        sound = file.readframes(file.getnframes()) + bytes(32000 * 3)
    chunks = [sound[at : at + 2560] for at in range(0, len(sound), 2560)]
    configure = '{"type":"Configure","thresholds":{"eot_threshold":0.8},"keyterms":["Deepgram"]}'
    async with serve(Recording.read(preamble)) as flux:
        played = await _play(flux, [*chunks[:20], configure, *chunks[20:], CLOSE])
    recorded = _lines(preamble)
    assert [text for text, _ in played] == recorded
    assert len(recorded) == 105
    for text, seconds in played:
        assert json.loads(text).get("audio_window_end", 0.0) <= seconds + 0.01
    assert flux.connections[0].request_id == json.loads(recorded[0])["request_id"]


async def test_a_live_answer_in_a_recorded_session_leaves_no_gap(preamble: Path) -> None:
    """A Configure that the recording cannot answer is answered at once, and the frames after it are renumbered."""
    first, second = '{"type":"Configure"}', '{"type":"Configure","thresholds":{"eot_threshold":0.6}}'
    bad = '{"type":"Configure","thresholds":{"eot_threshold":0.1}}'
    async with serve(Recording.read(preamble)) as flux:
        messages, code = await call(flux, [*audio(1.0), first, second, bad, FORCE, *audio(30.0), CLOSE])
    recorded = [json.loads(line) for line in _lines(preamble)]
    assert [message["sequence_id"] for message in messages] == list(range(len(messages)))
    live = [message for message in messages if message["type"].startswith("Configure")]
    assert [message["type"] for message in live] == ["ConfigureSuccess", "ConfigureFailure", "ConfigureSuccess"]
    assert live[0]["thresholds"]["eot_threshold"] == 0.6
    assert live[2]["thresholds"]["eot_threshold"] == 0.8
    manual = [message for message in messages if message.get("trigger") == "manual"]
    assert [(message["transcript"], message["turn_index"]) for message in manual] == [("We, the", 0)]
    rest = [message for message in messages[messages.index(manual[0]) :] if message.get("event") == "Update"]
    assert [{**message, "sequence_id": 0} for message in rest] == [
        {**message, "sequence_id": 0} for message in recorded if message.get("turn_index") == 1
    ]
    assert code == 1005
