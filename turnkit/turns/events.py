"""Events and signals: what can happen in a call, and what to do about it.

Events are facts, in Flux's own names or the past tense. Signals are what the machine answers: imperatives for the
host, and reports for whoever listens; each carries `at`, the monotonic second of the `feed`, `wake` or `close` that
decided it. Both are frozen, comparable, built by position or keyword, and print as the Python that builds them. All
times are seconds. None of these types is made to be subclassed.
"""

from __future__ import annotations

from enum import StrEnum
from math import isfinite
from typing import TypeAlias, get_args

import msgspec

from ..errors import LocalProtocolError

COUNTABLE = 2**53
"""The first whole number that JSON cannot be trusted to tell from the next."""

SPOKEN = frozenset({"transcript", "heard", "unanswered", "words"})
"""The fields of events and signals that hold what was said: texts, or tuples of texts or of `TimedWord`.

No error or log quotes them.
"""


class _Reason(StrEnum):
    """A closed set of words; prints as the Python that names the member."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class CancelReason(_Reason):
    """Why a reply will never be heard."""

    RESUMED = "resumed"  # the user went on speaking after an eager end of turn
    SUPERSEDED = "superseded"  # a later eager end of turn has other words
    TRANSCRIPT_CHANGED = "transcript_changed"  # the final words are not those the draft was made for
    EMPTY_TURN = "empty_turn"  # the turn turned out to have no words
    NEW_TURN = "new_turn"  # the user spoke again before anything was heard
    STREAM_LOST = "stream_lost"  # Flux is gone, and with it the end of the turn
    STALLED = "stalled"  # the turn made no progress and turnkit ended it
    FLOOR_TAKEN = "floor_taken"  # the agent may not speak unasked now: somebody has the floor
    FAILED = "failed"  # the host could not produce the draft
    CONTEXT_CHANGED = "context_changed"  # the draft was made from what is no longer true
    INTERRUPTED = "interrupted"  # the host interrupted it before anything was heard
    CLOSED = "closed"  # the session ended


class DropReason(_Reason):
    """Why a turn gets no answer."""

    EMPTY = "empty"  # it ended without words
    OVERLAP_KEPT = "overlap_kept"  # the agent kept the floor: a backchannel
    SUPERSEDED = "superseded"  # another turn began before it could be answered
    STREAM_LOST = "stream_lost"  # Flux was lost before it ended
    STALLED = "stalled"  # it made no progress and had no words
    CLOSED = "closed"  # the session ended


class ResumeReason(_Reason):
    """Why held playback goes on."""

    BACKCHANNEL = "backchannel"  # the overlap was judged: the agent keeps the floor
    TIMEOUT = "timeout"  # nothing decided the overlap in time
    EMPTY_TURN = "empty_turn"  # there were no words after all
    TURN_LOST = "turn_lost"  # the overlapping turn was lost with the stream


class NoteKind(_Reason):
    """The surprises that turnkit tolerates and reports."""

    STALE_TURN = "stale_turn"  # an event of a turn that is over: dropped
    MISSED_END = "missed_end"  # a later turn's event while one was open: its end was missed
    MISSING_START = "missing_start"  # a turn that began without StartOfTurn
    DUPLICATE_START = "duplicate_start"  # StartOfTurn in a turn that was open
    MISSING_RESUME = "missing_resume"  # the user went on after an eager end without TurnResumed
    STRAY_RESUME = "stray_resume"  # TurnResumed without an eager end before it
    BLANK_EAGER = "blank_eager"  # EagerEndOfTurn without words
    LATE_WORDS = "late_words"  # new words of a turn that turnkit had ended as stalled
    EARLY_PLAYBACK = "early_playback"  # playback reported for a reply that is only a draft
    POLICY_FAILED = "policy_failed"  # a policy raised or gave no verdict; the default was used
    MALFORMED_MESSAGE = "malformed_message"  # a frame that could not be understood: skipped
    UNKNOWN_MESSAGE = "unknown_message"  # a type or event that turnkit does not know: skipped
    SEQUENCE_GAP = "sequence_gap"  # messages from Flux are missing
    FLUX_WARNING = "flux_warning"  # Flux sent a Warning
    FLUX_ERROR = "flux_error"  # Flux sent an Error, after which it hangs up
    CONFIGURE_FAILED = "configure_failed"  # Flux kept its old settings
    CALLBACK_FAILED = "callback_failed"  # a callback raised; the call goes on


class Outcome(_Reason):
    """How a reply ended; each ends in exactly one way."""

    FINISHED = "finished"  # heard to its end, or it had nothing to say
    INTERRUPTED = "interrupted"  # the user took the floor while it was heard
    CANCELLED = "cancelled"  # nothing of it was ever heard
    FAILED = "failed"  # `respond` or `speak` raised


class TimedWord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A word of the user's, with its time.

    Attributes:
        word: as Flux wrote it.
        start: the second of stream audio at which it begins; None where Flux gives none.
        end: the second of stream audio at which it ends; None where Flux gives none.
        confidence: Flux's confidence in it, 0 to 1.
    """

    word: str
    start: float | None = None
    end: float | None = None
    confidence: float = 0.0

    def __repr__(self) -> str:
        # What was said ends up in no log.
        return f"TimedWord({len(self.word)} characters, {self.start!r}, {self.end!r})"


