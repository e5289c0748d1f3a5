"""The server: a local `/v2/listen` that asks for what Flux asks for and answers as Flux answers.

One handler a connection, everything in the order received. It runs on asyncio and trio with the server that
`websockets` has for each.
"""

from __future__ import annotations

import logging
import struct
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from math import inf
from socket import SO_LINGER, SO_RCVBUF, SOL_SOCKET
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import anyio
import msgspec
from anyio.lowlevel import checkpoint
from websockets.exceptions import ConnectionClosed

from ..checks import cannot_listen, check_host, shown
from ..errors import ConfigError
from ..timers import on_trio
from .auth import Credentials, choose_subprotocol
from .call_registry import Attempt, CallRegistry
from .disturbance import Cut, Delivery, Disturbance, Wait
from .ear import Ear
from .exchange import Connection, Exchange, InjectedFault
from .faults import STATUSES, AnyFault, Fault, RandomFaults, read_faults
from .live_caller import LiveCaller
from .parameters import UNSETTLED, Refused, Settings, read_query
from .places import Places, pieces
from .plays import Play, open_player
from .recorded_session import Recording
from .rest import GRANT, PROJECTS, PostReader, answer
from .script import Script

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from websockets.asyncio.server import ServerConnection as AsyncioSocket
    from websockets.http11 import Request, Response
    from websockets.trio.server import ServerConnection as TrioSocket
    from websockets.typing import Subprotocol

    Socket: TypeAlias = AsyncioSocket | TrioSocket

PATH = "/v2/listen"

_CLOSE_TIMEOUT = 2.0  # seconds a client has for its side of the closing handshake
_SHUTDOWN_TIMEOUT = 3.0
_OPEN_TIMEOUT = 60.0
_LARGEST_MESSAGE = 1 << 24
_DEAF_BUFFER = 4096  # bytes

# At DEBUG, websockets writes headers and frames to its log: keys, and what was said. A logger of our own stops above.
_silent = logging.getLogger("turnkit.simulator.websockets")
_silent.setLevel(logging.INFO)
# That a stranger at the port speaks no WebSocket is no failure of ours; up to 16, websockets logs a traceback for it.
_silent.addFilter(lambda record: record.msg != "opening handshake failed")


class Refusal(msgspec.Struct, frozen=True):
    """An upgrade that was refused.

    Attributes:
        status: the HTTP status.
        code: Flux's word for it.
    """

    status: int
    code: str


