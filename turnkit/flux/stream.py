"""`FluxStream`: an open stream, which reads messages, connects again, and sends audio and commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any, TypeAlias

import anyio
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from ..errors import (
    ConfigError,
    ConnectionFailed,
    FluxError,
    LocalProtocolError,
    RemoteProtocolError,
    TurnkitError,
    sole_error,
)
from ..logs import logger
from ..timers import on_trio
from ..turns.events import StreamLost, StreamRestored
from ..wire import (
    CloseStream,
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    ErrorMessage,
    FluxOptions,
    ForceEndTurn,
    Message,
    TurnInfo,
    Unknown,
    WarningMessage,
    decode,
    encode,
)
from .audio_buffer import new_audio_buffer
from .bounds import Bounds
from .commands import StreamCommands
from .connecting import Connector, drop
from .failures import UNPARSABLE, close_code, flux_error
from .reconnecting import Retries, is_permanent
from .requests import NO_TURN, Requests
from .stream_time import shifted
from .watchdogs import Watchdogs

StreamItem: TypeAlias = Message | StreamLost | StreamRestored
"""What iterating a `FluxStream` yields."""

_OURS_TO_END = (1000, 1001, 1005, 1006)  # after CloseStream, Flux closes without a code: 1005, 1006 if TCP is faster


class FluxStream(StreamCommands):
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

    Attributes:
        options: in force, Configures included.
        request_id: of the connection, for Deepgram's support.
        missed_messages: how many messages Flux numbered that never arrived.
        connected: whether there is a connection, as far as is known.
        closing: whether `close` was called.
        being_read: whether a task iterates the stream right now.
        turn_open: whether the user has a turn.
    """

    __slots__ = (
        "_audio",
        "_audio_lock",
        "_broken_socket",
        "_draining",
        "_ended",
        "_last_id",
        "_outage_lost_seconds",
        "_random",
        "_read_ahead",
        "_reconnecting",
        "_retries",
        "_time_offset",
        "_transcript",
        "_unnumbered",
        "_watchdogs",
        "_window",
        "missed_messages",
    )

    def __init__(self, socket: Any, options: FluxOptions, connector: Connector, bounds: Bounds, random: Random) -> None:
        self.options = options
        self.request_id = ""
        self.missed_messages = 0
        self._socket = socket
        self._on_trio = on_trio()
        self._connector = connector
        self._bounds = bounds
        self._random = random
        self._read_ahead: list[StreamItem] = []  # read on behalf of a later iteration
        self.being_read = self._draining = self.closing = False
        self.connected = True
        self._over = False  # there will be no connection any more
        self._ended: anyio.Event | None = None  # for whoever waits for the end
        self._failure: TurnkitError | None = None  # why it is over
        self._drop_reason: TurnkitError | None = None  # why we dropped this connection
        self._broken_socket: Any = None  # the socket that took no audio
        self._reconnecting: anyio.CancelScope | None = None
        self._retries: Retries | None = None
        self._outage_lost_seconds = 0.0  # seconds of audio lost in this outage
        self._last_id = -1
        self._unnumbered = 0
        self._window = 0.0  # the highest audio_window_end of this connection, in its own time
        self._progress_window = 0.0  # the same when its turn last had anything new
        self._transcript = ""
        self._stuck = False  # given up because its turn has nothing new and does not end
        self._time_offset = 0.0  # where its time begins in the stream's
        self.turn_open = False
        self._knows_force_end_turn: bool | None = None
        self._requests = Requests()
        self._audio_lock = anyio.Lock()
        self._audio = new_audio_buffer(options, bounds.replay_seconds)
        self._watchdogs: Watchdogs | None = None

    def __repr__(self) -> str:
        state = "closed" if self.closing else "ended" if self._over else "open" if self.connected else "lost"
        return f"<FluxStream {state} {self._connector.host} request_id={self.request_id!r}>"

    # Reading ------------------------------------------------------------------------------------------------------

    def __aiter__(self) -> FluxStream:
        return self

    async def __anext__(self) -> StreamItem:
        if self._draining:
            await self._wait_ended()
        if self.being_read:
            raise LocalProtocolError("the stream is already being iterated: only one task may read it at a time")
        if self._read_ahead:
            return self._read_ahead.pop(0)
        self.being_read = True
        try:
            while self.connected:
                item = await self._receive()
                if item is not None:
                    return item
            if not self._over:
                restored = await self._reconnect()
                if restored is not None:
                    return restored
        finally:
            self.being_read = False
        raise StopAsyncIteration

    async def _receive(self) -> StreamItem | None:
        """The next item of this connection; None if it is not for the consumer, or was the end that we asked for."""
        try:
            # As bytes, also text: what is no UTF-8 is then one unreadable frame and not the end of the connection.
            frame = await self._socket.recv(False)
        except Exception as error:
            if self.closing and close_code(error) in _OURS_TO_END:
                self._end(None)
                return None
            return self._connection_failed(self._drop_reason or self._connector.failure(error), error)
        try:
            message = decode(frame)
        except RemoteProtocolError as error:
            message = Unknown(type="", problem=str(error), raw=frame)
        del frame  # which may quote the credential, and would be seen in a traceback
        if type(message) is not TurnInfo:
            message = self._connector.credential.hide_in_message(message)
        return self._handle_message(message)

    def _handle_message(self, message: Message) -> StreamItem | None:
        """Keep the books and wake who waits for this message; None if it is not for the consumer."""
        if type(message) is TurnInfo:
            if message.sequence_id == self._last_id + 1 and not self._unnumbered:
                self._last_id += 1
            else:
                self._count_message(message.sequence_id)
            if message.audio_window_end > self._window:
                self._window = message.audio_window_end
            if message.event != "Update":
                message = self._connector.credential.hide_in_message(message)
                self._follow_turn(message)
                self._progress_window, self._transcript = self._window, message.transcript
            elif not self.turn_open:
                self._progress_window = self._window
            elif message.transcript and message.transcript != self._transcript:
                self._progress_window, self._transcript = self._window, message.transcript
            return shifted(message, self._time_offset) if self._time_offset else message
        self._count_message(-1 if isinstance(message, Unknown) else message.sequence_id)
        if isinstance(message, (ConfigureSuccess, ConfigureFailure)):
            if isinstance(message, ConfigureSuccess):
                with suppress(ConfigError):  # the echo is Flux's; an odd one must not end the call
                    self.options = self.options.updated(message)
            if self._requests.pending is not None:
                self._requests.settle(self._requests.pending, message)
        elif isinstance(message, WarningMessage) and message.code == NO_TURN:
            self._requests.settle_forced_end(message)
        elif isinstance(message, ErrorMessage):
            if self.closing and message.code == UNPARSABLE:
                return None  # the host does not know the ForceEndTurn of our close; it hangs up next, as we want
            return self._connection_failed(flux_error(message, self.request_id))
        return message

    def _count_message(self, sequence_id: int) -> None:
        # Flux counts the messages of all types from 0. One that carries no number may or may not have taken one, so
        # a gap is forgiven for each of them.
        if sequence_id < 0:
            self._unnumbered += 1
            return
        self.missed_messages += max(0, sequence_id - self._last_id - 1 - self._unnumbered)
        self._last_id = max(sequence_id, self._last_id)
        self._unnumbered = 0

    def message_mark(self) -> object:
        """A value that every message changes."""
        return self._last_id, self._unnumbered, self._window

    def _follow_turn(self, message: TurnInfo) -> None:
        if message.event != "EndOfTurn":
            self.turn_open = self.turn_open or message.event in ("StartOfTurn", "EagerEndOfTurn", "TurnResumed")
            if self.turn_open and self._watchdogs is not None:
                self._watchdogs.turn_opened()
            return
        self.turn_open = False
        # `trigger` and ForceEndTurn came to Flux together, in August 2026.
        self._knows_force_end_turn = message.trigger != ""
        if message.trigger == "manual":
            self._requests.settle_forced_end(message)

    async def _wait_ended(self) -> None:
        if not self._over:
            self._ended = self._ended or anyio.Event()
            await self._ended.wait()

    def _end(self, failure: TurnkitError | None) -> None:
        self._failure = self._failure or failure
        if self._audio is not None and not self.connected and not self._over:
            self._audio.lose_rest()
        self._over, self.connected = True, False
        if self._ended is not None:
            self._ended.set()
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        if self._watchdogs is not None:
            self._watchdogs.stop()
        self._requests.end()

    # Losing the connection, and getting it back -------------------------------------------------------------------

    def _connection_failed(self, failure: TurnkitError, error: Exception | None = None) -> StreamLost:
        """The connection has failed: lost, if it can be had back, else the stream is over, and this raises."""
        if self._reconnects() and (not is_permanent(failure) or self._refused_force_end_turn(failure)):
            return self._connection_lost(failure)
        self._end(failure)
        raise failure from error

    def _refused_force_end_turn(self, failure: TurnkitError) -> bool:
        """Whether Flux hung up because of a ForceEndTurn that this host does not know: it will get no other one."""
        if not isinstance(failure, FluxError) or failure.code != UNPARSABLE or self._knows_force_end_turn:
            return False
        if not self._requests.forced_ends or self._requests.pending is not None:
            return False
        self._knows_force_end_turn = False
        return True

    def _connection_lost(self, failure: TurnkitError) -> StreamLost:
        now = anyio.current_time()
        self.connected = self.turn_open = False
        self._retries = self._retries or Retries(self._bounds, self._random)
        self._retries.lost(failure, now)
        covered = self._progress_window if self._stuck else self._window
        self._time_offset += covered
        if self._audio is not None:
            self._count_lost_audio(self._audio.rewind(covered))
            self._count_lost_audio(self._audio.drop_excess())
        self._window = self._progress_window = 0.0
        self._stuck = False
        self._requests.connection_lost(now + self._bounds.reconnect_timeout + self._bounds.answer_timeout)
        logger().warning("flux_lost", request_id=self.request_id, reason=str(failure))
        return StreamLost(str(failure))

    def _count_lost_audio(self, seconds: float) -> None:
        """So much audio will never be covered, though its time has passed."""
        self._time_offset += seconds
        self._outage_lost_seconds += seconds

    async def _reconnect(self) -> StreamRestored | None:
        """Connect until it works; None if the stream was closed meanwhile. Raises once it is given up."""
        retries = self._retries
        assert retries is not None
        retries.begin(anyio.current_time())
        failure: TurnkitError | None = None
        with anyio.CancelScope(deadline=retries.deadline) as self._reconnecting:
            try:
                await drop(self._socket)
                failure = await self._retry_connecting(retries)
            finally:
                self._reconnecting = None
        if self._over or self.closing:
            return None
        if self.connected:
            return self._reconnected(retries)
        if failure is None:
            what = f"{self._connector.host} did not answer before reconnect_timeout was over"
            failure = ConnectionFailed(what, (TimeoutError(what),))
            retries.failed(failure, anyio.current_time())
        if not is_permanent(failure):
            failure = ConnectionFailed(
                f"{self._connector.host} was lost and could not be had back within {self._bounds.reconnect_timeout} s "
                f"(reconnect_timeout, {retries.tries - 1} attempts). The last: {failure}",
                tuple(retries.failures),
            )
        self._end(failure)
        raise failure

    async def _retry_connecting(self, retries: Retries) -> TurnkitError | None:
        """Try until there is a connection: None; or until there is no use: the last failure."""
        while retries.next_at < retries.deadline:
            await anyio.sleep_until(retries.next_at)
            try:
                socket, connected = await self._connector.open(self.options)
            except TurnkitError as failure:
                logger().debug("flux_not_restored", attempt=retries.tries, error=type(failure).__name__)
                retries.failed(failure, anyio.current_time())
                if is_permanent(failure):
                    return failure
                continue
            self._socket, self._drop_reason = socket, None
            if self._over or self.closing:
                await drop(socket)
                return None
            self._begin_connection(connected)
            self.connected = True
            return None
        return retries.failures[-1]

    def _begin_connection(self, connected: Connected) -> None:
        """A connection begins."""
        self.request_id = connected.request_id
        self._last_id, self._unnumbered = -1, 0
        self._count_message(connected.sequence_id)
        self._read_ahead.append(connected)
        if self._audio is not None:
            self._audio.connection_start = self._audio.sent
        logger().debug("flux_connected", request_id=self.request_id)

    def _reconnected(self, retries: Retries) -> StreamRestored:
        now = anyio.current_time()
        retries.restored(now)
        attempts = f"{retries.tries} attempt{'s' if retries.tries > 1 else ''}"
        reason = f"connected again ({attempts})"
        if self._outage_lost_seconds:
            reason += f", {self._outage_lost_seconds:.2f} s of audio were lost"
            logger().warning("flux_audio_lost", request_id=self.request_id, seconds=round(self._outage_lost_seconds, 3))
        logger().info("flux_restored", request_id=self.request_id, attempts=retries.tries)
        self._outage_lost_seconds = 0.0
        if self._watchdogs is not None:
            self._watchdogs.reconnected()
        pending = self._requests.pending
        if pending is not None:
            pending.postpone(now + self._bounds.answer_timeout)
        self._connector.background.start(self._resend)
        return StreamRestored(reason)

    async def _resend(self) -> None:
        """Send the new connection what the old one did not answer, and what Flux has to hear again."""
        pending = self._requests.pending
        with suppress(TurnkitError):
            if pending is not None and pending.sent is not None:
                await self._send(encode(pending.sent))
            if self._audio is not None:
                await self._send_waiting_audio()

    # Audio --------------------------------------------------------------------------------------------------------

    @property
    def audio_sent(self) -> float | None:
        """Seconds of audio handed to the socket, in the stream's time; None for containers and Opus.

        What was lost and the silence that turnkit sent are in it. After a loss it goes back to what Flux had covered.
        """
        return None if self._audio is None else self._audio.sent / self._audio.rate

    @property
    def lost_audio_seconds(self) -> float | None:
        """Seconds of audio that Flux had not covered at a loss, or at a close without an answer, and will never hear.

        None for containers and Opus.
        """
        return None if self._audio is None else self._audio.lost / self._audio.rate

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
        self._check_open()
        if self._watchdogs is None and len(data):
            self._watchdogs = Watchdogs(self, self._connector, self._bounds)
        if self._audio is None:
            if len(data):
                await self._send_container_audio(bytes(data))
            return
        if self._watchdogs is not None:
            self._watchdogs.audio_given(len(data) / self._audio.rate)
        self._audio.add(data)
        if not self.connected:
            self._count_lost_audio(self._audio.drop_excess())
        await self._send_waiting_audio()

    async def flush(self) -> None:
        """Send what is left over of the audio as one short frame; bytes of an unfinished sample stay.

        Raises as `send_audio` does.
        """
        self._check_open()
        await self._send_waiting_audio(short=True)

    async def _send_waiting_audio(self, *, short: bool = False) -> None:
        """Send the audio that waits, in its order, whoever calls."""
        audio = self._audio
        if audio is None:
            return
        async with self._audio_lock:
            audio.drop_covered(self._progress_window)
            while self.connected and self._broken_socket is not self._socket:
                await checkpoint_if_cancelled()
                frame = audio.next_frame(short=short)
                if not frame:
                    return
                await self._send_audio_frame(frame)
                # However much there is, the reader gets its turn.
                await checkpoint()

    @property
    def takes_silence(self) -> bool:
        """Whether silence can be made for its audio: not for containers and Opus."""
        return self._audio is not None

    async def send_silence(self) -> None:
        """Send a frame of silence, after the audio that waits."""
        if self._audio is not None:
            self._audio.add_silence()
            await self._send_waiting_audio()

    async def _send_container_audio(self, piece: bytes) -> None:
        async with self._audio_lock:
            self._check_open()
            if self.connected and self._broken_socket is not self._socket:
                await self._send_audio_frame(piece)

    async def _send_audio_frame(self, frame: bytes) -> None:
        socket = self._socket
        try:
            await self._send(frame)
        except TurnkitError:
            if not self._reconnects():
                raise
            self._broken_socket = socket  # whoever reads finds it lost, if it is still this one
            return
        if self._watchdogs is not None:
            self._watchdogs.audio_sent()

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
        self.closing = True
        if self._over:
            return
        if not self.connected:
            return self._end(None)
        try:
            await self._send_waiting_audio(short=True)
            if self.turn_open and self._knows_force_end_turn is not False:
                await self._send(encode(ForceEndTurn()))
            await self._send(encode(CloseStream()))
        except TurnkitError as error:
            logger().debug("flux_close_failed", request_id=self.request_id, error=type(error).__name__)
        if not self._over:
            self._connector.background.start(self._drop_after_close_timeout)

    async def _drop_after_close_timeout(self) -> None:
        """Whoever iterates until Flux has closed, too, waits no longer than `close_timeout`."""
        await anyio.sleep(self._bounds.close_timeout)
        if self._audio is not None and not self._over:
            self._audio.lose_rest(self._window)
        await drop(self._socket)

    async def _close_and_drain(self) -> None:
        """Close, and see that somebody reads the rest, within `close_timeout`."""
        self._bounds.send_timeout = min(self._bounds.send_timeout, self._bounds.close_timeout)
        await self.close()
        with anyio.move_on_after(self._bounds.close_timeout), suppress(TurnkitError):
            if self.being_read:
                await self._wait_ended()
            self._draining = not self._over
            while self.connected:
                item = await self._receive()
                if item is not None:
                    self._read_ahead.append(item)
        if self.connected and self._audio is not None:
            self._audio.lose_rest(self._window)


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
        stream._begin_connection(connected)
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
            stream.closing = True
            await drop(stream._socket)
            stream._end(None)
            logger().debug("flux_closed", request_id=stream.request_id, missed_messages=stream.missed_messages)
    finally:
        await connector.background.stop()
