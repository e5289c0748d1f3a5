"""Opening a connection to a host: a WebSocket to `/v2/listen`, on which Flux has said Connected."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from inspect import isawaitable
from typing import Any, TypeAlias

import anyio
import msgspec

from ..errors import ConfigError, ConnectionFailed, RemoteProtocolError
from ..timers import on_trio
from ..version import installed_version
from ..wire import Connected, ErrorMessage, FluxOptions, Unknown, decode
from .background import Background
from .bounds import Bounds
from .failures import PING, flux_error, header, translate

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A temporary token, or what gets a fresh one for each connection."""

_MAX_SIZE = 2**20
# Frames that wait for a slow consumer before websockets stops reading, and with it answering pings and seeing pongs.
# At Flux's fastest, one message per 80 ms, these are 82 s: longer than our own ping deadline (40 s) and Flux's idle
# one (60 s). So a busy consumer never costs the connection, a dead one does, and memory is bounded all the same.
_MAX_QUEUE = 1024


class Connector:
    """Opens the connections of one stream: it holds the address, the credential and the bounds that they all share.

    Attributes:
        host: the host, with its port if one was given.
        background: the tasks of the stream that run beside its reader.
    """

    __slots__ = ("_bounds", "_credential", "_scheme", "_ssl", "background", "host")

    def __init__(
        self, scheme: str, host: str, credential: tuple[str, Token] | None, ssl_context: Any, bounds: Bounds
    ) -> None:
        self._scheme = scheme
        self._credential = credential
        self._ssl = ssl_context
        self._bounds = bounds
        self.host = host
        self.background = Background()

    async def open(self, options: FluxOptions) -> tuple[Any, Connected]:
        """Open a connection and wait for Flux's Connected; raises a TurnkitError."""
        secret = ""
        settings: dict[str, Any] = {} if self._ssl is None else {"ssl": self._ssl}
        if self._credential is not None:
            secret = await self._fetch_secret(self._credential[1])
            settings["additional_headers"] = {"Authorization": f"{self._credential[0]} {secret}"}
        settings |= {"open_timeout": self._bounds.connect_timeout, "close_timeout": self._bounds.close_timeout}
        opening = websocket(f"{self._scheme}://{self.host}/v2/listen?{options.to_query()}", settings)
        try:
            nursery = self.background.nursery
            socket = await (opening.__aenter__() if nursery is None else nursery.start(_keep_open, opening))
        except Exception as error:
            raise translate(error, self.host, secret) from error
        try:
            return socket, await self._wait_connected(socket)
        except BaseException:
            await drop(socket)
            raise

    async def _fetch_secret(self, token: Token) -> str:
        if isinstance(token, str):
            return token
        try:
            with anyio.fail_after(self._bounds.connect_timeout):
                given = token()
                secret = await given if isawaitable(given) else given
        except Exception as error:
            what = f"token: the function that should give one raised {type(error).__name__}"
            raise ConnectionFailed(what, (error,)) from error
        return checked_secret("token", secret)

    async def _wait_connected(self, socket: Any) -> Connected:
        """Wait for Connected, Flux's first message."""
        bound = self._bounds.connect_timeout
        try:
            with anyio.fail_after(bound):
                frame = await socket.recv(False)
        except TimeoutError as error:
            raise ConnectionFailed(
                f"{self.host} opened the connection but sent no Connected within {bound} s (connect_timeout). "
                "Some hosts swallow parameters that they do not support without a word: leave out the newest ones",
                (error,),
            ) from error
        except Exception as error:
            raise translate(error, self.host) from error
        try:
            message = decode(frame)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"{self.host} does not speak Flux: {error}") from error
        request_id = header(socket.response, "dg-request-id")
        if isinstance(message, ErrorMessage):
            raise flux_error(message, request_id)
        if not isinstance(message, Connected):
            kind = message.type if isinstance(message, Unknown) else type(message).__name__
            raise RemoteProtocolError(f"{self.host} does not speak Flux: began with {kind!r} instead of Connected")
        return message if message.request_id else msgspec.structs.replace(message, request_id=request_id)


def websocket(uri: str, settings: dict[str, Any]) -> AbstractAsyncContextManager[Any]:
    """A WebSocket connection of the running library, which opens when the context is entered."""
    connect: Any
    if on_trio():
        from websockets.trio.client import connect
    else:
        from websockets.asyncio.client import connect

        from .pushing_connection import PushingConnection

        settings = {**settings, "create_connection": PushingConnection}
    # At debug level websockets logs headers and frames, which hold the key and what was said.
    quiet = logging.getLogger("turnkit.websockets")
    quiet.setLevel(logging.WARNING)
    opening: AbstractAsyncContextManager[Any] = connect(
        uri,
        compression=None,  # audio does not compress, and the windows cost 50 KiB a connection
        user_agent_header=f"turnkit/{installed_version() or 'unknown'}",
        ping_interval=PING,
        ping_timeout=PING,
        max_size=_MAX_SIZE,
        max_queue=_MAX_QUEUE,
        logger=quiet,
        **settings,
    )
    return opening


async def drop(socket: Any) -> None:
    """Drop the socket, without a closing handshake; done twice, it does nothing."""
    with anyio.CancelScope(shield=True):
        if hasattr(socket, "transport"):  # asyncio
            socket.transport.abort()
            await socket.wait_closed()
        else:  # trio: cancelled, aclose() of the stream below closes without waiting for the other side
            with anyio.CancelScope() as at_once:
                at_once.cancel()
                await socket.stream.aclose()


async def _keep_open(opening: AbstractAsyncContextManager[Any], *, task_status: Any) -> None:
    """Keep a socket open on trio: its tasks need one that they belong to, and the reader, who opens it, may go."""
    async with opening as socket:
        task_status.started(socket)
        await socket.wait_closed()


def checked_secret(name: str, secret: object) -> str:
    """The credential; raises ConfigError, without quoting it, if it cannot travel in a header."""
    if not isinstance(secret, str) or not secret or any(not "!" <= character <= "~" for character in secret):
        raise ConfigError(
            f"{name}: must be the bare credential, ASCII without spaces or line breaks (its value is not shown)"
        )
    return secret
