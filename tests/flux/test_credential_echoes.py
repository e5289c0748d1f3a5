"""A host that quotes the credential, wherever it can: no error, no log line, no repr and no traceback repeats it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from traceback import TracebackException
from typing import Any
from urllib.parse import quote

import anyio.abc
import pytest
from structlog.testing import capture_logs

from tests.support import variables_shown
from tests.support.flux_peer import tcp_peer
from turnkit import Note, Session
from turnkit.errors import TurnkitError
from turnkit.flux import FluxStream, StreamItem, connect
from turnkit.flux.credential import Credential
from turnkit.wire import TurnInfo

pytestmark = pytest.mark.anyio

KEY = "dg~Se/cret+0123456789=abcdefghijklm"
HEADER = f"Token {KEY}"
QUOTED = {"as it is": KEY, "with its scheme": HEADER, "cut off": HEADER[:24]}
FORMS = {
    **QUOTED,
    "in capitals": HEADER.upper(),
    "percent-encoded": quote(HEADER, safe=""),
    "in base64": base64.b64encode(HEADER.encode()).decode(),
    "in base64 for addresses, in a longer text": base64.urlsafe_b64encode(f"Authorization: {HEADER}".encode()).decode(),
    "cut off in the middle": KEY[12:],
}
TRACES = [KEY[:12], KEY[12:24], KEY[-12:], quote(KEY, safe="")[:12]]
TRACES += [base64.b64encode(b"\0" * before + KEY.encode()).decode()[8:24] for before in range(3)]
TRACES = [trace.lower() for trace in [*TRACES, *(trace.replace("/", "_").replace("+", "-") for trace in TRACES)]]

Answer = Callable[[str, bytes], bytes]
"""What a host answers, given what it quotes, and what an upgrade takes."""


def http(status: str, *headers: str, body: str = "") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers]
    return "\r\n".join([*head, "", body]).encode()


def refusal(status: int, **fields: str) -> Answer:
    """A refusal whose body quotes at the fields named, Flux's way."""
    return lambda echo, _: http(
        f"{status} No", body=json.dumps({name: value.replace("@", echo) for name, value in fields.items()})
    )


def header(name: str, status: str = "401 No", value: str = "@") -> Answer:
    return lambda echo, _: http(status, f"{name}: {value.replace('@', echo)}")


def upgrade(**changed: str) -> Answer:
    """An upgrade, with headers that quote."""

    def answer(echo: str, accept: bytes) -> bytes:
        fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Accept": accept.decode()}
        fields |= {name: value.replace("@", echo) for name, value in changed.items()}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        return "\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines, "", ""]).encode()

    return answer


def frame(opcode: int, payload: bytes) -> bytes:
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + payload


def message(**fields: Any) -> bytes:
    return frame(1, json.dumps(fields).encode())


CONNECTED = message(type="Connected", request_id="r", sequence_id=0)
TURN = {"turn_index": 0, "audio_window_start": 0, "audio_window_end": 0, "end_of_turn_confidence": 0, "words": []}


def then(*frames: Callable[[str], bytes] | bytes) -> Answer:
    """An upgrade, and then these frames."""
    return lambda echo, accept: (
        upgrade()(echo, accept) + b"".join(one if isinstance(one, bytes) else one(echo) for one in frames)
    )


def said(**fields: Any) -> Callable[[str], bytes]:
    return lambda echo: message(**{name: echo if value == "@" else value for name, value in fields.items()})


def closed(echo: str) -> bytes:
    return frame(8, (1011).to_bytes(2, "big") + echo.encode()[:123])


def closed_badly(echo: str) -> bytes:
    return frame(8, (1011).to_bytes(2, "big") + echo.encode()[:100] + b"\xff")


ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in KEY)

