"""An LLM and a TTS as HTTP servers on loopback, as the example voice_loop wants them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

KEYS = {"DEEPGRAM_API_KEY": "dg-very-secret", "OPENAI_API_KEY": "sk-very-secret"}
HOURS = "We open at nine in the morning, and we close at six in the evening, from Monday to Saturday, all year round."
SUNDAYS = "On Sundays we are closed."
WORD_AUDIO = b"\x01\x02" * 7200  # 0.3 s at 24 kHz


class Refused(Exception):
    """Answer with this status and body instead."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        self.body = body.encode()


class Broken(Exception):
    """Drop the connection here."""


@dataclass
class Request:
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Api:
    """A server of HTTP/1.1 on loopback: one request a connection, the answer in chunks as `answer` yields them."""

    answer: Callable[[Request], AsyncGenerator[bytes, None]]
    path: str
    content_type: str
    requests: list[Request] = field(default_factory=list)
    finished: int = 0
    abandoned: list[float] = field(default_factory=list)  # when clients hung up in the middle of an answer

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Its base URL."""
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(listener.serve, self.attend)
            yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
            tasks.cancel_scope.cancel()

    async def attend(self, stream: SocketStream) -> None:
        async with stream, anyio.create_task_group() as tasks:
            incoming = BufferedByteReceiveStream(stream)
            request = await self.read(incoming)
            tasks.start_soon(self.watch, incoming, tasks.cancel_scope)
            await self.respond(request, stream)
            tasks.cancel_scope.cancel()

    async def read(self, incoming: BufferedByteReceiveStream) -> Request:
        head = (await incoming.receive_until(b"\r\n\r\n", 65536)).decode("ascii")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split()
        assert method == "POST"
        assert urlsplit(target).path == self.path
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = json.loads(await incoming.receive_exactly(int(headers["content-length"])))
        request = Request(parse_qs(urlsplit(target).query), headers, body)
        self.requests.append(request)
        return request

    async def watch(self, incoming: BufferedByteReceiveStream, scope: anyio.CancelScope) -> None:
        try:
            await incoming.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.abandoned.append(anyio.current_time())
            scope.cancel()

    async def respond(self, request: Request, stream: SocketStream) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {self.content_type}\r\nConnection: close\r\n"
        head += "Transfer-Encoding: chunked\r\n\r\n"
        try:
            async with aclosing(self.answer(request)) as pieces:
                async for piece in pieces:
                    await stream.send(head.encode() + b"%x\r\n%b\r\n" % (len(piece), piece))
                    head = ""
            await stream.send(b"0\r\n\r\n")
            self.finished += 1
        except Refused as refused:
            head = f"HTTP/1.1 {refused.status} No\r\nContent-Length: {len(refused.body)}\r\nConnection: close\r\n\r\n"
            await stream.send(head.encode() + refused.body)
        except (Broken, anyio.BrokenResourceError):
            return


def event(**delta: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


async def stream_words(text: str) -> AsyncGenerator[bytes, None]:
    """A chat completion as OpenAI streams it, an event in two pieces, five words a second."""
    yield event(role="assistant", content="")
    for number, word in enumerate(text.split()):
        await anyio.sleep(0.2)
        data = event(content=f" {word}" if number else word)
        yield data[:9]
        yield data[9:]
    yield b": a comment\n\n"
    yield event(content=None)
    yield b'data: {"choices": [], "usage": {"total_tokens": 3}}\n\ndata: [DONE]\n\n'


def chat(request: Request) -> AsyncGenerator[bytes, None]:
    return stream_words(SUNDAYS if "Sunday" in request.body["messages"][-1]["content"] else HOURS)


async def aura(request: Request) -> AsyncGenerator[bytes, None]:
    """0.3 s of sound a word, in pieces that end in the middle of samples."""
    audio = WORD_AUDIO * len(request.body["text"].split())
    for start in range(0, len(audio), 4801):
        await anyio.sleep(0.01)
        yield audio[start : start + 4801]
