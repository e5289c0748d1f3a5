"""The Flux connection against a scripted WebSocket server on loopback."""

from __future__ import annotations

import errno
import inspect
import json
import logging
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import anyio.abc
import pytest
import trio
from anyio.lowlevel import checkpoint
from flux_peer import Link, Peer, flux_peer, tcp_peer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from websockets import exceptions as ws
from websockets.datastructures import Headers
from websockets.frames import Close
from websockets.http11 import Response

from turnkit.errors import (
    ConfigError,
    ConnectionFailed,
    FluxError,
    LocalProtocolError,
    RemoteProtocolError,
    TurnkitError,
)
from turnkit.flux import FluxStream, connect, opening
from turnkit.running import on_trio
from turnkit.wire import (
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    FluxOptions,
    Message,
    Thresholds,
    TurnInfo,
    Unknown,
    WarningMessage,
)

pytestmark = pytest.mark.anyio

KEY = "0123456789abcdef"
TWO_SECONDS = bytes(64000)


async def polite(link: Link) -> None:
    """A Flux with nothing to say."""
    await link.connected()
    await link.hang_up()


@asynccontextmanager
async def opened(
    script: Any, options: FluxOptions | None = None, **given: Any
) -> AsyncIterator[tuple[FluxStream, Peer]]:
    async with (
        flux_peer(script) as peer,
        connect(options or FluxOptions(), api_key=KEY, url=peer.url, **given) as stream,
    ):
        yield stream, peer


@asynccontextmanager
async def read_by_another(stream: FluxStream) -> AsyncIterator[list[Message]]:
    """Another task iterates the stream meanwhile, and until it ends."""
    read: list[Message] = []

    async def iterate() -> None:
        async for message in stream:
            read.append(message)  # noqa: PERF401 - the list is looked at while it grows

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(iterate)
        yield read
        await stream.close()


async def until(condition: Callable[[], object]) -> None:
    """Let the others run until it holds."""
    while not condition():
        await checkpoint()


async def settle() -> None:
    """Let the others come to rest; trio runs them in any order, so once is not enough."""
    for _ in range(10):
        await checkpoint()


async def everything(stream: FluxStream) -> list[Message]:
    return [message async for message in stream]


def alone(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception in the groups that task groups make."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        (found,) = found.exceptions
    return found


# The handshake ----------------------------------------------------------------------------------------------------


async def test_the_request_names_path_parameters_key_and_library() -> None:
    """The path is /v2/listen, the options are its query, the key is a Token, and nothing is compressed."""
    async with opened(polite, FluxOptions(eot_threshold=0.8, keyterm=("a b", "c"))) as (_, peer):
        pass
    (request,) = peer.requests
    assert request.path == (
        "/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=16000&eot_threshold=0.8&keyterm=a+b&keyterm=c"
    )
    assert request.headers["Authorization"] == f"Token {KEY}"
    assert request.headers["User-Agent"].startswith("turnkit/")
    assert "Sec-WebSocket-Extensions" not in request.headers


@pytest.mark.parametrize("base", ["", "/v2/listen", "/"])
async def test_a_token_is_a_bearer_and_the_path_may_be_spelt_out(base: str) -> None:
    """A temporary token travels as Bearer; a url that already has the path is not given it twice."""
    async with flux_peer(polite) as peer, connect(token="a.b.c", url=peer.url + base):
        pass
    assert peer.requests[0].headers["Authorization"] == "Bearer a.b.c"
    assert peer.requests[0].path.startswith("/v2/listen?")


async def test_no_credential_is_needed_where_deepgram_is_not() -> None:
    """A self-hosted server may do without a key, and then none is sent."""
    async with flux_peer(polite) as peer, connect(url=peer.url):
        pass
    assert "Authorization" not in peer.requests[0].headers


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "set DEEPGRAM_API_KEY"),
        ({"api_key": ""}, "set DEEPGRAM_API_KEY"),
        ({"url": "wss://api.eu.deepgram.com"}, "api.eu.deepgram.com needs a key"),
        ({"api_key": KEY, "token": KEY}, "not both"),
        ({"api_key": KEY + "\n"}, "api_key: must be the bare credential"),
        ({"api_key": f"Token {KEY}"}, "api_key: must be the bare credential"),
        ({"token": KEY + "é"}, "token: must be the bare credential"),
        ({"api_key": 7}, "api_key: must be the bare credential"),
        ({"api_key": "", "url": "ws://127.0.0.1:1"}, "api_key: must be the bare credential"),
        ({"url": "https://api.deepgram.com"}, "must begin with wss://"),
        ({"url": "api.deepgram.com"}, "a scheme and a host"),
        ({"url": "wss://"}, "a scheme and a host"),
        ({"url": "wss://host:port"}, "a scheme and a host"),
        ({"url": "wss://host name"}, "a scheme and a host"),
        ({"url": None}, "a scheme and a host"),
        ({"url": "wss://[::1"}, "a scheme and a host"),
        ({"url": "wss://a..b"}, "a scheme and a host"),
        ({"url": "wss://host/v1/listen"}, "the path is always /v2/listen"),
        ({"url": "wss://host/v2/listen?model=x"}, "parameters are given as FluxOptions"),
        ({"url": "wss://host#x"}, "must be scheme and host only"),
        ({"url": f"wss://user:{KEY}@host"}, "no user name or password"),
        ({"url": "ws://example.org", "api_key": KEY}, "allow_unencrypted=True"),
        ({"url": "ws://10.0.0.1", "api_key": KEY}, "allow_unencrypted=True"),
        ({"url": "ws://127.0.0.1", "ssl_context": ssl.create_default_context()}, "ssl_context"),
        ({"connect_timeout": 0}, "connect_timeout=0: must be a positive"),
        ({"send_timeout": -1.0}, "send_timeout=-1.0: must be a positive"),
        ({"answer_timeout": float("inf")}, "answer_timeout=inf: must be a positive"),
        ({"close_timeout": float("nan")}, "close_timeout=nan: must be a positive"),
        ({"close_timeout": True}, "close_timeout=True: must be a positive"),
        ({"close_timeout": "1"}, "close_timeout='1': must be a positive"),
        ({"options": {"model": "x"}}, "must be FluxOptions, not dict"),
    ],
)
async def test_what_cannot_work_is_refused_before_the_network(given: dict[str, Any], said: str) -> None:
    """A setting that cannot work is a ConfigError of the call itself, and never quotes a credential."""
    with pytest.raises(ConfigError) as refused:
        connect(**given)
    assert said in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("url", ["ws://localhost:1", "ws://127.0.0.2", "ws://[::1]:80", "wss://example.org"])
async def test_unencrypted_is_for_this_machine_only(url: str) -> None:
    """ws:// needs no permission on loopback, and with permission it goes anywhere."""
    connect(url=url)
    connect(url="ws://example.org", allow_unencrypted=True)