class Simulator:
    """A local Flux that is running. Made by `serve`.

    Attributes:
        host: where it listens.
        port: where it listens.
        connections: every one so far, oldest first.
        refusals: every upgrade refused so far, oldest first.
        faults_injected: every fault that struck so far, oldest first.
    """

    def __init__(
        self,
        play: Play,
        host: str,
        credentials: Credentials,
        seed: int | None,
        faults: tuple[AnyFault, ...] = (),
        continues: bool = False,
        configurable: frozenset[str] = frozenset(),
    ) -> None:
        self.host = host
        self.port = 0
        self.connections: list[Connection] = []
        self.refusals: list[Refusal] = []
        self.faults_injected: list[InjectedFault] = []
        self._play = play
        self._credentials = credentials
        self._seed = seed
        self._faults = faults
        self._continues = continues
        self._configurable = configurable
        self._registry = CallRegistry()
        self._places = Places(getattr(play, "at_once", None))
        self._fault_plans: WeakKeyDictionary[Socket, _FaultPlan] = WeakKeyDictionary()
        self._ending = anyio.Event()

    @property
    def url(self) -> str:
        """Where clients connect to, without the path `/v2/listen` and the query, which are theirs to add."""
        return f"ws://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def end(self) -> None:
        """End the connections that only wait for the simulator to end."""
        self._ending.set()

    async def check_upgrade(self, socket: Socket, request: Request) -> Response | None:
        """Refuse an upgrade as Flux would, or let it pass (None).

        Args:
            socket: the connection that asks.
            request: its request, of which path and headers are looked at.
        """
        path, _, query = request.path.partition("?")
        try:
            if path in (PROJECTS, GRANT):
                told = answer(path, request.headers, self._credentials, anyio.current_time())
                return _with_json(socket.respond(200, msgspec.json.encode(told).decode()))
            if path != PATH:
                raise Refused(404, {"err_code": "NOT_FOUND", "err_msg": f"Not found; Flux is at {PATH}."})
            self._credentials.check(request.headers, anyio.current_time())
            read_query(query)
            if (self._faults or self._continues) and not await self._apply_upgrade_faults(socket, query):
                return socket.respond(503, "")  # to nobody: the connection is gone
            self._places.take(socket)
        except Refused as refused:
            return self._refuse(socket, refused)
        return None

    def _refuse(self, socket: Socket, refused: Refused) -> Response:
        self.refusals.append(Refusal(refused.status, refused.code))
        request_id = str(uuid.uuid4())
        body = {**refused.body, "request_id": request_id} if "err_code" in refused.body else refused.body
        response = _with_json(socket.respond(refused.status, msgspec.json.encode(body).decode()))
        response.headers["dg-request-id"] = request_id
        response.headers["dg-error"] = "".join(c if " " <= c <= "~" else "?" for c in refused.reason)
        return response

    async def _apply_upgrade_faults(self, socket: Socket, query: str) -> bool:
        """Let the faults at connect strike; False if there is no connection left. Raises Refused."""
        fault_plan = _FaultPlan(self._registry.attempt(query), self._faults, self._fault_seed)
        self._fault_plans[socket] = fault_plan
        for fault in fault_plan.at_connect():
            self.faults_injected.append(InjectedFault(fault, 0.0, 0, "", fault_plan.attempt.number))
            if fault.name == "slow":
                await self._wait(float(fault.amount or 0))
                continue
            fault_plan.attempt.end(finished=False)
            if fault.kind.scope == "upgrade":
                code, sentence = STATUSES[int(fault.amount or 0)]
                described = fault.name == "refuse_described"
                names = ("code", "description") if described else ("err_code", "err_msg")
                raise Refused(int(fault.amount or 0), dict(zip(names, (code, sentence), strict=True)))
            if fault.name == "stall":
                await self._ending.wait()
            await _cut(socket)
            return False
        return True

    def add_request_id(self, _socket: Socket, _request: Request, response: Response) -> None:
        """Give a response the header that all of Flux's have."""
        if "dg-request-id" not in response.headers:
            recorded = self._play.request_id if isinstance(self._play, Recording) else ""
            response.headers["dg-request-id"] = recorded or str(uuid.uuid4())

    async def serve_connection(self, socket: Socket) -> None:
        """Serve one connection from its upgrade to its end."""
        assert socket.request is not None
        assert socket.response is not None
        settings = read_query(socket.request.path.partition("?")[2])
        fault_plan = self._fault_plans.pop(socket, None)
        exchange = self._exchange(settings, socket.response.headers["dg-request-id"], fault_plan)
        self.connections.append(exchange.connection)
        try:
            alive = await self._send(socket, exchange, exchange.open(), fault_plan)
            while alive and exchange.closing is None:
                message = await socket.recv()
                for piece in pieces(message, settings) if isinstance(self._play, Ear) else (message,):
                    alive = await self._send(socket, exchange, exchange.receive(piece), fault_plan)
                    if not alive or exchange.closing is not None:
                        break
                    if piece is not message:
                        await checkpoint()  # the others are heard in between
            if exchange.closing is not None:
                await _close(socket, *exchange.closing)
        except ConnectionClosed:
            pass  # a client may vanish at any time; there is nobody left to tell
        finally:
            exchange.connection.open = False
            exchange.player.close()
            self._places.leave(socket)
            if fault_plan is not None:
                fault_plan.attempt.end(finished=exchange.finished)

    @property
    def _fault_seed(self) -> int:
        return self._seed if self._seed is not None else getattr(self._play, "seed", 0)

    def _exchange(self, settings: Settings, request_id: str, fault_plan: _FaultPlan | None) -> Exchange:
        player = open_player(self._play, settings, request_id, self._seed)
        connection = Connection(request_id, fault_plan.attempt.number if fault_plan else 1)
        exchange = Exchange(player, settings, connection, self._configurable)
        if fault_plan is not None:

            def report(fault: Fault, seconds: float, messages: int) -> None:
                injected = InjectedFault(fault, seconds, messages, request_id, connection.number)
                connection.faults.append(injected)
                self.faults_injected.append(injected)

            if self._faults:
                exchange.set_disturbance(Disturbance(fault_plan.after_connect(), fault_plan.chances, report))
            if self._continues:
                exchange.continue_call(fault_plan.attempt)
        return exchange

    async def _send(
        self, socket: Socket, exchange: Exchange, deliveries: Sequence[Delivery], fault_plan: _FaultPlan | None
    ) -> bool:
        """Send what is to be sent; False if a fault has cut the connection."""
        if fault_plan is not None and exchange.broken:
            fault_plan.attempt.end(finished=False)
        for delivery in deliveries:
            if isinstance(delivery, str):
                await socket.send(delivery)
            elif isinstance(delivery, Wait):
                await self._wait(delivery.seconds)
                continue
            elif isinstance(delivery, Cut):
                if delivery.deaf:
                    _shrink_buffer(socket)
                    await self._wait(delivery.deaf)
                await _cut(socket)
                return False
            else:
                await socket.send(delivery.data)
                if fault_plan is not None:
                    fault_plan.attempt.cover_to(delivery.covers, delivery.tells)
            exchange.connection.messages += 1
        return True

    async def _wait(self, seconds: float) -> None:
        """Let so many seconds pass, or what is left until the simulator ends."""
        with anyio.move_on_after(seconds):
            await self._ending.wait()


