"""Opening a connection to a host: a WebSocket to `/v2/listen`, on which Flux has said Connected."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import cache, partial
from inspect import isawaitable
from typing import Any, TypeAlias

import anyio
import msgspec

from ..errors import ConfigError, ConnectionFailed, RemoteProtocolError, TurnkitError
from ..timers import on_trio
from ..version import installed_version
from ..wire import Connected, ErrorMessage, FluxOptions, Message, Unknown, decode
from .address import Address
from .background import Background
from .bounds import Bounds
from .credential import Credential, checked_secret, hidden
from .failures import PING, flux_error, header, translate
from .transports import Transport, chosen_transport

TokenSource: TypeAlias = Callable[[], str | Awaitable[str]]
"""What gets a fresh temporary token for each connection."""

_MAX_SIZE = 2**20
# Frames that wait for a slow consumer before no more are read, and with it answering pings and seeing pongs.
# At Flux's fastest, one message per 80 ms, these are 82 s: longer than our own ping deadline (40 s) and Flux's idle
# one (60 s). So a busy consumer never costs the connection, a dead one does, and memory is bounded all the same.
_MAX_QUEUE = 1024


class Connector:
    """Opens the connections of one stream: it holds the address, the credential and the bounds that they all share.

    Attributes:
        host: the host, with its port if one was given.
        credential: of the connection, the last to be opened.
        background: the tasks of the stream that run beside its reader.
        transport: what the connection, the last to be opened, is carried by; before the first, what was asked for.
    """

    __slots__ = (
        "_bounds",
        "_may_use_proxy",
        "_scheme",
        "_ssl",
        "_token",
        "background",
        "credential",
        "host",
        "transport",
    )

    def __init__(
        self,
        address: Address,
        credential: Credential,
        token: TokenSource | None,
        ssl_context: Any,
        bounds: Bounds,
        transport: Transport | None = None,
    ) -> None:
        self._scheme = address.scheme
        # A proxy is asked for a tunnel only, and only TLS keeps from it what goes through; this machine needs none.
        self._may_use_proxy = address.scheme == "wss" and not address.loopback
        self._token = token
        self._ssl = ssl_context
        self._bounds = bounds
        self.credential = credential
        self.host = address.netloc
        self.background = Background()
        self.transport = transport

    async def open(self, options: FluxOptions) -> tuple[Any, Connected]:
        """Open a connection and wait for Flux's Connected; raises a TurnkitError."""
        transport = self.transport = chosen_transport(self.transport)
        settings: dict[str, Any] = {} if self._ssl is None else {"ssl": self._ssl}
        if self._token is not None:
            self.credential = await self._fetch_token(self._token)
        settings["additional_headers"] = self.credential.headers()
        settings["proxy"] = True if self._may_use_proxy else None
        settings |= {"open_timeout": self._bounds.connect_timeout, "close_timeout": self._bounds.close_timeout}
        opening = websocket(transport, f"{self._scheme}://{self.host}/v2/listen?{options.to_query()}", settings)
        try:
            nursery = self.background.nursery
            socket = await (opening.__aenter__() if nursery is None else nursery.start(_keep_open, opening))
        except Exception as error:
            raise self.failure(error) from error
        try:
            connected = await self.wait_connected(socket, header(socket.response, "dg-request-id"))
        except BaseException:
            await drop(socket)
            raise
        # What was said at the opening would be kept as long as the call lasts: kilobytes, and the credential in them.
        for head in (getattr(socket, "request", None), socket.response):
            if head is not None:
                head.headers.clear()
        return socket, connected

    def hide(self, message: Message) -> Message:
        """The message without the credential, which the host may have quoted in it."""
        return self.credential.hide_in_message(message)

    def failure(self, error: Exception) -> TurnkitError:
        """Turnkit's error for whatever was raised in talking to the host; what was raised forgets the credential."""
        return translate(error, self.host, self.credential)

    async def _fetch_token(self, token: TokenSource) -> Credential:
        try:
            with anyio.fail_after(self._bounds.connect_timeout):
                given = token()
                given = hidden(await given if isawaitable(given) else given)
        except Exception as error:
            what = f"token: the function that should give one raised {type(error).__name__}"
            raise ConnectionFailed(what, (error,)) from error
        return Credential("Bearer", checked_secret("token", given))

    async def wait_connected(self, socket: Any, request_id: str = "") -> Connected:
        """Wait for Connected, Flux's first message; `request_id`: what it gets if it has none of its own."""
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
            raise self.failure(error) from error
        try:
            message = self.credential.hide_in_message(decode(frame))
        except RemoteProtocolError as error:
            self.credential.cleanse(error)
            raise RemoteProtocolError(f"{self.host} does not speak Flux: {error}") from error
        finally:
            del frame  # which may quote the credential, and would be seen in a traceback
        request_id = self.credential.hide(request_id)
        if isinstance(message, ErrorMessage):
            raise flux_error(message, request_id)
        if not isinstance(message, Connected):
            kind = message.type if isinstance(message, Unknown) else type(message).__name__
            raise RemoteProtocolError(f"{self.host} does not speak Flux: began with {kind!r} instead of Connected")
        return message if message.request_id else msgspec.structs.replace(message, request_id=request_id)


def websocket(transport: Transport, uri: str, settings: dict[str, Any]) -> AbstractAsyncContextManager[Any]:
    """A WebSocket connection of the running library, which opens when the context is entered."""
    connect: Any
    kinds: dict[str, Any] = {}
    if on_trio():
        try:
            from websockets.trio.client import connect

            from .trio_connection import LittleByLittle
        except ImportError:
            raise ConfigError("trio: needs websockets 17 or newer; pip install 'turnkit[trio]' brings it") from None
        kinds["create_connection"] = LittleByLittle
    else:
        from websockets.asyncio.client import connect

        if transport == "picows":
            from .picows_socket import PicowsSocket

            kinds["create_connection"] = partial(PicowsSocket, max_size=_MAX_SIZE)
        else:
            from .pushing_connection import PushingConnection

            kinds["create_connection"] = PushingConnection
    # At debug level websockets logs headers and frames, which hold the key and what was said.
    quiet = logging.getLogger("turnkit.websockets")
    quiet.setLevel(logging.WARNING)
    opening: AbstractAsyncContextManager[Any] = _staying(connect)(
        uri,
        compression=None,  # audio does not compress, and the windows cost 50 KiB a connection
        user_agent_header=f"turnkit/{installed_version() or 'unknown'}",
        ping_interval=PING,
        ping_timeout=PING,
        max_size=_MAX_SIZE,
        max_queue=_MAX_QUEUE,
        logger=quiet,
        **kinds,
        **settings,
    )
    return opening


@cache  # made where the library runs that it stands on: the other one is not loaded
def _staying(connect: type[Any]) -> type[Any]:
    """The same, where nobody is sent elsewhere: by itself websockets follows a redirect to any host."""

    class Staying(connect):  # type: ignore[misc]
        def process_redirect(self, refusal: Exception) -> Exception:
            return refusal

    return Staying


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
