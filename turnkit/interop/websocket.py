"""Any server's websocket as one: those of Starlette and FastAPI, of websockets, of aiohttp, and your own.

They are told apart by their methods, so that none of those packages is needed here.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from ..errors import ConfigError, ConnectionFailed
from ..logs import logger
from .eager_send import begun

__all__ = ["Adapted", "Websocket", "adapted"]


class Websocket(Protocol):
    """A websocket that is open: what an object of your own must have to be taken for one."""

    async def receive(self) -> str | bytes | None:
        """The next message, text or binary; None once the peer is gone, however it went."""

    async def send(self, message: str | bytes, /) -> object:
        """Send a message; whatever this raises means that the peer is gone."""

    async def close(self, code: int = 1000, /) -> object:
        """Close it with this code, if it has codes; the peer may be gone."""


def adapted(websocket: Any) -> Adapted:
    """Any websocket as a `Websocket`, whose `receive` never raises, and whose `send` raises ConnectionFailed only.

    Args:
        websocket: a Starlette or FastAPI WebSocket that was accepted, a connection of websockets, an aiohttp
            WebSocketResponse that was prepared, or a `Websocket`.

    Returns:
        The same websocket.

    Raises:
        ConfigError: for what is none of these.
    """
    for needed, adapter in _ADAPTERS.items():
        if all(callable(getattr(websocket, name, None)) for name in needed):
            return adapter(websocket)
    raise ConfigError(
        f"websocket: {type(websocket).__name__} is no websocket known here; must be one of Starlette, FastAPI, "
        "websockets or aiohttp, or have async receive(), send(message) and close()"
    )


class Adapted:
    """A websocket of somebody else, the peer of which may be gone at any time."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self._gone = self._closed = False

    async def receive(self) -> str | bytes | None:
        """The next message; None once the peer is gone."""
        if self._gone:
            return None
        try:
            message = await self._next()
        except Exception as error:  # each library has its own for a peer that is gone, and for one that talks nonsense
            logger().debug("websocket_ended", error=type(error).__name__)
            message = None
        self._gone = self._gone or message is None
        return message

    async def send(self, message: str | bytes, /) -> None:
        """Send a message.

        Raises:
            ConnectionFailed: the peer is gone.
        """
        try:
            await self._send(message)
        except Exception as error:
            raise ConnectionFailed(f"the websocket is gone ({type(error).__name__})", (error,)) from error

    def begin(self, message: str | bytes) -> Awaitable[None] | None:
        """Send a message in this very step, if the websocket has room; on asyncio only, and never raises.

        Returns:
            None if it is sent; else what is left to be awaited, before anything else is sent.
        """
        return begun(self.send(message))

    async def close(self, code: int = 1000, /) -> None:
        """Close it with this code, be the peer there or not; once more does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._close(code)
        except Exception as error:  # closed already, by the peer or by the server
            logger().debug("websocket_was_closed", error=type(error).__name__)

    async def _next(self) -> str | bytes | None:
        message: str | bytes | None = await self._websocket.receive()
        return message

    async def _send(self, message: str | bytes) -> None:
        await self._websocket.send(message)

    async def _close(self, code: int) -> None:
        await (self._websocket.close() if code == 1000 else self._websocket.close(code))


class _Starlette(Adapted):
    """A WebSocket of Starlette or FastAPI."""

    async def _next(self) -> str | bytes | None:
        message = await self._websocket.receive()
        if message["type"] != "websocket.receive":
            return None
        text: str | bytes | None = message.get("text")
        return text if text is not None else message.get("bytes")

    async def _send(self, message: str | bytes) -> None:
        await (self._websocket.send_text if isinstance(message, str) else self._websocket.send_bytes)(message)


class _Websockets(Adapted):
    """A connection of websockets, a server's or a client's."""

    async def _next(self) -> str | bytes | None:
        message: str | bytes = await self._websocket.recv()
        return message


class _TrioWebsockets(_Websockets):
    """The same on trio, where closing has another name."""

    async def _close(self, code: int) -> None:
        await self._websocket.aclose(code)


class _Aiohttp(Adapted):
    """A WebSocketResponse, or a client's connection, of aiohttp."""

    async def _next(self) -> str | bytes | None:
        while True:
            message = await self._websocket.receive()
            if message.type.name in ("TEXT", "BINARY"):
                data: str | bytes = message.data
                return data
            if message.type.name not in ("PING", "PONG", "CONTINUATION"):
                return None

    async def _send(self, message: str | bytes) -> None:
        await (self._websocket.send_str if isinstance(message, str) else self._websocket.send_bytes)(message)

    async def _close(self, code: int) -> None:
        await self._websocket.close(code=code)


_ADAPTERS: dict[tuple[str, ...], type[Adapted]] = {
    ("receive", "send_str", "send_bytes", "close"): _Aiohttp,
    ("receive", "send_text", "send_bytes", "close"): _Starlette,
    ("recv", "send", "close"): _Websockets,
    ("recv", "send", "aclose"): _TrioWebsockets,
    ("receive", "send", "close"): Adapted,
}
