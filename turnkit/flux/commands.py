"""What a stream can be told: settings, and that a turn is over."""

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
    Thresholds,
    TurnInfo,
    encode,
)
from .bounds import Bounds
from .configure import applied, undo
from .connecting import Connector
from .requests import Request, Requests


class StreamCommands:
    """The commands of a `FluxStream`, which is the rest of itself."""

    __slots__ = ()

    options: FluxOptions
    request_id: str
    _bounds: Bounds
    _closing: bool
    _failure: TurnkitError | None
    _knows_force: bool | None
    _line: Connector
    _over: bool
    _reading: bool
    _requests: Requests
    _settled: float
    _socket: Any
    _turn_open: bool
    _up: bool

    def _check_open(self) -> None:
        raise NotImplementedError

    def _heals(self) -> bool:
        raise NotImplementedError

    async def _send(self, frame: str | bytes) -> None:
        raise NotImplementedError

    def _give_up(self, cause: TurnkitError, *, stuck: bool = False) -> None:
        raise NotImplementedError

    # Settings -----------------------------------------------------------------------------------------------------

    async def configure(self, command: Configure) -> ConfigureSuccess:
        """Change settings in mid-stream and wait for Flux's answer, which another task's iteration must read.

        One Configure is on the wire at a time: Flux refuses bursts. Calls made meanwhile are merged, the later value
        winning field by field, and share one answer. A call that is cancelled before its Configure left is taken out.
        If the connection is lost before the answer, or is lost already, the Configure is sent to the next one, whose
        answer it then is.
        Raises ConfigError for what Flux would refuse, seen against the values in force (nothing is sent);
        FluxError if it refuses (the old values stay); ConnectionFailed without an answer within `answer_timeout`
        (the next Configure may then go) or if the stream ends; LocalProtocolError after `close`.
        """
        batch = await self._configure(command)
        await self._requests.answered(batch)
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
                if requests.flying is not None:
                    await requests.answered(requests.flying)
                else:
                    await self._fly(batch)
        finally:
            del batch.waiting[ticket]
        return batch

    async def _fly(self, batch: Request) -> None:
        self._check_open()
        await checkpoint_if_cancelled()
        outage = 0.0 if self._up else self._bounds.reconnect_timeout
        command = self._requests.take_off(batch, anyio.current_time() + outage + self._bounds.answer_timeout)
        if self._up:
            await self._send_command(encode(command))

    async def _send_command(self, frame: str) -> None:
        """Send; if the connection turns out to be gone, whoever reads finds it lost, and that settles the request."""
        try:
            await self._send(frame)
        except TurnkitError:
            if not self._heals():
                raise

    @asynccontextmanager
    async def configured(
        self,
        *,
        eot_threshold: float | None = None,
        eager_eot_threshold: float | None = None,
        eot_timeout_ms: int | None = None,
        keyterms: tuple[str, ...] | None = None,
        language_hints: tuple[str, ...] | None = None,
        numerals: bool | None = None,
    ) -> AsyncIterator[None]:
        """Settings for one question: in force inside the `async with`, then back to what they were on entering.

        They go back however the body ends, and waiting for that is shielded from cancellation but bounded; if the
        body raised or was cancelled, sending them is all that is waited for. A stream that is over by then is no
        error. Raises as `configure` does, and ConfigError for an `eager_eot_threshold` where eager mode is off:
        Flux has no way to switch it off again (https://developers.deepgram.com/docs/flux/configure).
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
            if not (self._closing or self._over):
                raise

    # The end of a turn --------------------------------------------------------------------------------------------

    async def force_end_turn(self) -> bool:
        """End the open turn on the words it has, and wait for Flux's answer, which another task's iteration must read.

        True once the EndOfTurn with trigger `manual` was read. False if no turn was open (any more): Flux's own end
        came first, or the turn was lost with the connection; or if this host is known not to know ForceEndTurn (older
        than August 2026): those say Error and hang up, so they are asked once at most. Raises ConnectionFailed
        without an answer within `answer_timeout`, or if the stream ends; LocalProtocolError after `close`.
        See https://developers.deepgram.com/docs/flux/force-end-turn.
        """
        request = await self._force()
        if request is None:
            return False
        await self._requests.answered(request)
        if request.answer is None:
            raise self._unanswered("ForceEndTurn", request)
        return isinstance(request.answer, TurnInfo)

    async def send_force_end_turn(self) -> bool:
        """As `force_end_turn`, but do not wait for the answer: for the iterating task, which would wait for itself.

        Whether it was sent: it is not while the stream is lost, closed or over, nor to a host that does not know
        ForceEndTurn.
        """
        return not (self._closing or self._over) and await self._force() is not None

    async def _force(self) -> Request | None:
        self._check_open()
        await checkpoint_if_cancelled()
        if not self._up or self._knows_force is False:
            return None
        request = self._requests.force(anyio.current_time() + self._bounds.answer_timeout)
        await self._send_command(encode(ForceEndTurn()))
        self._line.background.start(lambda: self._expect_end(request))
        return request

    async def _expect_end(self, request: Request) -> None:
        """Flux answers each ForceEndTurn; where it does not, and the turn gets nowhere, it hears nobody any more."""
        socket, settled = self._socket, self._settled
        await self._requests.answered(request)
        stuck = request.answer is None and self._turn_open and self._settled == settled
        if stuck and self._socket is socket and self._up and self._reading and self._heals():
            bound = self._bounds.answer_timeout
            what = f"{self._line.host} did not end a turn that got nowhere within {bound} s (answer_timeout)"
            self._give_up(ConnectionFailed(what, (TimeoutError(what),)), stuck=True)

    def _unanswered(self, what: str, request: Request) -> ConnectionFailed:
        if self._over or anyio.current_time() < request.deadline:
            attempts = (self._failure,) if self._failure else ()
            return ConnectionFailed(f"the stream to {self._line.host} ended before {what} was answered", attempts)
        message = (
            f"{self._line.host} did not answer {what} within {self._bounds.answer_timeout} s (answer_timeout); the "
            "answer is found by the iteration, so another task must be iterating the stream meanwhile"
        )
        return ConnectionFailed(message, (TimeoutError(message),))
