"""What is sent to Flux: frames, and the commands that change settings or end the open turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ..errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError, TurnkitError
from ..wire import (
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    FluxOptions,
    ForceEndTurn,
    Strings,
    Thresholds,
    TurnInfo,
    encode,
)
from .bounds import Bounds
from .configure import applied, undo
from .connecting import Connector, drop
from .requests import Request, Requests


class StreamCommands:
    """The sending half of a `FluxStream`: whether it may send, how a frame leaves, and its commands."""

    __slots__ = (
        "_bounds",
        "_connector",
        "_drop_reason",
        "_failure",
        "_knows_force_end_turn",
        "_on_trio",
        "_over",
        "_progress_window",
        "_requests",
        "_socket",
        "_stuck",
        "being_read",
        "closing",
        "connected",
        "options",
        "request_id",
        "turn_open",
    )

    options: FluxOptions
    request_id: str
    closing: bool
    connected: bool
    being_read: bool
    turn_open: bool
    _bounds: Bounds
    _connector: Connector
    _drop_reason: TurnkitError | None
    _failure: TurnkitError | None
    _knows_force_end_turn: bool | None
    _on_trio: bool
    _over: bool
    _progress_window: float
    _requests: Requests
    _socket: Any
    _stuck: bool

    # Sending --------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.closing:
            raise LocalProtocolError("the stream is closed: nothing can be sent after close()")
        if self._over:
            attempts = (self._failure,) if self._failure else ()
            raise ConnectionFailed(f"the stream to {self._connector.host} has ended: {self._failure}", attempts)

    async def _send(self, frame: str | bytes) -> None:
        await checkpoint_if_cancelled()
        socket, failure = self._socket, None
        # On trio, a send that is cut off leaves half a frame behind, after which nothing can be read: it is shielded.
        # asyncio has the frame in its buffer before it waits, so cancelling is harmless.
        with anyio.move_on_after(self._bounds.send_timeout, shield=self._on_trio):
            try:
                await socket.send(frame)
                return
            except Exception as error:
                failure = error
        if failure is not None:
            # Cancelling everything also takes the connection from under a blocked send: that is no news.
            await checkpoint_if_cancelled()
            raise self._connector.failure(failure) from failure
        bound = self._bounds.send_timeout
        what = f"{self._connector.host} took no data for {bound} s (send_timeout): the connection was dropped"
        stuck = ConnectionFailed(what, (TimeoutError(what),))
        if socket is self._socket:
            self._drop_reason = self._drop_reason or stuck
        await drop(socket)
        raise stuck

    def _reconnects(self) -> bool:
        """Whether a connection that is lost will be made again."""
        return self._bounds.reconnect_timeout > 0 and not self.closing and not self._over

    def give_up(self, cause: TurnkitError, *, stuck: bool = False) -> None:
        """Drop this connection, so that its reader finds it lost, because of `cause`; `stuck`: it covered in vain."""
        self._drop_reason = self._drop_reason or cause
        self._stuck = stuck
        socket = self._socket
        self._connector.background.start(lambda: drop(socket))

    # Settings -----------------------------------------------------------------------------------------------------

    async def configure(self, command: Configure) -> ConfigureSuccess:
        """Change settings in mid-stream and wait for Flux's answer, which another task's iteration must read.

        One Configure is on the wire at a time: Flux refuses bursts. Calls made meanwhile are merged, the later value
        winning field by field, and share one answer. A call that is cancelled before its Configure left is taken out.
        If the connection is lost before the answer, or is lost already, the Configure is sent to the next one, whose
        answer it then is.

        Args:
            command: what to change.

        Returns:
            Flux's answer: the whole configuration in force.

        Raises:
            ConfigError: for what Flux would refuse, seen against the values in force; nothing is sent.
            FluxError: if Flux refuses; the old values stay.
            ConnectionFailed: without an answer within `answer_timeout` (the next Configure may then go), or if the
                stream ends.
            LocalProtocolError: after `close`.
        """
        batch = await self._configure(command)
        await self._requests.wait_answered(batch)
        if isinstance(batch.answer, ConfigureSuccess):
            return batch.answer
        if isinstance(batch.answer, ConfigureFailure):
            code = batch.answer.code or batch.answer.error_code or "ConfigureFailure"
            raise FluxError(code, batch.answer.description, request_id=self.request_id, advice="The old values stay")
        raise self._unanswered("Configure", batch)

    async def _configure(self, command: Configure) -> Request:
        """Return once a Configure with this one in it has left, or waits for a connection."""
        if not isinstance(command, Configure):
            raise LocalProtocolError(f"configure takes a Configure, not {type(command).__name__}")
        self._check_open()
        if command.language_hints is not None and self.options.model.endswith("-en"):
            raise ConfigError(f"language_hints: only flux-general-multi takes hints, not {self.options.model!r}")
        requests = self._requests
        applied(requests.expected(self.options), command)
        batch = requests.queued = requests.queued or Request()
        ticket = object()
        batch.waiting[ticket] = command
        try:
            while batch.sent is None:
                if requests.pending is not None:
                    await requests.wait_answered(requests.pending)
                else:
                    await self._send_configure(batch)
        finally:
            del batch.waiting[ticket]
        return batch

    async def _send_configure(self, batch: Request) -> None:
        self._check_open()
        await checkpoint_if_cancelled()
        outage = 0.0 if self.connected else self._bounds.reconnect_timeout
        command = self._requests.start_configure(batch, anyio.current_time() + outage + self._bounds.answer_timeout)
        if self.connected:
            await self._send_command(encode(command))

    async def _send_command(self, frame: str) -> None:
        """Send; if the connection turns out to be gone, whoever reads finds it lost, and that settles the request."""
        try:
            await self._send(frame)
        except TurnkitError:
            if not self._reconnects():
                raise

    @asynccontextmanager
    async def configured(
        self,
        *,
        eot_threshold: float | None = None,
        eager_eot_threshold: float | None = None,
        eot_timeout_ms: int | None = None,
        keyterms: Strings | None = None,
        language_hints: Strings | None = None,
        numerals: bool | None = None,
    ) -> AsyncIterator[None]:
        """Settings for one question: in force inside the `async with`, then back to what they were on entering.

        They go back however the body ends, and waiting for that is shielded from cancellation but bounded; if the
        body raised or was cancelled, sending them is all that is waited for. A stream that is over by then is no
        error.

        Args:
            eot_threshold: 0.5 to 1.0. Default None, here as for all: not changed.
            eager_eot_threshold: 0.3 to 0.9 and at most `eot_threshold`.
            eot_timeout_ms: 500 to 60000 milliseconds.
            keyterms: at most 100, of 1 to 100 characters each; one, or any iterable of them.
            language_hints: codes such as "en" (multilingual model); one, or any iterable of them.
            numerals: whether numbers come as digits.

        Yields:
            Nothing, once Flux has taken the settings.

        Raises:
            ConfigError: as `configure` does, and for an `eager_eot_threshold` where eager mode is off: Flux has no way
                to switch it off again (https://developers.deepgram.com/docs/flux/configure).
            FluxError, ConnectionFailed, LocalProtocolError: as `configure` does.
        """
        before = self._requests.expected(self.options)
        thresholds = Thresholds(eot_threshold, eager_eot_threshold, eot_timeout_ms)
        if eager_eot_threshold is not None and before.eager_eot_threshold is None:
            raise ConfigError(
                f"eager_eot_threshold={eager_eot_threshold!r}: eager mode is off and Flux cannot switch it off again, "
                "so it cannot be lent to one question; connect with it, or use configure()"
            )
        command = Configure(thresholds=thresholds, keyterms=keyterms, language_hints=language_hints, numerals=numerals)
        back = undo(command, before)
        refused = False
        try:
            try:
                await self.configure(command)
            except (ConfigError, FluxError, LocalProtocolError):
                refused = True  # so nothing was changed
                raise
            yield
        except BaseException:
            with suppress(TurnkitError), anyio.CancelScope(shield=True):
                if not refused:
                    await self._configure(back)
            raise
        try:
            with anyio.CancelScope(shield=True):
                await self.configure(back)
        except (ConnectionFailed, LocalProtocolError):
            if not (self.closing or self._over):
                raise

    # The end of a turn --------------------------------------------------------------------------------------------

    async def force_end_turn(self) -> bool:
        """End the open turn on the words it has, and wait for Flux's answer, which another task's iteration must read.

        See https://developers.deepgram.com/docs/flux/force-end-turn.

        Returns:
            True once the EndOfTurn with trigger `manual` was read. False if no turn was open (any more): Flux's own end
            came first, or the turn was lost with the connection; or if this host is known not to know ForceEndTurn
            (older than August 2026): those say Error and hang up, so they are asked once at most.

        Raises:
            ConnectionFailed: without an answer within `answer_timeout`, or if the stream ends.
            LocalProtocolError: after `close`.
        """
        request = await self._start_forced_end()
        if request is None:
            return False
        await self._requests.wait_answered(request)
        if request.answer is None:
            raise self._unanswered("ForceEndTurn", request)
        return isinstance(request.answer, TurnInfo)

    async def send_force_end_turn(self) -> bool:
        """End the open turn without waiting for the answer: for the iterating task, which would wait for itself.

        Returns:
            Whether it was sent: it is not while the stream is lost, closed or over, nor to a host that does not know
            ForceEndTurn.
        """
        return not (self.closing or self._over) and await self._start_forced_end() is not None

    async def _start_forced_end(self) -> Request | None:
        self._check_open()
        await checkpoint_if_cancelled()
        if not self.connected or self._knows_force_end_turn is False:
            return None
        request = self._requests.add_forced_end(anyio.current_time() + self._bounds.answer_timeout)
        await self._send_command(encode(ForceEndTurn()))
        self._connector.background.start(lambda: self._watch_forced_end(request))
        return request

    async def _watch_forced_end(self, request: Request) -> None:
        """Give up the connection if a ForceEndTurn gets no answer and its turn gets nowhere: Flux hears nobody."""
        socket, settled = self._socket, self._progress_window
        await self._requests.wait_answered(request)
        stuck = request.answer is None and self.turn_open and self._progress_window == settled
        if stuck and self._socket is socket and self.connected and self.being_read and self._reconnects():
            bound = self._bounds.answer_timeout
            what = f"{self._connector.host} did not end a turn that got nowhere within {bound} s (answer_timeout)"
            self.give_up(ConnectionFailed(what, (TimeoutError(what),)), stuck=True)

    def _unanswered(self, what: str, request: Request) -> ConnectionFailed:
        if self._over or anyio.current_time() < request.deadline:
            attempts = (self._failure,) if self._failure else ()
            early = f"the stream to {self._connector.host} ended before {what} was answered"
            return ConnectionFailed(early, attempts)
        message = (
            f"{self._connector.host} did not answer {what} within {self._bounds.answer_timeout} s (answer_timeout); "
            "the answer is found by the iteration, so another task must be iterating the stream meanwhile"
        )
        return ConnectionFailed(message, (TimeoutError(message),))
