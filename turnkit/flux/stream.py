"""An open stream: messages out, audio and commands in."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any, TypeAlias

import anyio
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from ..errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError, RemoteProtocolError, TurnkitError
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
from .audio_buffer import kept
from .bounds import Bounds
from .commands import StreamCommands
from .connecting import Connector, drop
from .failures import UNPARSABLE, close_code, flux_error, translate
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

    Attributes: `options` in force, Configures included; `request_id` of the connection, for Deepgram's support;
    `missed_messages` the count of messages that Flux numbered and that never arrived.
    """

    __slots__ = (
        "_audio",
        "_audio_lock",
        "_bounds",
        "_broken",
        "_cause",
        "_closing",
        "_draining",
        "_ended",
        "_failure",
        "_kept",
        "_knows_force",
        "_last_id",
        "_line",
        "_lost_here",
        "_offset",
        "_on_trio",
        "_over",
        "_random",
        "_reading",
        "_requests",
        "_restoring",
        "_retries",
        "_settled",
        "_socket",
        "_stuck",
        "_transcript",
        "_turn_open",
        "_unnumbered",
        "_up",
        "_watch",
        "_window",
        "missed_messages",
        "options",
        "request_id",
    )

    def __init__(self, socket: Any, options: FluxOptions, line: Connector, bounds: Bounds, random: Random) -> None:
        self.options = options
        self.request_id = ""
        self.missed_messages = 0
        self._socket = socket
        self._on_trio = on_trio()
        self._line = line
        self._bounds = bounds
        self._random = random
        self._kept: list[StreamItem] = []  # read on behalf of a later iteration
        self._reading = self._draining = self._closing = False
        self._up = True  # there is a connection, as far as we know
        self._over = False  # and there will be none any more
        self._ended: anyio.Event | None = None  # for whoever waits for the end
        self._failure: TurnkitError | None = None  # why it is over
        self._cause: TurnkitError | None = None  # why we dropped this connection
        self._broken: Any = None  # the socket that took no audio
        self._restoring: anyio.CancelScope | None = None
        self._retries: Retries | None = None
        self._lost_here = 0.0  # seconds of audio lost in this outage
        self._last_id = -1
        self._unnumbered = 0
        self._window = 0.0  # the highest audio_window_end of this connection, in its own time
        self._settled = 0.0  # the same when its turn last had anything new
        self._transcript = ""
        self._stuck = False  # given up because its turn has nothing new and does not end
        self._offset = 0.0  # where its time begins in the stream's
        self._turn_open = False
        self._knows_force: bool | None = None
        self._requests = Requests()
        self._audio_lock = anyio.Lock()
        self._audio = kept(options, bounds.replay_seconds)
        self._watch: Watchdogs | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closing else "ended" if self._over else "open" if self._up else "lost"
        return f"<FluxStream {state} {self._line.host} request_id={self.request_id!r}>"

    # Reading ------------------------------------------------------------------------------------------------------

    def __aiter__(self) -> FluxStream:
        return self

    async def __anext__(self) -> StreamItem:
        if self._draining:
            await self._wait_ended()
        if self._reading:
            raise LocalProtocolError("the stream is already being iterated: only one task may read it at a time")
        if self._kept:
            return self._kept.pop(0)
        self._reading = True
        try:
            while self._up:
                item = await self._next()
                if item is not None:
                    return item
            if not self._over:
                restored = await self._restore()
                if restored is not None:
                    return restored
        finally:
            self._reading = False
        raise StopAsyncIteration

    async def _next(self) -> StreamItem | None:
        """The next item of this connection; None if it is not for the consumer, or was the end that we asked for."""
        try:
            # As bytes, also text: what is no UTF-8 is then one unreadable frame and not the end of the connection.
            frame = await self._socket.recv(False)
        except Exception as error:
            if self._closing and close_code(error) in _OURS_TO_END:
                self._end(None)
                return None
            return self._fail(self._cause or translate(error, self._line.host), error)
        return self._take(frame)

    def _take(self, frame: bytes) -> StreamItem | None:
        """Decode, keep the books and wake who waits for this message; None if it is not for the consumer."""
        try:
            message = decode(frame)
        except RemoteProtocolError as error:
            message = Unknown(type="", problem=str(error), raw=frame)
        if type(message) is TurnInfo:
            if message.sequence_id == self._last_id + 1 and not self._unnumbered:
                self._last_id += 1
            else:
                self._number(message.sequence_id)
            if message.audio_window_end > self._window:
                self._window = message.audio_window_end
            if message.event != "Update":
                self._follow_turn(message)
                self._settled, self._transcript = self._window, message.transcript
            elif not self._turn_open:
                self._settled = self._window
            elif message.transcript and message.transcript != self._transcript:
                self._settled, self._transcript = self._window, message.transcript
            return shifted(message, self._offset) if self._offset else message
        self._number(-1 if isinstance(message, Unknown) else message.sequence_id)
        if isinstance(message, (ConfigureSuccess, ConfigureFailure)):
            if isinstance(message, ConfigureSuccess):
                with suppress(ConfigError):  # the echo is Flux's; an odd one must not end the call
                    self.options = self.options.updated(message)
            if self._requests.flying is not None:
                self._requests.land(self._requests.flying, message)
        elif isinstance(message, WarningMessage) and message.code == NO_TURN:
            self._requests.settle_force(message)
        elif isinstance(message, ErrorMessage):
            if self._closing and message.code == UNPARSABLE:
                return None  # the host does not know the ForceEndTurn of our close; it hangs up next, as we want
            return self._fail(flux_error(message, self.request_id))
        return message

    def _number(self, sequence_id: int) -> None:
        # Flux counts the messages of all types from 0. One that carries no number may or may not have taken one, so
        # a gap is forgiven for each of them.
        if sequence_id < 0:
            self._unnumbered += 1
            return
        self.missed_messages += max(0, sequence_id - self._last_id - 1 - self._unnumbered)
        self._last_id = max(sequence_id, self._last_id)
        self._unnumbered = 0

    def _mark(self) -> object:
        """What every message changes."""
        return self._last_id, self._unnumbered, self._window

    def _follow_turn(self, message: TurnInfo) -> None:
        if message.event != "EndOfTurn":
            self._turn_open = self._turn_open or message.event in ("StartOfTurn", "EagerEndOfTurn", "TurnResumed")
            if self._turn_open and self._watch is not None:
                self._watch.turn_opened()
            return
        self._turn_open = False
        # `trigger` and ForceEndTurn came to Flux together, in August 2026.
        self._knows_force = message.trigger != ""
        if message.trigger == "manual":
            self._requests.settle_force(message)

    async def _wait_ended(self) -> None:
        if not self._over:
            self._ended = self._ended or anyio.Event()
            await self._ended.wait()

    def _end(self, failure: TurnkitError | None) -> None:
        self._failure = self._failure or failure
        if self._audio is not None and not self._up and not self._over:
            self._audio.abandon()
        self._over, self._up = True, False
        if self._ended is not None:
            self._ended.set()
        if self._restoring is not None:
            self._restoring.cancel()
        if self._watch is not None:
            self._watch.stop()
        self._requests.end()

    # Losing the connection, and getting it back -------------------------------------------------------------------

    def _fail(self, failure: TurnkitError, error: Exception | None = None) -> StreamLost:
        """The connection has failed: lost, if it can be had back, else the stream is over, and this raises."""
        if self._heals() and (not is_permanent(failure) or self._unlearns_force(failure)):
            return self._lose(failure)
        self._end(failure)
        raise failure from error

    def _heals(self) -> bool:
        """Whether a connection that is lost will be made again."""
        return self._bounds.reconnect_timeout > 0 and not self._closing and not self._over

    def _unlearns_force(self, failure: TurnkitError) -> bool:
        """Whether Flux hung up because of a ForceEndTurn that this host does not know: it will get no other one."""
        if not isinstance(failure, FluxError) or failure.code != UNPARSABLE or self._knows_force:
            return False
        if not self._requests.forces or self._requests.flying is not None:
            return False
        self._knows_force = False
        return True

    def _lose(self, failure: TurnkitError) -> StreamLost:
        now = anyio.current_time()
        self._up = self._turn_open = False
        self._retries = self._retries or Retries(self._bounds, self._random)
        self._retries.lost(failure, now)
        covered = self._settled if self._stuck else self._window
        self._offset += covered
        if self._audio is not None:
            self._miss(self._audio.rewind(covered))
            self._miss(self._audio.shorten())
        self._window = self._settled = 0.0
        self._stuck = False
        self._requests.lose(now + self._bounds.reconnect_timeout + self._bounds.answer_timeout)
        logger().warning("flux_lost", request_id=self.request_id, reason=str(failure))
        return StreamLost(str(failure))

    def _miss(self, seconds: float) -> None:
        """So much audio will never be covered, though its time has passed."""
        self._offset += seconds
        self._lost_here += seconds

    def _give_up(self, cause: TurnkitError, *, stuck: bool = False) -> None:
        """Drop this connection, so that its reader finds it lost, because of `cause`; `stuck`: it covered in vain."""
        self._cause = self._cause or cause
        self._stuck = stuck
        socket = self._socket
        self._line.background.start(lambda: drop(socket))

    async def _restore(self) -> StreamRestored | None:
        """Connect until it works; None if the stream was closed meanwhile. Raises once it is given up."""
        retries = self._retries
        assert retries is not None
        retries.begin(anyio.current_time())
        failure: TurnkitError | None = None
        with anyio.CancelScope(deadline=retries.deadline) as self._restoring:
            try:
                await drop(self._socket)
                failure = await self._connect_again(retries)
            finally:
                self._restoring = None
        if self._over or self._closing:
            return None
        if self._up:
            return self._restored(retries)
        if failure is None:
            what = f"{self._line.host} did not answer before reconnect_timeout was over"
            failure = ConnectionFailed(what, (TimeoutError(what),))
            retries.failed(failure, anyio.current_time())
        if not is_permanent(failure):
            failure = ConnectionFailed(
                f"{self._line.host} was lost and could not be had back within {self._bounds.reconnect_timeout} s "
                f"(reconnect_timeout, {retries.tries - 1} attempts). The last: {failure}",
                tuple(retries.failures),
            )
        self._end(failure)
        raise failure

    async def _connect_again(self, retries: Retries) -> TurnkitError | None:
        """Try until there is a connection: None; or until there is no use: the last failure."""
        while retries.next_at < retries.deadline:
            await anyio.sleep_until(retries.next_at)
            try:
                socket, connected = await self._line.open(self.options)
            except TurnkitError as failure:
                logger().debug("flux_not_restored", attempt=retries.tries, error=type(failure).__name__)
                retries.failed(failure, anyio.current_time())
                if is_permanent(failure):
                    return failure
                continue
            self._socket, self._cause = socket, None
            if self._over or self._closing:
                await drop(socket)
                return None
            self._greeted(connected)
            self._up = True
            return None
        return retries.failures[-1]

    def _greeted(self, connected: Connected) -> None:
        """A connection begins."""
        self.request_id = connected.request_id
        self._last_id, self._unnumbered = -1, 0
        self._number(connected.sequence_id)
        self._kept.append(connected)
        if self._audio is not None:
            self._audio.base = self._audio.sent
        logger().debug("flux_connected", request_id=self.request_id)

    def _restored(self, retries: Retries) -> StreamRestored:
        now = anyio.current_time()
        retries.restored(now)
        attempts = f"{retries.tries} attempt{'s' if retries.tries > 1 else ''}"
        reason = f"connected again ({attempts})"
        if self._lost_here:
            reason += f", {self._lost_here:.2f} s of audio were lost"
            logger().warning("flux_audio_lost", request_id=self.request_id, seconds=round(self._lost_here, 3))
        logger().info("flux_restored", request_id=self.request_id, attempts=retries.tries)
        self._lost_here = 0.0
        if self._watch is not None:
            self._watch.restored()
        flying = self._requests.flying
        if flying is not None:
            flying.postpone(now + self._bounds.answer_timeout)
        self._line.background.start(self._catch_up)
        return StreamRestored(reason)

    async def _catch_up(self) -> None:
        """Send the new connection what the old one did not answer, and what Flux has to hear again."""
        flying = self._requests.flying
        with suppress(TurnkitError):
            if flying is not None and flying.sent is not None:
                await self._send(encode(flying.sent))
            if self._audio is not None:
                await self._pump()

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

        What does not fill a frame waits for the next call, `flush` or `close`. Cancelled between frames, the rest
        waits too, and goes first next time; on trio, cancelling only the sender while a frame is stuck takes effect
        when `send_timeout` is over. While the stream is lost, audio is kept for the connection to come, the last
        `replay_seconds` of it, and this returns at once: what has to be dropped is counted in `lost_audio_seconds`.
        Containers and Opus pass as given, save that an empty piece is never sent. Their bytes do not tell their time,
        so none of them are kept: begin a container anew, with its header, after StreamRestored.

        Raises ConnectionFailed if the stream has ended, and if it does not reconnect, also for a frame that does not
        leave within `send_timeout` (the socket is dropped then); LocalProtocolError after `close` or for what is not
        bytes.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise LocalProtocolError(f"audio must be bytes, not {type(data).__name__}")
        self._check_open()
        if self._watch is None and len(data):
            self._watch = Watchdogs(self)
        if self._audio is None:
            if len(data):
                await self._pass_on(bytes(data))
            return
        if self._watch is not None:
            self._watch.given(len(data) / self._audio.rate)
        self._audio.add(data)
        if not self._up:
            self._miss(self._audio.shorten())
        await self._pump()

    async def flush(self) -> None:
        """Send what is left over of the audio as one short frame; bytes of an unfinished sample stay.

        Raises as `send_audio` does.
        """
        self._check_open()
        await self._pump(short=True)

    async def _pump(self, *, short: bool = False) -> None:
        """Send the audio that waits, in its order, whoever calls."""
        audio = self._audio
        if audio is None:
            return
        async with self._audio_lock:
            audio.forget(self._settled)
            while self._up and self._broken is not self._socket:
                await checkpoint_if_cancelled()
                frame = audio.take(short=short)
                if not frame:
                    return
                await self._send_audio(frame)
                # However much there is, the reader gets its turn.
                await checkpoint()

    async def _pass_on(self, piece: bytes) -> None:
        async with self._audio_lock:
            self._check_open()
            if self._up and self._broken is not self._socket:
                await self._send_audio(piece)

    async def _send_audio(self, frame: bytes) -> None:
        socket = self._socket
        try:
            await self._send(frame)
        except TurnkitError:
            if not self._heals():
                raise
            self._broken = socket  # whoever reads finds it lost, if it is still this one
            return
        if self._watch is not None:
            self._watch.sent()

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
            raise translate(failure, self._line.host) from failure
        bound = self._bounds.send_timeout
        what = f"{self._line.host} took no data for {bound} s (send_timeout): the connection was dropped"
        stuck = ConnectionFailed(what, (TimeoutError(what),))
        if socket is self._socket:
            self._cause = self._cause or stuck
        await drop(socket)
        raise stuck

    def _check_open(self) -> None:
        if self._closing:
            raise LocalProtocolError("the stream is closed: nothing can be sent after close()")
        if self._over:
            attempts = (self._failure,) if self._failure else ()
            raise ConnectionFailed(f"the stream to {self._line.host} has ended: {self._failure}", attempts)

    # The end of the stream ----------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Finalise: send the rest of the audio, end the open turn, and ask Flux to close; done twice, it does nothing.

        The messages that still come are for whoever iterates, whose iteration then ends. The turn is ended with a
        ForceEndTurn, because CloseStream brings no EndOfTurn (https://developers.deepgram.com/docs/flux/close-stream),
        unless an EndOfTurn without `trigger` has shown that this host is too old for it. Bounded by `send_timeout`, and
        the iteration then by `close_timeout`; a connection that is gone already is no error. A stream that is lost ends
        at once: what audio was kept for the next connection is counted as lost.
        """
        if self._closing:
            return
        self._closing = True
        if self._over:
            return
        if not self._up:
            return self._end(None)
        try:
            await self._pump(short=True)
            if self._turn_open and self._knows_force is not False:
                await self._send(encode(ForceEndTurn()))
            await self._send(encode(CloseStream()))
        except TurnkitError as error:
            logger().debug("flux_close_failed", request_id=self.request_id, error=type(error).__name__)
        if not self._over:
            self._line.background.start(self._run_out)

    async def _run_out(self) -> None:
        """Whoever iterates until Flux has closed, too, waits no longer than `close_timeout`."""
        await anyio.sleep(self._bounds.close_timeout)
        if self._audio is not None and not self._over:
            self._audio.abandon(self._window)
        await drop(self._socket)

    async def _leave(self) -> None:
        """Close, and see that somebody reads the rest, within `close_timeout`."""
        self._bounds.send_timeout = min(self._bounds.send_timeout, self._bounds.close_timeout)
        await self.close()
        with anyio.move_on_after(self._bounds.close_timeout), suppress(TurnkitError):
            if self._reading:
                await self._wait_ended()
            self._draining = not self._over
            while self._up:
                item = await self._next()
                if item is not None:
                    self._kept.append(item)
        if self._up and self._audio is not None:
            self._audio.abandon(self._window)
