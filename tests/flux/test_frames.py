"""Frames, byte by byte, and what surrounds them: whichever library reads them, the stream sees the same."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import cast

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import Link, Peer, flux_peer, polite, tcp_peer
from tests.support.streams import KEY, everything, opened, read_by_another
from tests.support.tls import client_tls, server_tls
from tests.support.waiting import settle
from tests.support.wire_peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    GREETING,
    PING,
    PONG,
    TEXT,
    frame,
    granted,
    upgraded,
)
from turnkit.errors import ConnectionFailed, FluxError, RemoteProtocolError
from turnkit.flux import connect
from turnkit.wire import Connected, Message, TurnInfo

pytestmark = pytest.mark.anyio

MEBIBYTE = 2**20
UPDATE = b'{"type": "TurnInfo", "event": "Update", "turn_index": 0, "sequence_id": 1}'
LATER = UPDATE.replace(b"1}", b"2}")


def saying(*frames: bytes) -> Callable[[anyio.abc.SocketStream], Awaitable[None]]:
    """A Flux that greets, sends these bytes in one go and then only listens."""

    async def speak(tcp: anyio.abc.SocketStream) -> None:
        await upgraded(tcp)
        await tcp.send(b"".join(frames))
        async for _ in tcp:
            pass

    return speak


async def read_from(*frames: bytes, count: int) -> list[Message]:
    """What a stream yields of them."""
    async with tcp_peer(saying(*frames)) as host, connect(url=f"ws://{host}", reconnect_timeout=0) as stream:
        return [cast(Message, await anext(stream)) for _ in range(count)]


async def test_a_message_may_come_in_fragments() -> None:
    """Also in empty ones, with a ping between two of them, and as binary: it is put together."""
    parts = [frame(TEXT, UPDATE[:9], fin=False), frame(CONTINUATION, fin=False), frame(PING, b"still there?")]
    parts += [frame(CONTINUATION, UPDATE[9:30], fin=False), frame(CONTINUATION, UPDATE[30:])]
    parts += [frame(BINARY, LATER[:1], fin=False), frame(CONTINUATION, LATER[1:])]
    read = await read_from(*parts, count=3)
    assert [type(message) for message in read] == [Connected, TurnInfo, TurnInfo]
    assert [cast(TurnInfo, message).sequence_id for message in read] == [0, 1, 2]


FAULTY = {
    "an opcode that there is not": frame(3, b"?"),
    "a control opcode that there is not": frame(11, b"?"),
    "a reserved bit": frame(TEXT, UPDATE, reserved=4),
    "another reserved bit": frame(BINARY, UPDATE, reserved=1),
    "a masked frame": frame(TEXT, UPDATE, masked=True),
    "a continuation of nothing": frame(CONTINUATION, UPDATE),
    "a message inside another": frame(TEXT, b"{", fin=False) + frame(TEXT, UPDATE),
    "a ping in fragments": frame(PING, b"?", fin=False),
    "a ping that is too long": frame(PING, bytes(126)),
    "a close code that there is not": frame(CLOSE, (999).to_bytes(2, "big")),
    "half a close code": frame(CLOSE, b"\x03"),
    "a close reason that is no text": frame(CLOSE, (1011).to_bytes(2, "big") + b"\xff"),
    "a frame that is too long": frame(TEXT, bytes(MEBIBYTE + 1)),
    "a frame that says it is far too long": frame(TEXT, bytes(MEBIBYTE + 1))[:2] + (2**62).to_bytes(8, "big"),
    "fragments that are too long together": frame(TEXT, bytes(MEBIBYTE // 2), fin=False)
    + frame(CONTINUATION, bytes(MEBIBYTE // 2), fin=False)
    + frame(CONTINUATION, b"?"),
}


@pytest.mark.parametrize("fault", FAULTY)
async def test_what_breaks_the_protocol_is_no_flux(fault: str) -> None:
    """What came before it is read, what comes after it is not."""
    frames = frame(TEXT, UPDATE) + FAULTY[fault] + frame(TEXT, LATER)
    async with tcp_peer(saying(frames)) as host, connect(url=f"ws://{host}", reconnect_timeout=0) as stream:
        assert type(await anext(stream)) is Connected
        assert type(await anext(stream)) is TurnInfo
        with pytest.raises(RemoteProtocolError, match=rf"{host} sent what is no message of Flux: (1002|1007|1009) "):
            await anext(stream)
        assert await everything(stream) == []


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "code 1005"),
        ((1000).to_bytes(2, "big"), "code 1000"),
        ((1011).to_bytes(2, "big") + "für später".encode(), "code 1011, 'für später'"),
        ((1013).to_bytes(2, "big") + b"later", "code 1013, 'later'"),
        ((4321).to_bytes(2, "big") + b"x" * 123, f"code 4321, '{'x' * 123}'"),
    ],
)
async def test_a_close_is_told_with_code_and_reason_and_is_answered(payload: bytes, said: str) -> None:
    """The answer has the same code; what came before the close is read first."""
    answers: list[bytes] = []

    async def speak(tcp: anyio.abc.SocketStream) -> None:
        await upgraded(tcp)
        await tcp.send(frame(TEXT, UPDATE) + frame(CLOSE, payload))
        answers.append(await tcp.receive())

    async with tcp_peer(speak) as host, connect(url=f"ws://{host}", reconnect_timeout=0) as stream:
        assert [type(await anext(stream)) for _ in range(2)] == [Connected, TurnInfo]
        with pytest.raises(ConnectionFailed, match=re.escape(f"closed the stream, unasked ({said})")):
            await anext(stream)
    (answer,) = answers
    mask = answer[2:6]
    assert answer[0] == 0x80 | CLOSE
    assert bytes(byte ^ mask[i % 4] for i, byte in enumerate(answer[6:]))[:2] == payload[:2]


async def test_pings_are_answered() -> None:
    """With what they hold."""
    answered = anyio.Event()

    async def speak(tcp: anyio.abc.SocketStream) -> None:
        await upgraded(tcp)
        await tcp.send(frame(PING, b"ping"))
        answer = await tcp.receive()
        assert answer[0] == 0x80 | PONG
        assert bytes(byte ^ answer[2 + i % 4] for i, byte in enumerate(answer[6:])) == b"ping"
        answered.set()

    async with (
        tcp_peer(speak) as host,
        connect(url=f"ws://{host}", reconnect_timeout=0) as stream,
        read_by_another(stream),
    ):
        await answered.wait()


async def test_the_upgrade_may_come_byte_by_byte_and_with_frames_behind_it() -> None:
    """However TCP cuts it, and with headers as proxies on the way write them."""
    head = b"HTTP/1.1 101 Anything\r\nupgrade: WebSocket\r\nX-Empty:\r\nConnection: keep-alive, Upgrade\r\n"
    head += b"dg-request-id: 7\r\n"

    async def slowly(tcp: anyio.abc.SocketStream) -> None:
        answer = await granted(tcp, head)
        for at in range(len(answer)):
            await tcp.send(answer[at : at + 1])
            await settle()
        await tcp.send(frame(TEXT, GREETING) + frame(TEXT, UPDATE)[:7])
        await settle()
        await tcp.send(frame(TEXT, UPDATE)[7:])
        async for _ in tcp:
            pass

    async def at_once(tcp: anyio.abc.SocketStream) -> None:
        await tcp.send(await granted(tcp, head) + frame(TEXT, GREETING) + frame(TEXT, UPDATE))
        async for _ in tcp:
            pass

    for answer in (slowly, at_once):
        async with tcp_peer(answer) as host, connect(url=f"ws://{host}", reconnect_timeout=0) as stream:
            assert [type(await anext(stream)) for _ in range(2)] == [Connected, TurnInfo]
            assert stream.request_id == "7"


async def test_the_body_of_a_refusal_may_come_later() -> None:
    """Flux's reason is in it."""
    body = b'{"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials.", "request_id": "r-1"}'

    async def refuse(tcp: anyio.abc.SocketStream) -> None:
        await tcp.receive()
        await tcp.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 10):
            await settle()
            await tcp.send(body[at : at + 10])

    async with tcp_peer(refuse) as host:
        with pytest.raises(FluxError, match=r"Invalid credentials") as refused:
            async with connect(url=f"ws://{host}"):
                pass
    assert (refused.value.status, refused.value.code, refused.value.request_id) == (401, "INVALID_AUTH", "r-1")


