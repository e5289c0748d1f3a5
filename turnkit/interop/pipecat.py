"""turnkit in a stock Pipecat pipeline, as its speech-to-text service.

    stt = TurnkitSTTService(
        api_key=os.environ["DEEPGRAM_API_KEY"],
        options=FluxOptions(eager_eot_threshold=0.5),
        session=Session(barge_in=IgnoreBackchannels(), record="calls/"),
    )
    pipeline = Pipeline([transport.input(), stt, user_aggregator, llm, tts, transport.output(), assistant_aggregator])

Nothing else of the bot changes: the service announces the turn strategies that go with it. docs/pipecat.md says more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

import msgspec

from ..checks import check_seconds
from ..errors import ConfigError, ConnectionFailed, LocalProtocolError, TurnkitError
from ..flux import FluxStream, connect
from ..flux.opening import Token
from ..logs import hand_over
from ..session import Session
from ..turns.events import (
    BargeIn,
    Cancel,
    Commit,
    Signal,
    Speculate,
    TurnDropped,
    TurnStarted,
    TurnUpdated,
)
from ..wire import FluxOptions
from .pipecat_speech import BotSpeech
from .pipecat_steps import Answer, Backchannel, Close, Draft, Interim, Interrupt, Open, Step, Withdraw
from .pipecat_telling import Telling

try:
    from loguru import logger as loguru
    from pipecat.frames.frames import (
        BotStartedSpeakingFrame,
        BotStoppedSpeakingFrame,
        CancelFrame,
        EndFrame,
        ErrorFrame,
        Frame,
        FunctionCallCancelFrame,
        FunctionCallResultFrame,
        FunctionCallsStartedFrame,
        InterimTranscriptionFrame,
        ProposedUserStoppedSpeakingFrame,
        StartFrame,
        STTMetadataFrame,
        TranscriptionFrame,
        UserBackchannelFrame,
        UserMuteStartedFrame,
        UserMuteStoppedFrame,
    )
    from pipecat.processors.aggregators.llm_response_universal import (
        AssistantTurnStoppedMessage,
        LLMAssistantAggregator,
    )
    from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
    from pipecat.services.llm_service import LLMService
    from pipecat.services.settings import STTSettings
    from pipecat.services.stt_service import STTService
    from pipecat.services.tts_service import TTSService
    from pipecat.transcriptions.language import Language
    from pipecat.turns.eager_end_of_turn_mixin import EagerEndOfTurnSTTServiceMixin
    from pipecat.utils.errors import ErrorCategory
    from pipecat.utils.time import time_now_iso8601

    from .pipecat_turns import UserHasFloorFrame, turnkit_strategies
except ImportError as error:
    raise ImportError("turnkit.interop.pipecat needs Pipecat 1.14 or newer: pip install 'turnkit[pipecat]'") from error

__all__ = ["TurnkitSTTService"]

_EARLY_SECONDS = 15
_FIRST_PAUSES = (0.5, 1.0, 2.0)  # between attempts at the first connection
_ENDING_SECONDS = 5.0

_SIGNALS: tuple[type[Signal], ...] = (TurnStarted, TurnUpdated, Speculate, Cancel, Commit, BargeIn, TurnDropped)


class TurnkitSTTService(EagerEndOfTurnSTTServiceMixin, STTService):
    """Speech-to-text by Deepgram Flux, with turnkit's client and turnkit's decisions.

    To be put where Pipecat's own Flux service stands. It tells the user aggregator when a turn begins and ends, has
    answers prepared early where `options` ask for eager ends of turn, and hears from the output transport when the
    bot speaks. What of it the user heard is in Pipecat's context, and not in the session's `history`.

    Args:
        api_key: a Deepgram key. Default None.
        token: a temporary token, or a function that gets one, instead of a key. Default None.
        url: Flux's, as for `turnkit.connect`. Default Deepgram's.
        options: those of the connection; audio is linear16, at the pipeline's rate. An `eager_eot_threshold` switches
            speculation on. Default `FluxOptions()`.
        session: the call's, with its policies, timeouts, callbacks, recording; without `respond` and `speak`, as
            Pipecat answers. Default `Session()`.
        connection: further arguments of `turnkit.connect`, such as `reconnect_timeout`. Default none.
        protect_greeting: whether what the bot says before its first answer may not be interrupted; what is said over
            it is answered after it. Default False.
        answer_timeout: after how many seconds without a sound an answer has failed, and the floor is free. Default 20.
        kwargs: those of Pipecat's `STTService`, such as `audio_passthrough` or `sample_rate`.

    Raises:
        ConfigError: for what cannot work.

    Attributes:
        session: the call's.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        token: Token | None = None,
        url: str = "wss://api.deepgram.com",
        options: FluxOptions = FluxOptions(),
        session: Session | None = None,
        connection: Mapping[str, Any] | None = None,
        protect_greeting: bool = False,
        answer_timeout: float = 20.0,
        **kwargs: Any,
    ) -> None:
        hand_over(_to_loguru)
        self._address: dict[str, Any] = {"api_key": api_key, "token": token, "url": url, **(connection or {})}
        connect(options, **self._address)  # nothing is opened, but what cannot work is told here
        if options.encoding != "linear16":
            raise ConfigError(f"options: encoding={options.encoding!r}: Pipecat's audio is 'linear16'")
        if session is not None and not isinstance(session, Session):
            raise ConfigError(f"session: must be a Session, which is one call's, not {type(session).__name__}")
        check_seconds("answer_timeout", answer_timeout, zero=False)
        super().__init__(
            enable_eager_end_of_turn=options.eager_eot_threshold is not None,
            settings=STTSettings(model=options.model, language=None),
            **kwargs,
        )
        self.session = Session() if session is None else session
        self._options = options
        self._telling = Telling(self._tell)
        self._bot = BotSpeech(self.session, protect_greeting=protect_greeting, answer_timeout=answer_timeout)
        self._stream: FluxStream | None = None
        self._early: deque[bytes] | None = deque()  # audio from before there is a connection
        self._holding: asyncio.Task[None] | None = None
        self._keeping_on: asyncio.Task[None] | None = None
        for kind in _SIGNALS:
            self.session.on(kind, self._put)

    @property
    def stream(self) -> FluxStream | None:
        """The connection to Flux, as for `configure`; None before and after it."""
        return self._stream

    @property
    def supports_ttfs(self) -> bool:
        """Whether there is a time from the end of speech to the transcript: Flux defines the end itself."""
        return False

    def can_generate_metrics(self) -> bool:
        """Whether usage is counted: it is."""
        return True

    def service_metadata_frame(self) -> STTMetadataFrame:
        """Announce the turn strategies that go with this service."""
        frame: STTMetadataFrame = super().service_metadata_frame()
        frame.user_turn_strategies = turnkit_strategies(self._telling.steps)
        return frame

    # The call -----------------------------------------------------------------------------------------------------

    async def start(self, frame: StartFrame) -> None:
        """Connect, and hold the conversation from now on."""
        await super().start(frame)
        for processor in _within(self.pipeline_worker.pipeline):
            if isinstance(processor, LLMAssistantAggregator):
                processor.add_event_handler("on_assistant_turn_stopped", self._assistant_turn_stopped)
        if self._holding is None:
            self._keeping_on = self.create_task(self._telling.keep_on(), "turnkit_telling")
            self._holding = self.create_task(self._hold(), "turnkit_session")

    async def stop(self, frame: EndFrame) -> None:
        """Take what Flux still has to say, and end."""
        if self._stream is not None and self._holding is not None:
            with suppress(TurnkitError):
                await self._stream.close()
            await asyncio.wait({self._holding}, timeout=_ENDING_SECONDS)
        await self._end()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        """End at once."""
        await self._end()
        await super().cancel(frame)

    async def cleanup(self) -> None:
        """End, if nobody has said so before."""
        await self._end()
        await super().cleanup()

    async def _end(self) -> None:
        self.session.hang_up()
        self._bot.end()
        holding, keeping_on = self._holding, self._keeping_on
        self._holding = self._keeping_on = None
        if holding is not None:
            await self.cancel_task(holding)
        if keeping_on is not None:
            await self.cancel_task(keeping_on)
            await self._telling.finish()

    async def _hold(self) -> None:
        """Hold the conversation; a failure that nothing mends is reported to the pipeline."""
        options = msgspec.structs.replace(self._options, sample_rate=self.sample_rate)
        try:
            async with AsyncExitStack() as stack:
                stream = await self._connect(stack, options)
                while self._early:
                    await stream.send_audio(self._early.popleft())
                self._stream, self._early = stream, None
                await self.session.run(stream)
        except Exception as error:
            what = str(error) if isinstance(error, TurnkitError) else type(error).__name__
            await self.push_error(f"the conversation has ended: {what}", error, force_treat_as_permanent=True)
        finally:
            self._stream = self._early = None

    async def _connect(self, stack: AsyncExitStack, options: FluxOptions) -> FluxStream:
        """Connect for the first time; once there is a connection it mends itself."""
        for pause in _FIRST_PAUSES:
            try:
                return await stack.enter_async_context(connect(options, **self._address))
            except ConnectionFailed:
                await asyncio.sleep(pause)
        return await stack.enter_async_context(connect(options, **self._address))

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Send audio to Flux; what it hears does not come from here.

        Args:
            audio: linear16.

        Yields:
            None.
        """
        if self._stream is not None:
            # What is wrong with the stream, the task that reads it reports.
            with suppress(ConnectionFailed, LocalProtocolError):
                await self._stream.send_audio(audio)
        elif self._early is not None:
            self._early.append(audio)
            if sum(map(len, self._early)) > _EARLY_SECONDS * 2 * self.sample_rate:
                self._early.popleft()
        yield None

    async def _update_settings(self, delta: Any) -> dict[str, Any]:
        """Say that nothing follows from it: what can change in mid-call changes by `stream.configure`."""
        changed: dict[str, Any] = await super()._update_settings(delta)
        self._warn_unhandled_updated_settings(changed)
        return changed

    # From turnkit to Pipecat --------------------------------------------------------------------------------------

    def _put(self, signal: Signal) -> None:
        """Take what turnkit has decided, in the callback that brought the message."""
        self._telling.put(signal)
        if type(signal) is Commit:
            self._bot.answer(signal)

    async def _tell(self, step: Step) -> None:
        try:
            await self._tell_pipeline(step)
        except Exception as error:
            what = f"{type(step).__name__} could not be told: {type(error).__name__}"
            await self.push_error(what, error, category=ErrorCategory.UNKNOWN)

    async def _tell_pipeline(self, step: Step) -> None:
        match step:
            case Open(interrupts):
                await self._telling.arrive()
                await self._tell_floor(interrupts)
            case Interim(text):
                now = time_now_iso8601()
                await self.push_frame(InterimTranscriptionFrame(text, self._user_id, now, self._language(())))
            case Draft(signal, text):
                language = self._language(signal.languages)
                await self._push_eager_end_of_turn(text, user_id=self._user_id, language=language, result=signal)
                self._telling.depart()
            case Withdraw():
                await self._telling.arrive()
                await self._cancel_eager_end_of_turn()
            case Answer(signal, text):
                await self._tell_answer(signal, text)
            case Close():
                await self.broadcast_frame(ProposedUserStoppedSpeakingFrame)
                self._telling.depart()
            case Backchannel(text):
                await self.push_frame(UserBackchannelFrame(text, self._user_id, time_now_iso8601()))
            case Interrupt():
                await self._telling.arrive()
                await self.broadcast_interruption()

    async def _tell_floor(self, interrupts: bool) -> None:
        """Broadcast, but what interrupts goes first and is not kept waiting for its twin."""
        down = UserHasFloorFrame(interrupts=interrupts)
        await self.push_frame(down)
        up = UserHasFloorFrame(interrupts=interrupts)
        down.broadcast_sibling_id, up.broadcast_sibling_id = up.id, down.id
        await self.push_frame(up, FrameDirection.UPSTREAM)

    async def _tell_answer(self, signal: Commit, text: str) -> None:
        self._clear_eager_end_of_turn()
        await self.emit_stt_usage_metrics()
        language = self._language(signal.languages)
        said = TranscriptionFrame(text, self._user_id, time_now_iso8601(), language, result=signal, finalized=True)
        await self.push_frame(said)
        await self.broadcast_frame(ProposedUserStoppedSpeakingFrame)
        self._telling.depart()

    def _language(self, detected: tuple[str, ...]) -> Language | None:
        if detected:
            with suppress(ValueError):
                return Language(detected[0])
            return None
        return Language.EN if self._options.model == "flux-general-en" else None

    # From Pipecat to turnkit --------------------------------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take what the pipeline tells of the bot, its tools and its errors.

        Args:
            frame: what comes along the pipeline.
            direction: down, from the caller on, or up; what is told of the bot comes up.
        """
        await super().process_frame(frame, direction)
        if direction is FrameDirection.UPSTREAM:
            self._hear(frame)

    def _hear(self, frame: Frame) -> None:
        match frame:
            case BotStartedSpeakingFrame():
                self._bot.started()
            case BotStoppedSpeakingFrame():
                self._bot.stopped()
            case FunctionCallsStartedFrame():
                self._bot.calls_began([call.tool_call_id for call in frame.function_calls])
            case FunctionCallResultFrame() | FunctionCallCancelFrame():
                self._bot.call_ended(frame.tool_call_id)
            case ErrorFrame() if isinstance(frame.processor, (LLMService, TTSService)):
                self._fail(frame.processor)
            case UserMuteStartedFrame():
                self._bot.muted = True
            case UserMuteStoppedFrame():
                self._bot.muted = False
                self._telling.close()  # what ended while nobody listened

    def _fail(self, processor: FrameProcessor) -> None:
        draft = self._telling.steps.draft
        if draft is not None and isinstance(processor, LLMService):
            self.session.discard_draft(draft)
        else:
            self._bot.failed()

    async def _assistant_turn_stopped(self, _: LLMAssistantAggregator, message: AssistantTurnStoppedMessage) -> None:
        if not message.interrupted:
            self._bot.said()


def _within(processor: FrameProcessor) -> Iterator[FrameProcessor]:
    """The processors of a pipeline, and those of pipelines in it."""
    for inner in processor.processors:
        yield inner
        yield from _within(inner)


def _to_loguru(level: str, line: str) -> None:
    """Log where Pipecat does, under the name of turnkit."""
    loguru.patch(_as_turnkits).log(level.upper(), "{}", line.strip())


def _as_turnkits(record: Any) -> None:
    record.update(name="turnkit", function="log", line=0)