REFUSALS = [
    (401, {"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials.", "request_id": "r"}, "token="),
    (403, {"err_code": "INSUFFICIENT_PERMISSIONS", "err_msg": "No access.", "request_id": "r"}, "name of the model"),
    (400, {"err_code": "INVALID_QUERY_PARAMETER", "err_msg": "Failed.", "request_id": "r"}, "parameter"),
    (400, {"code": "INVALID_PARAMETER", "description": "language_hint is not supported"}, "parameter"),
    (402, {"err_code": "ASR_PAYMENT_REQUIRED", "err_msg": "Pay.", "request_id": "r"}, "out of credit"),
    (429, {"err_code": "TOO_MANY_REQUESTS", "err_msg": "Too many.", "request_id": "r"}, "back off"),
    (404, {"err_code": "NOT_FOUND", "err_msg": "Nothing here."}, "/v2/listen"),
]


@pytest.mark.parametrize(("status", "body", "advice"), REFUSALS)
async def test_a_refusal_is_a_flux_error_that_says_what_to_do(status: int, body: dict[str, str], advice: str) -> None:
    """Both shapes of Flux's error body are understood, and the advice goes with the status."""
    refusal = (status, json.dumps(body).encode(), {"dg-request-id": "from-header", "dg-error": "unused"})
    async with flux_peer(refuse=refusal) as peer:
        with pytest.raises(FluxError) as refused:
            async with connect(api_key=KEY, url=peer.url):
                pass
    error = refused.value
    assert (error.status, error.code) == (status, body.get("err_code") or body.get("code"))
    assert error.description == (body.get("err_msg") or body.get("description"))
    assert error.request_id == body.get("request_id", "from-header")
    assert advice in error.advice
    assert error.advice in str(error)
    assert isinstance(error.__cause__, ws.InvalidStatus)


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"[1]", b'"text"', b"\xff\xfe", b"{}"])
async def test_without_a_body_that_can_be_read_the_headers_tell(body: bytes) -> None:
    """A body that is empty, no JSON or no object falls back on dg-error and dg-request-id."""
    refusal = (400, body, {"dg-request-id": "r-2", "dg-error": "bad sample_rate"})
    async with flux_peer(refuse=refusal) as peer:
        with pytest.raises(FluxError) as refused:
            async with connect(api_key=KEY, url=peer.url):
                pass
    assert (refused.value.description, refused.value.request_id) == ("bad sample_rate", "r-2")


async def test_a_refusal_without_any_reason_still_has_its_status() -> None:
    """An empty refusal is told by its status and our advice."""
    async with flux_peer(refuse=(418, b"", {})) as peer:
        with pytest.raises(FluxError, match="HTTP 418") as refused:
            async with connect(api_key=KEY, url=peer.url):
                pass
    assert (refused.value.code, refused.value.description, refused.value.request_id) == ("", "", "")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_in_trouble_is_a_failed_connection(status: int) -> None:
    """5xx may pass, so it is no refusal: ConnectionFailed, with Flux's words as the attempt."""
    body = json.dumps({"err_code": "E", "err_msg": "Down.", "request_id": "r"}).encode()
    async with flux_peer(refuse=(status, body, {})) as peer:
        with pytest.raises(ConnectionFailed, match=rf"127\.0\.0\.1.*HTTP {status} E: Down\..*request id r") as failed:
            async with connect(api_key=KEY, url=peer.url):
                pass
    (attempt,) = failed.value.attempts
    assert isinstance(attempt, FluxError)
    assert attempt.status == status


@pytest.mark.parametrize("status", [200, 204, 304])
async def test_a_web_server_is_no_flux(status: int) -> None:
    """An answer that is neither an upgrade nor an error means that the url is wrong."""
    async with flux_peer(refuse=(status, b"", {})) as peer:
        with pytest.raises(RemoteProtocolError, match=f"HTTP {status} instead of opening a WebSocket"):
            async with connect(api_key=KEY, url=peer.url):
                pass


