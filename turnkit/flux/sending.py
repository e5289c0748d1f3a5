"""Sending what the protocol has to send: in its order, each frame within its time, and without waiting where it can be.

What a connection has to offer is `send(frame)` and `recv(False)`, awaited, and what `connecting.drop` needs. If it has
a `Writer`'s two names besides, as picows' have, or `DirectWriter`'s four, as those of websockets on asyncio have, audio
is written without a task switch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import anyio
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled
from websockets.protocol import State

from ..errors import ConnectionFailed, TurnkitError
from ..timers import on_trio
from .audio_buffer import AudioBuffer
from .bounds import Bounds
from .connecting import Connector
from .protocol import FluxProtocol, Line

_BREATH = 0.02  # seconds between frames of audio that are written without letting others run
_AT_ONCE = 16  # frames that are


class Writer(Protocol):
    """What writes frames of audio at once."""

    @property
    def ready(self) -> bool:
        """Whether it takes a frame now."""

    def write(self, frame: bytes) -> None:
        """Write a binary frame."""


class DirectWriter:
    """Writes frames to a connection of websockets on asyncio, as its own `send` does, but for the waiting.

    Args:
        connection: the connection.
    """

    __slots__ = ("_connection", "_protocol", "_transport")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._protocol = connection.protocol
        self._transport = connection.transport

    @property
    def ready(self) -> bool:
        """Whether it takes a frame now: not while its buffer is full, nor if it closes."""
        connection = self._connection
        return not connection.paused and self._protocol.state is State.OPEN and not self._transport.is_closing()

    def write(self, frame: bytes) -> None:
        """Write a binary frame."""
        self._protocol.send_binary(frame)
        self._connection.send_data()


def _direct_writer(socket: Any) -> Writer | None:
    if hasattr(socket, "ready"):
        writer: Writer = socket
        return writer
    names = ("paused", "send_data", "protocol", "transport")
    return DirectWriter(socket) if all(hasattr(socket, name) for name in names) else None


class Sender:
    """Sends on the connection of one stream.

    Args:
        protocol: says what to send, and learns what did not leave.
        connector: makes the connections, and errors of what goes wrong with them.
        bounds: the stream's.
        now: the clock.
        told: is called after the protocol learnt that something did not leave.

    Attributes:
        socket: the connection; set with `use`.
        watch: is given each frame of raw audio as it is sent, and its place in bytes since the stream began; or None.
    """

    __slots__ = (
        "_bounds",
        "_connector",
        "_lock",
        "_now",
        "_on_trio",
        "_protocol",
        "_told",
        "_writer",
        "_wrote_at",
        "socket",
        "watch",
    )

    def __init__(
        self,
        protocol: FluxProtocol,
        connector: Connector,
        bounds: Bounds,
        now: Callable[[], float],
        told: Callable[[], None],
    ) -> None:
        self._protocol = protocol
        self._connector = connector
        self._bounds = bounds
        self._now = now
        self._told = told
        self._on_trio = on_trio()
        self._lock: anyio.Lock | None = None  # made when somebody has to wait
        self._wrote_at = 0.0
        self.socket: Any = None
        self.watch: Callable[[int, bytes], None] | None = None
        self._writer: Writer | None = None

    def use(self, socket: Any) -> None:
        """Send on this connection from now on."""
        self.socket = socket
        self._writer = _direct_writer(socket)

    @property
    def idle(self) -> bool:
        """Whether nobody sends audio."""
        return self._lock is None or not self._lock.locked()

    def write_audio(self, now: float) -> bool:
        """Write the audio that waits at once, without a checkpoint.

        Returns:
            Whether none waits any more. Some does where nothing can be written at once, while others send or the
            connection's buffer is full, and if there is so much, or so often some, that others have to run meanwhile.
        """
        writer = self._writer
        if writer is None or now - self._wrote_at < _BREATH or not self.idle:
            return False
        for _ in range(_AT_ONCE):
            if not writer.ready:
                return False
            frame = self._protocol.next_audio(now)
            if not frame:
                return True
            if self.watch is not None:
                self._show(frame)
            self._wrote_at = now
            try:
                writer.write(frame)
            except Exception as error:
                self._protocol.send_failed(self._connector.failure(error), now)
                self._told()
                return False
        return False

    async def send_audio(self, *, short: bool = False) -> None:
        """Send the audio that waits, in its order, whoever calls; `short`: also a frame that is not full."""
        p = self._protocol
        self._lock = self._lock or anyio.Lock()
        async with self._lock:
            while p.line is Line.OPEN:
                await checkpoint_if_cancelled()
                frame = p.next_audio(self._now(), short=short)
                if not frame:
                    return
                if self.watch is not None:
                    self._show(frame)
                await self._send(frame)
                # However much there is, the reader gets its turn.
                await checkpoint()

    def _show(self, frame: bytes) -> None:
        """Give raw audio to whoever watches; packets and containers have no place in bytes."""
        audio = self._protocol.audio
        if self.watch is not None and isinstance(audio, AudioBuffer):
            self.watch(audio.sent - len(frame), frame)

    async def send_commands(self) -> None:
        """Send the commands that wait."""
        while (command := self._protocol.next_command(self._now())) is not None:
            await self._send(command)

    async def send_what_waits(self) -> None:
        """Send what waits on nobody's behalf: whoever reads meets a failure, too, and tells it better."""
        with suppress(TurnkitError):
            await self.send_commands()
            await self.send_audio()
        self._told()

    async def _send(self, frame: str | bytes) -> None:
        """Send a frame. If it does not leave, whoever reads finds the connection lost; raises if that is the end."""
        p, socket, failure = self._protocol, self.socket, None
        # On trio, a send that is cut off leaves half a frame behind, after which nothing can be read: it is shielded.
        # asyncio has the frame in its buffer before it waits, so cancelling is harmless.
        with anyio.move_on_after(self._bounds.send_timeout, shield=self._on_trio):
            try:
                await socket.send(frame)
                return
            except Exception as error:
                failure = error
        if failure is None:
            bound = self._bounds.send_timeout
            what = f"{self._connector.host} took no data for {bound} s (send_timeout): the connection was dropped"
            cause: TurnkitError = ConnectionFailed(what, (TimeoutError(what),))
        else:
            # Cancelling everything also takes the connection from under a blocked send: that is no news.
            await checkpoint_if_cancelled()
            cause = self._connector.failure(failure)
        if socket is self.socket:
            p.send_failed(cause, self._now(), stuck=failure is None)
            self._told()
        if not p.reconnects:
            raise cause from failure
