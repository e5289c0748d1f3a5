"""`flux`: a `FluxStream` whose connections are made, and carried, by Deepgram's asynchronous client."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, suppress
from random import Random
from typing import Any

import anyio
import msgspec
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from websockets.datastructures import Headers

from ...errors import ConfigError, ConnectionFailed, TurnkitError
from ...flux import FluxStream
from ...flux.address import Address
from ...flux.bounds import Bounds
from ...flux.connecting import Connector, drop
from ...flux.credential import Credential
from ...flux.failures import refused
from ...flux.stream import open_stream
from ...timers import on_trio
from ...wire import Connected, FluxOptions, Unknown

HOST = "the host of Deepgram's SDK"  # whose name it keeps to itself
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What the SDK raises for a message it cannot make an object of; pydantic's are ValueErrors."""

_RANDOM = Random()


def flux(
    client: AsyncDeepgramClient, options: FluxOptions = FluxOptions(), **bounds: float
) -> AbstractAsyncContextManager[FluxStream]:
    """Open a stream over the client's own `listen.v2.connect`, for an `async with`.

    It is the stream of `turnkit.connect`: what is lost is connected again, by the client, with the options in force
    and the audio that Flux had not covered; with an `access_token` that has expired meanwhile that is refused, and the
    stream ends with FluxError.

    Args:
        client: makes each connection: key, environment, headers and transport are its own. For asyncio only.
        options: the query parameters. Default `FluxOptions()`; those that the SDK has no name for reach Flux too.
        bounds: seconds, as `turnkit.connect` takes them: `connect_timeout` (of more than 10 s, the SDK waits 10),
            `send_timeout`, `answer_timeout`, `close_timeout`, `message_timeout`, `silence_after`, `reconnect_timeout`,
            `backoff_first`, `backoff_max` and `replay_seconds`. Default as there.

    Returns:
        The context manager of a `FluxStream`. Entering it raises as that of `turnkit.connect`.

    Raises:
        ConfigError: at once, before the network is touched, for what cannot work.
    """
    if not isinstance(client, AsyncDeepgramClient):
        raise ConfigError(
            f"client: must be an AsyncDeepgramClient, not {type(client).__name__}; "
            "for the connection of a synchronous one there is turnkit.interop.deepgram.listen"
        )
    if not isinstance(options, FluxOptions):
        raise ConfigError(f"options: must be FluxOptions, not {type(options).__name__}")
    for name in bounds:
        if name not in Bounds.__struct_fields__:
            raise ConfigError(f"{name}: no such setting; there are {', '.join(Bounds.__struct_fields__)}")
    checked = Bounds(**bounds)
    return open_stream(options, _SdkConnector(client, checked), checked, _RANDOM)


class _SdkConnector(Connector):
    """Has the client open the connections of one stream."""

    __slots__ = ("_client", "_close_timeout", "_connect_timeout")

    def __init__(self, client: AsyncDeepgramClient, bounds: Bounds) -> None:
        super().__init__(Address("wss", HOST, HOST, False), Credential(), None, None, bounds, "websockets")
        self._client = client
        self._connect_timeout = bounds.connect_timeout
        self._close_timeout = bounds.close_timeout

    async def open(self, options: FluxOptions) -> tuple[Any, Connected]:
        """Open a connection and wait for Flux's Connected; raises a TurnkitError."""
        if on_trio():
            raise ConfigError("trio: Deepgram's SDK runs on asyncio only; turnkit.connect runs on both")
        # All but the model as what the SDK passes on unseen: each version has names for some of them.
        more: Any = {"additional_query_parameters": _query(options)}
        opening = self._client.listen.v2.connect(model=options.model, request_options=more)
        try:
            with anyio.fail_after(self._connect_timeout):
                connection = await opening.__aenter__()
        except Exception as error:
            # Not as its cause: the SDK's errors hold the header with the key, and print it.
            raise self.failure(error) from None
        socket = _SdkSocket(opening, connection, self._close_timeout)
        try:
            return socket, await self.wait_connected(socket)
        except BaseException:
            await drop(socket)
            raise

    def failure(self, error: Exception) -> TurnkitError:
        """Turnkit's error for what the SDK, or what it stands on, raised; what was raised forgets the credential."""
        if not isinstance(error, ApiError):
            return super().failure(error)
        for name, value in (error.headers or {}).items():
            if name.lower() == "authorization":
                self.credential = Credential(*value.split(" ", 1))
        error.headers = None
        self.credential.cleanse(error)
        # The refusal itself, of which the SDK tells the status alone.
        told = error.__context__
        response = getattr(told, "response", None) or _Refusal(error.status_code or 0, getattr(told, "headers", None))
        return refused(response, self.host, self.credential)


class _Refusal:
    """The head of a refusal whose body the SDK's websockets did not keep."""

    body = b""

    def __init__(self, status_code: int, headers: Headers | None) -> None:
        self.status_code = status_code
        self.headers = Headers() if headers is None else headers


class _SdkSocket:
    """A connection of the SDK as `turnkit.flux` takes one (`flux.sending` says what that is)."""

    def __init__(self, opening: AbstractAsyncContextManager[Any], connection: Any, close_timeout: float) -> None:
        self._opening = opening
        self._connection = connection
        self._close_timeout = close_timeout
        self._reading: anyio.CancelScope | None = None
        self._dropped = self._left = False

    async def recv(self, _decode: bool) -> object:
        """The next message, as the SDK makes it; what it cannot make anything of is Unknown."""
        if not self._dropped:
            with anyio.CancelScope() as self._reading:
                try:
                    return await self._connection.recv()
                except UNREADABLE as error:
                    # Neither as its text nor as a cause: pydantic quotes the message, and with it what was said.
                    return Unknown(type="", problem=f"Deepgram's SDK raised {type(error).__name__} when it read it")
        raise ConnectionFailed(f"the connection to {HOST} was dropped", (ConnectionAbortedError("dropped"),))

    async def send(self, frame: str | bytes) -> None:
        """Send audio or a command."""
        # Commands by the same way, which passes on whatever it is given: the methods that the SDK has for them differ
        # from version to version, and are absent from the older ones.
        await self._connection.send_media(frame)

    @property
    def transport(self) -> _SdkSocket:
        """What `connecting.drop` aborts."""
        return self

    def abort(self) -> None:
        """Nothing is read any more, also by whoever waits for something just now."""
        self._dropped = True
        if self._reading is not None:
            self._reading.cancel()

    async def wait_closed(self) -> None:
        """Have the SDK close the connection; done twice, it does nothing."""
        if self._left:
            return
        self._left = True
        # The SDK can close in the orderly way only, for which a dead host takes its time: what is left of that, it does
        # on its own.
        with anyio.move_on_after(self._close_timeout), suppress(Exception):
            await self._opening.__aexit__(None, None, None)


def _query(options: FluxOptions) -> dict[str, str | list[str]]:
    """The parameters but for the model, those that repeat as lists."""
    found: dict[str, str | list[str]] = {}
    for name, value in msgspec.structs.asdict(options).items():
        if isinstance(value, tuple):
            if value:
                found[name] = list(value)
        elif value is not None and name != "model":
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found