PLACES: dict[str, Answer] = {
    "the first line": lambda echo, _: f"{echo}\r\n\r\n".encode(),
    "the version of HTTP": lambda echo, _: f"HTTP/{echo} 101 x\r\n\r\n".encode(),
    "the status": lambda echo, _: f"HTTP/1.1 {echo} x\r\n\r\n".encode(),
    "the reason of a status": lambda echo, _: http(f"401 {echo}"),
    "a header without a colon": lambda echo, _: http("401 No", echo),
    "the name of a header": lambda echo, _: http("101 Yes", f"{echo}: x"),
    "Content-Length": header("Content-Length"),
    "Transfer-Encoding": header("Transfer-Encoding"),
    "dg-error": header("dg-error"),
    "dg-request-id": header("dg-request-id"),
    "the host of a Location": header("Location", "302 Found", "wss://@/x"),
    "the path of a Location": header("Location", "302 Found", "/@"),
    "the user of a Location": header("Location", "307 Temporary Redirect", "wss://@@example.org/"),
    "a Location that is no address": header("Location", "301 Moved", "http://[@"),
    "a body that is no JSON": lambda echo, _: http("401 No", body=f"<p>{echo}</p>"),
    "a body of the wrong kind": lambda echo, _: http("401 No", body=json.dumps([echo])),
    "a body escaped": lambda _, __: http("401 No", body=f'{{"err_msg": "{ESCAPED}"}}'),
    "err_msg": refusal(401, err_code="INVALID_AUTH", err_msg="the key @ is unknown"),
    "err_msg after a long text": refusal(401, err_msg=f"{'x' * 480} @ {'x' * 20000}"),
    "err_code": refusal(403, err_code="@"),
    "code and description": refusal(400, code="@", description="no @"),
    "request_id": refusal(402, err_code="E", request_id="@"),
    "a host that is down": refusal(503, err_code="@", err_msg="@", request_id="@"),
    "Upgrade": upgrade(Upgrade="@"),
    "Connection": upgrade(Connection="@"),
    "Sec-WebSocket-Accept": upgrade(Sec_WebSocket_Accept="@"),
    "Sec-WebSocket-Extensions": upgrade(Sec_WebSocket_Extensions="@"),
    "parameters of an extension": upgrade(Sec_WebSocket_Extensions='permessage-deflate; x="@"'),
    "Sec-WebSocket-Protocol": upgrade(Sec_WebSocket_Protocol="@"),
    "the request id of an upgrade, before an Error": lambda echo, accept: (
        upgrade(dg_request_id="@")(echo, accept) + message(type="Error", code="E")
    ),
    "the request id of an upgrade": lambda echo, accept: (
        upgrade(dg_request_id="@")(echo, accept) + message(type="Connected") + closed("")
    ),
    "a first frame that is no JSON": then(lambda echo: frame(1, echo.encode())),
    "a first frame of bytes": then(lambda echo: frame(2, echo.encode())),
    "the type of the first message": then(said(type="@")),
    "an Error first": then(said(type="Error", code="@", description="@", request_id="@")),
    "a close instead of Connected": then(closed),
    "a broken close instead of Connected": then(closed_badly),
    "a frame of no known kind": then(lambda echo: frame(3, echo.encode())),
    "a text that is no UTF-8": then(lambda echo: frame(1, echo.encode() + b"\xff")),
    "the request id of Connected": then(said(type="Connected", request_id="@"), closed),
    "a close": then(CONNECTED, closed),
    "a broken close": then(CONNECTED, closed_badly),
    "an Error": then(CONNECTED, said(type="Error", code="@", description="@", request_id="@")),
    "a Warning": then(CONNECTED, said(type="Warning", code="@", description="@", sequence_id=1), closed),
    "a ConfigureFailure": then(CONNECTED, said(type="ConfigureFailure", code="@", error_code="@"), closed),
    "a ConfigureSuccess": then(CONNECTED, said(type="ConfigureSuccess", keyterms=["@"], thresholds={}), closed),
    "an unknown message": then(CONNECTED, said(type="@", more="@"), closed),
    "a message that is no JSON": then(CONNECTED, lambda echo: frame(1, echo.encode()), closed),
    "a message of wrong fields": then(CONNECTED, said(type="TurnInfo", event=7, turn_index="@"), closed),
    "an unknown event": then(CONNECTED, said(type="TurnInfo", event="@", **TURN), closed),
    "an unknown trigger": then(
        CONNECTED,
        said(type="TurnInfo", event="StartOfTurn", transcript="hello", **TURN),
        said(type="TurnInfo", event="EndOfTurn", trigger="@", transcript="hello", **TURN),
        closed,
    ),
}


