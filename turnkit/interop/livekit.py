"""turnkit inside LiveKit Agents: a speech-to-text for a stock `AgentSession` that brings turnkit's turns with it.

    from turnkit.interop import livekit

    flux = livekit.STT(FluxOptions(eager_eot_threshold=0.4), api_key=key, session=lambda: Session(barge_in=MinWords(2)))
    session = AgentSession(stt=flux, llm=llm, tts=tts, **livekit.turn_handling())

turnkit's own Flux client listens, a turnkit session decides, and LiveKit does the rest as ever. Needs
`turnkit[livekit]`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

try:
    from livekit import rtc
    from livekit.agents import (
        DEFAULT_API_CONNECT_OPTIONS,
        NOT_GIVEN,
        AgentSession,
        APIConnectionError,
        APIConnectOptions,
        APIStatusError,
        LanguageCode,
        NotGivenOr,
        stt,
    )
    from livekit.agents.types import TimedString
    from livekit.agents.voice import SpeechHandle
except ImportError as missing:
    raise ImportError("turnkit.interop.livekit needs LiveKit Agents: pip install 'turnkit[livekit]'") from missing

from ..errors import ConfigError, FluxError, LocalProtocolError, TurnkitError
from ..flux import FluxStream, connect
from ..logs import logger
from ..session import Session
from ..timers import callback_context
from ..turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    Hold,
    Resume,
    Speculate,
    TimedWord,
    TurnDropped,
    TurnStarted,
    TurnUpdated,
)
from ..wire import FluxOptions

_USAGE_SECONDS = 5.0  # as often as LiveKit's own plugins report it
_DEFAULTS = FluxOptions()
_START, _END = stt.SpeechEventType.START_OF_SPEECH, stt.SpeechEventType.END_OF_SPEECH
_INTERIM, _FINAL = stt.SpeechEventType.INTERIM_TRANSCRIPT, stt.SpeechEventType.FINAL_TRANSCRIPT
_PREFLIGHT = stt.SpeechEventType.PREFLIGHT_TRANSCRIPT

# The words that follow in the same turn tell LiveKit by themselves that its draft is stale, or are those it is for.
_SEEN_FROM_WORDS = {CancelReason.RESUMED, CancelReason.SUPERSEDED, CancelReason.TRANSCRIPT_CHANGED}


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


class STT(stt.STT):
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
        self, options: FluxOptions = _DEFAULTS, *, session: Callable[[], Session] = Session, **connection: Any
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
                streaming=True, interim_results=True, aligned_transcript="word", offline_recognize=False
            )
        )
        self._options = options
        self._connection = connection
        self._make_session = session
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
        """
        owner = getattr(getattr(callback, "__self__", None), "session", None)
        if isinstance(owner, AgentSession):
            self.attach(owner)
        return super().on(event, callback)

    def stream(
        self, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> stt.RecognizeStream:
        """Open a stream, as LiveKit does; its retries come on top of turnkit's own reconnecting.

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
            async with connect(self._options, **self._connection) as flux:
                language = self._options.language_hint[0] if self._options.language_hint else "en"
                call = _Call(session, agent_session, send, language, stream.start_time_offset)
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

    async def _recognize_impl(self, buffer: Any, *, language: Any = NOT_GIVEN, conn_options: Any) -> stt.SpeechEvent:
        raise NotImplementedError("Flux hears streams only: use stream()")


class _Stream(stt.RecognizeStream):
    """A stream of LiveKit's: audio in, what turnkit decided out."""

    def __init__(self, owner: STT, agent_session: AgentSession[Any], conn_options: APIConnectOptions) -> None:
        # Before anything of the base, which starts to run at once.
        self.session: Session | None = None
        self._owner = owner
        self._agent_session = agent_session
        super().__init__(stt=owner, conn_options=conn_options, sample_rate=owner._options.sample_rate)

    async def _run(self) -> None:
        await self._owner._converse(self, self._agent_session, self._event_ch.send_nowait)

    async def forward_audio(self, flux: FluxStream) -> None:
        """Send what LiveKit pushes until there is no more; what becomes of the stream, its reader tells."""
        seconds = 0.0
        try:
            async for frame in self._input_ch:
                if not isinstance(frame, rtc.AudioFrame):
                    continue
                if frame.num_channels != 1:
                    logger().error("livekit_audio_not_mono", channels=frame.num_channels)
                    break
                await flux.send_audio(frame.data.cast("B"))
                seconds += frame.duration
                if seconds >= _USAGE_SECONDS:
                    self._report_usage(seconds)
                    seconds = 0.0
            self._report_usage(seconds)
            await flux.close()
        except TurnkitError as error:
            logger().debug("livekit_audio_not_sent", error=type(error).__name__)

    def _report_usage(self, seconds: float) -> None:
        usage = stt.RecognitionUsage(audio_duration=seconds)
        self._event_ch.send_nowait(stt.SpeechEvent(type=stt.SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage))


class _Source:
    """A stream of Flux, of which each message is announced to `look` before the session gets it."""

    def __init__(self, flux: FluxStream, look: Callable[[], None]) -> None:
        self._flux = flux
        self._look = look
        self.send_force_end_turn = flux.send_force_end_turn

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


def _entering(handler: Callable[[Any], None]) -> Callable[[Any], None]:
    """The handler, where anyio works in it too: LiveKit calls some of them outside of any task."""

    def enter(event: Any) -> None:
        if asyncio.current_task() is None:
            callback_context().run(handler, event)
        else:
            handler(event)

    return enter


class _Call:
    """Between a turnkit session and the AgentSession whose user it listens to: each learns what the other knows.

    LiveKit is told of a turn that is to have the floor, and of no other: what turnkit lets pass never reaches it.

    Args:
        session: turnkit's, before its run.
        agent: LiveKit's.
        send: gives LiveKit an event.
        language: what the user speaks, where Flux does not tell.
        offset: seconds that the stream began after LiveKit's own time.
    """

    def __init__(
        self,
        session: Session,
        agent: AgentSession[Any],
        send: Callable[[stt.SpeechEvent], None],
        language: str,
        offset: float,
    ) -> None:
        self._session = session
        self._agent = agent
        self._send = send
        self._language = language
        self._offset = offset
        self._running = False
        self._tasks: set[asyncio.Task[None]] = set()
        # The open turn, whether LiveKit knows of it, and whether it may have a draft for it.
        self._turn: int | None = None
        self._words = ""
        self._told = self._drafted = False
        # The words of turns that LiveKit has been given, as far as they may still be unanswered.
        self._given: tuple[str, ...] = ()
        self._in_history = True  # whether what was given last has become a message there
        # The reply that has the floor, the speech of LiveKit's that it is, and what was heard of it.
        self._reply: int | None = None
        self._speech: SpeechHandle | None = None
        self._speeches: list[SpeechHandle] = []
        self._heard = ""
        self._error: BaseException | None = None
        self._protected = self._initiating = self._paused = False
        self._cut: int | None = None  # the reply that was interrupted last, as long as no other is heard
        self._handlers: dict[Any, Callable[[Any], None]] = {
            "speech_created": _entering(self._speech_created),
            "agent_state_changed": _entering(self._agent_state_changed),
            "user_state_changed": _entering(self._user_state_changed),
            "conversation_item_added": _entering(self._item_added),
        }
        for kind, callback in self._callbacks():
            session.on(kind, callback)

    def _callbacks(self) -> list[tuple[Any, Callable[[Any], None]]]:
        return [
            (TurnStarted, self._turn_started),
            (TurnUpdated, self._turn_updated),
            (TurnDropped, self._turn_dropped),
            (Speculate, self._speculate),
            (Cancel, self._cancel),
            (Commit, self._commit),
            (BargeIn, self._barge_in),
            (Hold, self._hold),
            (Resume, self._resume),
        ]

    def __enter__(self) -> None:
        for event, handler in self._handlers.items():
            self._agent.on(event, handler)

    def __exit__(self, *_: object) -> None:
        self._running = False
        for event, handler in self._handlers.items():
            self._agent.off(event, handler)
        for task in self._tasks:
            task.cancel()
        self._unpause()

    def look(self) -> None:
        """Before each message of Flux: what LiveKit changes without a word."""
        if not self._running:
            self._running = True
            if self._agent.agent_state == "speaking":
                self._speaks()  # it greeted while the stream was being opened
        elif self._speech is not None:
            self._protect()

    # turnkit decides ----------------------------------------------------------------------------------------------

    def _turn_started(self, signal: TurnStarted) -> None:
        self._turn, self._words = signal.turn, signal.transcript
        self._told = False
        if signal.overlaps is None:
            self._tell()

    def _turn_updated(self, signal: TurnUpdated) -> None:
        self._words = signal.transcript
        if self._told:
            self._emit(_INTERIM, signal.transcript, signal.confidence)

    def _tell(self) -> None:
        """Tell LiveKit of the open turn, which has the floor, unless it knows."""
        if self._turn is not None and not self._told:
            self._told = True
            self._emit(_START)
            if self._words:
                self._emit(_INTERIM, self._words)

    def _turn_dropped(self, signal: TurnDropped) -> None:
        if signal.turn != self._turn:
            return
        if self._told:
            self._emit(_INTERIM)  # the words were none of a turn
            self._emit(_END)
        self._turn, self._told = None, False

    def _speculate(self, signal: Speculate) -> None:
        self._drafted = True
        self._emit(_PREFLIGHT, self._asked(signal), signal.confidence, signal.words, signal.languages)

    def _commit(self, signal: Commit) -> None:
        self._reply, self._speech, self._heard, self._error = signal.reply, None, "", None
        self._protected = False
        if self._initiating:
            return
        asked = self._asked(signal)
        self._given = (*signal.unanswered, signal.transcript)
        told, self._turn, self._told = self._told and signal.turn is not None, None, False
        drafted, self._drafted = self._drafted, False
        if not asked:
            # The host's initiative; or an answer is due to words that LiveKit has already, or is just taking in.
            if self._in_history:
                self._agent.generate_reply()
            return
        self._in_history = False
        events = [] if told else [self._event(_START)]
        if drafted and not signal.speculative:
            events.append(self._event(_INTERIM, asked))  # by which LiveKit drops its draft
        events.append(self._event(_FINAL, asked, 1.0, signal.words, signal.languages))
        events.append(self._event(_END))
        self._send_when_taken(events)

    def _send_when_taken(self, events: list[stt.SpeechEvent]) -> None:
        """Send the end of a turn; LiveKit throws it away while it says what must not be interrupted, so not then."""
        speech = self._agent.current_speech
        if speech is None or speech.allow_interruptions or speech.interrupted:
            for event in events:
                self._send(event)
        elif speech.done():  # it is about to see that
            asyncio.get_running_loop().call_soon(self._send_if_running, events)
        else:
            speech.add_done_callback(lambda _: self._send_if_running(events))

    def _send_if_running(self, events: list[stt.SpeechEvent]) -> None:
        if self._running:
            self._send_when_taken(events)

    def _cancel(self, signal: Cancel) -> None:
        if signal.reply == self._reply:
            self._reply = self._speech = None
            if signal.reason is not CancelReason.CLOSED:
                self._interrupt()
                self._tell()
        elif self._drafted and signal.reason not in _SEEN_FROM_WORDS:
            self._drafted = False
            if self._agent.current_speech is None and signal.reason is not CancelReason.CLOSED:
                self._interrupt()  # there is nothing to interrupt but the draft

    def _barge_in(self, signal: BargeIn) -> None:
        if signal.reply == self._reply:
            self._interrupt()
            self._cut, self._reply, self._speech = signal.reply, None, None
        if signal.turn is not None and signal.turn == self._turn:
            self._words = signal.transcript
            self._tell()

    def _hold(self, signal: Hold) -> None:
        output = self._agent.output.audio
        if output is not None and output.can_pause and not self._paused:
            self._paused = True
            output.pause()

    def _resume(self, signal: Resume) -> None:
        self._unpause()

    def _unpause(self) -> None:
        output = self._agent.output.audio
        if self._paused and output is not None:
            output.resume()
        self._paused = False

    def _interrupt(self) -> None:
        try:
            self._agent.interrupt()
        except RuntimeError as error:  # it may not be interrupted any more, or the call is over
            logger().debug("livekit_not_interrupted", error=type(error).__name__)

    # LiveKit speaks -----------------------------------------------------------------------------------------------

    def _speech_created(self, event: Any) -> None:
        self._watch(event.speech_handle)

    def _watch(self, speech: SpeechHandle) -> None:
        if speech not in self._speeches:
            self._speeches.append(speech)
            speech.add_done_callback(_entering(self._speech_done))

    def _agent_state_changed(self, event: Any) -> None:
        if event.new_state == "speaking" and self._running:
            self._speaks()

    def _speaks(self) -> None:
        """LiveKit is heard: it is the reply that waits for its first sound or, if none does, an initiative."""
        speech = self._agent.current_speech
        if speech is None or speech is self._speech:
            return
        self._watch(speech)
        if self._reply is None:
            self._initiating = True
            try:
                self._session.initiate(protected=not speech.allow_interruptions)
            finally:
                self._initiating = False
            if self._reply is None:
                return  # while the user speaks: nobody has asked turnkit, and it interrupts nothing
            self._protected = not speech.allow_interruptions
        self._speech, self._cut = speech, None
        self._protect()
        self._session.playback_started(self._reply)

    def _protect(self) -> None:
        if self._reply is not None and self._speech is not None:
            protected = not self._speech.allow_interruptions
            if protected is not self._protected:
                self._protected = protected
                self._session.protect(self._reply, protected)

    def _item_added(self, event: Any) -> None:
        role, text = getattr(event.item, "role", None), getattr(event.item, "text_content", None)
        if role == "user":
            self._in_history = True
        elif role == "assistant" and text and self._running:
            reply = self._reply if self._speech is not None else self._cut
            if reply is not None:
                self._heard = f"{self._heard} {text}".strip()
                self._session.playback_advanced(reply, self._heard)

    def _speech_done(self, speech: SpeechHandle) -> None:
        if not self._running:
            return
        if self._agent.current_speech is speech:  # LiveKit takes no turn until it has seen that itself
            asyncio.get_running_loop().call_soon(_entering(self._speech_done), speech)
            return
        if speech in self._speeches:
            self._speeches.remove(speech)
        if self._speech is None or speech is self._speech:
            self._error = speech.exception() or self._error
        if speech is not self._speech or self._reply is None:
            self._unpause_if_silent()
            return
        self._unpause()
        if speech.interrupted:
            self._interrupted_elsewhere()
        elif not any(other.scheduled for other in self._speeches):
            self._finish()

    def _unpause_if_silent(self) -> None:
        """What was paused is over; LiveKit's next speech is not to begin paused."""
        if self._speech is None:
            self._unpause()

    def _interrupted_elsewhere(self) -> None:
        """The host or LiveKit itself has stopped what turnkit believes to be heard."""
        if self._protected:
            self._protected = False
            self._session.protect(self._reply or 0, False)
        self._cut, self._reply, self._speech = self._reply, None, None
        self._session.interrupt()

    def _finish(self) -> None:
        """LiveKit has said what it had to say: the floor is free."""
        reply, self._reply, self._speech = self._reply, None, None
        if reply is not None:
            self._session.playback_finished(reply, failed=self._error is not None)
            self._tell()  # a turn that overlapped is an ordinary one now

    def _user_state_changed(self, event: Any) -> None:
        if event.new_state == "listening" and self._reply is not None and self._speech is None and self._running:
            task = asyncio.create_task(self._free_the_floor(self._reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _free_the_floor(self, reply: int) -> None:
        """Free it from an answer that never comes: of a turn that LiveKit, or its agent, has chosen not to answer."""
        try:
            await self._agent.wait_for_idle()
        except Exception:  # the call is over
            return
        if self._reply == reply and self._speech is None and self._running:
            self._finish()

    # Events -------------------------------------------------------------------------------------------------------

    def _asked(self, signal: Speculate | Commit) -> str:
        """The words to answer, without those that LiveKit has from earlier turns."""
        there = Counter(self._given)
        missing = []
        for text in signal.unanswered:
            if there[text]:
                there[text] -= 1
            else:
                missing.append(text)
        return " ".join(filter(None, (*missing, signal.transcript)))

    def _emit(self, kind: stt.SpeechEventType, *said: Any) -> None:
        self._send(self._event(kind, *said))

    def _event(
        self,
        kind: stt.SpeechEventType,
        text: str = "",
        confidence: float = 0.0,
        words: tuple[TimedWord, ...] = (),
        languages: tuple[str, ...] = (),
    ) -> stt.SpeechEvent:
        if kind in (_START, _END):
            return stt.SpeechEvent(type=kind)
        timed = [word for word in words if word.start is not None and word.end is not None]
        data = stt.SpeechData(
            language=LanguageCode(languages[0] if languages else self._language),
            text=text,
            confidence=confidence,
            start_time=self._offset + timed[0].start if timed else 0.0,
            end_time=self._offset + timed[-1].end if timed else 0.0,
            words=[
                TimedString(word.word, start_time=self._offset + word.start, end_time=self._offset + word.end)
                for word in timed
            ],
        )
        return stt.SpeechEvent(type=kind, alternatives=[data])
