"""A scripted `/v2/listen` on loopback: each test says, frame by frame, what its Flux does."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import anyio
import anyio.abc
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Script = Callable[["Link"], Awaitable[None]]
Refusal = tuple[int, bytes, dict[str, str]]


class Link:
    """Flux's end of one connection."""

    def __init__(self, websocket: Any, heard: list[Any]) -> None:
        self._websocket = websocket
        self._heard = heard
        self.own: list[Any] = []  # what this connection has heard
        self.request_id = "req-1"
        self._next = 0

    async def say(self, type: str, *, numbered: bool = True, **fields: Any) -> None:
        """Send a message of this type, numbered as Flux numbers them."""
        if numbered:
            fields = {"request_id": self.request_id, "sequence_id": self._next, **fields}
            self._next += 1
        await self.send(json.dumps({"type": type, **fields}))

    async def connected(self) -> None:
        await self.say("Connected")

    async def turn(self, event: str, transcript: str = "", *, turn_index: int = 0, **fields: Any) -> None:
        await self.say("TurnInfo", event=event, turn_index=turn_index, transcript=transcript, **fields)

    async def configured(self, **fields: Any) -> None:
        """Echo a configuration, Flux's defaults unless told otherwise."""
        thresholds = {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
        await self.say("ConfigureSuccess", **{"thresholds": thresholds, "keyterms": [], **fields})

    async def send(self, frame: str | bytes) -> None:
        await self._websocket.send(frame)

    async def send_text_bytes(self, frame: bytes) -> None:
        """Send these bytes as a text frame, UTF-8 or not."""
        await self._websocket.send(frame, text=True)

    async def hear(self) -> Any:
        """The next frame: a dict for a command, bytes for audio."""
        frame = await self._websocket.recv()
        heard = json.loads(frame) if isinstance(frame, str) else frame
        self._heard.append(heard)
        self.own.append(heard)
        return heard

    async def hear_audio(self, seconds: float, rate: int = 32000) -> None:
        """Hear until this connection has had so much audio; 16 kHz linear16 unless told."""
        while sum(len(frame) for frame in self.own if isinstance(frame, bytes)) < round(seconds * rate):
            await self.hear()

    @property
    def audio(self) -> bytes:
        """All audio of this connection."""
        return b"".join(frame for frame in self.own if isinstance(frame, bytes))

    async def hear_until(self, type: str) -> dict[str, Any]:
        """The next command of this type; what comes before it is heard as well."""
        while True:
            heard = await self.hear()
            if isinstance(heard, dict) and heard["type"] == type:
                return heard

    async def hang_up(self) -> None:
        """Wait for CloseStream, then close without a code, as Flux does."""
        await self.hear_until("CloseStream")
        await self.close(None)

    async def close(self, code: int | None, reason: str = "") -> None:
        close = self._websocket.close if _asyncio() else self._websocket.aclose
        await close(code, reason)

    async def drop(self) -> None:
        """Lose the connection without a close frame."""
        if _asyncio():
            self._websocket.transport.abort()
        else:
            await self._websocket.close_stream()

    async def gone(self) -> None:
        """Wait until the other side is no longer there."""
        await self._websocket.wait_closed()


class Peer:
    """What a test sees of its Flux."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.links: list[Link] = []
        self.heard: list[Any] = []
        self.failures: list[BaseException] = []

    @property
    def commands(self) -> list[dict[str, Any]]:
        return [frame for frame in self.heard if isinstance(frame, dict)]

    @property
    def audio(self) -> list[bytes]:
        return [frame for frame in self.heard if isinstance(frame, bytes)]


@asynccontextmanager
async def flux_peer(
    script: Script | None = None,
    *,
    refuse: Refusal | Callable[[int], Refusal | None] | None = None,
    headers: dict[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Peer]:
    """Serve `script` to whoever connects, or refuse the upgrade with (status, body, headers).

    A function gives the refusal, if any, of the nth request, from 0. What fails in a script fails the test; that the
    other side closed does not.
    """
    peer = Peer()

    async def handle(websocket: Any) -> None:
        if script is None:
            return
        link = Link(websocket, peer.heard)
        peer.links.append(link)
        try:
            await script(link)
        except ConnectionClosed:
            pass
        except Exception as failure:
            peer.failures.append(failure)

    def request(_: Any, request: Request) -> Response | None:
        peer.requests.append(request)
        refusal = refuse(len(peer.requests) - 1) if callable(refuse) else refuse
        if refusal is None:
            return None
        status, body, fields = refusal
        return Response(status, "", Headers({"Content-Length": str(len(body)), **fields}), body)

    def response(_: Any, __: Request, response: Response) -> None:
        response.headers.update(headers or {})

    settings = {
        "close_timeout": 0.1,
        "compression": None,
        "process_request": request,
        "process_response": response,
        **settings,
    }
    # Bounds what a broken test can take; on a virtual clock, keepalive pings would go on for ever.
    with anyio.fail_after(600), _unwrapped():
        async with _serving(handle, settings) as port:
            peer.url = f"ws://127.0.0.1:{port}"
            yield peer
    assert not peer.failures, peer.failures


@asynccontextmanager
async def _serving(handle: Callable[[Any], Awaitable[None]], settings: dict[str, Any]) -> AsyncIterator[int]:
    if _asyncio():
        from websockets.asyncio.server import serve

        async with serve(handle, "127.0.0.1", 0, **settings) as server:
            yield next(iter(server.sockets)).getsockname()[1]
        return
    import trio
    from websockets.trio import server as trio_server

    async with trio.open_nursery() as nursery:

        async def start(task_status: Any) -> None:
            await trio_server.serve(handle, 0, host="127.0.0.1", task_status=task_status, **settings)

        server = await nursery.start(start)
        yield server.listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def tcp_peer(answer: Callable[[anyio.abc.SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """A TCP server that is no Flux; gives its host and port."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)

    async def handle(stream: anyio.abc.SocketStream) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            async with stream:
                await answer(stream)

    with _unwrapped():
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, handle)
            yield f"127.0.0.1:{port}"
            tasks.cancel_scope.cancel()


@contextmanager
def _unwrapped() -> Iterator[None]:
    """Raise what a test's body raised as it was: the server's task group would wrap it, on some backends."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from group.exceptions[0].__cause__


def _asyncio() -> bool:
    trio = sys.modules.get("trio")
    return trio is None or not trio.lowlevel.in_trio_task()


# Scripts --------------------------------------------------------------------------------------------------------------


def in_turn(*scripts: Script) -> Script:
    """The nth connection plays the nth script, later ones the last."""
    played: list[Link] = []

    async def play(link: Link) -> None:
        played.append(link)
        await scripts[min(len(played), len(scripts)) - 1](link)

    return play


async def polite(link: Link) -> None:
    """A Flux with nothing to say."""
    await link.connected()
    await link.hang_up()


async def hanging_up_at_once(link: Link) -> None:
    """A Flux that is lost as soon as it is there."""
    await link.connected()
    await link.drop()


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


def turn_then_close(*events: dict[str, Any]) -> Any:
    """A Flux that says these events of turns, and then has nothing more to say."""

    async def speak(link: Link) -> None:
        await link.connected()
        for event in events:
            await link.turn(**event)
        await link.hang_up()

    return speak


START = {"event": "StartOfTurn", "transcript": "hello"}
DOWN: Refusal = (503, b"", {})