async def test_a_server_that_speaks_garbage_is_no_flux() -> None:
    """What is no HTTP at all is a RemoteProtocolError that names the host."""

    async def garbage(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        await stream.send(b"220 mail.example ESMTP\r\n\r\n" + bytes(range(256)))

    async with tcp_peer(garbage) as host:
        with pytest.raises(RemoteProtocolError, match=f"{host} is no WebSocket server"):
            async with connect(api_key=KEY, url=f"ws://{host}"):
                pass


async def test_a_server_that_hangs_up_in_the_handshake_is_a_failed_connection() -> None:
    """Closing before any answer is what a wrong port or a proxy does."""

    async def hang_up(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()

    async with tcp_peer(hang_up) as host:
        with pytest.raises(ConnectionFailed, match="hung up during the handshake"):
            async with connect(api_key=KEY, url=f"ws://{host}"):
                pass


async def test_a_server_that_says_nothing_is_given_up() -> None:
    """The handshake is bounded by connect_timeout."""

    async def silence(stream: anyio.abc.SocketStream) -> None:
        await anyio.sleep_forever()

    async with tcp_peer(silence) as host:
        with pytest.raises(ConnectionFailed, match=f"{host} did not answer within connect_timeout") as failed:
            async with connect(api_key=KEY, url=f"ws://{host}", connect_timeout=0.05):
                pass
    assert isinstance(failed.value.attempts[0], TimeoutError)


async def test_a_port_where_nobody_listens_is_a_failed_connection() -> None:
    """Refused TCP names the host and what to check, and keeps what the system said."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConnectionFailed, match=rf"127\.0\.0\.1:{port} could not be reached.*check") as failed:
            async with connect(api_key=KEY, url=f"ws://127.0.0.1:{port}"):
                pass
    assert isinstance(failed.value.attempts[0], OSError)


async def test_tls_with_a_server_that_has_none_is_a_failed_connection() -> None:
    """wss:// to a plain port says that TLS failed, on both backends alike."""

    async def plain(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.receive()

    async with tcp_peer(plain) as host:
        with pytest.raises(ConnectionFailed, match=f"TLS with {host} failed"):
            async with connect(api_key=KEY, url=f"wss://{host}"):
                pass


# Connected --------------------------------------------------------------------------------------------------------


async def test_a_host_that_never_says_connected_is_given_up() -> None:
    """Some hosts swallow parameters silently, so the wait is bounded and the error says what to leave out."""

    async def swallow(link: Link) -> None:
        await link.gone()

    with pytest.raises(ConnectionFailed, match=r"no Connected within 0\.05 s.*leave out the newest"):
        async with opened(swallow, connect_timeout=0.05):
            pass


async def test_an_error_instead_of_connected_is_a_flux_error() -> None:
    """Flux's own words come through, with the request id of the handshake."""

    async def refuse(link: Link) -> None:
        await link.say("Error", numbered=False, code="INTERNAL_SERVER_ERROR", description="no engine")
        await link.close(None)

    async with flux_peer(refuse, headers={"dg-request-id": "r-9"}) as peer:
        with pytest.raises(FluxError) as refused:
            async with connect(api_key=KEY, url=peer.url):
                pass
    error = refused.value
    assert (error.code, error.description, error.request_id) == ("INTERNAL_SERVER_ERROR", "no engine", "r-9")
    assert (error.status, error.advice) == (None, "Connect again")


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("hello", "not a JSON object"),
        (b"\x00\x01", "not a JSON object"),
        ('{"type": "Results"}', "began with 'Results'"),
        ('{"type": "TurnInfo", "event": "Update", "turn_index": 0}', "began with 'TurnInfo'"),
    ],
)
async def test_a_first_frame_that_is_not_connected_is_no_flux(first: str | bytes, said: str) -> None:
    """Whatever begins otherwise does not speak Flux."""

    async def speak(link: Link) -> None:
        await link.send(first)
        await link.gone()

    with pytest.raises(RemoteProtocolError, match=f"does not speak Flux.*{said}"):
        async with opened(speak):
            pass


async def test_a_close_before_connected_is_a_failed_connection() -> None:
    """The close code and the reason are told."""

    async def refuse(link: Link) -> None:
        await link.close(1002, "missing encoding")

    with pytest.raises(ConnectionFailed, match="code 1002, 'missing encoding'"):
        async with opened(refuse):
            pass


async def test_the_request_id_is_the_one_connected_gives() -> None:
    """Connected carries the id that Deepgram's support asks for; the repr shows it, and no credential."""
    async with opened(polite) as (stream, _):
        assert stream.request_id == "req-1"
        assert repr(stream).startswith("<FluxStream open 127.0.0.1:")
        assert repr(stream).endswith("request_id='req-1'>")
    assert repr(stream).startswith("<FluxStream closed ")


# Iterating --------------------------------------------------------------------------------------------------------


async def test_messages_come_in_order_and_connected_is_the_first() -> None:
    """Every message is yielded, decoded; the iteration ends after close()."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("Update")
        await link.turn("StartOfTurn", "hello")
        await link.say("Warning", code="SOMETHING", description="odd")
        await link.say("Newcomer", detail=1)
        await link.hang_up()

    async with opened(speak) as (stream, _):
        read = [await anext(stream) for _ in range(5)]
        await stream.close()
        assert await everything(stream) == []
    assert [type(message) for message in read] == [Connected, TurnInfo, TurnInfo, WarningMessage, Unknown]
    assert cast(TurnInfo, read[2]).transcript == "hello"
    assert stream.missed_messages == 0


@pytest.mark.parametrize(
    "frame", [b"", b"\x00\xff", b"not json", b"[1]", b'{"type": "TurnInfo"}', b"{}", b'{"type": "Upd', b"\xff"]
)
@pytest.mark.parametrize("binary", [True, False])
async def test_a_frame_that_cannot_be_read_does_not_end_the_stream(frame: bytes, binary: bool) -> None:
    """It is yielded as Unknown, with its problem and its bytes; what follows comes as ever."""

    async def speak(link: Link) -> None:
        await link.connected()
        await (link.send(frame) if binary else link.send_text_bytes(frame))
        await link.turn("StartOfTurn", "hello")
        await link.hang_up()

    async with opened(speak) as (stream, _):
        _, broken, after = [await anext(stream) for _ in range(3)]
    assert isinstance(broken, Unknown)
    assert broken.problem
    assert broken.raw == frame
    assert cast(TurnInfo, after).transcript == "hello"


async def test_a_frame_of_one_mebibyte_passes_and_one_byte_more_does_not() -> None:
    """Frames beyond 1 MiB are not Flux's: the connection ends with a RemoteProtocolError."""
    empty = len('{"type": "TurnInfo", "event": "Update", "turn_index": 0, "transcript": ""}')
    frame = '{"type": "TurnInfo", "event": "Update", "turn_index": 0, "transcript": "%s"}'

    async def speak(link: Link) -> None:
        await link.connected()
        await link.send(frame % ("x" * (2**20 - empty)))
        await link.send(frame % ("x" * (2**20 - empty + 1)))
        await link.gone()

    async with opened(speak) as (stream, _):
        _, large = [await anext(stream) for _ in range(2)]
        assert len(cast(TurnInfo, large).transcript) == 2**20 - empty
        with pytest.raises(RemoteProtocolError, match="1009"):
            await anext(stream)
        assert await everything(stream) == []


@pytest.mark.parametrize("code", [1000, 1001, None, 1008, 1011])
async def test_a_close_that_nobody_asked_for_is_a_failed_connection(code: int | None) -> None:
    """Also a polite one: it raises once, with code and reason, and then the iteration is over."""

    async def leave(link: Link) -> None:
        await link.connected()
        await link.close(code, "NET-0001" if code else "")

    async with opened(leave) as (stream, _):
        await anext(stream)
        with pytest.raises(ConnectionFailed, match=f"unasked .code {code or 1005}") as failed:
            await anext(stream)
        assert ("NET-0001" in str(failed.value)) == bool(code)
        assert await everything(stream) == []
        with pytest.raises(ConnectionFailed, match="has ended"):
            await stream.send_audio(TWO_SECONDS)


async def test_a_lost_connection_is_a_failed_connection() -> None:
    """Without a close frame, it is 1006."""

    async def drop(link: Link) -> None:
        await link.connected()
        await link.drop()

    async with opened(drop) as (stream, _):
        await anext(stream)
        with pytest.raises(ConnectionFailed, match="code 1006"):
            await anext(stream)


async def test_an_error_of_flux_surfaces_once() -> None:
    """Error raises FluxError, and the close that follows it is not raised again."""

    async def fail(link: Link) -> None:
        await link.connected()
        await link.turn("Update", "before")
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    async with opened(fail) as (stream, _):
        await anext(stream)
        assert cast(TurnInfo, await anext(stream)).transcript == "before"
        with pytest.raises(FluxError) as failed:
            await anext(stream)
        assert (failed.value.code, failed.value.request_id) == ("UNPARSABLE_CLIENT_MESSAGE", "req-1")
        assert "does not know a command" in failed.value.advice
        assert await everything(stream) == []


async def test_only_one_task_reads_at_a_time() -> None:
    """A second iteration is the caller's mistake and changes nothing."""
    async with opened(polite) as (stream, _), read_by_another(stream) as read:
        await until(lambda: read)
        with pytest.raises(LocalProtocolError, match="only one task"):
            await anext(stream)
    assert [type(message) for message in read] == [Connected]


async def test_missing_numbers_are_counted() -> None:
    """A gap in sequence_id is lost input; messages without a number, or unreadable, forgive one each."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("Update", sequence_id=1)
        await link.turn("Update", sequence_id=4)
        await link.send("garbage")
        await link.say("Warning", numbered=False, code="W")
        await link.turn("Update", sequence_id=7)
        await link.turn("Update", sequence_id=7)
        await link.say("Newcomer", sequence_id=8)
        await link.turn("Update", sequence_id=10)
        await link.hang_up()

    async with opened(speak) as (stream, _):
        read = [await anext(stream) for _ in range(9)]
    assert len(read) == 9
    assert stream.missed_messages == 3


async def test_a_consumer_that_is_busy_does_not_cost_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pings are answered, and pongs seen, while hundreds of messages wait for the consumer."""
    monkeypatch.setattr(opening, "PING", 0.05)

    async def speak(link: Link) -> None:
        await link.connected()
        for number in range(500):
            await link.turn("Update", str(number))
        await link.hang_up()

    async with (
        flux_peer(speak, ping_interval=0.05, ping_timeout=0.05) as peer,
        connect(api_key=KEY, url=peer.url) as stream,
    ):
        await anyio.sleep(0.25)  # as long as several pings and their deadlines: the fact needs the time
        read = [await anext(stream) for _ in range(501)]
    assert cast(TurnInfo, read[-1]).transcript == "499"


# Audio ------------------------------------------------------------------------------------------------------------


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


BOUNDS = {"connect": 1.0, "send": 1.0, "answer": 1.0, "close": 1.0}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=6000), max_size=8), sample_bytes=st.sampled_from([1, 2, 4]))
async def test_any_split_of_any_audio_arrives_as_the_same_bytes(pieces: list[bytes], sample_bytes: int) -> None:
    """The bytes come in order, in frames of exactly 80 ms save the last, never an empty one, never half a sample."""
    encoding = {1: "mulaw", 2: "linear16", 4: "linear32"}[sample_bytes]
    wire = Wire()
    stream = FluxStream(wire, FluxOptions(encoding=encoding, sample_rate=8000), "host", BOUNDS)
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
    stream = FluxStream(wire, FluxOptions(), "host", BOUNDS)
    called: list[int] = []

    async def send(number: int) -> None:
        called.append(number)
        await stream.send_audio(bytes([number]) * 10 * 2560)

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(send, number)
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