class _FaultPlan:
    """The faults of one connection, chosen when it asks for the upgrade, with random numbers of its own."""

    def __init__(self, attempt: Attempt, faults: tuple[AnyFault, ...], seed: int) -> None:
        self.attempt = attempt
        self._faults = [
            fault
            for fault in faults
            if isinstance(fault, Fault)
            and fault.connection in (None, attempt.number)
            and (fault.name != "resume_with_update" or attempt.number > 1)
        ]
        self.chances = [
            (fault, attempt.random(seed if fault.seed is None else fault.seed))
            for fault in faults
            if isinstance(fault, RandomFaults)
        ]

    def at_connect(self) -> list[Fault]:
        """The faults that strike the upgrade itself."""
        chosen = [chances.choose(random, upgrade=True) for chances, random in self.chances]
        return [fault for fault in self._faults if fault.moment.kind == "connect"] + [
            c for c in chosen if c is not None
        ]

    def after_connect(self) -> list[Fault]:
        """The faults that strike once the connection is there."""
        return [fault for fault in self._faults if fault.moment.kind != "connect"]


@asynccontextmanager
async def serve(
    play: Play,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str | None = None,
    token: str | None = None,
    seed: int | None = None,
    faults: Iterable[AnyFault | str] = (),
    continues: bool = False,
    configurable: Iterable[str] = (),
) -> AsyncIterator[Simulator]:
    """Run a local Flux for as long as the context is open; every connection hears `play` from its start.

    At the end, connections still open are closed with code 1001.

    Args:
        play: the script, the recording, the live caller, or the ear that hears what is sent.
        host: where to listen. Default this machine only.
        port: where to listen. Default 0: a free one.
        api_key: the API key that is accepted. Default None; with no `token` either, any credential is, or none at all.
        token: the temporary token that is accepted. Default None.
        seed: goes before the script's own, and is that of random faults. Default None: the script's own.
        faults: what goes wrong, as `Fault`, `RandomFaults` or their text forms; each connection has its own copy.
        continues: whether the connections of one call (with the same `tag`, or one after the other without) hear one
            script: another connection hears it from where its audio begins, which is where the last one had told its
            words, a second at most before it had heard it, or where the audio itself says so (`marked_silence`).
            Default False.
        configurable: the fields of `UNSETTLED` that a Configure may have. Default none: like any field that is unknown
            to Flux, they earn an Error, and the connection ends.

    Yields:
        The simulator; point clients at its `url`, others than turnkit's at that with `/v2/listen` and a query.

    Raises:
        ConfigError: if `play` is none of the four, if anything but a script is to go on, if a fault does not
            exist, if a field is not one of `UNSETTLED`, or if nothing can listen there.
    """
    if not isinstance(play, (Script, Recording, LiveCaller, Ear)):
        raise ConfigError(f"play={type(play).__name__}: must be a Script, a Recording, a LiveCaller or an Ear")
    if continues and not isinstance(play, Script):
        raise ConfigError("continues=True: play must be a Script; all else is heard from its start")
    check_host(host)
    fields = frozenset((configurable,) if isinstance(configurable, str) else configurable)
    for field in sorted(fields - set(UNSETTLED)):
        raise ConfigError(f"configurable={shown(field)}: must be one of {', '.join(UNSETTLED)}")
    simulator = Simulator(play, host, Credentials(api_key, token), seed, read_faults(faults), continues, fields)
    listening = _listen_on_trio if on_trio() else _listen_on_asyncio
    async with listening(simulator, port):
        yield simulator


