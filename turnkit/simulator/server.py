"""The socket: a local `/v2/listen` that asks for what Flux asks for and answers as Flux answers.

One handler a connection, everything in the order received. It runs on asyncio and trio with the server that
`websockets` has for each.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import msgspec
from websockets.exceptions import ConnectionClosed

from ..errors import ConfigError
from ..running import on_trio
from .audio import AudioClock, NotAudio
from .auth import Credentials, choose_subprotocol
from .player import open_player
from .recording import Recording
from .script import Script
from .settings import Refused, Settings, Unacceptable, Unparsable, configured, read_query, read_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.asyncio.server import ServerConnection as AsyncioSocket
    from websockets.http11 import Request, Response
    from websockets.trio.server import ServerConnection as TrioSocket
    from websockets.typing import Subprotocol

    Socket: TypeAlias = AsyncioSocket | TrioSocket

PATH = "/v2/listen"

_CLOSE_TIMEOUT = 2.0  # seconds a client has for its side of the closing handshake
_SHUTDOWN_TIMEOUT = 3.0
_LARGEST_MESSAGE = 1 << 24

# At DEBUG, websockets writes headers and frames to its log: keys, and what was said. A logger of our own stops above.
_silent = logging.getLogger("turnkit.simulator.websockets")
_silent.setLevel(logging.INFO)


class Connection:
    """What one connection has sent so far.

    Fields: `request_id`, as in every message to it; `audio_seconds` of sound received; `commands`, the types of the
    text frames received that were commands; `messages`, how many were sent to it; `open`, until its end.
    """

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.audio_seconds = 0.0
        self.commands: list[str] = []
        self.messages = 0
        self.open = True

    def __repr__(self) -> str:
        return (
            f"Connection({self.request_id!r}, audio_seconds={self.audio_seconds:.2f}, commands={self.commands!r}, "
            f"messages={self.messages}, open={self.open})"
        )


class Refusal(msgspec.Struct, frozen=True):
    """An upgrade that was refused: the HTTP `status` and Flux's `code`."""

    status: int
    code: str


class Simulator:
    """A local Flux that is running.

    Fields: `url` for clients, without a path; `host` and `port` it listens on; `connections`, every one so far and
    `refusals`, every upgrade refused so far, oldest first.
    """

    def __init__(self, play: Script | Recording, host: str, credentials: Credentials, seed: int | None) -> None:
        self.host = host
        self.port = 0
        self.connections: list[Connection] = []
        self.refusals: list[Refusal] = []
        self._play = play
        self._credentials = credentials
        self._seed = seed

    @property
    def url(self) -> str:
        """Where clients connect to, without the path `/v2/listen` and the query, which are theirs to add."""
        return f"ws://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def admit(self, socket: Socket, request: Request) -> Response | None:
        """Refuse an upgrade as Flux would, or let it pass (None)."""
        path, _, query = request.path.partition("?")
        try:
            if path != PATH:
                raise Refused(404, {"err_code": "NOT_FOUND", "err_msg": f"Not found; Flux is at {PATH}."})
            self._credentials.check(request.headers)
            read_query(query)
        except Refused as refused:
            self.refusals.append(Refusal(refused.status, refused.code))
            request_id = str(uuid.uuid4())
            body = {**refused.body, "request_id": request_id} if "err_code" in refused.body else refused.body
            response = socket.respond(refused.status, msgspec.json.encode(body).decode())
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            response.headers["dg-request-id"] = request_id
            response.headers["dg-error"] = "".join(c if " " <= c <= "~" else "?" for c in refused.reason)
            return response
        return None

    def identify(self, _socket: Socket, _request: Request, response: Response) -> None:
        """Give a response the header that all of Flux's have."""
        if "dg-request-id" not in response.headers:
            recorded = self._play.request_id if isinstance(self._play, Recording) else ""
            response.headers["dg-request-id"] = recorded or str(uuid.uuid4())

    async def attend(self, socket: Socket) -> None:
        """Serve one connection from its upgrade to its end."""
        assert socket.request is not None
        assert socket.response is not None
        settings = read_query(socket.request.path.partition("?")[2])
        session = _Session(self._play, settings, socket.response.headers["dg-request-id"], self._seed)
        self.connections.append(session.connection)
        try:
            await _send(socket, session, session.player.opening())
            while session.closing is None:
                await _send(socket, session, session.take(await socket.recv()))
            await _close(socket, *session.closing)
        except ConnectionClosed:
            pass  # a client may vanish at any time; there is nobody left to tell
        finally:
            session.connection.open = False


@asynccontextmanager
async def serve(
    play: Script | Recording,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str | None = None,
    token: str | None = None,
    seed: int | None = None,
) -> AsyncIterator[Simulator]:
    """Run a local Flux for as long as the context is open; every connection hears `play` from its start.

    `port` 0 takes a free one. `api_key` and `token`: the credentials that are good; None and None: any, or none at
    all. `seed` goes before the script's own. Raises ConfigError if `play` is neither a script nor a recording, or if
    nothing can listen there. At the end, connections still open are closed with code 1001.
    """
    if not isinstance(play, (Script, Recording)):
        raise ConfigError(f"play={type(play).__name__}: must be a Script or a Recording")
    simulator = Simulator(play, host, Credentials(api_key, token), seed)
    listening = _listen_on_trio if on_trio() else _listen_on_asyncio
    async with listening(simulator, port):
        yield simulator