# Events -----------------------------------------------------------------------------------------------------------


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="event"):
    """The base of all events: they are facts, and carry no time, since the caller of `feed` says when."""


def _number(value: object) -> str:
    """A number for an error message; of all else only the type, since it may be words in the wrong place."""
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < COUNTABLE**2):
        return repr(value)
    return f"<{type(value).__name__}>"


class _TurnEvent(_Event, frozen=True, gc=False):
    turn_index: int
    transcript: str = ""
    confidence: float = 0.0
    audio_end: float = 0.0

    def __post_init__(self) -> None:
        # Checked where an event is born, so that a machine never meets one that it could choke on half-way.
        if (
            type(self.turn_index) is int
            and type(self.transcript) is str
            and -COUNTABLE < self.turn_index < COUNTABLE
            and type(self.confidence) is type(self.audio_end) is float
            and isfinite(self.confidence + self.audio_end)
        ):
            return  # the usual case, told at once
        try:
            fits = -COUNTABLE < self.turn_index < COUNTABLE and isfinite(self.confidence + self.audio_end)
        except (TypeError, OverflowError):
            fits = False
        if not fits or not isinstance(self.transcript, str) or not isinstance(self.turn_index, int):
            raise LocalProtocolError(
                f"{type(self).__name__}(turn_index={_number(self.turn_index)}, "
                f"confidence={_number(self.confidence)}, audio_end={_number(self.audio_end)}, "
                f"transcript: {type(self.transcript).__name__}): must be a whole number, "
                "two finite numbers and a string"
            )


class StartOfTurn(_TurnEvent, frozen=True, gc=False, tag=True):
    """Flux: the user has begun to speak.

    Attributes:
        turn_index: Flux's count of turns on this connection, from 0.
        transcript: the whole turn so far; it replaces earlier text, and need not extend it. Default empty.
        confidence: that the user is done, from 0 to 1; means nothing outside a turn. Default 0.
        audio_end: the seconds of stream audio that are covered. Default 0.
    """


class Update(_TurnEvent, frozen=True, gc=False, tag=True):
    """Flux: more audio was transcribed; nothing else has changed.

    Attributes:
        turn_index: Flux's count of turns on this connection, from 0.
        transcript: the whole turn so far; it replaces earlier text, and need not extend it. Default empty.
        confidence: that the user is done, from 0 to 1; means nothing outside a turn. Default 0.
        audio_end: the seconds of stream audio that are covered. Default 0.
    """


