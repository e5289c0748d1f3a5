"""Opening a connection to Flux: the request, refusals, and the wait for Connected."""

from __future__ import annotations

import json
import socket
import ssl
from typing import Any

import anyio
import anyio.abc
import pytest
from websockets import exceptions as ws

from tests.support.flux_peer import Link, flux_peer, polite, tcp_peer
from tests.support.streams import KEY, opened
from turnkit.errors import ConfigError, ConnectionFailed, FluxError, RemoteProtocolError
from turnkit.flux import connect
from turnkit.wire import FluxOptions

pytestmark = pytest.mark.anyio


# The handshake ------------------------------------------------------------------------------------------------------


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
        ({"url": "ws://[::1]x"}, "a scheme and a host"),
        ({"url": "ws://[::1]x:80"}, "a scheme and a host"),
        ({"url": "ws://[::1]80"}, "a scheme and a host"),
        ({"url": "ws://x[::1]:80"}, "a scheme and a host"),
        ({"url": "ws://[localhost]"}, "a scheme and a host"),
        ({"url": "ws://[::1]:"}, "a scheme and a host"),
        ({"url": "ws://127.0.0.1:"}, "a scheme and a host"),
        ({"url": "ws://[::1]:-1"}, "a scheme and a host"),
        ({"url": "ws://[::1]:٣"}, "a scheme and a host"),
        ({"url": "ws://127.0.0.1:٣"}, "a scheme and a host"),
        ({"url": "ws://127.0.0.1:1_0"}, "a scheme and a host"),
        ({"url": "wss://a\x1b[2J"}, "a scheme and a host"),
        ({"url": "wss://a\\b"}, "a scheme and a host"),
        ({"url": "wss://a%0d%0ab"}, "a scheme and a host"),
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


# Connected ----------------------------------------------------------------------------------------------------------


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
