"""The connection to Flux: one WebSocket to `/v2/listen`, on asyncio and trio alike.

    async with connect(FluxOptions(eager_eot_threshold=0.5), api_key=key) as stream:
        async for message in stream:
            ...

No queue and no task of turnkit's stands between the socket and the consumer: whoever iterates reads the socket, one
task at a time. What follows from it: the answers that `configure` and `force_end_turn` wait for are found by the
iteration, so somebody else must be iterating meanwhile. Waiting for them in the iterating task itself ends in a
timeout; `send_force_end_turn` does not wait.

Every wait is bounded, and nothing that websockets, anyio, trio or the system raises gets out unmapped (`_translate`).
"""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from math import inf, isfinite
from typing import Any
from urllib.parse import SplitResult, urlsplit

import anyio
import msgspec
import structlog
from anyio.lowlevel import checkpoint_if_cancelled
from websockets import exceptions as ws

from .errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError, RemoteProtocolError, TurnkitError
from .wire import (
    DEFAULT_EOT_THRESHOLD,
    DEFAULT_EOT_TIMEOUT_MS,
    MODELS,
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

__all__ = ["FluxStream", "connect"]

_DEFAULTS = FluxOptions()
_SAMPLE_BYTES = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
_FRAME_MS = 80  # what Flux recommends: https://developers.deepgram.com/docs/flux/quickstart
_PING = 20.0  # seconds between pings, and until a pong is due; Flux hangs up after 60 s without any traffic
_MAX_SIZE = 2**20
# Frames that wait for a slow consumer before websockets stops reading, and with it answering pings and seeing pongs.
# At Flux's fastest, one message per 80 ms, these are 82 s: longer than our own ping deadline (40 s) and Flux's idle
# one (60 s). So a busy consumer never costs the connection, a dead one does, and memory is bounded all the same.
_MAX_QUEUE = 1024
_OURS_TO_END = (1000, 1001, 1005, 1006)  # after CloseStream, Flux closes without a code: 1005, 1006 if TCP is faster
_NO_TURN = "FORCE_END_TURN_NO_ACTIVE_TURN"
_UNPARSABLE = "UNPARSABLE_CLIENT_MESSAGE"
_REFUSAL_ADVICE = {
    400: "A parameter is wrong or not known to this host: compare the options with what its release takes",
    401: "Check the key; temporary tokens go in token=, not api_key=",
    402: "The project is out of credit: top it up in Deepgram's console",
    403: "Check the name of the model, and that the key's project has access to it",
    404: "Check the url: Flux is served at /v2/listen, on a self-hosted server only if listen_v2 is enabled",
    429: "Too many streams at once: close some, or back off before the next attempt",
}
_ERROR_ADVICE = {
    _UNPARSABLE: "This deployment does not know a command that was sent: older ones lack Configure or ForceEndTurn",
    "INTERNAL_SERVER_ERROR": "Connect again",
}
_log = structlog.get_logger("turnkit.flux")


def connect(
    options: FluxOptions = _DEFAULTS,
    *,
    api_key: str | None = None,
    token: str | None = None,
    url: str = "wss://api.deepgram.com",
    allow_unencrypted: bool = False,
    ssl_context: ssl.SSLContext | None = None,
    connect_timeout: float = 10.0,
    send_timeout: float = 5.0,
    answer_timeout: float = 5.0,
    close_timeout: float = 2.0,
) -> AbstractAsyncContextManager[FluxStream]:
    """Open a stream to Flux for an `async with`; leaving it finalises, drains and closes (`FluxStream.close`).

    `api_key` is a Deepgram key, `token` a temporary JWT; one of them, or none for a host that is not Deepgram's.
    turnkit never reads them from the environment. `url` is scheme and host; the path is always `/v2/listen`.
    `allow_unencrypted` permits `ws://` beyond this machine: audio, words and key then travel in the clear.
    `ssl_context` replaces the system's trust, for a private certificate authority. Bounds, all in seconds:
    `connect_timeout` for the handshake, and again for Flux's Connected; `send_timeout` for each frame to leave;
    `answer_timeout` for Flux to answer a Configure or a ForceEndTurn; `close_timeout` for the rest of the stream to
    arrive on leaving. Left by cancellation or another BaseException, the socket is dropped at once.

    Raises ConfigError at once, before the network is touched; on entering, FluxError if Flux refuses (its `advice`
    says what to do), ConnectionFailed if it cannot be reached or stays silent, RemoteProtocolError if what answers
    is not Flux.
    """
    if not isinstance(options, FluxOptions):
        raise ConfigError(f"options: must be FluxOptions, not {type(options).__name__}")
    bounds = {"connect": connect_timeout, "send": send_timeout, "answer": answer_timeout, "close": close_timeout}
    for name, bound in bounds.items():
        if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not isfinite(bound) or bound <= 0:
            raise ConfigError(f"{name}_timeout={bound!r}: must be a positive, finite number of seconds")
    parts = _checked_url(url, allow_unencrypted)
    headers = _authorization(parts.hostname or "", api_key, token)
    if parts.scheme == "ws" and ssl_context is not None:
        raise ConfigError("ssl_context: has no meaning for a ws:// url")
    if options.model not in MODELS and structlog.is_configured():
        _log.warning("flux_model_unknown", model=options.model)
    settings: dict[str, Any] = {} if ssl_context is None else {"ssl": ssl_context}
    settings |= {"additional_headers": headers, "open_timeout": connect_timeout, "close_timeout": close_timeout}
    return _opened(options, parts, settings, api_key or token or "", bounds)


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
        self._on_trio = _on_trio()
        self._host = host
        self._bounds = bounds
        self._kept: deque[Message] = deque()  # read on behalf of a later iteration
        self._reading = self._draining = False
        self._closing = self._over = False
        self._ended = anyio.Event()
        self._failure: TurnkitError | None = None
        self._last_id = -1
        self._unnumbered = 0
        self._turn_open = False
        self._knows_force = True
        self._forces: deque[_Request] = deque()
        self._flying: _Request | None = None
        self._queued: _Request | None = None
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
            await self._ended.wait()
        if self._reading:
            raise LocalProtocolError("the stream is already being iterated: only one task may read it at a time")
        if self._kept:
            return self._kept.popleft()
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
            if self._closing and _close_code(error) in _OURS_TO_END:
                self._end(None)
                return None
            failure = self._failure or _translate(error, self._host)
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
            if self._closing and message.code == _UNPARSABLE:
                return None  # the host does not know the ForceEndTurn of our close; it hangs up next, as we want
            failure = _error(message, self.request_id)
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

    def _end(self, failure: TurnkitError | None) -> None:
        self._failure = self._failure or failure
        self._over = True
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
            raise _translate(failure, self._host) from failure
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

    async def _configure(self, command: Configure) -> _Request:
        """Return once a Configure with this one in it has left."""
        if not isinstance(command, Configure):
            raise LocalProtocolError(f"configure takes a Configure, not {type(command).__name__}")
        self._check_open()
        if command.language_hints is not None and self.options.model.endswith("-en"):
            raise ConfigError(f"language_hints: only flux-general-multi takes hints, not {self.options.model!r}")
        _applied(self._expected(), command)
        batch = self._queued = self._queued or _Request(inf)
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

    async def _fly(self, batch: _Request) -> None:
        self._check_open()
        command = _merged(batch.waiting.values())
        await checkpoint_if_cancelled()
        batch.sent, batch.deadline = command, anyio.current_time() + self._bounds["answer"]
        self._queued, self._flying = None, batch
        await self._send(encode(command))

    def _expected(self) -> FluxOptions:
        """The options in force once Flux has taken all that is under way."""
        commands = [self._flying.sent] if self._flying and self._flying.sent else []
        commands += self._queued.waiting.values() if self._queued else []
        return _applied(self.options, _merged(commands))

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
        undo = _undo(command, before)
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
                    await self._configure(undo)
            raise
        try:
            with anyio.CancelScope(shield=True):
                await self.configure(undo)
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

    async def _force(self) -> _Request:
        self._check_open()
        await checkpoint_if_cancelled()
        request = _Request(anyio.current_time() + self._bounds["answer"])
        self._forces.append(request)  # Flux answers each one, in order
        await self._send(encode(ForceEndTurn()))
        return request

    def _settle_force(self, answer: Message) -> None:
        while self._forces:
            request = self._forces.popleft()
            if request.deadline > anyio.current_time():
                return self._land(request, answer)

    async def _answered(self, request: _Request) -> None:
        with anyio.CancelScope(deadline=request.deadline):
            await request.settled.wait()
        if not request.settled.is_set():
            self._land(request, None)

    def _land(self, request: _Request, answer: Message | None) -> None:
        request.answer = answer
        request.settled.set()
        if self._flying is request:
            self._flying = None

    def _unanswered(self, what: str, request: _Request) -> ConnectionFailed:
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
            _debug("flux_close_failed", request_id=self.request_id, error=type(error).__name__)

    async def _leave(self) -> None:
        """Close, and see that somebody reads the rest, within `close_timeout`."""
        self._bounds["send"] = min(self._bounds["send"], self._bounds["close"])
        await self.close()
        with anyio.move_on_after(self._bounds["close"]), suppress(TurnkitError):
            if self._reading:
                await self._ended.wait()
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
            raise _translate(error, self._host) from error
        try:
            message = decode(frame)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"{self._host} does not speak Flux: {error}") from error
        if isinstance(message, ErrorMessage):
            raise _error(message, self.request_id)
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


