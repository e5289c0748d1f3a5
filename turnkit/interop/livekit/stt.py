"""The speech-to-text that an AgentSession is given, and the settings that leave the turns to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    AgentSession,
    APIConnectionError,
    APIConnectOptions,
    APIStatusError,
    NotGivenOr,
    stt,
)

from ...errors import ConfigError, FluxError, LocalProtocolError, TurnkitError
from ...flux import FluxStream, connect
from ...logs import logger
from ...session import Session
from ...wire import Configure, FluxOptions
from .call import Call

_USAGE_SECONDS = 5.0  # as often as LiveKit's own plugins report it
_PIECE_SECONDS = 0.08  # in which audio leaves for Flux in any case
_MOST_KEYTERMS = 100


def turn_handling(*, aec_warmup_duration: float | None = None, preemptive_tts: bool = False) -> dict[str, Any]:
    """The arguments of `AgentSession` that leave the turns to turnkit, to be given with `**`.

    They are `turn_handling`, `vad` (None: LiveKit's own detector would interrupt beside turnkit) and
    `aec_warmup_duration`.

    Args:
        aec_warmup_duration: seconds, from the agent's first sound on, for which LiveKit gives silence to the
            speech-to-text while the agent speaks, so that an echo canceller can settle. What is said then is lost;
            None, the default, for never. LiveKit's own default is 3.
        preemptive_tts: whether a draft is spoken, into a buffer, before the turn is final; LiveKit's own setting.
            Default False.

    Returns:
        The arguments, as new dicts that may be added to.
    """
    return {
        "vad": None,
        "aec_warmup_duration": aec_warmup_duration,
        "turn_handling": {
            "turn_detection": "stt",
            # turnkit has waited already where there is something to wait for.
            "endpointing": {"mode": "fixed", "min_delay": 0.0},
            # What is said over words that must be heard is answered after them, and not thrown away.
            "interruption": {"resume_false_interruption": False, "discard_audio_if_uninterruptible": False},
            # How often and how late a draft is made, turnkit's speculation policy says.
            "preemptive_generation": {
                "enabled": True,
                "preemptive_tts": preemptive_tts,
                "max_speech_duration": 3600.0,
                "max_retries": 1_000_000,
            },
        },
    }


class STT(stt.STT[Any]):
    """LiveKit's speech-to-text, by turnkit: Flux's words, and turnkit's decisions about turns and interruptions.

    One for each `AgentSession`, which it gets to know as that starts. LiveKit may build its stream anew within a call;
    each has a turnkit session of its own.

    Args:
        options: those of the connection to Flux; raw audio, `linear16`. `eager_eot_threshold` gives drafts. Default
            `FluxOptions()`.
        session: makes the turnkit session of a stream, with policies, callbacks and recording as you like, but without
            `respond` and `speak`: those are LiveKit's. Default `Session`.
        connection: what else `turnkit.connect` takes, such as `api_key` or `url`.

    Raises:
        ConfigError: for settings that cannot work.
    """

    def __init__(
        self, options: FluxOptions = FluxOptions(), *, session: Callable[[], Session] = Session, **connection: Any
    ) -> None:
        if not callable(session):
            raise ConfigError(
                f"session={type(session).__name__}: must be a function that makes a Session: a stream may be built anew"
            )
        connect(options, **connection)  # checks them, and touches no network
        if options.encoding != "linear16":
            raise ConfigError(f"encoding={options.encoding!r}: must be 'linear16', which is what LiveKit gives")
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True, interim_results=True, aligned_transcript="word", offline_recognize=False, keyterms=True
            )
        )
        self._options = options
        self._connection = connection
        self._make_session = session
        self._keyterms = options.keyterm
        self._agent_session: AgentSession[Any] | None = None
        self._open: list[_Stream] = []

    @property
    def model(self) -> str:
        """Flux's model, for LiveKit's metrics."""
        return self._options.model

    @property
    def provider(self) -> str:
        """Who runs it, for LiveKit's metrics."""
        return "Deepgram"

    @property
    def session(self) -> Session | None:
        """The turnkit session of the stream that is open; None while none is."""
        return self._open[-1].session if self._open else None

    @property
    def flux(self) -> FluxStream | None:
        """The connection to Flux of the stream that is open, for `configure`; None while none is."""
        return self._open[-1].flux if self._open else None

    def attach(self, agent_session: AgentSession[Any]) -> None:
        """Say whose speech-to-text this is; only needed where a wrapper stands between the two.

        Raises:
            LocalProtocolError: if a stream for another one is open.
        """
        if self._open and self._agent_session is not agent_session:
            raise LocalProtocolError("attach(): a stream for another AgentSession is open; make an STT for each")
        self._agent_session = agent_session

    def on(self, event: Any, callback: Callable[..., Any] | None = None) -> Any:
        """Register a callback, as every speech-to-text of LiveKit does.

        An AgentSession registers its own as it starts, before it asks for a stream; by that it is known.

        Args:
            event: its name, as LiveKit has them.
            callback: what is called at it; None gives a decorator, as LiveKit's does.
        """
        owner = getattr(getattr(callback, "__self__", None), "session", None)
        if isinstance(owner, AgentSession):
            self.attach(owner)
        return super().on(event, callback)

    def stream(
        self, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> stt.RecognizeStream:
        """Open a stream, as LiveKit does; its retries come on top of turnkit's own reconnecting.

        Args:
            language: taken as LiveKit gives it, and not used: Flux is told by its options.
            conn_options: how often LiveKit tries again when the stream has failed.

        Raises:
            LocalProtocolError: if no AgentSession is known.
        """
        if self._agent_session is None:
            raise LocalProtocolError("stream(): no AgentSession is known; give this STT to one, or call attach()")
        return _Stream(self, self._agent_session, conn_options)

    async def _converse(
        self, stream: _Stream, agent_session: AgentSession[Any], send: Callable[[stt.SpeechEvent], None]
    ) -> None:
        session = self._make_session()
        if not isinstance(session, Session):
            raise ConfigError(f"session: must make a turnkit Session, not {type(session).__name__}")
        stream.session = session
        self._open.append(stream)
        try:
            options = msgspec.structs.replace(self._options, keyterm=self._keyterms)
            async with connect(options, **self._connection) as flux:
                stream.flux = flux
                language = self._options.language_hint[0] if self._options.language_hint else "en"
                call = Call(session, agent_session, send, language, stream.start_time_offset)
                sending = asyncio.create_task(stream.forward_audio(flux))
                try:
                    with call:
                        await session.run(_Source(flux, call.look))
                finally:
                    sending.cancel()
        except FluxError as error:
            raise APIStatusError(str(error), status_code=error.status or -1, request_id=error.request_id) from error
        except (ConfigError, LocalProtocolError):
            raise
        except TurnkitError as error:
            raise APIConnectionError(str(error)) from error
        finally:
            self._open.remove(stream)

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        """LiveKit's own: the words that its session expects, beside those of the options."""
        self._keyterms = tuple(dict.fromkeys((*self._options.keyterm, *keyterms)))[:_MOST_KEYTERMS]
        for stream in self._open:
            stream.expect(self._keyterms)

    async def _recognize_impl(self, buffer: Any, *, language: Any = NOT_GIVEN, conn_options: Any) -> stt.SpeechEvent:
        raise NotImplementedError("Flux hears streams only: use stream()")


class _Stream(stt.RecognizeStream):
    """A stream of LiveKit's: audio in, what turnkit decided out."""

    def __init__(self, owner: STT, agent_session: AgentSession[Any], conn_options: APIConnectOptions) -> None:
        # Before anything of the base, which starts to run at once.
        self.session: Session | None = None
        self.flux: FluxStream | None = None
        self._configuring: asyncio.Task[None] | None = None
        self._owner = owner
        self._agent_session = agent_session
        rate = owner._options.sample_rate or 16000
        self._bytes_per_second = 2 * rate
        self._piece = round(_PIECE_SECONDS * self._bytes_per_second)
        super().__init__(stt=owner, conn_options=conn_options, sample_rate=rate)

    async def _run(self) -> None:
        await self._owner._converse(self, self._agent_session, self._event_ch.send_nowait)

    async def forward_audio(self, flux: FluxStream) -> None:
        """Send what LiveKit pushes until there is no more; what becomes of the stream, its reader tells."""
        seconds, waiting = 0.0, bytearray()
        try:
            async for frame in self._input_ch:
                if not isinstance(frame, rtc.AudioFrame):
                    continue
                if frame.num_channels != 1:
                    logger().error("livekit_audio_not_mono", channels=frame.num_channels)
                    break
                waiting += frame.data.cast("B")
                if len(waiting) < self._piece:
                    continue
                await flux.send_audio(waiting)
                seconds += len(waiting) / self._bytes_per_second
                waiting = bytearray()
                if seconds >= _USAGE_SECONDS:
                    self._report_usage(seconds)
                    seconds = 0.0
            await flux.send_audio(waiting)
            self._report_usage(seconds)
            await flux.close()
        except TurnkitError as error:
            logger().debug("livekit_audio_not_sent", error=type(error).__name__)

    def expect(self, keyterms: tuple[str, ...]) -> None:
        """Have Flux expect these words from now on."""
        if self.flux is not None:
            self._configuring = asyncio.create_task(self._configure(self.flux, keyterms))

    async def _configure(self, flux: FluxStream, keyterms: tuple[str, ...]) -> None:
        try:
            await flux.configure(Configure(keyterms=keyterms))
        except TurnkitError as error:
            logger().warning("livekit_keyterms_not_set", error=type(error).__name__)

    def _report_usage(self, seconds: float) -> None:
        usage = stt.RecognitionUsage(audio_duration=seconds)
        self._event_ch.send_nowait(stt.SpeechEvent(type=stt.SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage))


class _Source:
    """A stream of Flux, of which each message is announced to `look` before the session gets it."""

    def __init__(self, flux: FluxStream, look: Callable[[], None]) -> None:
        self._flux = flux
        self._look = look
        self.send_force_end_turn = flux.send_force_end_turn
        self.watch_audio = flux.watch_audio

    @property
    def options(self) -> FluxOptions:
        """Those of the connection, for the recording."""
        return self._flux.options

    async def __aiter__(self) -> AsyncIterator[object]:
        async for item in self._flux:
            self._look()
            yield item

    async def read_into(self, take: Callable[[Any], bool]) -> None:
        """Give each item to `take`, in the very callback that brought it."""

        def look_and_take(item: Any) -> bool:
            self._look()
            return take(item)

        await self._flux.read_into(look_and_take)