def serving(answer: Answer, echo: str) -> Callable[[anyio.abc.SocketStream], Any]:
    async def serve(stream: anyio.abc.SocketStream) -> None:
        request = await stream.receive()
        assert HEADER.encode() in request  # the host knows what it quotes
        (challenge,) = re.findall(rb"Sec-WebSocket-Key: (\S+)", request)
        accept = base64.b64encode(hashlib.sha1(challenge + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        await stream.send(answer(echo, accept))

    return serve


def everything_of(error: BaseException) -> Iterator[str]:
    """What may be printed of an error: its words, those of what led to it, and a traceback with variables."""
    yield from (str(error), repr(error), repr(vars(error)))
    yield from TracebackException.from_exception(error, capture_locals=variables_shown.SAFE).format()
    led = (error.__cause__, error.__context__, *getattr(error, "attempts", ()), *getattr(error, "exceptions", ()))
    for other in led:
        if other is not None:
            yield from everything_of(other)


async def seen(stream: FluxStream, shown: list[Any]) -> AsyncIterator[StreamItem]:
    """The stream, with all that comes of it but the words."""
    async for item in stream:
        shown.append(item.event if isinstance(item, TurnInfo) else item)
        yield item


async def told_by_a_call(host: str, reconnect_timeout: float) -> list[str]:
    """All that an application may show of a call with this host."""
    shown: list[Any] = []
    session = Session()
    session.on(Note, shown.append)
    with capture_logs() as logged:
        try:
            async with connect(url=f"ws://{host}", api_key=KEY, reconnect_timeout=reconnect_timeout) as stream:
                shown += [stream, stream.options, stream.request_id]
                await session.run(seen(stream, shown))
        except TurnkitError as error:
            shown += everything_of(error)
    return [*map(repr, shown), *map(repr, logged)]


@pytest.mark.parametrize("reconnect_timeout", [0, 0.1])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.sampled(5)
async def test_a_host_that_quotes_the_credential_is_not_repeated(place: str, reconnect_timeout: float) -> None:
    """Whatever it quotes, and wherever: the error says what is wrong, and not with which credential."""
    for form, echo in QUOTED.items():
        async with tcp_peer(serving(PLACES[place], echo)) as host:
            shown = await told_by_a_call(host, reconnect_timeout)
        assert shown
        repeated = [text for text in shown for trace in TRACES if trace in text.lower()]
        assert not repeated, (form, repeated)


@pytest.mark.parametrize("form", FORMS)
async def test_a_credential_is_found_in_every_form(form: str) -> None:
    """What stands around it is left as it was, also beside letters whose small form is longer."""
    hidden = Credential("Token", KEY).hide(f"İ the key {FORMS[form]}, it says")
    assert hidden.startswith("İ the key ")
    assert hidden.endswith(", it says")
    assert "…" in hidden
    assert not [trace for trace in TRACES if trace in hidden.lower()]
    assert len(hidden) < 45


@pytest.mark.parametrize("text", ["", "no", KEY[:7], "a sentence of Flux about Tokens, as long as it likes", "ſ" * 40])
async def test_what_quotes_no_credential_is_left_as_it_is(text: str) -> None:
    """Seven letters may be the same by chance; without a credential there is nothing to hide."""
    assert Credential("Token", KEY).hide(text) == text
    assert Credential().hide(f"{text} {KEY}") == f"{text} {KEY}"


async def test_a_short_credential_is_hidden_whole() -> None:
    """Fewer than eight letters stand for themselves."""
    assert Credential("Token", "abc").hide("the key ABC, or ab c") == "the key …, or ab c"
