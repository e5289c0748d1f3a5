"""A WebSocket server that is written byte by byte: what it answers to the upgrade, and the frames that follow."""

from __future__ import annotations

import base64
import hashlib

import anyio.abc

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
GREETING = b'{"type": "Connected", "sequence_id": 0}'
_HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, masked: bool = False) -> bytes:
    """The bytes of a frame; of a server's, unless it is masked."""
    first = bytes([fin << 7 | reserved << 4 | opcode])
    mask, size = masked << 7, len(payload)
    if size < 126:
        length = bytes([mask | size])
    elif size < 65536:
        length = bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([mask | 127]) + size.to_bytes(8, "big")
    return first + length + (bytes(4) if masked else b"") + payload


async def granted(tcp: anyio.abc.SocketStream, head: bytes = _HEAD) -> bytes:
    """Hear the request for the upgrade; returns the bytes that grant it."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += await tcp.receive()
    (key,) = [line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"


async def upgraded(tcp: anyio.abc.SocketStream) -> None:
    """Grant the upgrade, and greet as Flux does."""
    await tcp.send(await granted(tcp) + frame(TEXT, GREETING))
