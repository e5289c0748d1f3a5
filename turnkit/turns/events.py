"""The nouns of the domain: what can happen (events) and what to do about it (signals).

Events are facts, in Flux's own names or the past tense. Signals are what the machine answers: imperatives for the
host, and reports for whoever listens. Both are frozen, comparable, built by position or keyword, and print as the
Python that builds them. All times are seconds. None of these types is made to be subclassed.
"""

from __future__ import annotations

from enum import StrEnum
from math import isfinite
from typing import TypeAlias, get_args

import msgspec

from ..errors import LocalProtocolError

COUNTABLE = 2**53
"""The first whole number that JSON cannot be trusted to tell from the next."""


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
    CONFIGURE_FAILED = "configure_failed"  # Flux kept its old settings
    CALLBACK_FAILED = "callback_failed"  # a callback raised; the call goes on


class Outcome(_Reason):
    """How a reply ended; each ends in exactly one way."""

    FINISHED = "finished"  # heard to its end, or it had nothing to say
    INTERRUPTED = "interrupted"  # the user took the floor while it was heard
    CANCELLED = "cancelled"  # nothing of it was ever heard
    FAILED = "failed"  # `respond` or `speak` raised


# Events -----------------------------------------------------------------------------------------------------------


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="event"):
    """What all events share: they are facts, and carry no time (the caller of `feed` says when)."""


def _number(value: object) -> str:
    """A number as it stands; of all else only the type: it may be words in the wrong place."""
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

    Fields of all five turn events: `turn_index` is Flux's count of turns on this connection, from 0;
    `transcript` the whole turn so far (it replaces earlier text, and need not extend it); `confidence` that the user
    is done, 0 to 1, meaningless outside a turn; `audio_end` the second of stream audio covered.
    """


class Update(_TurnEvent, frozen=True, gc=False, tag=True):
    """Flux: more audio was transcribed; nothing else has changed."""


class EagerEndOfTurn(_TurnEvent, frozen=True, gc=False, tag=True):
    """Flux: the user has probably finished; a reply may be prepared."""


class TurnResumed(_TurnEvent, frozen=True, gc=False, tag=True):
    """Flux: the user goes on after an eager end of turn."""


class EndOfTurn(_TurnEvent, frozen=True, gc=False, tag=True):
    """Flux: the user has finished.

    `trigger` says what ended the turn: `model`, `manual`, `timeout`, anything newer, or empty where the deployment
    does not tell (Flux tells since August 2026).
    """

    trigger: str = ""


class PlaybackStarted(_Event, frozen=True, gc=False, tag=True):
    """The host: the first sound of `reply` was heard."""

    reply: int


class PlaybackAdvanced(_Event, frozen=True, gc=False, tag=True):
    """The host: `heard` is what of `reply` has been heard so far."""

    reply: int
    heard: str


class PlaybackFinished(_Event, frozen=True, gc=False, tag=True):
    """The host: the last sound of `reply` was heard, or it had nothing to say."""

    reply: int


class Initiate(_Event, frozen=True, gc=False, tag=True):
    """The host: the agent wants to speak unasked (a greeting, a reprompt); `protected` from barge-in if so."""

    protected: bool = False


class Protect(_Event, frozen=True, gc=False, tag=True):
    """The host: `reply` may not (`on`), or may again, be interrupted."""

    reply: int
    on: bool


class DraftDiscarded(_Event, frozen=True, gc=False, tag=True):
    """The host: the draft `reply` is no good; `reason` is `failed` or `context_changed`."""

    reply: int
    reason: str


class Busy(_Event, frozen=True, gc=False, tag=True):
    """The host: a tool is running (`on`), or none is any more; meanwhile the idle clock stands still."""

    on: bool


class StreamLost(_Event, frozen=True, gc=False, tag=True):
    """Flux is gone; turns are counted from 0 again once it is back."""

    reason: str = ""


class StreamRestored(_Event, frozen=True, gc=False, tag=True):
    """Flux is back."""

    reason: str = ""


TurnEvent: TypeAlias = StartOfTurn | Update | EagerEndOfTurn | TurnResumed | EndOfTurn
"""What Flux says about the user's turn."""