class _Request:
    """A command that Flux answers, and the tasks that wait for it."""

    __slots__ = ("answer", "deadline", "sent", "settled", "waiting")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.settled = anyio.Event()
        self.answer: Message | None = None
        self.sent: Configure | None = None
        self.waiting: dict[object, Configure] = {}  # what each waiting call asked for, until it left


def _merged(commands: Iterable[Configure]) -> Configure:
    """One Configure for several: the later value wins, field by field, and threshold by threshold."""
    fields: dict[str, Any] = {}
    thresholds: dict[str, Any] = {}
    for command in commands:
        fields |= _given(command)
        thresholds |= _given(fields.pop("thresholds", None))
    return Configure(thresholds=Thresholds(**thresholds) if thresholds else None, **fields)


def _given(struct: Configure | Thresholds | None) -> dict[str, Any]:
    values = {} if struct is None else msgspec.structs.asdict(struct)
    return {name: value for name, value in values.items() if value is not None}


def _applied(options: FluxOptions, command: Configure) -> FluxOptions:
    """The options once Flux has taken `command`; raises ConfigError for what it would refuse."""
    fields = _given(command)
    changes = _given(fields.pop("thresholds", None))
    names = {"keyterms": "keyterm", "language_hints": "language_hint"}
    return msgspec.structs.replace(options, **changes, **{names.get(name, name): fields[name] for name in fields})