class EagerEndOfTurn(_TurnEvent, frozen=True, gc=False, tag=True):
    """Flux: the user has probably finished; a reply may be prepared.

    Attributes:
        turn_index: Flux's count of turns on this connection, from 0.
        transcript: the whole turn so far; it replaces earlier text, and need not extend it. Default empty.
        confidence: that the user is done, from 0 to 1; means nothing outside a turn. Default 0.
        audio_end: the seconds of stream audio that are covered. Default 0.
        words: those of the transcript, with their times, where Flux gives them. Default none.
        languages: those that Flux has detected, where it tells (multilingual model). Default none.
    """

    words: tuple[TimedWord, ...] = ()
    languages: tuple[str, ...] = ()


class TurnResumed(_TurnEvent, frozen=True, gc=False, tag=True):
    """Flux: the user goes on after an eager end of turn.

    Attributes:
        turn_index: Flux's count of turns on this connection, from 0.
        transcript: the whole turn so far; it replaces earlier text, and need not extend it. Default empty.
        confidence: that the user is done, from 0 to 1; means nothing outside a turn. Default 0.
        audio_end: the seconds of stream audio that are covered. Default 0.
    """


class EndOfTurn(_TurnEvent, frozen=True, gc=False, tag=True):
    """Flux: the user has finished.

    Attributes:
        turn_index: Flux's count of turns on this connection, from 0.
        transcript: the whole turn so far; it replaces earlier text, and need not extend it. Default empty.
        confidence: that the user is done, from 0 to 1; means nothing outside a turn. Default 0.
        audio_end: the seconds of stream audio that are covered. Default 0.
        trigger: what ended the turn: `model`, `manual`, `timeout` or anything newer. Default empty: the deployment does
            not tell (Flux tells since August 2026).
        words: those of the transcript, with their times, where Flux gives them. Default none.
        languages: those that Flux has detected, where it tells (multilingual model). Default none.
    """

    trigger: str = ""
    words: tuple[TimedWord, ...] = ()
    languages: tuple[str, ...] = ()


class PlaybackStarted(_Event, frozen=True, gc=False, tag=True):
    """The host: the first sound of a reply was heard.

    Attributes:
        reply: its number, as Commit or Speculate gave it.
    """

    reply: int


class PlaybackAdvanced(_Event, frozen=True, gc=False, tag=True):
    """The host: more of a reply has been heard.

    Attributes:
        reply: its number, as Commit or Speculate gave it.
        heard: all of its text that has been heard so far.
    """

    reply: int
    heard: str


class PlaybackFinished(_Event, frozen=True, gc=False, tag=True):
    """The host: the last sound of a reply was heard, or it had nothing to say and that was its answer.

    Attributes:
        reply: its number, as Commit or Speculate gave it.
        failed: whether it ended because something failed: if nothing of it was heard, what it was to answer is then
            still unanswered. Default False.
    """

    reply: int
    failed: bool = False


class Initiate(_Event, frozen=True, gc=False, tag=True):
    """The host: the agent wants to speak unasked: a greeting, a reprompt.

    Attributes:
        protected: whether the user cannot interrupt it. Default False.
        wait: whether it waits until the floor is free, where it is taken, and again if a turn cancels it before its
            first sound; without, it is refused. Default False.
    """

    protected: bool = False
    wait: bool = False


class Interrupt(_Event, frozen=True, gc=False, tag=True):
    """The host: the user takes the floor by other means than speech, such as a key or typed text.

    Attributes:
        transcript: what the user typed, which is a turn of its own. Default empty: the agent is only stopped.
    """

    transcript: str = ""


class Protect(_Event, frozen=True, gc=False, tag=True):
    """The host: a reply may not be interrupted, or may be again.

    Attributes:
        reply: its number, as Commit or Speculate gave it.
        on: whether it is protected from now on.
    """

    reply: int
    on: bool


