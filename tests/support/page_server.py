"""The other end of a page's calls, in the hands of a test."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import pi, sin
from typing import Any

from anyio.from_thread import BlockingPortal
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.support.served_page import eventually, served


class PageServer:
    """The other end of the page's calls, one at a time."""

    def __init__(self) -> None:
        self.audio: list[bytes] = []
        self.told: list[dict[str, Any]] = []
        self.socket: ServerConnection | None = None
        self.left: int | None = None
        self.portal: BlockingPortal | None = None
        self.url = ""

    async def talk(self, socket: ServerConnection) -> None:
        audio, told = self.audio, self.told = list[bytes](), list[dict[str, Any]]()
        self.socket, self.left = socket, None
        with suppress(ConnectionClosed):
            async for message in socket:
                if isinstance(message, bytes):
                    audio.append(message)
                else:
                    told.append(json.loads(message))
        if self.socket is socket:
            self.socket, self.left = None, socket.close_code

    @property
    def _connected(self) -> tuple[BlockingPortal, ServerConnection]:
        """The page may know of the call before the server does."""
        socket: ServerConnection = eventually(lambda: self.socket)
        assert self.portal is not None
        return self.portal, socket

    def send(self, *frames: Any) -> None:
        """Send frames: bytes and text as they are, anything else as JSON."""
        portal, socket = self._connected
        for frame in frames:
            portal.call(socket.send, frame if isinstance(frame, (bytes, str)) else json.dumps(frame))

    def close(self, code: int) -> None:
        portal, socket = self._connected
        portal.call(socket.close, code)

    def abort(self) -> None:
        portal, socket = self._connected
        portal.call(socket.transport.abort)

    @property
    def played(self) -> list[float]:
        return [frame["played"] for frame in self.told if frame["type"] == "played"]


@contextmanager
def page_server() -> Iterator[PageServer]:
    """Serve the page, and take its calls."""
    server = PageServer()
    with served(server.talk) as (server.url, server.portal):
        yield server


def tone(rate: int, seconds: float, hz: float = 440.0) -> bytes:
    return array("h", (round(8000 * sin(2 * pi * hz * i / rate)) for i in range(round(rate * seconds)))).tobytes()


def begin(epoch: int, rate: int = 24000) -> dict[str, Any]:
    return {"type": "begin", "epoch": epoch, "rate": rate}