# Configure --------------------------------------------------------------------------------------------------------


async def test_a_configure_is_answered_and_changes_the_options() -> None:
    """The answer is returned, yielded to the iteration, and folded into stream.options."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.configured(thresholds={"eot_threshold": 0.9, "eot_timeout_ms": 7000}, keyterms=["a"], numerals=True)
        await link.hang_up()

    async with opened(speak) as (stream, peer), read_by_another(stream) as read:
        command = Configure(thresholds=Thresholds(eot_threshold=0.9), keyterms=("a",))
        answer = await stream.configure(command)
        assert answer.thresholds.eot_timeout_ms == 7000
    assert peer.heard[0] == {"type": "Configure", "thresholds": {"eot_threshold": 0.9}, "keyterms": ["a"]}
    assert [type(message) for message in read] == [Connected, ConfigureSuccess]
    options = stream.options
    assert (options.eot_threshold, options.eot_timeout_ms, options.keyterm) == (0.9, 7000, ("a",))
    assert options.numerals is True


async def test_an_echo_that_no_option_could_have_does_not_end_the_call() -> None:
    """What Flux says is in force is its own affair: the call goes on, with the options as they were."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.configured(thresholds={"eot_threshold": 0.2})
        await link.hang_up()

    async with opened(speak) as (stream, _), read_by_another(stream):
        assert (await stream.configure(Configure())).thresholds.eot_threshold == 0.2
    assert stream.options == FluxOptions()


async def test_a_configure_that_flux_refuses_is_a_flux_error_and_no_more() -> None:
    """The failure is the caller's; the iteration sees it as a message and goes on."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.say("ConfigureFailure", error_code="INVALID_THRESHOLD", description="no")
        await link.hang_up()

    async with opened(speak) as (stream, _), read_by_another(stream) as read:
        with pytest.raises(FluxError) as refused:
            await stream.configure(Configure(keyterms=("a",)))
        assert (refused.value.code, refused.value.description) == ("INVALID_THRESHOLD", "no")
        assert refused.value.request_id == "req-1"
    assert [type(message) for message in read] == [Connected, ConfigureFailure]
    assert stream.options.keyterm == ()


class Gate:
    """A Flux that answers the first Configure when told to, and the others at once."""

    def __init__(self, first: dict[str, Any] | None = None) -> None:
        self.opened = anyio.Event()
        self.first = first

    async def __call__(self, link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await self.opened.wait()
        await (link.configured() if self.first is None else link.say(**self.first))
        while (await link.hear())["type"] == "Configure":
            await link.configured(keyterms=["merged"])
        await link.close(None)


async def test_configures_made_meanwhile_are_merged_and_share_one_answer() -> None:
    """One is on the wire at a time; the later value wins, field by field and threshold by threshold."""
    gate = Gate()
    answers: list[ConfigureSuccess] = []

    async def ask(stream: FluxStream, command: Configure) -> None:
        answers.append(await stream.configure(command))

    commands = [
        Configure(thresholds=Thresholds(eot_threshold=0.8, eot_timeout_ms=6000), keyterms=("a",)),
        Configure(thresholds=Thresholds(eot_threshold=0.9), numerals=True),
        Configure(keyterms=()),
    ]
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(ask, stream, Configure(keyterms=("first",)))
        await until(lambda: peer.commands)
        for command in commands:
            tasks.start_soon(ask, stream, command)
            await settle()
        assert len(peer.commands) == 1
        gate.opened.set()
    merged = {"thresholds": {"eot_threshold": 0.9, "eot_timeout_ms": 6000}, "keyterms": [], "numerals": True}
    assert peer.commands[:2] == [
        {"type": "Configure", "keyterms": ["first"]},
        {"type": "Configure", **merged},
    ]
    assert len(peer.commands) == 3  # and CloseStream
    assert [answer.keyterms for answer in answers] == [(), *[("merged",)] * 3]
    assert answers[1] is answers[2] is answers[3]


async def test_the_next_configure_goes_after_a_refusal() -> None:
    """A refusal concerns those who asked for it."""
    gate = Gate({"type": "ConfigureFailure", "description": "no"})
    refused: list[FluxError] = []

    async def ask(stream: FluxStream) -> None:
        with pytest.raises(FluxError) as failed:
            await stream.configure(Configure(keyterms=("first",)))
        refused.append(failed.value)

    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(ask, stream)
        await until(lambda: peer.commands)
        gate.opened.set()
        assert (await stream.configure(Configure(keyterms=("second",)))).keyterms == ("merged",)
    assert refused[0].description == "no"


async def test_a_cancelled_configure_does_not_break_the_others() -> None:
    """One that was on the wire still holds its place; one that was not is taken out of the merged Configure."""
    gate = Gate()
    answers: list[ConfigureSuccess] = []
    scopes: list[anyio.CancelScope] = []

    async def ask(stream: FluxStream, command: Configure) -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            answers.append(await stream.configure(command))

    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        for keyterm in ("flying", "withdrawn", "third"):
            tasks.start_soon(ask, stream, Configure(keyterms=(keyterm,), numerals=keyterm == "third" or None))
            await until(lambda: peer.commands)
            await settle()
        scopes[2].cancel()
        scopes[0].cancel()
        await settle()
        assert len(peer.commands) == 1
        gate.opened.set()
    assert [command.get("keyterms") for command in peer.commands] == [["flying"], ["withdrawn"], None]
    assert "numerals" not in peer.commands[1]
    assert [answer.keyterms for answer in answers] == [("merged",)]


async def test_a_configure_withdrawn_by_all_is_never_sent() -> None:
    """If every call of a batch is cancelled before it left, nothing of it goes with a later one."""
    gate = Gate()
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(stream.configure, Configure(keyterms=("first",)))
        await until(lambda: peer.commands)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.configure(Configure(keyterms=("gone",)))
        gate.opened.set()
        await stream.configure(Configure(numerals=True))
    assert peer.commands[1] == {"type": "Configure", "numerals": True}


async def test_a_configure_without_an_answer_is_given_up_and_the_next_may_go() -> None:
    """The error says that somebody must be iterating."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.hear()
        await link.configured()
        await link.hang_up()

    async with opened(speak, answer_timeout=0.05) as (stream, _), read_by_another(stream):
        with pytest.raises(ConnectionFailed, match=r"did not answer Configure within 0\.05 s.*another task must be"):
            await stream.configure(Configure(keyterms=("a",)))
        assert (await stream.configure(Configure(keyterms=("b",)))).keyterms == ()


