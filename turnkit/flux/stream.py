"""`FluxStream`: an open stream, which owns the socket, the clock and the waiting; what is done the protocol decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ..errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError, TurnkitError, sole_error
from ..logs import logger
from ..timers import EARLY_SECONDS, Alarm, clock
from ..turns.events import StreamLost
from ..wire import Configure, ConfigureFailure, ConfigureSuccess, FluxOptions, Strings, Thresholds, TurnInfo
from .bounds import Bounds
from .configure import undo
from .connecting import Connector, drop
from .failures import close_code
from .protocol import FluxProtocol, Line, StreamItem
from .push import Push
from .requests import Request
from .sending import Sender
from .transports import Transport


class FluxStream:
    """An open stream: iterate it for messages, send it audio and commands. Made by `connect`.

    Iterating yields every message as `wire.Message`, Connected first. A frame that cannot be read is yielded as
    `Unknown` with its `problem`. One task may iterate at a time, another raises LocalProtocolError. The iteration
    ends after `close`.

    If the connection is lost without our asking, or has to be given up, the iteration yields `events.StreamLost`
    with the reason. Asked for the next item it connects again, at once and then with growing, random pauses, yields
    `events.StreamRestored`, and then what the new connection says, Connected first. It is opened with the `options`
    in force, Configures included, and given the audio that Flux had not covered yet. Flux counts turns, messages and
    time from 0 on each connection: turns and messages are left as they are, but all times in a TurnInfo are moved, so
    that the stream's time runs on. `connect`'s `reconnect_timeout` bounds how long it tries, and 0 switches it off:
    then, and for what cannot be mended, the iteration raises once, and then ends: FluxError for Flux's Error or its
    refusal (HTTP 400, 401, 402, 403 and `UNPARSABLE_CLIENT_MESSAGE` are never tried again), else ConnectionFailed
    with every attempt, or RemoteProtocolError.
    """

    __slots__ = (
        "_alarm",
        "_bounds",
        "_connector",
        "_draining",
        "_dropped",
        "_news",
        "_now",
        "_protocol",
        "_push",
        "_read_ahead",
        "_reconnecting",
        "_rings_at",
        "_sender",
    )

    def __init__(self, socket: Any, options: FluxOptions, connector: Connector, bounds: Bounds, random: Random) -> None:
        self._dropped: Any = None  # the socket that was given up
        self._connector = connector
        self._bounds = bounds
        self._protocol = FluxProtocol(connector.host, options, bounds, random, hide=connector.hide)
        self._now = clock()
        self._sender = Sender(self._protocol, connector, bounds, self._now, self._tell)
        self._sender.use(socket)
        self._alarm: Alarm | None = None
        self._rings_at = float("inf")
        self._read_ahead: list[StreamItem] = []  # read on behalf of a later iteration
        self._draining = False
        self._news: anyio.Event | None = None  # for whoever waits for something to become of the stream
        self._reconnecting: anyio.CancelScope | None = None
        self._push: Push | None = None

    def __repr__(self) -> str:
        p = self._protocol
        states = {Line.OPEN: "open", Line.BROKEN: "lost", Line.LOST: "lost", Line.OVER: "ended"}
        state = "closed" if p.closing else states[p.line]
        return f"<FluxStream {state} {self._connector.host} request_id={p.request_id!r}>"

    @property
    def options(self) -> FluxOptions:
        """The options in force, Configures included."""
        return self._protocol.options

    @property
    def request_id(self) -> str:
        """The id of the connection, for Deepgram's support."""
        return self._protocol.request_id

    @property
    def transport(self) -> Transport:
        """The library that carries the connection: `websockets` or `picows`."""
        return self._connector.transport or "websockets"

    @property
    def missed_messages(self) -> int:
        """How many messages Flux numbered that never arrived."""
        return self._protocol.heard.missed

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._protocol.line is Line.OPEN

    @property
    def closing(self) -> bool:
        """Whether `close` was called."""
        return self._protocol.closing

    @property
    def being_read(self) -> bool:
        """Whether a task iterates the stream right now."""
        return self._protocol.being_read

    @property
    def turn_open(self) -> bool:
        """Whether the user has a turn."""
        return self._protocol.heard.turn_open

    @property
    def audio_sent(self) -> float | None:
        """Seconds of audio handed to the socket, in the stream's time; None for containers and Opus.

        What was lost and the silence that turnkit sent are in it. After a loss it goes back to what Flux had covered.
        """
        return self._protocol.audio.sent_seconds

    @property
    def lost_audio_seconds(self) -> float | None:
        """Seconds of audio that Flux had not covered at a loss, or at a close without an answer, and will never hear.

        None for containers and Opus.
        """
        return self._protocol.audio.lost_seconds

    # Waiting ------------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        """See to what follows from what the protocol was told: the alarm, whoever waits, a connection given up."""
        p = self._protocol
        if p.deadline < self._rings_at:
            self._set_alarm(p.deadline)
        if self._news is not None:
            self._news.set()
            self._news = None
        if p.given_up is not None and self._dropped is not self._sender.socket:
            socket = self._dropped = self._sender.socket
            self._connector.background.start(lambda: drop(socket))
        if p.line is Line.OVER:
            if self._alarm is not None:
                self._alarm.stop()
            if self._reconnecting is not None:
                self._reconnecting.cancel()

    def _set_alarm(self, at: float) -> None:
        self._rings_at = at
        if self._alarm is None:
            self._alarm = Alarm(self._ring)
            if self._alarm.needs_task:
                self._connector.background.start(self._alarm.keep)
        self._alarm.bring_forward(at)

    def _ring(self) -> None:
        p = self._protocol
        self._rings_at = float("inf")
        p.wake(self._now() + EARLY_SECONDS)
        self._tell()
        if p.audio.ready and p.line is Line.OPEN and self._sender.idle:
            self._connector.background.start(self._sender.send_what_waits)

    async def _until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds; the protocol's deadlines see that it does."""
        while not condition():
            self._news = self._news or anyio.Event()
            await self._news.wait()

    # Reading ------------------------------------------------------------------------------------------------------

    def __aiter__(self) -> FluxStream:
        return self

    async def __anext__(self) -> StreamItem:
        p = self._protocol
        if self._draining:
            await self._until(lambda: p.line is Line.OVER)
        if p.being_read:
            raise LocalProtocolError("the stream is already being iterated: only one task may read it at a time")
        if self._read_ahead:
            return self._read_ahead.pop(0)
        p.being_read = True
        try:
            while p.readable:
                item = await self._receive()
                if item is not None:
                    return item
                if self._push is not None and self._push.stopped:
                    raise StopAsyncIteration
            if p.line is Line.LOST:
                await self._reconnect()
                if self._read_ahead:
                    return self._read_ahead.pop(0)
        finally:
            p.being_read = False
        raise StopAsyncIteration

    async def read_into(self, take: Callable[[StreamItem], bool]) -> None:
        """Iterate, and give each item to `take`, until the iteration ends or `take` wants no more.

        On asyncio, messages are given in the very callback that brought them, outside of any task, so that no task has
        to be switched for them, and several that came at once are taken in one go. So `take` must not wait.

        Args:
            take: is given each item, and returns whether it wants more.

        Raises:
            LocalProtocolError: if the stream is being iterated already. Else as iterating does, or what `take` raises.
        """
        if self._push is not None:
            raise LocalProtocolError("the stream is already being iterated: only one task may read it at a time")
        self._push = Push(self._protocol, take, self._now, self._tell)
        try:
            async for item in self:
                if not take(item):
                    break
        finally:
            self._push = None

    async def _receive(self) -> StreamItem | None:
        """The next item of this connection; None if it is not for the consumer, or was the end that we asked for."""
        p, cause = self._protocol, None
        item: StreamItem | None
        push = self._push
        if push is not None:
            push.begin(self._sender.socket)
        try:
            # As bytes, also text: what is no UTF-8 is then one unreadable frame and not the end of the connection.
            frame = await self._sender.socket.recv(False)
        except Exception as error:
            cause = error
            failure = self._connector.failure(error)
            item = p.connection_ended(failure, self._now(), code=close_code(error))
        else:
            item = push.left if push is not None and push.woken else p.receive(frame, self._now())
            del frame  # it may quote the credential, and would be seen in a traceback
        finally:
            if push is not None:
                push.end()
        self._tell()
        if push is not None and push.error is not None:
            raise push.error
        if p.line is Line.OVER and p.failure is not None:
            raise p.failure from cause
        if type(item) is StreamLost:
            logger().warning("flux_lost", request_id=p.request_id, reason=item.reason)
        return item

    async def _reconnect(self) -> None:
        """Connect until it works, or the stream is closed meanwhile. Raises once it is given up."""
        p = self._protocol
        p.seek(self._now())
        with anyio.CancelScope(deadline=p.attempts_until) as self._reconnecting:
            try:
                await drop(self._sender.socket)
                while p.line is Line.LOST:
                    await anyio.sleep_until(p.attempt_at)
                    await self._try_to_connect()
            finally:
                self._reconnecting = None
        if p.line is Line.LOST:
            p.attempts_timed_out(self._now())
        if p.line is Line.OPEN:
            self._connector.background.start(self._sender.send_what_waits)
        self._tell()
        if p.failure is not None:
            raise p.failure

    async def _try_to_connect(self) -> None:
        p = self._protocol
        try:
            socket, connected = await self._connector.open(p.options)
        except TurnkitError as failure:
            logger().debug("flux_not_restored", attempt=p.attempts, error=type(failure).__name__)
            return p.attempt_failed(failure, self._now())
        if p.line is not Line.LOST:
            return await drop(socket)
        self._sender.use(socket)
        self._read_ahead += p.connection_made(connected, self._now())
        lost = p.lost_meanwhile
        logger().debug("flux_connected", request_id=p.request_id)
        if lost:
            logger().warning("flux_audio_lost", request_id=p.request_id, seconds=round(lost, 3))
        logger().info("flux_restored", request_id=p.request_id, attempts=p.attempts)

    # Sending ------------------------------------------------------------------------------------------------------

    async def send_audio(self, data: bytes | bytearray | memoryview) -> None:
        """Send audio in pieces of any size; they leave as frames of 80 ms, in the order of the calls.

        What does not fill a frame waits for the next call, `flush` or `close`. Cancelled between frames, the rest waits
        too, and goes first next time; on trio, cancelling only the sender while a frame is stuck takes effect when
        `send_timeout` is over. While the stream is lost, audio is kept for the connection to come, the last
        `replay_seconds` of it, and this returns at once: what has to be dropped is counted in `lost_audio_seconds`.
        Containers and Opus pass as given, save that an empty piece is never sent. Their bytes do not tell their time,
        so none of them are kept: begin a container anew, with its header, after StreamRestored.

        Args:
            data: the audio.

        Raises:
            ConnectionFailed: if the stream has ended; if it does not reconnect, also for a frame that does not leave
                within `send_timeout` (the socket is dropped then).
            LocalProtocolError: after `close`, or for what is not bytes.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise LocalProtocolError(f"audio must be bytes, not {type(data).__name__}")
        p, now = self._protocol, self._now()
        p.add_audio(data, now)
        if not self._sender.write_audio(now):
            await self._sender.send_audio()
        if p.deadline < self._rings_at:
            self._set_alarm(p.deadline)

    async def flush(self) -> None:
        """Send what is left over of the audio as one short frame; bytes of an unfinished sample stay.

        Raises as `send_audio` does.
        """
        self._protocol.check_open()
        await self._sender.send_audio(short=True)

    def watch_audio(self, take: Callable[[int, bytes], None]) -> None:
        """Have each frame of raw audio that is sent from now on given to `take`, with its place in the stream's time.

        The place is in bytes since the stream began, so that what a connection is sent again comes at its old place.
        `take` must not wait, nor raise. One is told at a time, the last. Containers and Opus are not given.
        """
        self._sender.watch = take

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
        request = await self._configure(command)
        await self._until(lambda: request.settled)
        if isinstance(request.answer, ConfigureSuccess):
            return request.answer
        if isinstance(request.answer, ConfigureFailure):
            code = request.answer.code or request.answer.error_code or "ConfigureFailure"
            raise FluxError(code, request.answer.description, request_id=self.request_id, advice="The old values stay")
        raise self._unanswered("Configure", request)

    async def _configure(self, command: Configure) -> Request:
        """Return once a Configure with this one in it has left, or waits for a connection."""
        if not isinstance(command, Configure):
            raise LocalProtocolError(f"configure takes a Configure, not {type(command).__name__}")
        p = self._protocol
        request, ticket = p.queue_configure(command)
        try:
            while request.sent is None:
                if p.requests.pending is not None:
                    await self._until(lambda: p.requests.pending is None)
                else:
                    await checkpoint_if_cancelled()
                    p.start_configure(request, self._now())
                    self._tell()
                    await self._sender.send_commands()
        finally:
            p.withdraw_configure(request, ticket)
        return request

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
        before = self._protocol.expected_options
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
            if not (self.closing or self._protocol.line is Line.OVER):
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
        await self._until(lambda: request.settled)
        if request.answer is None:
            raise self._unanswered("ForceEndTurn", request)
        return isinstance(request.answer, TurnInfo)

    async def send_force_end_turn(self) -> bool:
        """End the open turn without waiting for the answer: for the iterating task, which would wait for itself.

        Returns:
            Whether it was sent: it is not while the stream is lost, closed or over, nor to a host that does not know
            ForceEndTurn.
        """
        over = self.closing or self._protocol.line is Line.OVER
        return not over and await self._start_forced_end() is not None

    async def _start_forced_end(self) -> Request | None:
        self._protocol.check_open()
        await checkpoint_if_cancelled()
        request = self._protocol.force_end_turn(self._now())
        self._tell()
        await self._sender.send_commands()
        return request

    def _unanswered(self, what: str, request: Request) -> ConnectionFailed:
        host = self._connector.host
        if not request.expired:
            failure = self._protocol.failure
            return ConnectionFailed(
                f"the stream to {host} ended before {what} was answered", (failure,) if failure else ()
            )
        message = (
            f"{host} did not answer {what} within {self._bounds.answer_timeout} s (answer_timeout); "
            "the answer is found by the iteration, so another task must be iterating the stream meanwhile"
        )
        return ConnectionFailed(message, (TimeoutError(message),))

    # The end of the stream ----------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Finalise: send the rest of the audio, end the open turn, and ask Flux to close; done twice, it does nothing.

        The messages that still come are for whoever iterates, whose iteration then ends. The turn is ended with a
        ForceEndTurn, because CloseStream brings no EndOfTurn (https://developers.deepgram.com/docs/flux/close-stream),
        unless an EndOfTurn without `trigger` has shown that this host is too old for it. Bounded by `send_timeout`, and
        the iteration then by `close_timeout`; a connection that is gone already is no error. A stream that is lost ends
        at once: what audio was kept for the next connection is counted as lost.
        """
        if self.closing:
            return
        self._protocol.close(self._now())
        self._tell()
        try:
            await self._sender.send_audio(short=True)
            await self._sender.send_commands()
        except TurnkitError as error:
            logger().debug("flux_close_failed", request_id=self.request_id, error=type(error).__name__)
        self._tell()

    async def _close_and_drain(self) -> None:
        """Close, and see that somebody reads the rest, within `close_timeout`."""
        p = self._protocol
        self._bounds.send_timeout = min(self._bounds.send_timeout, self._bounds.close_timeout)
        await self.close()
        with anyio.move_on_after(self._bounds.close_timeout), suppress(TurnkitError):
            if p.being_read:
                await self._until(lambda: p.line is Line.OVER)
            self._draining = p.line is not Line.OVER
            while p.readable:
                item = await self._receive()
                if item is not None:
                    self._read_ahead.append(item)


@asynccontextmanager
async def open_stream(
    options: FluxOptions, connector: Connector, bounds: Bounds, random: Random
) -> AsyncIterator[FluxStream]:
    """A stream for as long as the context is open; leaving it finalises, drains and closes."""
    # By hand, because what the body raises comes out as it is; and a context manager more costs memory.
    await connector.background.begin()
    try:
        socket, connected = await connector.open(options)
        stream = FluxStream(socket, options, connector, bounds, random)
        del socket  # there may be another one at the end
        stream._read_ahead += stream._protocol.connection_made(connected, stream._now())
        logger().debug("flux_connected", request_id=stream.request_id)
        try:
            try:
                yield stream
            except Exception as raised:
                await stream._close_and_drain()
                # A task group in the same `async with` puts a group around the error that ended the call.
                error = sole_error(raised)
                if error is not raised and isinstance(error, TurnkitError):
                    raise error from error.__cause__
                raise
            await stream._close_and_drain()
        finally:
            stream._protocol.end()
            stream._tell()
            await drop(stream._sender.socket)
            logger().debug("flux_closed", request_id=stream.request_id, missed_messages=stream.missed_messages)
    finally:
        await connector.background.stop()
