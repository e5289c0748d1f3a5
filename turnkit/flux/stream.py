"""An open stream: messages out, audio and commands in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ..errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError, RemoteProtocolError, TurnkitError
from ..logs import logger
from ..running import on_trio
from ..wire import (
    CloseStream,
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    ErrorMessage,
    FluxOptions,
    ForceEndTurn,
    Message,
    Thresholds,
    TurnInfo,
    Unknown,
    WarningMessage,
    decode,
    encode,
)
from .configuring import applied, merged, undo
from .failures import UNPARSABLE, close_code, flux_error, translate

_SAMPLE_BYTES = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
_FRAME_MS = 80  # what Flux recommends: https://developers.deepgram.com/docs/flux/quickstart
_OURS_TO_END = (1000, 1001, 1005, 1006)  # after CloseStream, Flux closes without a code: 1005, 1006 if TCP is faster
_NO_TURN = "FORCE_END_TURN_NO_ACTIVE_TURN"


class FluxStream:
    """An open stream: iterate it for messages, send it audio and commands. Made by `connect`.

    Iterating yields every message as `wire.Message`, Connected first. A frame that cannot be read is yielded as
    `Unknown` with its `problem`. One task may iterate at a time, another raises LocalProtocolError. The iteration
    ends after `close`; it raises once, and then ends, FluxError for Flux's Error and ConnectionFailed or
    RemoteProtocolError for a connection that went otherwise.

    Attributes: `options` in force, Configures included; `request_id` for Deepgram's support; `missed_messages` the
    count of messages that Flux numbered and that never arrived.
    """

    def __init__(self, websocket: Any, options: FluxOptions, host: str, bounds: dict[str, float]) -> None:
        self.options = options
        self.request_id = ""
        self.missed_messages = 0
        self._socket = websocket
        self._on_trio = on_trio()
        self._host = host
        self._bounds = bounds
        self._kept: list[Message] = []  # read on behalf of a later iteration
        self._reading = self._draining = False
        self._closing = self._over = False
        self._ended: anyio.Event | None = None  # for whoever waits for the end
        self._failure: TurnkitError | None = None
        self._last_id = -1
        self._unnumbered = 0
        self._turn_open = False
        self._knows_force = True
        self._forces: list[Request] = []
        self._flying: Request | None = None
        self._queued: Request | None = None
        self._audio_lock = anyio.Lock()
        self._remainder = b""
        self._audio_bytes = 0
        self._sample_bytes = _SAMPLE_BYTES.get(options.encoding or "", 0)
        self._frame_bytes = (options.sample_rate or 0) * _FRAME_MS // 1000 * self._sample_bytes

    def __repr__(self) -> str:
        state = "closed" if self._closing else "ended" if self._over else "open"
        return f"<FluxStream {state} {self._host} request_id={self.request_id!r}>"

    # Reading ------------------------------------------------------------------------------------------------------

    def __aiter__(self) -> FluxStream:
        return self

    async def __anext__(self) -> Message:
        if self._draining:
            await self._wait_ended()
        if self._reading:
            raise LocalProtocolError("the stream is already being iterated: only one task may read it at a time")
        if self._kept:
            return self._kept.pop(0)
        self._reading = True
        try:
            while not self._over:
                message = self._take(await self._receive())
                if message is not None:
                    return message
        finally:
            self._reading = False
        raise StopAsyncIteration

    async def _receive(self) -> bytes | None:
        """The next frame, None at the end that we asked for."""
        try:
            # As bytes, also text: what is no UTF-8 is then one unreadable frame and not the end of the connection.
            frame: bytes = await self._socket.recv(False)
            return frame
        except Exception as error:
            if self._closing and close_code(error) in _OURS_TO_END:
                self._end(None)
                return None
            failure = self._failure or translate(error, self._host)
            self._end(failure)
            raise failure from error

    def _take(self, frame: bytes | None) -> Message | None:
        """Decode, keep the books and wake who waits for this message; None if it is not for the consumer."""
        if frame is None:
            return None
        try:
            message = decode(frame)
        except RemoteProtocolError as error:
            message = Unknown(type="", problem=str(error), raw=frame)
        if type(message) is TurnInfo:
            if message.sequence_id == self._last_id + 1 and not self._unnumbered:
                self._last_id += 1
            else:
                self._number(message.sequence_id)
            if message.event != "Update":
                self._follow_turn(message)
            return message
        self._number(-1 if isinstance(message, Unknown) else message.sequence_id)
        if isinstance(message, (ConfigureSuccess, ConfigureFailure)):
            if isinstance(message, ConfigureSuccess):
                with suppress(ConfigError):  # the echo is Flux's; an odd one must not end the call
                    self.options = self.options.updated(message)
            if self._flying is not None:
                self._land(self._flying, message)
        elif isinstance(message, WarningMessage) and message.code == _NO_TURN:
            self._settle_force(message)
        elif isinstance(message, ErrorMessage):
            if self._closing and message.code == UNPARSABLE:
                return None  # the host does not know the ForceEndTurn of our close; it hangs up next, as we want
            failure = flux_error(message, self.request_id)
            self._end(failure)
            raise failure
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

    def _follow_turn(self, message: TurnInfo) -> None:
        if message.event != "EndOfTurn":
            self._turn_open = self._turn_open or message.event in ("StartOfTurn", "EagerEndOfTurn", "TurnResumed")
            return
        self._turn_open = False
        # `trigger` and ForceEndTurn came to Flux together, in August 2026.
        self._knows_force = message.trigger != ""
        if message.trigger == "manual":
            self._settle_force(message)

    async def _wait_ended(self) -> None:
        if not self._over:
            self._ended = self._ended or anyio.Event()
            await self._ended.wait()

    def _end(self, failure: TurnkitError | None) -> None:
        self._failure = self._failure or failure
        self._over = True
        if self._ended is not None:
            self._ended.set()
        for request in (*self._forces, *([self._flying] if self._flying else [])):
            self._land(request, None)
        self._forces.clear()

    # Audio --------------------------------------------------------------------------------------------------------

    @property
    def audio_sent(self) -> float | None:
        """Seconds of audio handed to the socket; None for containers and Opus, whose bytes do not tell."""
        return self._audio_bytes / (self._frame_bytes * 1000 / _FRAME_MS) if self._frame_bytes else None

    async def send_audio(self, data: bytes | bytearray | memoryview) -> None:
        """Send audio in pieces of any size; they leave as frames of 80 ms, in the order of the calls.

        What does not fill a frame waits for the next call, `flush` or `close`. Containers and Opus pass as given,
        save that an empty piece is never sent. Cancelled between frames, the rest waits too, and goes first next
        time; on trio, cancelling only the sender while a frame is stuck takes effect when `send_timeout` is over.
        Raises ConnectionFailed if the stream has ended or a frame does not leave within `send_timeout`
        (the socket is dropped then), LocalProtocolError after `close` or for what is not bytes.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise LocalProtocolError(f"audio must be bytes, not {type(data).__name__}")
        async with self._audio_lock:
            self._check_open()
            if self._frame_bytes:
                self._remainder += bytes(data)
                await self._send_frames()
            elif len(data):
                await self._send(bytes(data))

    async def flush(self) -> None:
        """Send what is left over of the audio as one short frame; bytes of an unfinished sample stay.

        Raises as `send_audio` does.
        """
        async with self._audio_lock:
            self._check_open()
            await self._send_frames(short=True)

    async def _send_frames(self, *, short: bool = False) -> None:
        audio, at = self._remainder, 0
        try:
            while size := self._next_frame(len(audio) - at, short):
                await checkpoint_if_cancelled()
                at += size
                self._audio_bytes += size
                await self._send(audio[at - size : at])
        finally:
            self._remainder = audio[at:]

    def _next_frame(self, left: int, short: bool) -> int:
        if left >= self._frame_bytes:
            return self._frame_bytes
        return left - left % self._sample_bytes if short and left else 0

    async def _send(self, frame: str | bytes) -> None:
        await checkpoint_if_cancelled()
        failure: Exception | None = None
        # On trio, a send that is cut off leaves half a frame behind, after which nothing can be read: it is shielded.
        # asyncio has the frame in its buffer before it waits, so cancelling is harmless.
        with anyio.move_on_after(self._bounds["send"], shield=self._on_trio):
            try:
                await self._socket.send(frame)
                return
            except Exception as error:
                failure = error
        if failure is not None:
            # Cancelling everything also takes the connection from under a blocked send: that is no news.
            await checkpoint_if_cancelled()
            raise translate(failure, self._host) from failure
        what = f"{self._host} took no data for {self._bounds['send']} s (send_timeout): the connection was dropped"
        cause = TimeoutError(what)
        self._failure = self._failure or ConnectionFailed(what, (cause,))
        await self._drop()
        raise ConnectionFailed(what, (cause,))

    def _check_open(self) -> None:
        if self._closing:
            raise LocalProtocolError("the stream is closed: nothing can be sent after close()")
        if self._over:
            attempts = (self._failure,) if self._failure else ()
            raise ConnectionFailed(f"the stream to {self._host} has ended: {self._failure}", attempts)

    # Settings -----------------------------------------------------------------------------------------------------

    async def configure(self, command: Configure) -> ConfigureSuccess:
        """Change settings in mid-stream and wait for Flux's answer, which another task's iteration must read.

        One Configure is on the wire at a time: Flux refuses bursts. Calls made meanwhile are merged, the later value
        winning field by field, and share one answer. A call that is cancelled before its Configure left is taken out.
        Raises ConfigError for what Flux would refuse, seen against the values in force (nothing is sent);
        FluxError if it refuses (the old values stay); ConnectionFailed without an answer within `answer_timeout`
        (the next Configure may then go) or if the stream ends; LocalProtocolError after `close`.
        """
        batch = await self._configure(command)
        await self._answered(batch)
        if isinstance(batch.answer, ConfigureSuccess):
            return batch.answer
        if isinstance(batch.answer, ConfigureFailure):
            code = batch.answer.code or batch.answer.error_code or "ConfigureFailure"
            raise FluxError(code, batch.answer.description, request_id=self.request_id, advice="The old values stay")
        raise self._unanswered("Configure", batch)

    async def _configure(self, command: Configure) -> Request:
        """Return once a Configure with this one in it has left."""
        if not isinstance(command, Configure):
            raise LocalProtocolError(f"configure takes a Configure, not {type(command).__name__}")
        self._check_open()
        if command.language_hints is not None and self.options.model.endswith("-en"):
            raise ConfigError(f"language_hints: only flux-general-multi takes hints, not {self.options.model!r}")
        applied(self._expected(), command)
        batch = self._queued = self._queued or Request(inf)
        ticket = object()
        batch.waiting[ticket] = command
        try:
            while batch.sent is None:
                if self._flying is not None:
                    await self._answered(self._flying)
                else:
                    await self._fly(batch)
        finally:
            del batch.waiting[ticket]
        return batch

    async def _fly(self, batch: Request) -> None:
        self._check_open()
        command = merged(batch.waiting.values())
        await checkpoint_if_cancelled()
        batch.sent, batch.deadline = command, anyio.current_time() + self._bounds["answer"]
        self._queued, self._flying = None, batch
        await self._send(encode(command))

    def _expected(self) -> FluxOptions:
        """The options in force once Flux has taken all that is under way."""
        commands = [self._flying.sent] if self._flying and self._flying.sent else []
        commands += self._queued.waiting.values() if self._queued else []
        return applied(self.options, merged(commands))

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
        before = self._expected()
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

    # The end of a turn, and of the stream -------------------------------------------------------------------------

    async def force_end_turn(self) -> bool:
        """End the open turn on the words it has, and wait for Flux's answer, which another task's iteration must read.

        True once the EndOfTurn with trigger `manual` was read, False if no turn was open (any more): Flux's own end
        came first. Raises ConnectionFailed without an answer within `answer_timeout`, or if the stream ends: hosts
        that do not know ForceEndTurn (older than August 2026) say Error and hang up. LocalProtocolError after
        `close`. See https://developers.deepgram.com/docs/flux/force-end-turn.
        """
        request = await self._force()
        await self._answered(request)
        if request.answer is None:
            raise self._unanswered("ForceEndTurn", request)
        return isinstance(request.answer, TurnInfo)

    async def send_force_end_turn(self) -> None:
        """As `force_end_turn`, but do not wait for the answer: for the iterating task, which would wait for itself."""
        await self._force()

    async def _force(self) -> Request:
        self._check_open()
        await checkpoint_if_cancelled()
        request = Request(anyio.current_time() + self._bounds["answer"])
        self._forces.append(request)  # Flux answers each one, in order
        await self._send(encode(ForceEndTurn()))
        return request

    def _settle_force(self, answer: Message) -> None:
        while self._forces:
            request = self._forces.pop(0)
            if request.deadline > anyio.current_time():
                return self._land(request, answer)

    async def _answered(self, request: Request) -> None:
        with anyio.CancelScope(deadline=request.deadline):
            await request.settled.wait()
        if not request.settled.is_set():
            self._land(request, None)

    def _land(self, request: Request, answer: Message | None) -> None:
        request.answer = answer
        request.settled.set()
        if self._flying is request:
            self._flying = None

    def _unanswered(self, what: str, request: Request) -> ConnectionFailed:
        if self._over or anyio.current_time() < request.deadline:
            attempts = (self._failure,) if self._failure else ()
            return ConnectionFailed(f"the stream to {self._host} ended before {what} was answered", attempts)
        message = (
            f"{self._host} did not answer {what} within {self._bounds['answer']} s (answer_timeout); the answer is "
            "found by the iteration, so another task must be iterating the stream meanwhile"
        )
        return ConnectionFailed(message, (TimeoutError(message),))

    async def close(self) -> None:
        """Finalise: send the rest of the audio, end the open turn, and ask Flux to close; done twice, it does nothing.

        The messages that still come are for whoever iterates, whose iteration then ends. The turn is ended with a
        ForceEndTurn, because CloseStream brings no EndOfTurn (https://developers.deepgram.com/docs/flux/close-stream),
        unless an EndOfTurn without `trigger` has shown that this host is too old for it. Bounded by `send_timeout`;
        a connection that is gone already is no error.
        """
        if self._closing:
            return
        self._closing = True
        if self._over:
            return
        try:
            async with self._audio_lock:
                await self._send_frames(short=True)
            if self._turn_open and self._knows_force:
                await self._send(encode(ForceEndTurn()))
            await self._send(encode(CloseStream()))
        except TurnkitError as error:
            logger().debug("flux_close_failed", request_id=self.request_id, error=type(error).__name__)

    async def _leave(self) -> None:
        """Close, and see that somebody reads the rest, within `close_timeout`."""
        self._bounds["send"] = min(self._bounds["send"], self._bounds["close"])
        await self.close()
        with anyio.move_on_after(self._bounds["close"]), suppress(TurnkitError):
            if self._reading:
                await self._wait_ended()
            self._draining = not self._over
            while not self._over:
                message = self._take(await self._receive())
                if message is not None:
                    self._kept.append(message)

    async def _greet(self) -> None:
        """Wait for Connected, Flux's first message."""
        bound = self._bounds["connect"]
        try:
            with anyio.fail_after(bound):
                frame = await self._socket.recv(False)
        except TimeoutError as error:
            raise ConnectionFailed(
                f"{self._host} opened the connection but sent no Connected within {bound} s (connect_timeout). Some "
                "hosts swallow parameters that they do not support without a word: leave out the newest ones",
                (error,),
            ) from error
        except Exception as error:
            raise translate(error, self._host) from error
        try:
            message = decode(frame)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"{self._host} does not speak Flux: {error}") from error
        if isinstance(message, ErrorMessage):
            raise flux_error(message, self.request_id)
        if not isinstance(message, Connected):
            kind = message.type if isinstance(message, Unknown) else type(message).__name__
            raise RemoteProtocolError(f"{self._host} does not speak Flux: began with {kind!r} instead of Connected")
        self.request_id = message.request_id or self.request_id
        self._number(message.sequence_id)
        self._kept.append(message)

    async def _drop(self) -> None:
        """Drop the socket, without a closing handshake."""
        with anyio.CancelScope(shield=True):
            if hasattr(self._socket, "transport"):  # asyncio
                self._socket.transport.abort()
                await self._socket.wait_closed()
            else:  # trio: cancelled, aclose() of the stream below closes without waiting for the other side
                with anyio.CancelScope() as at_once:
                    at_once.cancel()
                    await self._socket.stream.aclose()


class Request:
    """A command that Flux answers, and the tasks that wait for it."""

    __slots__ = ("answer", "deadline", "sent", "settled", "waiting")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.settled = anyio.Event()
        self.answer: Message | None = None
        self.sent: Configure | None = None
        self.waiting: dict[object, Configure] = {}  # what each waiting call asked for, until it left