async def test_who_waits_for_an_answer_learns_that_the_stream_ended() -> None:
    """Also those whose Configure had not left yet; nobody waits for the timeout."""
    leave = anyio.Event()
    failed: list[str] = []

    async def speak(link: Link) -> None:
        await link.connected()
        await leave.wait()
        await link.say("Error", code="INTERNAL_SERVER_ERROR", description="gone")
        await link.close(None)

    async def ask(call: Any, argument: Any = None) -> None:
        with pytest.raises(ConnectionFailed) as failure:
            await (call(argument) if argument else call())
        failed.append(str(failure.value))

    async with opened(speak, answer_timeout=1000.0) as (stream, _), anyio.create_task_group() as tasks:
        for keyterm in ("a", "b"):
            tasks.start_soon(ask, stream.configure, Configure(keyterms=(keyterm,)))
        tasks.start_soon(ask, stream.force_end_turn)
        await settle()
        leave.set()
        with pytest.raises(FluxError):
            await everything(stream)
    assert len(failed) == 3
    assert all("ended" in text for text in failed)


@pytest.mark.parametrize(
    ("options", "command", "said"),
    [
        ({}, {"thresholds": Thresholds(eager_eot_threshold=0.8)}, r"eager_eot_threshold=0\.8: must be at most"),
        (
            {"eager_eot_threshold": 0.6},
            {"thresholds": Thresholds(eot_threshold=0.5)},
            r"eager_eot_threshold=0\.6: must be at most eot_threshold, which is 0\.5",
        ),
        ({}, {"language_hints": ("en",)}, "only flux-general-multi takes hints"),
        ({}, {"language_hints": ()}, "only flux-general-multi takes hints"),
    ],
)
async def test_what_flux_would_refuse_is_not_sent(options: dict[str, Any], command: dict[str, Any], said: str) -> None:
    """The thresholds are checked against the values in force, and Flux's default where none was given."""
    async with opened(polite, FluxOptions(**options)) as (stream, peer):
        with pytest.raises(ConfigError, match=said):
            await stream.configure(Configure(**command))
        with pytest.raises(LocalProtocolError, match="takes a Configure, not dict"):
            await stream.configure(cast(Configure, {}))
    assert [frame["type"] for frame in peer.commands] == ["CloseStream"]


async def test_what_is_under_way_counts_for_the_check() -> None:
    """A threshold that a Configure on its way will allow may be asked for already."""
    gate = Gate()
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(stream.configure, Configure(thresholds=Thresholds(eot_threshold=0.9)))
        await until(lambda: peer.commands)
        tasks.start_soon(stream.configure, Configure(thresholds=Thresholds(eager_eot_threshold=0.85)))
        await settle()
        with pytest.raises(ConfigError, match="eager_eot_threshold"):
            await stream.configure(Configure(thresholds=Thresholds(eot_threshold=0.8)))
        gate.opened.set()


# Settings for one question ----------------------------------------------------------------------------------------


