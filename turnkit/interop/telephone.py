"""A phone call over the websocket of a telephone service: the caller's audio to Flux, the bot's to the caller.

What the services differ in is a `telephone_line.Line`; `twilio`, `telnyx` and `plivo` are three of them. What is the
same for all stands here: what the caller has heard is what the service has acknowledged, a barge-in is a `clear` that
overtakes everything, keys are an interruption, and who is gone is hung up on, not drained.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from inspect import isawaitable
from typing import Any, TypeAlias

import anyio
import msgspec
from anyio.abc import TaskGroup

from ..checks import check_seconds
from ..errors import ConfigError, ConnectionFailed, RemoteProtocolError, TurnkitError, sole_error
from ..flux import connect
from ..logs import logger
from ..session import Session
from ..speaking import TTS, Speak, speaker
from ..timers import clock
from ..turns.events import BargeIn, Cancel, Hold, Resume
from ..wire import FluxOptions
from .network_sink import NetworkSink
from .telephone_line import SAMPLE_RATE, Key, Line, LineEvent, Media, Played, Started, Stopped
from .websocket import Adapted, adapted

__all__ = ["Call", "CallEnd", "hold"]

_CLOSE_TIMEOUT = 2.0  # seconds that the closing handshake may take
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_PATIENCE_STEP = 1 / 16  # of `message_timeout`, by which it may be longer
_FLUX_FRAME = SAMPLE_RATE * 8 // 100  # bytes that leave for Flux at once
_MOST_EARLY_AUDIO = 15 * SAMPLE_RATE  # bytes kept while Flux is being connected


class CallEnd(StrEnum):
    """How a call ended."""

    HUNG_UP = "hung_up"
    """By the bot: its session ended."""
    STOPPED = "stopped"
    """By the caller, or the service: it said so."""
    LOST = "lost"
    """The websocket was gone, or the service read no longer."""
    REFUSED = "refused"
    """What came was no phone call: no start, or nothing that the service would send."""


# The call -------------------------------------------------------------------------------------------------------------

Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
MakeSession: TypeAlias = "Callable[[Call], Session | Awaitable[Session]]"
Greeting: TypeAlias = str | Callable[[Session], object]


class Call:
    """One phone call that has begun, as the function that makes its session is given it. Made by `hold`.

    Attributes:
        id: its name at the service.
        stream_id: the name of its stream.
        parameters: what was sent along with it, such as the `<Parameter>`s of TwiML.
        sink: what the caller hears: mu-law at 8 kHz, 1 byte a sample.
        session: the session, once there is one.
        stream: the stream of Flux, once it is open.
        hung_up: whether the bot has hung up.
    """

    def __init__(self, started: Started, sink: NetworkSink) -> None:
        self.id = started.call
        self.stream_id = started.stream
        self.parameters = dict(started.parameters)
        self.sink = sink
        self.session: Session | None = None
        self.stream: Any = None
        self.hung_up = False

    def __repr__(self) -> str:
        return f"<Call {self.id}: {self.session!r}>"

    def speaker(self, tts: TTS, **settings: Any) -> Speak:
        """A `speak` for this call, as `turnkit.speaker` makes it.

        Args:
            tts: a voice that gives mu-law at 8 kHz.
            settings: those of `turnkit.speaker`, save the sink and how its audio is.
        """
        return speaker(tts, self.sink, **{**settings, "sample_rate": SAMPLE_RATE, "sample_width": 1})

    def hang_up(self) -> None:
        """End the call, as `Session.hang_up` does: say the last words before, and wait until they were heard.

        A call that is not to be taken ends without Flux, if this is called where its session is made.
        """
        self.hung_up = True
        if self.session is not None:
            self.session.hang_up()


async def hold(
    line: Line,
    websocket: Any,
    make_session: MakeSession,
    *,
    greeting: Greeting | None = None,
    options: FluxOptions | None = None,
    connect: Connect = connect,
    keys: Callable[[str], str | None] = "Pressed {}.".format,
    key_pause: float = 1.0,
    start_timeout: float = 10.0,
    message_timeout: float = 30.0,
    lead: float = 1.0,
    **flux: Any,
) -> CallEnd:
    """Hold a phone call over a websocket until one of the two hangs up; closes the websocket in the end.

    A peer that vanishes, or is no telephone service, ends the call and raises nothing. What `make_session` raises, and
    what Flux does, is raised once the websocket is closed.

    Args:
        line: how the service speaks; a new one for each call.
        websocket: of Starlette, FastAPI, websockets or aiohttp, accepted; or any `interop.websocket.Websocket`.
        make_session: makes the session of the call from it, sync or async; its voice is `call.speaker(tts)`.
        greeting: what the bot says as soon as it listens: a text, or a function that is given the session, and calls
            its `initiate(..., protected=True)`, say. Default None: the caller speaks first.
        options: those of Flux, save the audio, which is mu-law at 8 kHz. Default `FluxOptions()`.
        connect: opens the connection to Flux. Default `turnkit.connect`.
        keys: makes of the keys that were pressed the text that `session.interrupt` gets; None for keys that say
            nothing. Default "Pressed 42.".
        key_pause: seconds without a key after which those pressed so far belong together; `#` ends them at once, and 0
            gives each alone. The first one interrupts the bot as soon as it is pressed. Default 1.
        start_timeout: seconds in which the call must begin. Default 10.
        message_timeout: seconds without a message after which the peer is gone, or a sixteenth more, though the
            websocket is open: a phone call is never silent. Default 30.
        lead: seconds of audio sent ahead of what was heard, see `NetworkSink`. Default 1.
        flux: what else `connect` takes, such as `api_key`.

    Returns:
        How the call ended.

    Raises:
        ConfigError: for settings that cannot work, before anything is read.
    """
    check_seconds("start_timeout", start_timeout, zero=False)
    check_seconds("message_timeout", message_timeout, zero=False)
    check_seconds("key_pause", key_pause)
    if options is not None and not isinstance(options, FluxOptions):
        raise ConfigError(f"options: must be FluxOptions, not {type(options).__name__}")
    audio = msgspec.structs.replace(options or FluxOptions(), encoding="mulaw", sample_rate=SAMPLE_RATE)
    sink = NetworkSink(line, sample_rate=SAMPLE_RATE, sample_width=1, lead=lead)
    telephone = _Telephone(line, adapted(websocket), sink, _Keys(keys, key_pause), message_timeout)
    try:
        return await telephone.run(make_session, lambda: connect(audio, **flux), greeting, start_timeout)
    except BaseExceptionGroup as group:
        raise sole_error(group) from None


class _Keys:
    """The keys that the caller presses, put together to what they mean."""

    def __init__(self, meaning: Callable[[str], str | None], pause: float) -> None:
        self._meaning = meaning
        self._pause = pause
        self._pressed = ""
        self._another: anyio.Event | None = None  # while somebody waits for it

    def press(self, digit: str, session: Session, tasks: TaskGroup) -> None:
        """Take a key: the bot is interrupted now, what it means is told when no more come."""
        session.interrupt()
        if digit != "#" or not self._pressed:
            self._pressed += digit
        if self._another is not None:
            self._another.set()
        if digit == "#" or not self._pause:
            self._tell(session)
        elif self._another is None:
            self._another = anyio.Event()
            tasks.start_soon(self._wait, session)

    async def _wait(self, session: Session) -> None:
        while self._another is not None and self._pressed:
            self._another = anyio.Event()
            with anyio.move_on_after(self._pause):
                await self._another.wait()
                continue
            break
        self._another = None
        self._tell(session)

    def _tell(self, session: Session) -> None:
        pressed, self._pressed = self._pressed, ""
        text = self._meaning(pressed) if pressed else None
        if text:
            session.interrupt(text)


class _Telephone:
    """The two tasks beside a session, one that reads and one that writes, and what they tell each other."""

    def __init__(self, line: Line, websocket: Adapted, sink: NetworkSink, keys: _Keys, message_timeout: float) -> None:
        self._line = line
        self._websocket = websocket
        self._sink = sink
        self._keys = keys
        self._message_timeout = message_timeout
        self._call: Call | None = None
        self._answered = anyio.Event()  # the call has begun, or never will
        self._end: CallEnd | None = None
        self._failure: Exception | None = None
        self._early = bytearray()  # audio that came before Flux was there, or does not fill a frame to it
        self._waiting = anyio.CancelScope()  # for a session, and for Flux
        self._tasks: TaskGroup | None = None

    async def run(
        self, make_session: MakeSession, open_flux: Connect, greeting: Greeting | None, start_timeout: float
    ) -> CallEnd:
        """Hold the call, and close the websocket in the end; it is read until then."""
        async with anyio.create_task_group() as self._tasks:
            try:
                self._tasks.start_soon(self._read)
                with anyio.move_on_after(start_timeout):
                    await self._answered.wait()
                if self._call is not None and self._end is None:
                    self._tasks.start_soon(self._write)
                    await self._converse(self._call, make_session, open_flux, greeting)
            except Exception as error:
                self._failure = self._failure or error
            finally:
                await self._close()
                self._tasks.cancel_scope.cancel()
        if self._failure is not None:
            raise sole_error(self._failure)
        end = self._end or CallEnd.LOST
        logger().info("phone_call_ended", line=type(self._line).__name__, end=str(end))
        return end

    async def _converse(
        self, call: Call, make_session: MakeSession, open_flux: Connect, greeting: Greeting | None
    ) -> None:
        with self._waiting:  # who hangs up before all is there has nobody wait for it
            made = make_session(call)
            session = await made if isawaitable(made) else made
            if not isinstance(session, Session):
                raise ConfigError(f"make_session gave {type(session).__name__}; must be the Session of this call")
            call.session = session
            self._silence_at_once(session)
            if self._end is not None or call.hung_up:
                return
            async with open_flux() as stream:
                while self._early:
                    early = bytes(self._early)
                    self._early.clear()
                    await stream.send_audio(early)
                call.stream = stream
                if greeting is not None and self._tasks is not None:
                    self._tasks.start_soon(self._greet, session, greeting)
                try:
                    await session.run(stream)
                except Exception as error:
                    self._failure = error  # and not that there was no session any more to say the first words
                    raise
                await self._close()  # before the rest of Flux's stream is waited for

    async def _close(self) -> None:
        """Hang up, if nobody has."""
        self._end = self._end or (CallEnd.REFUSED if self._call is None else CallEnd.HUNG_UP)
        self._sink.close()
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_TIMEOUT):
            await self._websocket.close()

    async def _greet(self, session: Session, greeting: Greeting) -> None:
        """Say the first words: this task runs once the session does, and waits for something to come."""
        if self._end is not None:
            return
        try:
            if isinstance(greeting, str):
                session.initiate(greeting)
            else:
                greeting(session)
        except Exception as error:
            self._failure = self._failure or error
            session.hang_up()

    def _silence_at_once(self, session: Session) -> None:
        """What ends or holds a reply reaches the sink in the step in which it is decided, and not when `speak` ends."""
        sink = self._sink

        def clear(signal: BargeIn | Cancel) -> None:
            if signal.reply == sink.reply:
                sink.clear()

        session.on(BargeIn, clear)
        session.on(Cancel, clear)
        session.on(Hold, lambda signal: sink.pause())
        session.on(Resume, lambda signal: sink.resume())

    async def _write(self) -> None:
        try:
            await self._sink.write(self._websocket.send, self._websocket.begin)
        except ConnectionFailed:
            self._over(CallEnd.LOST)

    async def _read(self) -> None:
        """Read to the very end: marks that nobody reads would hold up the closing of the websocket."""
        now, bound = clock(), self._message_timeout
        with anyio.CancelScope(deadline=now() + bound) as patience:
            while True:
                if patience.deadline < (soonest := now() + bound):  # not a new timer for each of 50 frames a second
                    patience.deadline = soonest + bound * _PATIENCE_STEP
                message = await self._websocket.receive()
                if message is None:
                    break
                try:
                    if self._end is None:
                        await self._take(message)
                except RemoteProtocolError as error:
                    logger().warning("phone_call_refused", line=type(self._line).__name__, reason=str(error))
                    self._over(CallEnd.REFUSED)
        self._over(CallEnd.LOST)

    async def _take(self, message: str | bytes) -> None:
        match _read(self._line, message):
            case Started() as started if self._call is None:
                self._call = Call(started, self._sink)
                self._answered.set()
            case Media(audio):
                await self._hear(audio)
            case Played(epoch, seconds):
                self._sink.acknowledge(epoch, seconds)
            case Key(digit) if self._call is not None and self._call.session is not None and self._tasks is not None:
                self._keys.press(digit, self._call.session, self._tasks)
            case Stopped():
                self._over(CallEnd.STOPPED)
            case _:
                pass

    async def _hear(self, audio: bytes) -> None:
        stream = None if self._call is None else self._call.stream
        self._early += audio
        if stream is None:
            del self._early[:-_MOST_EARLY_AUDIO]
            return
        if len(self._early) < _FLUX_FRAME:  # as it would wait there
            return
        audio = bytes(self._early)
        self._early.clear()
        try:
            await stream.send_audio(audio)
        except TurnkitError as error:  # the session is told by the stream itself
            logger().debug("phone_audio_lost", error=type(error).__name__)

    def _over(self, end: CallEnd) -> None:
        """Nobody listens any more: the session ends without another word."""
        if self._end is not None:
            return
        self._end = end
        self._answered.set()
        self._sink.close()
        if self._call is None:
            return
        if self._call.session is not None:
            self._call.session.hang_up()
        if self._call.stream is None:
            self._waiting.cancel()


def _read(line: Line, message: str | bytes) -> LineEvent | None:
    """What a message says.

    Raises:
        RemoteProtocolError: it is nothing that a telephone service says; what it is is not quoted.
    """
    if not isinstance(message, str):
        raise RemoteProtocolError(f"a binary message of {len(message)} bytes; must be text")
    try:
        return line.read(_decode(message))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise RemoteProtocolError(f"a message of {len(message)} characters is no JSON object") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RemoteProtocolError(f"a message lacks what belongs to it ({type(error).__name__})") from None