def _with_json(response: Response) -> Response:
    """The response, whose body is JSON."""
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


async def _cut(socket: Any) -> None:
    """End the TCP connection, without a closing handshake."""
    # trio's sockets have a stream, asyncio's a transport.
    if hasattr(socket, "stream"):
        await socket.stream.aclose()
    else:
        socket.transport.abort()


def _shrink_buffer(socket: Any) -> None:
    """Let little fit between the client and a server that reads nothing, or it would take minutes to notice."""
    raw = socket.stream.socket if hasattr(socket, "stream") else socket.transport.get_extra_info("socket")
    raw.setsockopt(SOL_SOCKET, SO_RCVBUF, _DEAF_BUFFER)
    # Its end is a reset: an orderly one would never reach a client that waits to get rid of its data first.
    raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


async def _close(socket: Socket, code: int | None, reason: str) -> None:
    """Close, without a code if None, and skip what is still coming in: unread, it would keep the client's part back."""
    async with anyio.create_task_group() as group:
        # Both halves hand the code to the protocol, which takes None; only their annotations do not.
        close: Any = getattr(socket, "aclose", None) or getattr(socket, "close", None)
        group.start_soon(close, code, reason)
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()


def _options(simulator: Simulator, connection: Callable[..., Any]) -> dict[str, Any]:
    """The options that the servers of both libraries take; `connection` makes a library's own connections."""

    def create_connection(*given: Any, **named: Any) -> Any:
        # The protocol comes first on asyncio, and after the stream on trio.
        PostReader(next(one for one in given if hasattr(one, "receive_data")))
        return connection(*given, **named)

    return {
        "create_connection": create_connection,
        "process_request": simulator.check_upgrade,
        "process_response": simulator.add_request_id,
        "select_subprotocol": _select_subprotocol,
        "compression": None,
        "ping_interval": None,
        "open_timeout": _OPEN_TIMEOUT,
        "close_timeout": _CLOSE_TIMEOUT,
        "max_size": _LARGEST_MESSAGE,
        "logger": _silent,
    }


def _select_subprotocol(_socket: Socket, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    chosen = choose_subprotocol(offered)
    return None if chosen is None else next(name for name in offered if name == chosen)


@asynccontextmanager
async def _listen_on_asyncio(simulator: Simulator, port: int) -> AsyncIterator[None]:
    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as serve_asyncio

    options = _options(simulator, ServerConnection)
    try:
        server = await serve_asyncio(simulator.serve_connection, simulator.host, port, **options)
    except (OSError, OverflowError) as error:
        raise cannot_listen(simulator.host, port, error) from error
    simulator.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        simulator.end()
        with anyio.CancelScope(shield=True):
            server.close()
            with anyio.move_on_after(_SHUTDOWN_TIMEOUT):
                await server.wait_closed()
            # Those in the handshake, too; up to 16, websockets has them where it has their tasks.
            sockets: Iterable[AsyncioSocket] = getattr(server, "all_connections", getattr(server, "handlers", ()))
            for socket in list(sockets):
                socket.transport.abort()
            await server.wait_closed()


@asynccontextmanager
async def _listen_on_trio(simulator: Simulator, port: int) -> AsyncIterator[None]:
    import trio

    try:
        from websockets.trio.server import ServerConnection
        from websockets.trio.server import serve as serve_trio
    except ImportError:
        raise ConfigError("trio: needs websockets 17 or newer; pip install 'turnkit[trio]' brings it") from None
    try:
        listeners = await trio.open_tcp_listeners(port, host=simulator.host)
    except (OSError, OverflowError) as error:
        raise cannot_listen(simulator.host, port, error) from error
    simulator.port = listeners[0].socket.getsockname()[1]
    failure: BaseException | None = None
    async with anyio.create_task_group() as group:
        server = await group.start(
            partial(
                serve_trio, simulator.serve_connection, listeners=listeners, **_options(simulator, ServerConnection)
            )
        )
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            # Out of the group it would come as a group; on asyncio it would not.
            failure = error
        finally:
            simulator.end()
            # A cancellation from outside has reached the connections as well: there is nothing left to close.
            if anyio.current_effective_deadline() > -inf:
                with anyio.move_on_after(_SHUTDOWN_TIMEOUT, shield=True):
                    await server.aclose()
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