class _Session:
    """The state of one connection, and what it says next; no socket here."""

    def __init__(self, play: Script | Recording, settings: Settings, request_id: str, seed: int | None) -> None:
        self.connection = Connection(request_id)
        self.player = open_player(play, settings, request_id, seed)
        self.closing: tuple[int | None, str] | None = None  # code and reason, once the end is decided
        self._settings = settings
        self._clock = AudioClock(settings.bytes_per_second)

    def take(self, message: str | bytes) -> list[str]:
        """What a frame is answered with. Once it sets `closing`, no more may be taken."""
        if isinstance(message, str):
            return self._take_command(message)
        if not message:
            return self._finish()  # Deepgram takes an empty binary frame for the wish to close.
        try:
            self.connection.audio_seconds = self._clock.hear(message)
        except NotAudio as error:
            self.closing = (1008, f"DATA-0000: {error}")
            return []
        return self.player.hear(self._clock.seconds)

    def _take_command(self, text: str) -> list[str]:
        try:
            kind = read_type(text)
            self.connection.commands.append(kind)
            if kind == "CloseStream":
                return self._finish()
            if kind == "ForceEndTurn":
                return self.player.force_end()
            self._settings = configured(self._settings, text)
            return self.player.configure(self._settings)
        except Unparsable as error:
            self.closing = (None, "")
            failure = {"type": "Error", "code": "UNPARSABLE_CLIENT_MESSAGE", "description": str(error)}
            return [self.player.answer(failure)]
        except Unacceptable as error:
            refusal = {"type": "ConfigureFailure", "code": error.code, "description": error.description}
            return [self.player.answer(refusal)]

    def _finish(self) -> list[str]:
        self.closing = (None, "")
        return self.player.finish()


async def _send(socket: Socket, session: _Session, texts: list[str]) -> None:
    for text in texts:
        await socket.send(text)
        session.connection.messages += 1


async def _close(socket: Socket, code: int | None, reason: str) -> None:
    """Close, without a code if None, and skip what is still coming in: unread, it would keep the client's part back."""
    async with anyio.create_task_group() as group:
        # Both halves hand the code to the protocol, which takes None; only their annotations do not.
        close: Any = getattr(socket, "aclose", None) or getattr(socket, "close", None)
        group.start_soon(close, code, reason)
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()


def _options(simulator: Simulator) -> dict[str, Any]:
    """What both servers are told."""
    return {
        "process_request": simulator.admit,
        "process_response": simulator.identify,
        "select_subprotocol": _select_subprotocol,
        "compression": None,
        "ping_interval": None,
        "close_timeout": _CLOSE_TIMEOUT,
        "max_size": _LARGEST_MESSAGE,
        "logger": _silent,
    }


def _select_subprotocol(_socket: Socket, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    chosen = choose_subprotocol(offered)
    return None if chosen is None else next(name for name in offered if name == chosen)


@asynccontextmanager
async def _listen_on_asyncio(simulator: Simulator, port: int) -> AsyncIterator[None]:
    from websockets.asyncio.server import serve as serve_asyncio

    try:
        server = await serve_asyncio(simulator.attend, simulator.host, port, **_options(simulator))
    except (OSError, OverflowError) as error:
        raise _cannot_listen(simulator.host, port, error) from error
    simulator.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            server.close()
            with anyio.move_on_after(_SHUTDOWN_TIMEOUT):
                await server.wait_closed()
            for socket in list(server.all_connections):
                socket.transport.abort()
            await server.wait_closed()


@asynccontextmanager
async def _listen_on_trio(simulator: Simulator, port: int) -> AsyncIterator[None]:
    import trio
    from websockets.trio.server import serve as serve_trio

    try:
        listeners = await trio.open_tcp_listeners(port, host=simulator.host)
    except (OSError, OverflowError) as error:
        raise _cannot_listen(simulator.host, port, error) from error
    simulator.port = listeners[0].socket.getsockname()[1]
    failure: BaseException | None = None
    async with anyio.create_task_group() as group:
        server = await group.start(partial(serve_trio, simulator.attend, listeners=listeners, **_options(simulator)))
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            # Out of the group it would come as a group; on asyncio it would not.
            failure = error
        finally:
            # A cancellation from outside has reached the connections as well: there is nothing left to close.
            if anyio.current_effective_deadline() > -inf:
                with anyio.move_on_after(_SHUTDOWN_TIMEOUT, shield=True):
                    await server.aclose()
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _cannot_listen(host: str, port: int, error: Exception) -> ConfigError:
    return ConfigError(f"host={host!r}, port={port!r}: cannot listen there: {error}")
