"""`hold_call`: one call with a page, from its websocket's opening to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from inspect import isawaitable
from typing import Any, TypeAlias

import anyio
import msgspec

from ...checks import check_seconds
from ...errors import ConfigError, ConnectionFailed, LocalProtocolError, RemoteProtocolError, TurnkitError
from ...flux import connect
from ...logs import logger
from ...session import Session
from ...speaking import TTS, Speak, speaker
from ...turns.events import BargeIn, Hold, Resume
from ...wire import FluxOptions
from ..network_sink import Frame, NetworkSink
from ..websocket import Adapted, adapted
from .frames import MICROPHONE_RATE, Message, PageDialect, Played, message, read

_ENDED, _SERVER_STOPS, _UNREADABLE, _FAILED = 1000, 1001, 1007, 1011  # close codes
_CLOSE_TIMEOUT = 2.0  # seconds that the closing handshake may take

Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
MakeSession: TypeAlias = "Callable[[Call], Session | Awaitable[Session]]"


class Call:
    """One call with a page, as the function that makes its session is given it. Made by `hold_call`.

    Attributes:
        sink: what is heard at the page: linear16, mono.
        sample_rate: of that audio, in Hz.
        session: the session, once there is one.
        stream: the stream of Flux, once it is open.
    """

    def __init__(self, sample_rate: int, lead: float) -> None:
        self.sink = NetworkSink(PageDialect(sample_rate), sample_rate=sample_rate, lead=lead)
        self.sample_rate = sample_rate
        self.session: Session | None = None
        self.stream: Any = None
        self._callbacks: list[Callable[[Any], object]] = []

    def __repr__(self) -> str:
        return f"<Call of a page: {self.session!r}>"

    def speaker(self, tts: TTS, **settings: Any) -> Speak:
        """A `speak` for this call, as `turnkit.speaker` makes it.

        Args:
            tts: a voice that gives linear16, mono, at the call's `sample_rate`.
            settings: those of `turnkit.speaker`, save the sink and how its audio is.
        """
        return speaker(tts, self.sink, **{**settings, "sample_rate": self.sample_rate, "sample_width": 2})

    def hang_up(self) -> None:
        """End the call, as `Session.hang_up` does: say the last words before, and wait until they were heard."""
        if self.session is not None:
            self.session.hang_up()

    def send(self, data: object) -> None:
        """Tell the page something of your own: it comes there as the event "message". Waits for nothing.

        Args:
            data: whatever JSON can say.

        Raises:
            LocalProtocolError: for what it cannot; nothing is sent.
        """
        try:
            self.sink.post(message(data))
        except (TypeError, ValueError, RecursionError):
            raise LocalProtocolError(f"send(): JSON cannot say {type(data).__name__}, or what is in it") from None

    def on_message(self, callback: Callable[[Any], object]) -> Callable[[Any], object]:
        """Call `callback(data)` with what the page sends of its own, by `call.send(data)` there.

        Args:
            callback: a plain function. What it raises is logged, and the call goes on.

        Returns:
            The callback, so that this can be a decorator.
        """
        self._callbacks.append(callback)
        return callback

    def take(self, told: Played | Message) -> None:
        """Take what the page told."""
        if isinstance(told, Played):
            self.sink.acknowledge(told.epoch, told.played)
            return
        for callback in self._callbacks:
            try:
                callback(told.data)
            except Exception as error:
                logger().error("page_message_failed", error=type(error).__name__, personal_message=str(error))


async def hold_call(
    websocket: Any,
    make_session: MakeSession,
    *,
    sample_rate: int = 16000,
    options: FluxOptions | None = None,
    connect: Connect = connect,
    message_timeout: float = 30.0,
    lead: float = 1.0,
    **flux: Any,
) -> None:
    """Hold a call with a page that has turnkit's script, until either side hangs up; closes the websocket in the end.

    A page that vanishes, or sends what turnkit's never does, ends the call and raises nothing. What `make_session`
    raises, and what Flux does, is raised once the page was told that the server failed.

    Args:
        websocket: of Starlette, FastAPI, websockets or aiohttp, accepted; or any `interop.websocket.Websocket`.
        make_session: makes the session of the call from it, sync or async; its voice is `call.speaker(tts)`.
        sample_rate: of the audio that your TTS gives, in Hz. Default 16000.
        options: those of Flux, save the audio, which is linear16 at 16 kHz. Default `FluxOptions()`.
        connect: opens the connection to Flux. Default `turnkit.connect`.
        message_timeout: seconds without a frame after which the page is gone, though the websocket is open: its
            microphone is never silent, muted or not. Default 30.
        lead: seconds of audio sent ahead of what was heard, see `NetworkSink`. Default 1.
        flux: what else `connect` takes, such as `api_key`.

    Raises:
        ConfigError: for settings that cannot work, before anything is read.
        TurnkitError: if Flux cannot be reached, or its stream ends badly.
    """
    if options is not None and not isinstance(options, FluxOptions):
        raise ConfigError(f"options: must be FluxOptions, not {type(options).__name__}")
    check_seconds("message_timeout", message_timeout, zero=False)
    audio = msgspec.structs.replace(options or FluxOptions(), encoding="linear16", sample_rate=MICROPHONE_RATE)
    line = _Line(adapted(websocket), Call(sample_rate, lead), message_timeout)
    try:
        await line.hold(make_session, lambda: connect(audio, **flux))
    except BaseException as error:
        line.code = _FAILED if isinstance(error, Exception) else _SERVER_STOPS
        raise
    finally:
        await line.close()


class _Line:
    """The websocket of a call: one task reads it, one writes to it, while the session runs."""

    def __init__(self, websocket: Adapted, call: Call, message_timeout: float) -> None:
        self._websocket = websocket
        self._message_timeout = message_timeout
        self._call = call
        self.code = _ENDED

    async def hold(self, make_session: MakeSession, open_flux: Connect) -> None:
        """Hold the call. Raises what ended it, if that was not its end."""
        made = make_session(self._call)
        session = await made if isawaitable(made) else made
        if not isinstance(session, Session):
            raise ConfigError(f"make_session gave {type(session).__name__}; must be the Session of this call")
        self._call.session = session
        self._silence_at_once(session)
        async with open_flux() as self._call.stream:
            await self._converse(session)

    async def close(self) -> None:
        """Close the websocket, unless it is."""
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_TIMEOUT):
            await self._websocket.close(self.code)

    def _silence_at_once(self, session: Session) -> None:
        """What stops or holds a reply reaches the sink in the very step that decides it, not when `speak` ends."""
        sink = self._call.sink
        session.on(BargeIn, lambda signal: sink.clear() if signal.reply == sink.reply else None)
        session.on(Hold, lambda signal: sink.pause())
        session.on(Resume, lambda signal: sink.resume())

    async def _converse(self, session: Session) -> None:
        failure: Exception | None = None
        async with anyio.create_task_group() as reading:
            reading.start_soon(self._read, session)
            async with anyio.create_task_group() as writing:
                writing.start_soon(self._write, session)
                try:
                    await session.run(self._call.stream)
                except Exception as error:
                    failure, self.code = error, _FAILED
                finally:
                    self._call.sink.close()  # what was posted still goes out
            await self.close()  # which somebody must read meanwhile: the page sends on until it has seen it
            reading.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _read(self, session: Session) -> None:
        try:
            while (frame := await self._next()) is not None:
                told = read(frame)
                if isinstance(told, bytes):
                    await self._hear(told)
                else:
                    self._call.take(told)
        except RemoteProtocolError as error:
            logger(session=session.id).warning("page_unreadable", problem=str(error))
            self.code = _UNREADABLE
        session.hang_up()
        while await self._websocket.receive() is not None:
            pass  # what nobody reads would hold up the closing

    async def _next(self) -> Frame | None:
        """The next frame; None if the page is gone."""
        with anyio.move_on_after(self._message_timeout):
            return await self._websocket.receive()
        return None

    async def _hear(self, audio: bytes) -> None:
        try:
            await self._call.stream.send_audio(audio)
        except TurnkitError as error:  # the session is told by the stream itself
            logger().debug("microphone_not_sent", error=type(error).__name__)

    async def _write(self, session: Session) -> None:
        try:
            await self._call.sink.write(self._websocket.send, self._websocket.begin)
        except ConnectionFailed as error:
            logger(session=session.id).debug("page_lost", problem=str(error))
            session.hang_up()