def _undo(command: Configure, before: FluxOptions) -> Configure:
    """What takes `command` back."""
    changed = command.thresholds or Thresholds()
    eot = DEFAULT_EOT_THRESHOLD if before.eot_threshold is None else before.eot_threshold
    timeout = DEFAULT_EOT_TIMEOUT_MS if before.eot_timeout_ms is None else before.eot_timeout_ms
    moved = changed.eot_threshold is not None or changed.eager_eot_threshold is not None
    return Configure(
        thresholds=Thresholds(
            eot_threshold=None if changed.eot_threshold is None else eot,
            eager_eot_threshold=before.eager_eot_threshold if moved else None,
            eot_timeout_ms=None if changed.eot_timeout_ms is None else timeout,
        ),
        keyterms=None if command.keyterms is None else before.keyterm,
        language_hints=None if command.language_hints is None else before.language_hint,
        numerals=None if command.numerals is None else bool(before.numerals),
    )


# Opening ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _opened(
    options: FluxOptions, parts: SplitResult, settings: dict[str, Any], secret: str, bounds: dict[str, float]
) -> AsyncIterator[FluxStream]:
    async with AsyncExitStack() as stack:
        uri = f"{parts.scheme}://{parts.netloc}/v2/listen?{options.to_query()}"
        try:
            websocket = await stack.enter_async_context(_websocket(uri, settings))
        except Exception as error:
            raise _translate(error, parts.netloc, secret) from error
        stream = FluxStream(websocket, options, parts.netloc, bounds)
        stream.request_id = _header(websocket.response, "dg-request-id")
        try:
            await stream._greet()
            _debug("flux_connected", request_id=stream.request_id)
            try:
                yield stream
            except Exception:
                await stream._leave()
                raise
            await stream._leave()
        finally:
            stream._closing = True
            await stream._drop()
            stream._end(None)
            _debug("flux_closed", request_id=stream.request_id, missed_messages=stream.missed_messages)