Event: TypeAlias = (
    TurnEvent
    | PlaybackStarted
    | PlaybackAdvanced
    | PlaybackFinished
    | Initiate
    | Protect
    | DraftDiscarded
    | Busy
    | StreamLost
    | StreamRestored
)
"""Whatever `TurnMachine.feed` takes."""


# Signals ----------------------------------------------------------------------------------------------------------


class _Signal(msgspec.Struct, frozen=True, gc=False, tag_field="signal", kw_only=True):
    """What all signals share: `at`, the monotonic second that was handed to the `feed` or `wake` that decided."""

    at: float


class TurnStarted(_Signal, frozen=True, gc=False, tag=True):
    """Report: the user has begun turn `turn`, with these words so far."""

    turn: int
    transcript: str


class TurnUpdated(_Signal, frozen=True, gc=False, tag=True):
    """Report: the words of the open turn changed."""

    turn: int
    transcript: str
    confidence: float


class Speculate(_Signal, frozen=True, gc=False, tag=True):
    """Start the LLM for `transcript`, as `reply`; let nothing of it be heard or take effect yet."""

    turn: int
    reply: int
    transcript: str
    confidence: float
    why: str = ""


class Cancel(_Signal, frozen=True, gc=False, tag=True):
    """Drop `reply`: it will never be heard. `turn` is the turn it was to answer, None if the agent spoke unasked."""

    turn: int | None
    reply: int
    reason: CancelReason


class Commit(_Signal, frozen=True, gc=False, tag=True):
    """The turn is final: let `reply` be heard.

    `speculative`: the draft of that id was made for these very words; otherwise start the reply now. `trigger` is
    Flux's, or turnkit's own `missed`, `stalled`, `stream_lost`, `initiate`. `unanswered` holds the words of earlier
    turns that the user never got an audible answer to, oldest first. `turn` is None if the agent speaks unasked.
    """

    turn: int | None
    reply: int
    transcript: str
    speculative: bool
    trigger: str
    unanswered: tuple[str, ...] = ()


class BargeIn(_Signal, frozen=True, gc=False, tag=True):
    """The user has the floor: stop the playback of `reply`. `turn` is the turn that took it."""

    turn: int
    reply: int
    transcript: str
    why: str = ""


class Hold(_Signal, frozen=True, gc=False, tag=True):
    """Pause or duck the playback of `reply` while the overlap with `turn` is judged."""

    turn: int
    reply: int
    why: str = ""


class Resume(_Signal, frozen=True, gc=False, tag=True):
    """Go on with the playback of `reply`: `turn` did not take the floor."""

    turn: int
    reply: int
    reason: ResumeReason


class TurnDropped(_Signal, frozen=True, gc=False, tag=True):
    """Report: the turn is over and gets no answer; `transcript` is the last words it had."""

    turn: int
    transcript: str
    reason: DropReason
    why: str = ""


class TurnStalled(_Signal, frozen=True, gc=False, tag=True):
    """Report: the open turn has made no progress; unless it does, turnkit ends it soon."""

    turn: int
    transcript: str


class UserIdle(_Signal, frozen=True, gc=False, tag=True):
    """The user has said nothing for an idle timeout, the `count`th time since they last spoke."""

    count: int


class Note(_Signal, frozen=True, gc=False, tag=True):
    """Report: a surprise, tolerated; `detail` never quotes what was said."""

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


class ReplyEnded(_Signal, frozen=True, gc=False, tag=True):
    """Report, the session's own: `reply` to `turn` (None if the agent spoke unasked) is over, and `heard` was heard."""

    turn: int | None
    reply: int
    outcome: Outcome
    heard: str