class DraftDiscarded(_Event, frozen=True, gc=False, tag=True):
    """The host: a draft is no good.

    Attributes:
        reply: its number, as Speculate gave it.
        reason: `failed` or `context_changed`; anything else counts as `failed`.
    """

    reply: int
    reason: str


class Busy(_Event, frozen=True, gc=False, tag=True):
    """The host: a tool is running, and the idle clock stands still meanwhile; or no tool runs any more.

    Attributes:
        on: whether one is running.
    """

    on: bool


class StreamLost(_Event, frozen=True, gc=False, tag=True):
    """The connection to Flux is lost; once it is back, Flux counts turns from 0 again.

    Attributes:
        reason: for people to read. Default empty.
    """

    reason: str = ""


class StreamRestored(_Event, frozen=True, gc=False, tag=True):
    """The connection to Flux is back.

    Attributes:
        reason: for people to read. Default empty.
    """

    reason: str = ""


TurnEvent: TypeAlias = StartOfTurn | Update | EagerEndOfTurn | TurnResumed | EndOfTurn
"""What Flux says about the user's turn."""

Event: TypeAlias = (
    TurnEvent
    | PlaybackStarted
    | PlaybackAdvanced
    | PlaybackFinished
    | Initiate
    | Interrupt
    | Protect
    | DraftDiscarded
    | Busy
    | StreamLost
    | StreamRestored
)
"""Whatever `TurnMachine.feed` takes."""


# Signals ----------------------------------------------------------------------------------------------------------


class _Signal(msgspec.Struct, frozen=True, gc=False, tag_field="signal", kw_only=True):
    """The base of all signals.

    Attributes:
        at: the monotonic second of the `feed`, `wake` or `close` that decided it.
    """

    at: float


class TurnStarted(_Signal, frozen=True, gc=False, tag=True):
    """Report: the user has begun a turn.

    Attributes:
        turn: the turn's number, counted from 0 over the whole call.
        transcript: its words so far.
        overlaps: the reply that has the floor as it begins, pending or heard. Default None: nobody has.
    """

    turn: int
    transcript: str
    overlaps: int | None = None


class TurnUpdated(_Signal, frozen=True, gc=False, tag=True):
    """Report: the words of the open turn changed.

    Attributes:
        turn: the turn's number, counted from 0 over the whole call.
        transcript: its words now.
        confidence: Flux's, that the user is done, from 0 to 1.
    """

    turn: int
    transcript: str
    confidence: float


class Speculate(_Signal, frozen=True, gc=False, tag=True):
    """Start the LLM; let nothing of the reply be heard or take effect yet.

    Attributes:
        turn: the turn that it is to answer.
        reply: the draft's number; of replies, counted from 0 over the whole call.
        transcript: the words that it is to answer.
        confidence: Flux's, that the user is done, from 0 to 1.
        why: the speculation policy's reason. Default empty.
        unanswered: the words of earlier turns that the user never got an audible answer to, oldest first.
        words: those of the transcript, with their times, where Flux gives them.
        languages: those that Flux has detected, where it tells.
    """

    turn: int
    reply: int
    transcript: str
    confidence: float
    why: str = ""
    unanswered: tuple[str, ...] = ()
    words: tuple[TimedWord, ...] = ()
    languages: tuple[str, ...] = ()


class Cancel(_Signal, frozen=True, gc=False, tag=True):
    """Drop a reply: it will never be heard.

    Attributes:
        turn: the turn that it was to answer; None if the agent wanted to speak unasked.
        reply: its number.
        reason: why.
    """

    turn: int | None
    reply: int
    reason: CancelReason