async def test_what_nobody_reads_does_not_pile_up() -> None:
    """No more is taken from the network than some thousand messages; all of it is read in the end."""
    size, count, sent = 16384, 3000, 0
    padded = UPDATE[:-1] + b" " * (size - len(UPDATE)) + b"}"

    async def flood(link: Link) -> None:
        nonlocal sent
        await link.connected()
        for _ in range(count):
            await link.send(padded)
            sent += 1
        await link.hang_up()

    async with opened(flood, close_timeout=60) as (stream, _):
        before = -1
        while before != sent:
            before = sent
            await settle()
            await anyio.sleep(0.1)
        assert 1024 <= sent < count
        read = [await anext(stream) for _ in range(count + 1)]
        assert sent == count
    assert [type(message) for message in read] == [Connected] + [TurnInfo] * count


async def served_with_tls(peer: Peer, host: str) -> None:
    """Have a short stream to this peer under this name of it."""
    url = peer.url.replace("ws://127.0.0.1", f"wss://{host}")
    async with connect(api_key=KEY, url=url, ssl_context=client_tls()) as stream:
        await stream.send_audio(bytes(100_000))


async def test_a_private_authority_is_trusted_if_told_to() -> None:
    """And without being told, it is not."""
    async with flux_peer(polite, ssl=server_tls()) as peer:
        for host in ("localhost", "127.0.0.1"):
            await served_with_tls(peer, host)
        with pytest.raises(ConnectionFailed, match=r"TLS with localhost.*certificate"):
            async with connect(api_key=KEY, url=peer.url.replace("ws://127.0.0.1", "wss://localhost")):
                pass
    assert sum(map(len, peer.audio)) == 200_000