def _websocket(uri: str, settings: dict[str, Any]) -> AbstractAsyncContextManager[Any]:
    connect: Any
    if _on_trio():
        from websockets.trio.client import connect
    else:
        from websockets.asyncio.client import connect
    # At debug level websockets logs headers and frames, which hold the key and what was said.
    quiet = logging.getLogger("turnkit.websockets")
    quiet.setLevel(logging.WARNING)
    opening: AbstractAsyncContextManager[Any] = connect(
        uri,
        compression=None,  # audio does not compress, and the windows cost 50 KiB a connection
        user_agent_header=f"turnkit/{_version()}",
        ping_interval=_PING,
        ping_timeout=_PING,
        max_size=_MAX_SIZE,
        max_queue=_MAX_QUEUE,
        logger=quiet,
        **settings,
    )
    return opening


def _on_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_task())


def _version() -> str:
    try:
        return version("turnkit")
    except PackageNotFoundError:  # run from a source tree
        return "unknown"


def _debug(event: str, **fields: object) -> None:
    if structlog.is_configured():  # left alone, structlog prints everything
        _log.debug(event, **fields)


def _checked_url(url: str, allow_unencrypted: bool) -> SplitResult:
    # No message quotes more than scheme and host: callers have put keys into the rest.
    try:
        if not isinstance(url, str) or any(character.isspace() for character in url):
            raise ValueError
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        if not host or parts.port == 0:
            raise ValueError
    except ValueError:
        raise ConfigError("url: must be a scheme and a host, such as wss://api.eu.deepgram.com") from None
    if parts.scheme not in ("ws", "wss"):
        raise ConfigError(f"url: must begin with wss:// (or ws://), not {parts.scheme + '://'!r}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("url: must hold no user name or password; give the key as api_key=")
    if parts.path not in ("", "/", "/v2/listen") or parts.query or parts.fragment:
        raise ConfigError(
            f"url: must be scheme and host only, such as {parts.scheme}://{parts.netloc}; the path is always "
            "/v2/listen, and parameters are given as FluxOptions"
        )
    if parts.scheme == "ws" and not allow_unencrypted and not _is_loopback(host):
        raise ConfigError(
            f"url: ws:// to {parts.netloc} would send audio, words and key unencrypted; use wss://, or "
            "allow_unencrypted=True in a network you trust"
        )
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _authorization(host: str, api_key: str | None, token: str | None) -> dict[str, str]:
    """The headers that carry the credential; no message quotes it."""
    if api_key is not None and token is not None:
        raise ConfigError("api_key, token: give one of them, not both")
    deepgrams = host == "deepgram.com" or host.endswith(".deepgram.com")
    if not (api_key or token) and deepgrams:
        raise ConfigError(f"api_key: {host} needs a key; set DEEPGRAM_API_KEY and pass it as api_key, or pass a token")
    for name, scheme, secret in (("api_key", "Token", api_key), ("token", "Bearer", token)):
        if secret is None:
            continue
        if not isinstance(secret, str) or not secret or any(not "!" <= character <= "~" for character in secret):
            raise ConfigError(
                f"{name}: must be the bare credential, ASCII without spaces or line breaks (its value is not shown)"
            )
        return {"Authorization": f"{scheme} {secret}"}
    return {}


# What went wrong, in turnkit's words ------------------------------------------------------------------------------


def _translate(error: Exception, host: str, secret: str = "") -> TurnkitError:
    """The one place where what websockets, anyio, trio and the system raise becomes turnkit's; `host` was the peer."""
    if isinstance(error, TurnkitError):
        return error
    if isinstance(error, ws.InvalidStatus):
        return _refused(error.response, host, secret)
    if isinstance(error, ws.ConnectionClosed):
        return _closed(error, host)
    if isinstance(error, (ws.InvalidURI, ws.InvalidProxy, ImportError)):
        return ConfigError("url or proxy: the address, or the proxy that the environment asks for, cannot be used")
    if isinstance(error, ws.ConcurrencyError):
        return LocalProtocolError(f"two tasks use the connection to {host} in the same way at once")
    hung_up = isinstance(error, ws.InvalidMessage) and isinstance(error.__cause__, EOFError)
    if isinstance(error, ws.WebSocketException) and not isinstance(error, ws.ProxyError) and not hung_up:
        return RemoteProtocolError(f"{host} is no WebSocket server ({error}); check the url's host, port and scheme")
    if isinstance(error, ws.ProxyError):
        what = f"the proxy on the way to {host} refused: {error}; check the proxy settings"
    elif hung_up:
        what = f"{host} hung up during the handshake; check the url's port and scheme"
    elif isinstance(error, TimeoutError):
        what = f"{host} did not answer within connect_timeout; check the network, and any firewall or proxy"
    elif isinstance(error, socket.gaierror):
        what = f"no address was found for {host}; check its spelling and the name server"
    elif isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        what = f"TLS with {host} failed ({error.__cause__ or error}); check the url's scheme and the certificate"
    elif isinstance(error, OSError):
        what = f"{host} could not be reached ({str(error) or type(error).__name__}); check host, port and network"
    else:
        what = f"the connection to {host} failed ({type(error).__name__})"
    return ConnectionFailed(what, (error,))


def _close_code(error: Exception) -> int | None:
    if not isinstance(error, ws.ConnectionClosed):
        return None
    return int(error.rcvd.code) if error.rcvd else 1006


def _closed(error: ws.ConnectionClosed, host: str) -> TurnkitError:
    if error.sent is not None and not error.rcvd_then_sent and error.sent.code in (1002, 1007, 1009):
        return RemoteProtocolError(f"{host} sent what is no message of Flux: {error.sent.code} {error.sent.reason}")
    if error.sent is not None and error.rcvd is None and error.sent.code == 1011:
        return ConnectionFailed(f"{host} did not answer a ping within {_PING} s", (error,))
    reason = f", {error.rcvd.reason!r}" if error.rcvd and error.rcvd.reason else ""
    how = f"code {_close_code(error)}{reason}" if error.rcvd else "code 1006: no close frame, the connection was lost"
    return ConnectionFailed(f"{host} closed the stream, unasked ({how})", (error,))


def _error(message: ErrorMessage, request_id: str) -> FluxError:
    advice = _ERROR_ADVICE.get(message.code, "")
    return FluxError(message.code, message.description, request_id=message.request_id or request_id, advice=advice)


def _refused(response: Any, host: str, secret: str) -> TurnkitError:
    """A refused upgrade; Flux's reason is in the body, in one of two shapes, or in the header `dg-error`."""
    status = int(response.status_code)
    try:
        body = msgspec.json.decode(response.body or b"", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError):
        body = {}
    code = str(body.get("err_code") or body.get("code") or "")
    description = str(body.get("err_msg") or body.get("description") or _header(response, "dg-error"))
    request_id = str(body.get("request_id") or _header(response, "dg-request-id"))
    if secret:  # a server may echo what it was sent
        code, description = (text.replace(secret, "…") for text in (code, description))
    advice = _REFUSAL_ADVICE.get(status, "")
    refusal = FluxError(code, description[:500], request_id=request_id, status=status, advice=advice)
    if status >= 500:
        return ConnectionFailed(f"{host} is not available now, try again later. {refusal}", (refusal,))
    if status < 400:
        return RemoteProtocolError(f"{host} answered HTTP {status} instead of opening a WebSocket; check the url")
    return refusal


def _header(response: Any, name: str) -> str:
    values = response.headers.get_all(name)
    return str(values[0]) if values else ""
