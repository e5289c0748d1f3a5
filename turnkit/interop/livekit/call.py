"""A call: one turnkit session and one AgentSession, and what each has to know of the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from livekit.agents import AgentSession, LanguageCode, stt
from livekit.agents.types import TimedString
from livekit.agents.voice import SpeechHandle

from ...logs import logger
from ...session import Session
from ...timers import callback_context
from ...turns.events import (
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

_START, _END = stt.SpeechEventType.START_OF_SPEECH, stt.SpeechEventType.END_OF_SPEECH
_INTERIM, _FINAL = stt.SpeechEventType.INTERIM_TRANSCRIPT, stt.SpeechEventType.FINAL_TRANSCRIPT
_PREFLIGHT = stt.SpeechEventType.PREFLIGHT_TRANSCRIPT

# The words that follow in the same turn tell LiveKit by themselves that its draft is stale, or are those it is for.
_SEEN_FROM_WORDS = {CancelReason.RESUMED, CancelReason.SUPERSEDED, CancelReason.TRANSCRIPT_CHANGED}


def _entering(handler: Callable[[Any], None]) -> Callable[[Any], None]:
    """The handler, where anyio works in it too: LiveKit calls some of them outside of any task."""

    def enter(event: Any) -> None:
        if asyncio.current_task() is None:
            callback_context().run(handler, event)
        else:
            handler(event)

    return enter


class Call:
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
        # The open turn, whether LiveKit knows of it, and the draft that it was asked for.
        self._turn: int | None = None
        self._words = ""
        self._told = False
        self._draft: int | None = None
        # The words of turns that LiveKit has been given, as far as they may still be unanswered.
        self._given: tuple[str, ...] = ()
        self._unended = 0  # ends of turns that LiveKit has yet to see
        self._turns: list[stt.SpeechEvent] = []  # that are over, and that LiveKit would not take now
        self._in_history = True  # whether what was given last has become a message there
        # The reply that has the floor, and the speech of LiveKit's that it is.
        self._reply: int | None = None
        self._speech: SpeechHandle | None = None
        self._speeches: set[SpeechHandle] = set()  # that are not over
        self._done = _entering(self._speech_done)
        self._error: BaseException | None = None
        self._protected = self._initiating = self._paused = False
        self._heard: dict[SpeechHandle, tuple[int, str]] = {}  # of speeches not over: their reply, and what was heard
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
        self._draft = signal.reply
        self._emit(_PREFLIGHT, self._asked(signal), signal.confidence, signal.words, signal.languages)

    def _commit(self, signal: Commit) -> None:
        self._reply, self._speech, self._error = signal.reply, None, None
        self._protected = False
        if self._initiating:
            return
        asked = self._asked(signal)
        self._given = (*signal.unanswered, signal.transcript)
        told, self._turn, self._told = self._told and signal.turn is not None, None, False
        drafted, self._draft = self._draft is not None, None
        if not asked:
            # The host's initiative; or an answer is due to words that LiveKit has, or is just taking in, or is about to
            # answer: a speech that it makes after a turn has begun waits for its end.
            due = any(speech.scheduled and not speech.interrupted for speech in self._speeches)
            if self._in_history and not due:
                self._agent.generate_reply()
            self._expect_answer()
            return
        self._in_history = False
        if not told:
            self._turns.append(self._event(_START))
        if drafted and not signal.speculative:
            self._turns.append(self._event(_INTERIM, asked))  # by which LiveKit drops its draft
        self._turns.append(self._event(_FINAL, asked, 1.0, signal.words, signal.languages))
        self._turns.append(self._event(_END))
        self._send_turns()

    def _send_turns(self, _: object = None) -> None:
        """Send the turns that are over; LiveKit throws away those that end over what must not be interrupted."""
        speech = self._agent.current_speech
        if speech is None or speech.allow_interruptions or speech.interrupted:
            events, self._turns = self._turns, []
            for event in events:
                self._give(event)
        elif self._running and speech.done():  # LiveKit is about to see that
            asyncio.get_running_loop().call_soon(self._send_turns)
        elif self._running:
            speech.add_done_callback(self._send_turns)

    def _cancel(self, signal: Cancel) -> None:
        if signal.reply == self._reply:
            self._reply = self._speech = None
            if signal.reason is not CancelReason.CLOSED:
                self._interrupt()
                self._tell()
        elif signal.reply == self._draft and signal.reason not in _SEEN_FROM_WORDS:
            self._draft = None
            if self._agent.current_speech is None and signal.reason is not CancelReason.CLOSED:
                self._interrupt()  # there is nothing to interrupt but the draft

    def _barge_in(self, signal: BargeIn) -> None:
        if signal.reply == self._reply:
            self._interrupt()
            self._reply = self._speech = None
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
        self._speeches.add(event.speech_handle)
        event.speech_handle.add_done_callback(self._done)

    def _agent_state_changed(self, event: Any) -> None:
        if event.new_state == "speaking" and self._running:
            self._speaks()

    def _speaks(self) -> None:
        """LiveKit is heard: it is the reply that waits for its first sound or, if none does, an initiative."""
        speech = self._agent.current_speech
        if speech is None or speech is self._speech:
            return
        speech.add_done_callback(self._done)  # it may be older than the stream
        reply = self._reply
        if reply is None:
            protected = not speech.allow_interruptions
            self._initiating = True
            try:
                reply = self._session.initiate(protected=protected)
            finally:
                self._initiating = False
            if reply is None:
                return  # while the user speaks: nobody has asked turnkit, and it interrupts nothing
            self._protected = protected
        self._speech = speech
        self._heard[speech] = (reply, "")
        self._unpause()  # of one that is not over yet, but was interrupted
        self._protect()
        self._session.playback_started(reply)

    def _protect(self) -> None:
        if self._reply is not None and self._speech is not None:
            protected = not self._speech.allow_interruptions
            if protected is not self._protected:
                self._protected = protected
                self._session.protect(self._reply, protected)

    def _item_added(self, event: Any) -> None:
        role = getattr(event.item, "role", None)
        if role == "user":
            self._in_history = True
        elif role == "assistant":
            # Whose it is, it knows by then.
            asyncio.get_running_loop().call_soon(_entering(self._was_heard), event.item)

    def _was_heard(self, item: Any) -> None:
        """What LiveKit says was heard; also of a speech that turnkit has interrupted."""
        for speech, (reply, heard) in self._heard.items():
            if self._running and item.text_content and any(item is other for other in speech.chat_items):
                self._heard[speech] = (reply, f"{heard} {item.text_content}".strip())
                self._session.playback_advanced(*self._heard[speech])
                return

    def _speech_done(self, speech: SpeechHandle) -> None:
        if not self._running:
            return
        if self._agent.current_speech is speech:  # LiveKit takes no turn until it has seen that itself
            asyncio.get_running_loop().call_soon(self._done, speech)
            return
        self._speeches.discard(speech)
        self._heard.pop(speech, None)
        mine, reply = self._speech, self._reply
        if mine is None or mine is speech:
            self._error = speech.exception() or self._error
            self._unpause()  # the next one is not to begin paused
        if mine is None or mine is not speech or reply is None:
            return
        if mine.interrupted:
            self._interrupted_elsewhere(reply)
        else:
            self._finish()

    def _interrupted_elsewhere(self, reply: int) -> None:
        """The host or LiveKit itself has stopped what turnkit believes to be heard."""
        if self._protected:
            self._protected = False
            self._session.protect(reply, False)
        self._reply = self._speech = None
        self._session.interrupt()

    def _finish(self) -> None:
        """LiveKit has said what it had to say: the floor is free."""
        reply, self._reply, self._speech = self._reply, None, None
        if reply is not None:
            self._session.playback_finished(reply, failed=self._error is not None)
            self._tell()  # a turn that overlapped is an ordinary one now

    def _user_state_changed(self, event: Any) -> None:
        if event.new_state == "listening" and self._running:
            self._unended = max(self._unended - 1, 0)
            self._expect_answer()

    def _expect_answer(self) -> None:
        """See that the floor is free if nothing comes of the reply that is to be heard, once LiveKit has its turn."""
        if self._reply is not None and self._speech is None and not self._unended:
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
        self._give(self._event(kind, *said))

    def _give(self, event: stt.SpeechEvent) -> None:
        self._unended += event.type is _END
        self._send(event)

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
        timed = [
            (word.word, self._offset + word.start, self._offset + word.end)
            for word in words
            if word.start is not None and word.end is not None
        ]
        data = stt.SpeechData(
            language=LanguageCode(languages[0] if languages else self._language),
            text=text,
            confidence=confidence,
            start_time=timed[0][1] if timed else 0.0,
            end_time=timed[-1][2] if timed else 0.0,
            words=[TimedString(word, start_time=start, end_time=end) for word, start, end in timed],
        )
        return stt.SpeechEvent(type=kind, alternatives=[data])
