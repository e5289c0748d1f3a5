"""The Flux connection against a scripted WebSocket server on loopback: opening, reading, closing."""

from __future__ import annotations

import json
import socket
import ssl
from typing import Any, cast

import anyio
import anyio.abc
import pytest
from websockets import exceptions as ws

from tests.support.flux_peer import (
    KEY,
    START,
    TWO_SECONDS,
    Link,
    everything,
    flux_peer,
    opened,
    polite,
    read_by_another,
    settle,
    tcp_peer,
    turn_then_close,
    until,
)
from turnkit.errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError, RemoteProtocolError
from turnkit.flux import FluxStream, connect
from turnkit.flux import connecting as line
from turnkit.wire import Connected, FluxOptions, TurnInfo, Unknown, WarningMessage

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


# Iterating ----------------------------------------------------------------------------------------------------------


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
    monkeypatch.setattr(line, "PING", 0.05)

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


# Closing ------------------------------------------------------------------------------------------------------------


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


async def test_after_close_a_silent_flux_holds_the_reader_no_longer_than_close_timeout() -> None:
    """Also where nobody leaves: the iteration ends, and what Flux had not covered is told to be lost, once."""

    async def stay(link: Link) -> None:
        await link.connected()
        await link.turn("Update", audio_window_end=0.4)
        await link.gone()

    async with opened(stay, close_timeout=2) as (stream, _):
        await stream.send_audio(bytes(32000))
        began = anyio.current_time()
        kinds = []
        async for item in stream:
            kinds.append(type(item).__name__)
            if isinstance(item, TurnInfo):
                await stream.close()
        assert kinds == ["Connected", "TurnInfo"]
        assert anyio.current_time() - began == pytest.approx(2, abs=0.3)
        assert stream.lost_audio_seconds == pytest.approx(0.6)
    assert stream.lost_audio_seconds == pytest.approx(0.6)


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