class Commit(_Signal, frozen=True, gc=False, tag=True):
    """The turn is final: let the reply be heard.

    Attributes:
        turn: the turn that it answers; None if the agent speaks unasked.
        reply: its number.
        transcript: the turn's final words.
        speculative: whether the draft of that number was made for these very words; otherwise start the reply now.
        trigger: what ended the turn: Flux's own word, or turnkit's `missed`, `stalled`, `stream_lost`, `typed`,
            `initiate` or `unanswered`.
        unanswered: the words of earlier turns that the user never got an audible answer to, oldest first.
        words: those of the transcript, with their times, where Flux gives them; none if it did not end the turn.
        languages: those that Flux has detected, where it tells.
    """

    turn: int | None
    reply: int
    transcript: str
    speculative: bool
    trigger: str
    unanswered: tuple[str, ...] = ()
    words: tuple[TimedWord, ...] = ()
    languages: tuple[str, ...] = ()


class BargeIn(_Signal, frozen=True, gc=False, tag=True):
    """The user has the floor: stop the playback of the reply.

    Attributes:
        turn: the turn that took it; None if the host interrupted without one.
        reply: the reply's number.
        transcript: the words of the turn so far.
        why: the barge-in policy's reason. Default empty.
        heard: what of the reply had been heard, as the host has reported it.
    """

    turn: int | None
    reply: int
    transcript: str
    why: str = ""
    heard: str = ""


class Hold(_Signal, frozen=True, gc=False, tag=True):
    """Pause or duck the playback of a reply while an overlap is judged.

    Attributes:
        turn: the turn that overlaps with it.
        reply: the reply's number.
        why: the barge-in policy's reason. Default empty.
    """

    turn: int
    reply: int
    why: str = ""


class Resume(_Signal, frozen=True, gc=False, tag=True):
    """Go on with the playback of a reply.

    Attributes:
        turn: the turn that did not take the floor.
        reply: the reply's number.
        reason: why.
    """

    turn: int
    reply: int
    reason: ResumeReason


class TurnDropped(_Signal, frozen=True, gc=False, tag=True):
    """Report: a turn is over and gets no answer.

    Attributes:
        turn: the turn's number, counted from 0 over the whole call.
        transcript: the last words it had.
        reason: why.
        why: the barge-in policy's reason, where that is what decided. Default empty.
    """

    turn: int
    transcript: str
    reason: DropReason
    why: str = ""


class TurnStalled(_Signal, frozen=True, gc=False, tag=True):
    """Report: the open turn has made no progress; unless it does, turnkit ends it soon.

    Attributes:
        turn: the turn's number, counted from 0 over the whole call.
        transcript: its words so far.
    """

    turn: int
    transcript: str


class UserIdle(_Signal, frozen=True, gc=False, tag=True):
    """The user has said nothing for an idle timeout.

    Attributes:
        count: how many times that has been so since they last spoke; from 1.
    """

    count: int


class Note(_Signal, frozen=True, gc=False, tag=True):
    """Report: a surprise, tolerated.

    Attributes:
        kind: which.
        detail: for people to read; never quotes what was said.
    """

    kind: NoteKind
    detail: str


Signal: TypeAlias = (
    TurnStarted
    | TurnUpdated
    | Speculate
    | Cancel
    | Commit
    | BargeIn
    | Hold
    | Resume
    | TurnDropped
    | TurnStalled
    | UserIdle
    | Note
)
"""Whatever the machine answers."""

SIGNALS: tuple[type[Signal], ...] = get_args(Signal)
"""Every kind of signal, for those who want them all."""


class ReplyEnded(_Signal, frozen=True, gc=True, tag=True):
    """Report, the session's own: a reply is over.

    Attributes:
        turn: the turn that it answered; None if the agent spoke unasked.
        reply: its number.
        outcome: how it ended.
        heard: what of it was heard.
        reported: whether anybody reported the playback; if not, nobody knows, and `heard` is what the voice was given.
            Default True.
        error: what failed, of a reply that did; not in recordings. Default None.
    """

    turn: int | None
    reply: int
    outcome: Outcome
    heard: str
    reported: bool = True
    error: BaseException | None = None