async def echo(link: Link) -> None:
    """A Flux that takes every Configure and says so."""
    thresholds: dict[str, Any] = {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
    keyterms: list[str] = []
    await link.connected()
    while (command := await link.hear())["type"] == "Configure":
        thresholds |= command.get("thresholds", {})
        keyterms = command.get("keyterms", keyterms)
        await link.configured(thresholds=thresholds, keyterms=keyterms, numerals=command.get("numerals", False))
    await link.close(None)


QUESTION = {"eot_threshold": 0.9, "eot_timeout_ms": 8000}


async def test_settings_for_one_question_go_back_afterwards() -> None:
    """What was in force on entering is in force again, Flux's defaults where nothing was given."""
    async with opened(echo) as (stream, peer), read_by_another(stream):
        async with stream.configured(eot_threshold=0.9, eot_timeout_ms=8000, keyterms=("a",), numerals=True):
            assert (stream.options.eot_threshold, stream.options.keyterm) == (0.9, ("a",))
        assert (stream.options.eot_threshold, stream.options.eot_timeout_ms) == (0.7, 5000)
        assert (stream.options.keyterm, stream.options.numerals) == ((), False)
    assert peer.commands[0] == {"type": "Configure", "thresholds": QUESTION, "keyterms": ["a"], "numerals": True}
    restored = {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
    assert peer.commands[1] == {"type": "Configure", "thresholds": restored, "keyterms": [], "numerals": False}


async def test_only_what_was_changed_goes_back_and_nested_ones_go_back_in_order() -> None:
    """A keyterm list is left alone by a question about thresholds, and eager mode keeps its own."""
    options = FluxOptions(eot_threshold=0.8, eager_eot_threshold=0.5, keyterm=("kept",))
    async with (
        opened(echo, options) as (stream, peer),
        read_by_another(stream),
        stream.configured(eager_eot_threshold=0.6),
        stream.configured(eot_timeout_ms=9000),
    ):
        pass
    assert [command.get("thresholds") for command in peer.commands[:-1]] == [
        {"eager_eot_threshold": 0.6},
        {"eot_timeout_ms": 9000},
        {"eot_timeout_ms": 5000},
        {"eager_eot_threshold": 0.5},
    ]
    assert not any("keyterms" in command for command in peer.commands)


async def test_settings_go_back_when_the_question_fails() -> None:
    """The body's own exception comes out."""
    async with opened(echo) as (stream, peer), read_by_another(stream):
        with pytest.raises(ZeroDivisionError):
            async with stream.configured(eot_threshold=0.9):
                raise ZeroDivisionError
        await until(lambda: len(peer.commands) == 2)
    assert peer.commands[1]["thresholds"] == {"eot_threshold": 0.7}


@pytest.mark.parametrize("noticed", [True, False])
async def test_settings_go_back_when_the_question_is_cancelled(noticed: bool) -> None:
    """Whether the body noticed or had just ended; the restoring Configure leaves all the same."""
    async with opened(echo) as (stream, peer), read_by_another(stream) as read:
        with anyio.CancelScope() as scope:
            async with stream.configured(eot_threshold=0.9):
                scope.cancel()
                if noticed:
                    await checkpoint()
        await until(lambda: len(read) == 3)
        assert stream.options.eot_threshold == 0.7
    assert peer.commands[1]["thresholds"] == {"eot_threshold": 0.7}


async def test_settings_go_back_when_entering_is_cancelled_after_they_left() -> None:
    """Flux may have taken them, so they are taken back, behind the one on the wire."""
    gate = Gate()
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:

        async def ask() -> None:
            async with stream.configured(eot_threshold=0.9):
                pytest.fail("the question must not be asked")

        tasks.start_soon(ask)
        await until(lambda: peer.commands)
        tasks.cancel_scope.cancel()
        gate.opened.set()
    assert [command.get("thresholds") for command in peer.commands] == [
        {"eot_threshold": 0.9},
        {"eot_threshold": 0.7},
        None,
    ]


async def test_settings_that_flux_refuses_are_not_taken_back() -> None:
    """Nothing was changed, so nothing is sent, and the question is not asked."""

    async def refuse(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.say("ConfigureFailure", code="NO")
        await link.hang_up()

    async with opened(refuse) as (stream, peer), read_by_another(stream):
        with pytest.raises(FluxError):
            async with stream.configured(eot_threshold=0.9):
                pytest.fail("the question must not be asked")
    assert [command["type"] for command in peer.commands] == ["Configure", "CloseStream"]


async def test_settings_that_do_not_go_back_are_told() -> None:
    """On the way out, a refusal and a missing answer are raised, for the settings are still the question's."""

    def answering_once(**second: Any) -> Any:
        async def speak(link: Link) -> None:
            await link.connected()
            await link.hear()
            await link.configured()
            await link.hear()
            if second:
                await link.say(**second)
            await link.hang_up()

        return speak

    async def ask(stream: FluxStream) -> None:
        async with stream.configured(eot_threshold=0.9):
            pass

    async with opened(answering_once(type="ConfigureFailure", code="NO")) as (stream, _), read_by_another(stream):
        with pytest.raises(FluxError, match="NO"):
            await ask(stream)
    async with opened(answering_once(), answer_timeout=0.05) as (stream, _), read_by_another(stream):
        with pytest.raises(ConnectionFailed, match="did not answer Configure"):
            await ask(stream)


async def test_an_answer_that_nobody_waits_for_still_counts() -> None:
    """The answer to a Configure that was given up says what is in force."""
    late = anyio.Event()

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await late.wait()
        await link.configured(keyterms=["a"])
        await link.hang_up()

    async with opened(speak, answer_timeout=0.05) as (stream, _), read_by_another(stream) as read:
        with pytest.raises(ConnectionFailed):
            await stream.configure(Configure(keyterms=("a",)))
        late.set()
        await until(lambda: len(read) == 2)
    assert stream.options.keyterm == ("a",)


async def test_a_stream_that_is_over_needs_no_restoring() -> None:
    """Closed by us or by Flux meanwhile: leaving is no error."""

    async def leave(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.configured()
        await link.close(1011)

    async with opened(echo) as (stream, peer), read_by_another(stream), stream.configured(eot_threshold=0.9):
        await stream.close()
    assert [command["type"] for command in peer.commands] == ["Configure", "CloseStream"]
    async with opened(leave) as (stream, _), anyio.create_task_group() as tasks:

        async def iterate() -> None:
            with pytest.raises(ConnectionFailed):
                await everything(stream)

        tasks.start_soon(iterate)
        async with stream.configured(eot_threshold=0.9):
            await until(lambda: repr(stream).startswith("<FluxStream ended"))


async def test_eager_mode_cannot_be_lent_to_a_question() -> None:
    """Flux cannot switch it off again, so it is refused before anything is sent."""
    async with opened(polite) as (stream, peer):
        with pytest.raises(ConfigError, match="cannot switch it off again"):
            async with stream.configured(eager_eot_threshold=0.5):
                pytest.fail("the question must not be asked")
    assert [command["type"] for command in peer.commands] == ["CloseStream"]


# Forcing the end of a turn ----------------------------------------------------------------------------------------


def forced(*answers: dict[str, Any]) -> Any:
    """A Flux that answers ForceEndTurns with these messages, all of them at the first."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.hear_until("ForceEndTurn")
        for answer in answers:
            await link.say(**answer)
        await link.hang_up()

    return speak


def ended(trigger: str) -> dict[str, Any]:
    return {"type": "TurnInfo", "event": "EndOfTurn", "turn_index": 0, "transcript": "hello", "trigger": trigger}


NO_TURN = {"type": "Warning", "code": "FORCE_END_TURN_NO_ACTIVE_TURN", "description": "ignored"}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([ended("manual")], True),
        ([NO_TURN], False),
        ([ended("model"), NO_TURN], False),
        ([ended("timeout"), {"type": "Warning", "code": "OTHER"}, ended("manual")], True),
    ],
)
async def test_only_a_manual_end_or_the_warning_answers_a_forced_end(answers: Any, expected: bool) -> None:
    """Another trigger means that Flux's own end came first: the answer is still to come."""
    async with opened(forced(*answers)) as (stream, _), read_by_another(stream) as read:
        assert await stream.force_end_turn() is expected
    assert len(read) == 2 + len(answers)


async def test_forced_ends_are_answered_in_order() -> None:
    """Of two, the first ends the turn and the second comes too late; one that nobody waits for counts as well."""

    async def speak(link: Link) -> None:
        await link.connected()
        for answer in (ended("manual"), NO_TURN):
            await link.hear_until("ForceEndTurn")
            await link.say(**answer)
        await link.hang_up()

    async with opened(speak) as (stream, peer), read_by_another(stream):
        await stream.send_force_end_turn()
        assert await stream.force_end_turn() is False
    assert [command["type"] for command in peer.commands] == ["ForceEndTurn", "ForceEndTurn", "CloseStream"]


async def test_the_iterating_task_can_force_an_end_without_waiting_for_itself() -> None:
    """send_force_end_turn returns once it has left."""
    async with opened(forced(ended("manual"))) as (stream, _):
        triggers = []
        async for message in stream:
            if isinstance(message, TurnInfo) and message.event == "StartOfTurn":
                await stream.send_force_end_turn()
            elif isinstance(message, TurnInfo):
                triggers.append(message.trigger)
                await stream.close()
    assert triggers == ["manual"]


async def test_a_forced_end_without_an_answer_is_given_up_and_answers_nobody_else() -> None:
    """Its late answer is not mistaken for the next one's, nor the next one's for its own."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear_until("ForceEndTurn")
        await link.hear_until("ForceEndTurn")
        await link.say(**ended("manual"))
        await link.hang_up()

    async with opened(speak, answer_timeout=0.05) as (stream, _), read_by_another(stream):
        with pytest.raises(ConnectionFailed, match="did not answer ForceEndTurn"):
            await stream.force_end_turn()
        assert await stream.force_end_turn() is True


async def test_a_host_without_forced_ends_hangs_up() -> None:
    """The Error is the iteration's; who waits learns that the stream ended, and the next send that it has."""

    async def refuse(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    async with opened(refuse) as (stream, _), anyio.create_task_group() as tasks:

        async def iterate() -> None:
            with pytest.raises(FluxError):
                await everything(stream)

        tasks.start_soon(iterate)
        with pytest.raises(ConnectionFailed, match="ended before ForceEndTurn was answered") as failed:
            await stream.force_end_turn()
        assert isinstance(failed.value.attempts[0], FluxError)


# Closing ----------------------------------------------------------------------------------------------------------


def turn_then_close(*events: dict[str, Any]) -> Any:
    async def speak(link: Link) -> None:
        await link.connected()
        for event in events:
            await link.turn(**event)
        await link.hang_up()

    return speak


START = {"event": "StartOfTurn", "transcript": "hello"}
END = {"event": "EndOfTurn", "transcript": "hello", "trigger": "model"}
OLD_END = {"event": "EndOfTurn", "transcript": "hello"}


@pytest.mark.parametrize(
    ("events", "commands"),
    [
        ([], ["CloseStream"]),
        ([{"event": "Update", "transcript": "he"}], ["CloseStream"]),
        ([START, {"event": "Update"}], ["ForceEndTurn", "CloseStream"]),
        ([{"event": "EagerEndOfTurn"}], ["ForceEndTurn", "CloseStream"]),
        ([START, END], ["CloseStream"]),
        ([START, END, START], ["ForceEndTurn", "CloseStream"]),
        ([START, OLD_END, START], ["CloseStream"]),
    ],
)
async def test_closing_ends_the_open_turn_first(events: list[dict[str, Any]], commands: list[str]) -> None:
    """ForceEndTurn goes before CloseStream if a turn is open and the host is not known to be too old for it."""
    async with opened(turn_then_close(*events)) as (stream, peer):
        for _ in range(1 + len(events)):
            await anext(stream)
        await stream.send_audio(bytes(2560 + 101))
        await stream.close()
        await stream.close()
    assert [command["type"] for command in peer.commands] == commands
    assert [len(frame) for frame in peer.audio] == [2560, 100]


async def test_closing_is_not_spoilt_by_a_host_without_forced_ends() -> None:
    """The Error it answers our ForceEndTurn with ends the iteration like any close."""

    async def refuse(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.hear_until("ForceEndTurn")
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    for iterated in (True, False):
        async with opened(refuse) as (stream, _):
            await anext(stream)
            await anext(stream)
            await stream.close()
            if iterated:
                assert await everything(stream) == []
        assert await everything(stream) == []


async def test_other_errors_after_close_are_told() -> None:
    """Losing the last words to a failure of Flux's is not hidden from whoever still reads."""

    async def fail(link: Link) -> None:
        await link.connected()
        await link.hear_until("CloseStream")
        await link.say("Error", code="INTERNAL_SERVER_ERROR", description="")
        await link.close(1011)

    async with opened(fail) as (stream, _):
        await stream.close()
        with pytest.raises(FluxError, match="INTERNAL_SERVER_ERROR"):
            await everything(stream)


@pytest.mark.parametrize("code", [1000, 1001, None, 1006])
async def test_after_close_these_codes_end_the_iteration(code: int | None) -> None:
    """What still comes is read first."""

    async def leave(link: Link) -> None:
        await link.connected()
        await link.hear_until("CloseStream")
        await link.turn("Update", "last words")
        await (link.drop() if code == 1006 else link.close(code))

    async with opened(leave) as (stream, _):
        await stream.close()
        read = await everything(stream)
    # A connection that is torn down may take the last words with it.
    assert len(read) == 2 or code == 1006


async def test_after_close_another_code_is_still_a_failure() -> None:
    """1011 means that Flux could not finish."""

    async def leave(link: Link) -> None:
        await link.connected()
        await link.hear_until("CloseStream")
        await link.close(1011, "NET-0000")

    async with opened(leave) as (stream, _):
        await stream.close()
        with pytest.raises(ConnectionFailed, match="1011"):
            await everything(stream)


async def test_closing_a_connection_that_is_gone_is_no_error() -> None:
    """Neither before nor after the iteration has seen the end."""

    async def drop(link: Link) -> None:
        await link.connected()
        await link.drop()

    async with opened(drop) as (stream, _):
        await anext(stream)
        await stream.close()
    async with opened(drop) as (stream, _):
        await anext(stream)
        with pytest.raises(ConnectionFailed):
            await anext(stream)
        await stream.close()


@pytest.mark.parametrize("when", ["waiting", "while draining", "after leaving"])
async def test_leaving_drains_for_a_reader_that_is_still_there(when: str) -> None:
    """Whoever iterates in an outer task sees the last words, whether it waits for them or comes back late."""
    late = anyio.Event()
    read: list[str] = []

    async def last_words(link: Link) -> None:
        await link.connected()
        await link.hear_until("CloseStream")
        if when == "while draining":
            late.set()
            await settle()
        await link.turn("Update", "last words")
        await link.close(None)

    async def iterate(stream: FluxStream) -> None:
        async for message in stream:
            if when != "waiting":
                await late.wait()
            if isinstance(message, TurnInfo):
                read.append(message.transcript)

    async with anyio.create_task_group() as tasks:
        async with opened(last_words) as (stream, _):
            tasks.start_soon(iterate, stream)
            await settle()
        late.set()
    assert read == ["last words"]


async def test_leaving_waits_for_a_silent_flux_no_longer_than_close_timeout() -> None:
    """Then the socket is dropped; a reader's iteration ends as after any close."""
    gone = anyio.Event()

    async def stay(link: Link) -> None:
        await link.connected()
        await link.gone()
        gone.set()

    async with flux_peer(stay) as peer:
        async with connect(api_key=KEY, url=peer.url, close_timeout=0.05) as stream:
            pass
        assert len(await everything(stream)) == 1
        await gone.wait()


async def test_leaving_by_cancellation_is_prompt() -> None:
    """Nothing is finalised and nobody is waited for, whatever the timeouts."""
    gone = anyio.Event()

    async def stay(link: Link) -> None:
        await link.connected()
        await link.gone()
        gone.set()

    async with flux_peer(stay) as peer:
        started = anyio.current_time()
        with anyio.CancelScope() as scope:
            async with (
                connect(api_key=KEY, url=peer.url, close_timeout=1000.0, answer_timeout=1000.0) as stream,
                read_by_another(stream),
            ):
                await until(lambda: stream.request_id)
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        await gone.wait()
        assert anyio.current_time() - started < 5
    assert peer.heard == []


async def test_leaving_by_cancellation_is_prompt_while_a_send_is_blocked() -> None:
    """A peer that does not read cannot hold up the cancellation either."""
    over = anyio.Event()
    poured: list[int] = []

    async def deaf(link: Link) -> None:
        await link.connected()
        await over.wait()

    async def pour(stream: FluxStream) -> None:
        while True:
            poured.append(1)
            await stream.send_audio(bytes(2**20))

    async def until_blocked() -> None:
        before = -1
        while len(poured) != before:
            before = len(poured)
            for _ in range(10):
                await settle()

    options = FluxOptions(encoding=None, sample_rate=None)
    async with flux_peer(deaf) as peer:
        with anyio.CancelScope() as scope:
            async with (
                connect(options, api_key=KEY, url=peer.url, send_timeout=1000.0) as stream,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(pour, stream)
                await until_blocked()
                scope.cancel()
        assert scope.cancelled_caught
        over.set()


async def test_connecting_can_be_cancelled() -> None:
    """While the handshake hangs, and while Connected is awaited."""

    async def silence(stream: anyio.abc.SocketStream) -> None:
        await anyio.sleep_forever()

    async def swallow(link: Link) -> None:
        await link.gone()

    async with tcp_peer(silence) as host, flux_peer(swallow) as peer:
        for url in (f"ws://{host}", peer.url):
            with anyio.move_on_after(0.02) as scope:
                async with connect(url=url, connect_timeout=1000.0):
                    pytest.fail("Connected never came")
            assert scope.cancelled_caught


async def test_what_the_body_raises_comes_out_as_it_is() -> None:
    """Also where it is an OSError or a group, which are not the connection's; Flux is told to close all the same."""
    for raised in (OSError("mine"), ExceptionGroup("ours", [ValueError(), KeyError()]), KeyboardInterrupt()):
        with pytest.raises(type(raised)) as caught:
            async with opened(polite) as (_, peer):
                raise raised
        assert [command["type"] for command in peer.commands] == ["CloseStream"] * isinstance(raised, Exception)
        assert caught.value.args == raised.args


async def test_a_cancelled_send_leaves_the_stream_whole() -> None:
    """What had not left goes first next time; nothing is lost, doubled or cut."""
    audio = bytes(range(256)) * 100

    class Cancelling(Wire):
        async def send(self, frame: bytes) -> None:
            if len(self.frames) == 2:
                scope.cancel()
            await super().send(frame)

    wire = Cancelling()
    stream = FluxStream(wire, FluxOptions(), "host", BOUNDS)
    with anyio.CancelScope() as scope:
        await stream.send_audio(audio)
    assert scope.cancelled_caught
    assert len(wire.frames) == 3
    await stream.send_audio(audio)
    await stream.flush()
    assert b"".join(wire.frames) == audio * 2


# Errors and logs --------------------------------------------------------------------------------------------------


def foreign_errors() -> list[Exception]:
    """One of each exception that websockets, anyio, trio and the system can raise at a connection."""
    special: dict[type[Exception], tuple[Any, ...]] = {
        ws.ConnectionClosed: (None, None),
        ws.ConnectionClosedOK: (Close(1000, ""), Close(1000, ""), True),
        ws.ConnectionClosedError: (None, Close(1011, "keepalive ping timeout")),
        ws.InvalidURI: ("uri", "bad"),
        ws.InvalidProxy: ("proxy", "bad"),
        ws.InvalidStatus: (Response(403, "", Headers()),),
        ws.InvalidProxyStatus: (Response(407, "", Headers()),),
        ws.InvalidHeaderFormat: ("name", "error", "header", 1),
        ws.PayloadTooBig: (2, 1),
        ws.TooManyFragments: (1,),
        ws.InvalidParameterValue: ("name", "value"),
    }
    classes: set[type[Exception]] = set()
    for module in (ws, anyio, trio, ssl, socket):
        for found in vars(module).values():
            if inspect.isclass(found) and issubclass(found, Exception) and not issubclass(found, Warning):
                classes.add(found)
    classes |= {OSError, *OSError.__subclasses__(), EOFError, TimeoutError, RuntimeError, ImportError, UnicodeError}
    errors: list[Exception] = []
    for found in sorted(classes, key=lambda one: one.__name__):
        arguments = special.get(found, ("x",))
        try:
            errors.append(found(*arguments))
        except TypeError:
            errors.append(found())
    errors += [ConnectionRefusedError(errno.ECONNREFUSED, "refused"), socket.gaierror(-2, "Name not known")]
    errors += [ExceptionGroup("several", [OSError(), ValueError()])]
    return errors


class Broken:
    """A websocket that raises `error` at `moment`, and greets like Flux before."""

    response = Response(101, "", Headers())

    def __init__(self, moment: str, error: Exception) -> None:
        self.moments = [moment]
        self.stream = self
        self.error = error
        self.greeted = False

    def fail_at(self, moment: str) -> None:
        if moment in self.moments:
            raise self.error

    async def __aenter__(self) -> Broken:
        self.fail_at("connecting")
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def recv(self, decode: bool) -> bytes:
        self.fail_at("reading" if self.greeted else "greeting")
        if self.greeted:
            await anyio.sleep_forever()
        self.greeted = True
        return b'{"type": "Connected"}'

    async def send(self, _: object) -> None:
        self.fail_at("sending")

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize("moment", ["connecting", "greeting", "reading", "sending"])
async def test_no_foreign_exception_gets_out(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised by the socket at any moment, it comes out as a TurnkitError with itself as the cause."""

    async def use() -> None:
        async with connect(url="ws://127.0.0.1:9", close_timeout=0.001) as stream:
            await anext(stream)
            if moment == "sending":
                await stream.send_audio(TWO_SECONDS)
            await anext(stream)

    errors = foreign_errors()
    names = {type(error).__name__ for error in errors}
    assert names > {"InvalidUpgrade", "BrokenResourceError", "TooSlowError", "SSLCertVerificationError", "gaierror"}
    for error in errors:
        broken = Broken(moment, error)
        monkeypatch.setattr(opening, "_websocket", lambda *_, broken=broken: broken)
        with pytest.raises(TurnkitError) as caught:
            await use()
        assert caught.value.__cause__ is error
        assert str(caught.value)


async def test_leaving_is_bounded_by_close_timeout_also_if_nothing_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that stopped reading does not hold up the way out for send_timeout."""

    class Stuck(Broken):
        async def send(self, _: object) -> None:
            await anyio.sleep_forever()

    monkeypatch.setattr(opening, "_websocket", lambda *_: Stuck("never", OSError()))
    with anyio.fail_after(5):
        async with connect(url="ws://127.0.0.1:9", send_timeout=1000.0, close_timeout=0.01):
            pass


async def test_credentials_reach_no_message_no_repr_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Not even with every logger at debug level, nor if the server echoes what it was sent."""
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"err_code": "INVALID_AUTH", "err_msg": f"the key {KEY} is unknown"}).encode()
    errors: list[FluxError] = []
    with capture_logs() as logged:
        async with opened(turn_then_close(START)) as (stream, _):
            await anext(stream)
            await anext(stream)
            await stream.send_audio(TWO_SECONDS)
            shown = repr(stream)
        async with flux_peer(refuse=(401, body, {"dg-error": KEY})) as peer:
            for credential in ({"api_key": KEY}, {"token": KEY}):
                with pytest.raises(FluxError) as refused:
                    async with connect(url=peer.url, **cast(Any, credential)):
                        pass
                errors.append(refused.value)
    assert [error.description for error in errors] == ["the key … is unknown"] * 2
    # The peer's own websockets logger hears the request; turnkit's must not.
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    everything_shown = [shown, *map(repr, errors), *map(str, errors), *map(repr, logged), *ours]
    assert logged
    assert not any(KEY in text or "hello" in text for text in everything_shown)
    assert all(entry["log_level"] == "debug" for entry in logged)


async def test_a_model_that_turnkit_does_not_know_is_told_once() -> None:
    """It passes, for Flux may know it, with one warning a connect."""
    with capture_logs() as logged:
        async with opened(polite, FluxOptions(model="flux-general-xx")) as (_, peer):
            pass
    warnings = [entry for entry in logged if entry["log_level"] == "warning"]
    assert warnings == [{"event": "flux_model_unknown", "model": "flux-general-xx", "log_level": "warning"}]
    assert "model=flux-general-xx" in peer.requests[0].path


async def test_debug_entries_stay_away_until_logging_is_configured(capsys: pytest.CaptureFixture[str]) -> None:
    """structlog prints everything by default, which a library must not do to its user; a warning may be said."""
    async with opened(polite):
        pass
    assert capsys.readouterr() == ("", "")
    async with opened(polite, FluxOptions(model="flux-general-xx")):
        pass
    out, err = capsys.readouterr()
    assert out == ""
    assert "flux_model_unknown" in err


LOADED = """
import anyio, sys
from turnkit.flux import connect
from turnkit.errors import ConnectionFailed

async def main():
    try:
        async with connect(url="ws://127.0.0.1:9", connect_timeout=5):
            pass
    except ConnectionFailed:
        print(*sorted(name for name in sys.modules if name in ("websockets.asyncio.client", "websockets.trio.client")))

anyio.run(main, backend={backend!r})
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_only_the_running_librarys_half_of_websockets_is_loaded(backend: str) -> None:
    """asyncio applications need no trio, and neither pays for the other."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(backend=backend)], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stdout.split() == [f"websockets.{backend}.client"], done.stderr
