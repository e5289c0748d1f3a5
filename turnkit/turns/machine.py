"""The turn-taking engine: one event in, the signals it calls for out, and the second at which to wake it.

Rule 1: nothing here waits, reads a clock, logs, or draws a random number; `at` is the caller's.
Rule 2: the user's and the reply's state change through the chart only (`_move_user`, `_move_floor`).
Rule 3: judgement belongs to the policies; what follows from a judgement belongs here.
Rule 4: no event is impossible. A surprise from Flux becomes a `Note`, and the machine goes on from what it implies.

There are two parties. The *user* is listening, speaking, or ending (probably done). The agent has at most one *draft*,
a reply made on speculation, and at most one reply that *has the floor*: pending, audible or held. When a turn begins
while a reply is audible, that is an *overlap*, which the barge-in policy decides, now or at a later event of the
turn; until then, and if it lets the agent talk on, the turn is neither drafted for nor answered. A turn that must be
answered but cannot be yet is *suspended*: the agent has to finish first, or Flux may still bring the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import inf, isfinite, nextafter
from typing import Any, TypeAlias

import msgspec

from ..errors import ConfigError, LocalProtocolError
from .chart import REPLY_TABLE, USER_TABLE, ReplyMove, ReplyState, UserMove, UserState
from .events import (
    BargeIn,
    Busy,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Hold,
    Initiate,
    Note,
    NoteKind,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    Resume,
    ResumeReason,
    Signal,
    Speculate,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnDropped,
    TurnEvent,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
    UserIdle,
)
from .policy import BargeInPolicy, Immediate, OnEager, Overlap, Pause, SpeculationPolicy, Verdict
from .policy.asking import ask_barge_in, ask_speculation
from .words import LETTERS, has_words, last_letter, same_words

UNANNOUNCED_SPAN = 0.6
"""Seconds of audio that words may go on without StartOfTurn before they are a turn: as long as Flux itself takes to
announce one (0.56 to 0.6 s after the acoustic onset, in a recorded session)."""

_VERSION = 1  # of snapshots
_NONE = -1  # no turn, no reply
_NOISE = 1e-6  # Flux's audio times are float32
_NEVER = nextafter(-inf, inf)  # before the first second; -inf itself is no time that could be told
_Signals: TypeAlias = list[Signal]


class _Floor(StrEnum):
    """How the open turn stands to the reply that has the floor."""

    FREE = "free"  # no overlap: an ordinary turn
    DISPUTED = "disputed"  # an overlap that the policy has not decided
    KEPT = "kept"  # the agent keeps the floor; the turn gets no answer
    DEFERRED = "deferred"  # the agent keeps the floor; the turn is answered after it


# Bound once: before Python 3.12 looking up an enum's member costs more than a call.
_LISTENING, _SPEAKING, _ENDING = UserState
_DRAFTING, _PENDING, _AUDIBLE, _HELD, _CLOSED = ReplyState
_FREE, _DISPUTED, _KEPT, _DEFERRED = _Floor


class _State(msgspec.Struct, kw_only=True):
    """All that a machine remembers; what `snapshot` writes. `inf` is a deadline that is not set."""

    version: int
    now: float = _NEVER
    closed: bool = False
    next_turn: int = 0
    next_reply: int = 0
    # The user
    user: UserState = UserState.LISTENING
    turn: int = _NONE  # the open turn; of use only while one is open, like the fields up to `why`
    index: int | None = None  # Flux's count of it
    text: str = ""  # empty as long as the turn has no words
    letter: str = ""  # the last one of the text: tells most changes at once
    started_at: float = 0.0
    attempts: int = 0
    stalled: bool = False
    floor_is: _Floor = _Floor.FREE
    silenced: bool = False  # its beginning has cancelled a reply that was not yet heard
    why: str = ""
    ended_index: int = _NONE  # Flux's count of the last turn that ended on this connection
    stalled_text: str | None = None  # the words with which turnkit, not Flux, ended that turn
    early_index: int = _NONE  # words that no StartOfTurn has announced
    early_text: str = ""
    early_from: float = 0.0
    # The agent
    draft: int = _NONE
    draft_protected: bool = False
    reply: int = _NONE  # the one that has the floor; of use only while there is one, like the fields up to `heard`
    reply_is: ReplyState = ReplyState.CLOSED
    reply_turn: int = _NONE
    reply_text: str = ""
    protected: bool = False
    audible_at: float = 0.0
    heard: str = ""
    unanswered: tuple[str, ...] = ()
    # A turn that waits for its Commit
    suspended: int = _NONE
    suspended_text: str = ""
    suspended_trigger: str = ""
    # Deadlines
    soonest: float = -inf  # none is due before this; kept so that `feed` compares once (-inf: not begun, or closed)
    hold_until: float = inf
    suspended_until: float = inf  # inf: until the floor is free
    stall_at: float = inf
    idle_at: float = inf
    idle_count: int = 0
    busy: bool = False  # the idle clock stands still


_IMMEDIATE = Immediate()
_ON_EAGER = OnEager()


class TurnMachine:
    """Decides when the bot may think, may speak and must stop.

    Settings: `barge_in` and `speculation` are policies (see `turnkit.turns.policy`); all else is seconds.
    `hold_timeout`: how long playback may be held for an overlap that nothing decides. `lost_turn_grace`: how long the
    words of a turn whose stream was lost wait for more before they are answered. `stall_timeout`: how long an open turn
    may make no progress; set it above Flux's `eot_timeout_ms`. `stall_grace`: how long after TurnStalled it is ended.
    `idle_timeout`: after how long a silence UserIdle comes, None for never. Raises ConfigError for a setting that
    cannot work.
    """

    __slots__ = (
        "_barge_in",
        "_hold_timeout",
        "_idle_timeout",
        "_lost_turn_grace",
        "_s",
        "_speculation",
        "_stall_grace",
        "_stall_timeout",
    )

    def __init__(
        self,
        *,
        barge_in: BargeInPolicy = _IMMEDIATE,
        speculation: SpeculationPolicy = _ON_EAGER,
        hold_timeout: float = 2.0,
        lost_turn_grace: float = 2.0,
        stall_timeout: float = 8.0,
        stall_grace: float = 2.0,
        idle_timeout: float | None = None,
    ) -> None:
        for name, policy in (("barge_in", barge_in), ("speculation", speculation)):
            if not callable(policy) or isinstance(policy, type):
                raise ConfigError(f"{name}={policy!r}: must be a policy, that is a callable such as Immediate()")
        self._barge_in = barge_in
        self._speculation = speculation
        self._hold_timeout = _seconds("hold_timeout", hold_timeout)
        self._lost_turn_grace = _seconds("lost_turn_grace", lost_turn_grace, zero=True)
        self._stall_timeout = _seconds("stall_timeout", stall_timeout)
        self._stall_grace = _seconds("stall_grace", stall_grace, zero=True)
        self._idle_timeout = None if idle_timeout is None else _seconds("idle_timeout", idle_timeout)
        self._s = _State(version=_VERSION)

    # What the caller may do ---------------------------------------------------------------------------------------

    def feed(self, event: Event, at: float) -> tuple[Signal, ...]:
        """Take one event and answer the signals it calls for; the state is final when this returns.

        `at` is monotonic seconds and never goes back. Afterwards ask `deadline` when to call `wake`. Deadlines that
        `at` has passed are dealt with first. Raises LocalProtocolError, changing nothing, if time goes back, the
        machine is closed, or `event` is not an event.
        """
        s = self._s
        # Nine events in ten are Updates of an undisputed turn with nothing due: they take the short way, which does
        # what `_on_update` would do. (`soonest` is -inf before time begins and after close.)
        if type(event) is Update and s.now <= at < s.soonest and s.floor_is is _FREE:
            text = event.transcript
            if s.index is None:
                if not text and s.early_index == _NONE and event.turn_index > s.ended_index:
                    s.now = at
                    return ()
            elif event.turn_index == s.index:
                if text == s.text or not text:
                    s.now = at
                    return ()
                letter = LETTERS.get(text[-1:]) or last_letter(text)
                if letter and letter != s.letter and s.letter and s.user is _SPEAKING:
                    s.now = at
                    s.text = text
                    s.letter = letter
                    s.stalled = False
                    s.stall_at = when = at + self._stall_timeout
                    if when < s.soonest:
                        s.soonest = when
                    return (TurnUpdated(s.turn, text, event.confidence, at=at),)
        handler = _HANDLERS.get(type(event))
        if handler is None:
            raise LocalProtocolError(f"{type(event).__name__} is not an event: feed one of turnkit.turns.events.Event")
        if s.closed:
            raise LocalProtocolError(f"{type(event).__name__} after close(): a closed machine takes no more events")
        if not s.now <= at < inf:
            self._refuse_time(at)
        out: _Signals = []
        if at >= s.soonest:
            self._expire(at, out)
        s.now = at
        handler(self, s, event, at, out)
        if at >= s.soonest:
            self._expire(at, out)
        return tuple(out)

    def wake(self, at: float) -> tuple[Signal, ...]:
        """Let time pass and answer what has become due; harmless when nothing has, or the machine is closed.

        Raises LocalProtocolError, changing nothing, if time goes back.
        """
        s = self._s
        if not s.now <= at < inf:
            self._refuse_time(at)
        out: _Signals = []
        if at >= s.soonest:
            self._expire(at, out)
        s.now = at
        return tuple(out)

    def close(self, at: float) -> tuple[Signal, ...]:
        """End the session: what is open is cancelled and dropped. Closing twice is harmless.

        Raises LocalProtocolError, changing nothing, if time goes back.
        """
        s = self._s
        if not s.now <= at < inf:
            self._refuse_time(at)
        out: _Signals = []
        s.now = at
        if s.closed:
            return ()
        self._cancel_draft(CancelReason.CLOSED, at, out)
        if s.reply_is is _PENDING:
            self._cancel_pending(CancelReason.CLOSED, at, out)
        if s.user is not _LISTENING:
            self._drop_open(UserMove.CLOSE, DropReason.CLOSED, at, out)
        if s.suspended != _NONE:
            self._drop_suspended(DropReason.CLOSED, at, out)
        if s.early_index != _NONE:
            self._open_early(at, out, judged=False)
            self._drop_open(UserMove.CLOSE, DropReason.CLOSED, at, out)
        s.closed = True
        s.hold_until = s.stall_at = s.idle_at = inf
        s.soonest = -inf
        return tuple(out)

    @property
    def deadline(self) -> float | None:
        """The second at which to call `wake`, if no event comes before; None if silence changes nothing."""
        due = self._due()
        return None if due == inf else due

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._s.closed

    @property
    def user(self) -> UserState:
        """What the user is doing."""
        return self._s.user

    @property
    def turn(self) -> int | None:
        """The open turn, if there is one."""
        return None if self._s.user is _LISTENING else self._s.turn

    @property
    def draft(self) -> int | None:
        """The reply that is being drafted, if there is one."""
        return None if self._s.draft == _NONE else self._s.draft

    @property
    def floor(self) -> tuple[int, ReplyState] | None:
        """The reply that has the floor and its state: pending, audible or held."""
        return None if self._s.reply == _NONE else (self._s.reply, self._s.reply_is)

    @property
    def suspended(self) -> int | None:
        """The turn that waits for the floor, or for the rest of it after the stream was lost."""
        return None if self._s.suspended == _NONE else self._s.suspended

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The words of earlier turns that never got an audible answer, oldest first; the next Commit brings them."""
        return self._s.unanswered

    def snapshot(self) -> bytes:
        """All that this machine remembers; holds what was said. The settings are not part of it."""
        s = self._s
        # As they are read back, whatever kind of number the caller's clock gives.
        s.now, s.started_at, s.audible_at = float(s.now), float(s.started_at), float(s.audible_at)
        try:
            return msgspec.msgpack.encode(s)
        except UnicodeEncodeError:  # half a character, such as some tokenizers make, is in no encoding
            return msgspec.msgpack.encode(msgspec.structs.replace(s, **_encodable(s)))

    @classmethod
    def restore(cls, data: bytes, **settings: Any) -> TurnMachine:
        """A machine that goes on where the one that wrote `data` was; `settings` must be those it had.

        Raises LocalProtocolError if `data` is not a snapshot of this version, ConfigError for a bad setting.
        """
        machine = cls(**settings)
        try:
            state = msgspec.msgpack.decode(data, type=_State)
        except (msgspec.DecodeError, TypeError) as error:
            raise LocalProtocolError(f"these are not the bytes of a snapshot: {error}") from None
        if state.version != _VERSION:
            raise LocalProtocolError(f"the snapshot has version {state.version}, this turnkit reads {_VERSION}")
        machine._s = state
        return machine

    # Time ---------------------------------------------------------------------------------------------------------

    def _refuse_time(self, at: float) -> None:
        now = self._s.now
        since = "" if now == _NEVER else f", not before {now!r}"
        raise LocalProtocolError(f"at={at!r}: must be a finite number of monotonic seconds{since}; nothing was changed")

    def _due(self) -> float:
        s = self._s
        quiet = s.user is _LISTENING and s.reply == _NONE and s.suspended == _NONE
        return min(s.hold_until, s.suspended_until, s.stall_at, s.idle_at if quiet else inf)

    def _expire(self, at: float, out: _Signals) -> None:
        """Deal with what is due, oldest first; each step clears its deadline or moves it beyond `at`."""
        s = self._s
        if s.now == _NEVER and not s.closed:
            self._start_idle(at)
        while (due := self._due()) <= at:
            if due == s.hold_until:
                self._resume(ResumeReason.TIMEOUT, at, out)
            elif due == s.suspended_until:
                self._commit_suspended(at, out)
            elif due == s.stall_at:
                self._stall(at, out)
            else:
                s.idle_count += 1
                out.append(UserIdle(s.idle_count, at=at))
                # Absolute, so that a late wake does not shift the next one; but one late wake is one signal.
                timeout = self._idle_timeout or inf
                s.idle_at = due + timeout if due + timeout > at else max(at + timeout, nextafter(at, inf))
        s.soonest = -inf if s.closed else due

    def _arm(self, when: float) -> None:
        if when < self._s.soonest:
            self._s.soonest = when

    def _progress(self, at: float) -> None:
        """The open turn got new words or a new state."""
        s = self._s
        s.stalled = False
        s.stall_at = when = at + self._stall_timeout
        if when < s.soonest:
            s.soonest = when

    def _start_idle(self, at: float) -> None:
        """The silence begins now, unless a turn without words has only interrupted it."""
        s = self._s
        if self._idle_timeout is not None and not s.busy:
            if s.idle_at == inf:
                s.idle_at = at + self._idle_timeout
            self._arm(s.idle_at)

    def _stall(self, at: float, out: _Signals) -> None:
        s = self._s
        if not s.stalled:
            s.stalled = True
            out.append(TurnStalled(s.turn, s.text, at=at))
            s.stall_at = at + self._stall_grace
            return
        words = s.text
        if words:
            self._finish(UserMove.STALLED, "stalled", True, at, out)
        else:
            self._end_empty(UserMove.STALLED, DropReason.STALLED, at, out)
        s.stalled_text = words

    # Flux ---------------------------------------------------------------------------------------------------------

    def _admit(self, event: TurnEvent, at: float, out: _Signals) -> bool:
        """Whether an event, which is not of the open turn, is one to act on; if a turn is open, its end was missed."""
        s = self._s
        if s.index is None:
            if event.turn_index > s.early_index != _NONE:
                # Words that were never announced, and now a later turn: both its start and its end were missed.
                self._open_early(at, out)
                self._finish(UserMove.MISSED_END, "missed", True, at, out)
            return event.turn_index > s.ended_index or self._revives(event, at, out)
        if event.turn_index < s.index:
            self._stale(event, at, out)
            return False
        if s.text:
            self._finish(UserMove.MISSED_END, "missed", True, at, out)
        else:
            self._end_empty(UserMove.MISSED_END, DropReason.EMPTY, at, out)
        return True

    def _revives(self, event: TurnEvent, at: float, out: _Signals) -> bool:
        """Whether an event of the last ended turn still counts: new words do, if it was turnkit that had ended it."""
        s = self._s
        kind = type(event)
        if event.turn_index == s.ended_index and s.stalled_text is not None:
            if has_words(event.transcript) and not same_words(event.transcript, s.stalled_text):
                self._open(UserMove.LATE_WORDS, event, at, out)
                return kind is EagerEndOfTurn or kind is EndOfTurn
            if kind is Update:
                # Flux has not ended this turn, so it goes on reporting it: no surprise, and nothing new.
                return False
            if kind is EndOfTurn:
                s.stalled_text = None
        self._stale(event, at, out)
        return False

    def _stale(self, event: TurnEvent, at: float, out: _Signals) -> None:
        detail = f"{type(event).__name__} of turn_index {event.turn_index}, which is over"
        out.append(Note(NoteKind.STALE_TURN, detail, at=at))

    def _on_update(self, s: _State, event: Update, at: float, out: _Signals) -> None:
        text = event.transcript
        if event.turn_index != s.index and not self._admit(event, at, out):
            return
        if s.index is None:
            if text or s.early_index != _NONE:
                self._hear_unannounced(event, at, out)
        elif text:
            if text != s.text:
                self._take_update(s, event, at, out)
            if s.floor_is is not _FREE:
                self._rejudge(event, at, out)

    def _take_update(self, s: _State, event: Update, at: float, out: _Signals) -> None:
        text = event.transcript
        letter = last_letter(text)
        if letter == s.letter or not letter or not s.letter:
            if not letter and not has_words(text):
                return
            if same_words(text, s.text):
                s.text = text
                return
        if s.user is _ENDING:
            self._cancel_draft(CancelReason.RESUMED, at, out)
            self._move_user(UserMove.MISSING_RESUME, at, out)
        s.text = text
        s.letter = letter
        self._progress(at)
        out.append(TurnUpdated(s.turn, text, event.confidence, at=at))

    def _hear_unannounced(self, event: Update, at: float, out: _Signals) -> None:
        s = self._s
        if not has_words(event.transcript):
            s.early_index = _NONE
            return
        if event.turn_index != s.early_index:
            s.early_index = event.turn_index
            s.early_from = event.audio_end
        s.early_text = event.transcript
        if event.audio_end - s.early_from >= UNANNOUNCED_SPAN - _NOISE:
            self._open(UserMove.MISSING_START, event, at, out)

    def _on_start(self, s: _State, event: StartOfTurn, at: float, out: _Signals) -> None:
        if event.turn_index != s.index and not self._admit(event, at, out):
            return
        if s.index is None:
            self._open(UserMove.START, event, at, out)
            return
        self._go_on(UserMove.START, event, at, out)

    def _on_resumed(self, s: _State, event: TurnResumed, at: float, out: _Signals) -> None:
        if event.turn_index != s.index and not self._admit(event, at, out):
            return
        if s.index is None:
            self._move_user(UserMove.RESUMED, at, out)
            return
        self._go_on(UserMove.RESUMED, event, at, out)

    def _go_on(self, move: UserMove, event: StartOfTurn | TurnResumed, at: float, out: _Signals) -> None:
        """The user, in an open turn, is said to be speaking."""
        s = self._s
        self._cancel_draft(CancelReason.RESUMED, at, out)
        if s.user is _ENDING:
            self._progress(at)
        self._move_user(move, at, out)
        self._take_text(event, at, out)
        self._rejudge(event, at, out)

    def _on_eager(self, s: _State, event: EagerEndOfTurn, at: float, out: _Signals) -> None:
        opened = False
        if event.turn_index != s.index:
            if not self._admit(event, at, out):
                return
            opened = s.index is not None
        if not has_words(event.transcript):
            self._move_user(UserMove.BLANK_EAGER, at, out)
            return
        if s.index is None:
            self._open(UserMove.MISSING_START, event, at, out)
        elif not opened:
            again = s.user is _ENDING and same_words(event.transcript, s.text)
            if not again:
                self._cancel_draft(CancelReason.SUPERSEDED, at, out)
            self._take_text(event, at, out)
            self._rejudge(event, at, out)
            if again:
                return
        self._move_user(UserMove.EAGER, at, out)
        self._progress(at)
        if s.floor_is is _FREE:
            self._speculate(event, at, out)

    def _on_end(self, s: _State, event: EndOfTurn, at: float, out: _Signals) -> None:
        if event.turn_index != s.index and not self._admit(event, at, out):
            return
        words = has_words(event.transcript)
        if s.index is None:
            if not words:
                self._move_user(UserMove.END, at, out)
                s.ended_index = event.turn_index
                s.stalled_text = None
                s.early_index = _NONE
                return
            self._open(UserMove.MISSING_START, event, at, out)
        if not words:
            self._end_empty(UserMove.END, DropReason.EMPTY, at, out)
            return
        same = same_words(event.transcript, s.text)
        s.text = event.transcript
        self._finish(UserMove.END, event.trigger, same, at, out)

    def _on_lost(self, s: _State, event: StreamLost, at: float, out: _Signals) -> None:
        if s.early_index != _NONE and (s.suspended == _NONE or s.suspended_until != inf):
            # Nobody will announce these words any more. (In an overlap they are dropped at once: not at the cost of a
            # turn that waits for the end of the reply.)
            self._open_early(at, out, judged=False)
        s.early_index = _NONE
        if s.index is not None:
            self._cancel_draft(CancelReason.STREAM_LOST, at, out)
            if s.text and s.floor_is is _FREE:
                self._move_user(UserMove.STREAM_LOST, at, out)
                self._suspend("stream_lost", at + self._lost_turn_grace)
                self._close_turn(at)
            else:
                self._resume(ResumeReason.TURN_LOST, at, out)
                if s.text:
                    s.idle_count = 0
                if s.floor_is is _DEFERRED and s.text:
                    # It was judged to deserve an answer; the next Commit still brings its words.
                    s.unanswered += (s.text,)
                self._drop_open(UserMove.STREAM_LOST, DropReason.STREAM_LOST, at, out)
        s.ended_index = _NONE
        s.stalled_text = None

    def _on_restored(self, s: _State, event: StreamRestored, at: float, out: _Signals) -> None:
        """Nothing to do: the loss has reset the count of turns, and a turn event may have come before this one."""

    # The user's turn ----------------------------------------------------------------------------------------------

    def _move_user(self, move: UserMove, at: float, out: _Signals) -> None:
        s = self._s
        dest, surprise = USER_TABLE[s.user][move]
        if surprise is not None:
            out.append(Note(surprise, f"while {s.user}", at=at))
        s.user = dest

    def _open_early(self, at: float, out: _Signals, *, judged: bool = True) -> None:
        """The words that were not announced are a turn after all."""
        s = self._s
        self._open(UserMove.MISSING_START, Update(s.early_index, s.early_text), at, out, judged=judged)

    def _open(self, move: UserMove, event: TurnEvent, at: float, out: _Signals, *, judged: bool = True) -> None:
        """A turn begins, announced or not; unless it is over at once, an overlap is judged."""
        s = self._s
        if s.suspended != _NONE:
            reason = DropReason.STREAM_LOST if s.suspended_until != inf else DropReason.SUPERSEDED
            s.unanswered += (s.suspended_text,)
            self._drop_suspended(reason, at, out)
        self._move_user(move, at, out)
        s.turn = s.next_turn
        s.next_turn += 1
        s.index = event.turn_index
        s.text = event.transcript
        s.letter = last_letter(s.text)
        if not s.letter and not has_words(s.text):
            s.text = s.early_text if s.early_index == s.index else ""
            s.letter = last_letter(s.text)
        s.early_index = _NONE
        s.stalled_text = None
        s.started_at = at
        s.attempts = 0
        self._progress(at)
        out.append(TurnStarted(s.turn, s.text, at=at))
        if s.reply_is is _PENDING:
            if s.reply_turn != _NONE:
                s.unanswered += (s.reply_text,)
            self._cancel_pending(CancelReason.NEW_TURN, at, out)
            s.silenced = True
        elif s.reply != _NONE:
            s.floor_is = _DISPUTED
            if judged:
                self._judge(at, out)

    def _take_text(self, event: TurnEvent, at: float, out: _Signals) -> None:
        """The latest words of the open turn, if the event has any."""
        s = self._s
        if event.transcript == s.text or not has_words(event.transcript):
            return
        changed = not same_words(event.transcript, s.text)
        s.text = event.transcript
        s.letter = last_letter(s.text)
        if changed:
            out.append(TurnUpdated(s.turn, s.text, event.confidence, at=at))
            self._progress(at)

    def _finish(self, move: UserMove, trigger: str, same: bool, at: float, out: _Signals) -> None:
        """The open turn ends with words; `same`: they are those that a draft, if there is one, was made for."""
        s = self._s
        s.idle_count = 0
        if s.floor_is is _DISPUTED:
            self._judge(at, out, final=True)
        if s.floor_is is _KEPT:
            self._drop_open(move, DropReason.OVERLAP_KEPT, at, out)
            return
        self._move_user(move, at, out)
        if s.floor_is is _DEFERRED:
            self._suspend(trigger, inf)
        else:
            if not same:
                self._cancel_draft(CancelReason.TRANSCRIPT_CHANGED, at, out)
            self._commit(s.turn, s.text, trigger, at, out)
        self._close_turn(at)

    def _end_empty(self, move: UserMove, reason: DropReason, at: float, out: _Signals) -> None:
        """The open turn ends without words, or with its words withdrawn."""
        self._cancel_draft(CancelReason.EMPTY_TURN, at, out)
        self._resume(ResumeReason.EMPTY_TURN, at, out)
        self._drop_open(move, reason, at, out)

    def _drop_open(self, move: UserMove, reason: DropReason, at: float, out: _Signals) -> None:
        """The open turn ends without an answer."""
        s = self._s
        self._move_user(move, at, out)
        why = s.why if reason is DropReason.OVERLAP_KEPT else ""
        out.append(TurnDropped(s.turn, s.text, reason, why, at=at))
        owed = s.silenced and s.unanswered and reason is not DropReason.CLOSED
        self._close_turn(at)
        if owed:
            # It was nothing: what it kept from being answered is answered now, or nobody would speak again.
            self._commit(_NONE, "", "unanswered", at, out)

    def _close_turn(self, at: float) -> None:
        s = self._s
        if s.index is not None:
            s.ended_index = s.index
        s.turn = _NONE
        s.index = None
        s.text = s.letter = s.why = ""
        s.stalled = s.silenced = False
        s.floor_is = _FREE
        s.stalled_text = None
        s.stall_at = inf
        if s.reply == _NONE and s.suspended == _NONE:
            self._start_idle(at)

    def _suspend(self, trigger: str, until: float) -> None:
        s = self._s
        s.idle_count = 0
        s.suspended = s.turn
        s.suspended_text = s.text
        s.suspended_trigger = trigger
        s.suspended_until = until
        s.idle_at = inf
        self._arm(until)

    def _commit_suspended(self, at: float, out: _Signals) -> None:
        s = self._s
        turn, text, trigger = s.suspended, s.suspended_text, s.suspended_trigger
        self._end_suspended()
        self._commit(turn, text, trigger, at, out)

    def _drop_suspended(self, reason: DropReason, at: float, out: _Signals) -> None:
        out.append(TurnDropped(self._s.suspended, self._s.suspended_text, reason, at=at))
        self._end_suspended()

    def _end_suspended(self) -> None:
        s = self._s
        s.suspended = _NONE
        s.suspended_text = s.suspended_trigger = ""
        s.suspended_until = inf

    # The overlap --------------------------------------------------------------------------------------------------

    def _rejudge(self, event: TurnEvent | Protect, at: float, out: _Signals) -> None:
        """Something has changed: a disputed overlap is judged again."""
        if self._s.floor_is is _DISPUTED and (isinstance(event, Protect) or has_words(event.transcript)):
            self._judge(at, out)

    def _judge(self, at: float, out: _Signals, *, final: bool = False) -> None:
        """Ask whose the floor is, and act on the answer."""
        s = self._s
        verdict, why = self._ask_barge_in(at, final, out)
        if verdict is Verdict.YIELD:
            self._move_floor(ReplyMove.BARGE_IN)
            out.append(BargeIn(s.turn, s.reply, s.text, why, at=at))
            self._free_floor()
        elif verdict is Verdict.KEEP or verdict is Verdict.DEFER or final:
            s.floor_is = _DEFERRED if verdict is Verdict.DEFER else _KEPT
            s.why = why
            self._resume(ResumeReason.BACKCHANNEL, at, out)
        elif verdict is Verdict.HOLD and s.reply_is is _AUDIBLE:
            self._move_floor(ReplyMove.HOLD)
            out.append(Hold(s.turn, s.reply, why, at=at))
            s.hold_until = at + self._hold_timeout
            self._arm(s.hold_until)

    def _ask_barge_in(self, at: float, final: bool, out: _Signals) -> tuple[Verdict, str]:
        s = self._s
        if s.protected:
            return Verdict.DEFER, "the reply is protected"
        held = s.reply_is is _HELD
        overlap = Overlap(s.text, at - s.started_at, at - s.audible_at, s.heard, held, final)
        try:
            return ask_barge_in(self._barge_in, overlap)
        except Exception as error:
            self._policy_failed("barge-in", self._barge_in, error, at, out)
            return Verdict.YIELD, "the policy failed"

    def _resume(self, reason: ResumeReason, at: float, out: _Signals) -> None:
        """Playback goes on, if it was held."""
        s = self._s
        if s.reply_is is _HELD:
            self._move_floor(ReplyMove.RESUME)
            s.hold_until = inf
            out.append(Resume(s.turn, s.reply, reason, at=at))

    # Replies ------------------------------------------------------------------------------------------------------

    def _move_floor(self, move: ReplyMove) -> None:
        self._s.reply_is, _ = REPLY_TABLE[self._s.reply_is][move]

    def _new_reply(self) -> int:
        reply = self._s.next_reply
        self._s.next_reply += 1
        return reply

    def _speculate(self, event: EagerEndOfTurn, at: float, out: _Signals) -> None:
        s = self._s
        pause = Pause(s.text, event.confidence, s.attempts, at - s.started_at)
        try:
            start, why = ask_speculation(self._speculation, pause)
        except Exception as error:
            self._policy_failed("speculation", self._speculation, error, at, out)
            return
        if start:
            s.draft = self._new_reply()
            s.draft_protected = False
            s.attempts += 1
            out.append(Speculate(s.turn, s.draft, s.text, event.confidence, why, at=at))

    def _policy_failed(self, kind: str, policy: object, error: Exception, at: float, out: _Signals) -> None:
        name = getattr(policy, "__name__", type(policy).__name__)
        detail = f"{kind} policy {name}: {type(error).__name__}"
        out.append(Note(NoteKind.POLICY_FAILED, detail, at=at))

    def _cancel_draft(self, reason: CancelReason, at: float, out: _Signals) -> None:
        s = self._s
        if s.draft != _NONE:
            out.append(Cancel(s.turn, s.draft, reason, at=at))
            s.draft = _NONE

    def _commit(self, turn: int, text: str, trigger: str, at: float, out: _Signals, *, protected: bool = False) -> None:
        """A reply gets the floor: the draft if there is one, else a new one."""
        s = self._s
        speculative = s.draft != _NONE
        s.reply = s.draft if speculative else self._new_reply()
        s.protected = s.draft_protected if speculative else protected
        s.draft = _NONE
        s.reply_is = _DRAFTING
        self._move_floor(ReplyMove.COMMIT)
        s.reply_turn = turn
        s.reply_text = text
        s.heard = ""
        s.idle_at = inf
        answers = None if turn == _NONE else turn
        out.append(Commit(answers, s.reply, text, speculative, trigger, s.unanswered, at=at))

    def _cancel_pending(self, reason: CancelReason, at: float, out: _Signals) -> None:
        s = self._s
        self._move_floor(ReplyMove.CANCEL)
        out.append(Cancel(None if s.reply_turn == _NONE else s.reply_turn, s.reply, reason, at=at))
        self._free_floor()

    def _free_floor(self) -> None:
        """The reply that had the floor is over; an overlap with it, decided or not, is over too."""
        s = self._s
        s.reply = s.reply_turn = _NONE
        s.reply_text = s.heard = s.why = ""
        s.protected = False
        s.hold_until = inf
        s.floor_is = _FREE

    # The host -----------------------------------------------------------------------------------------------------

    def _on_playback(
        self, s: _State, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished, at: float, out: _Signals
    ) -> None:
        move = _PLAYBACK_MOVES[type(event)]
        if event.reply == s.draft != _NONE:
            _, surprise = REPLY_TABLE[_DRAFTING][move]
            if surprise is not None:
                out.append(Note(surprise, f"{move} of reply {s.draft}, a draft", at=at))
        if event.reply != s.reply or s.reply == _NONE:
            return
        before = s.reply_is
        self._move_floor(move)
        if s.reply_is is _CLOSED:
            self._playback_over(before is _PENDING, at, out)
            return
        if before is _PENDING:
            s.audible_at = at
            s.unanswered = ()
        if isinstance(event, PlaybackAdvanced):
            s.heard = str(event.heard)

    def _playback_over(self, unheard: bool, at: float, out: _Signals) -> None:
        s = self._s
        if unheard and s.reply_turn != _NONE:
            s.unanswered += (s.reply_text,)
        self._free_floor()
        if s.suspended != _NONE:
            self._commit_suspended(at, out)
        elif s.user is _LISTENING:
            self._start_idle(at)

    def _on_initiate(self, s: _State, event: Initiate, at: float, out: _Signals) -> None:
        if s.index is not None or s.reply != _NONE or s.suspended != _NONE:
            out.append(Cancel(None, self._new_reply(), CancelReason.FLOOR_TAKEN, at=at))
        else:
            self._commit(_NONE, "", "initiate", at, out, protected=bool(event.protected))

    def _on_protect(self, s: _State, event: Protect, at: float, out: _Signals) -> None:
        if event.reply == s.draft != _NONE:
            s.draft_protected = bool(event.on)
        elif event.reply == s.reply != _NONE:
            s.protected = bool(event.on)
            if s.protected:
                self._rejudge(event, at, out)

    def _on_busy(self, s: _State, event: Busy, at: float, out: _Signals) -> None:
        s.busy = bool(event.on)
        s.idle_at = inf
        if s.index is None and s.reply == _NONE and s.suspended == _NONE:
            self._start_idle(at)

    def _on_discarded(self, s: _State, event: DraftDiscarded, at: float, out: _Signals) -> None:
        if event.reply == s.draft:
            changed = event.reason == CancelReason.CONTEXT_CHANGED
            self._cancel_draft(CancelReason.CONTEXT_CHANGED if changed else CancelReason.FAILED, at, out)


def _encodable(state: _State) -> dict[str, Any]:
    """The texts of a state, without what cannot be encoded."""
    texts = {name: value for name in state.__struct_fields__ if type(value := getattr(state, name)) is str}
    whole = {name: text.encode(errors="replace").decode() for name, text in texts.items()}
    return {**whole, "unanswered": tuple(text.encode(errors="replace").decode() for text in state.unanswered)}


def _seconds(name: str, value: object, *, zero: bool = False) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if (
        not isinstance(value, (int, float))
        or not number
        or not isfinite(value)
        or value < 0
        or (value == 0 and not zero)
    ):
        raise ConfigError(f"{name}={value!r}: must be a number of seconds, {'0 or more' if zero else 'more than 0'}")
    return float(value)


_Handler: TypeAlias = Callable[[TurnMachine, _State, Any, float, _Signals], None]

_PLAYBACK_MOVES: dict[type, ReplyMove] = {
    PlaybackStarted: ReplyMove.STARTED,
    PlaybackAdvanced: ReplyMove.ADVANCED,
    PlaybackFinished: ReplyMove.FINISHED,
}

_HANDLERS: dict[type, _Handler] = {
    Update: TurnMachine._on_update,
    StartOfTurn: TurnMachine._on_start,
    EagerEndOfTurn: TurnMachine._on_eager,
    TurnResumed: TurnMachine._on_resumed,
    EndOfTurn: TurnMachine._on_end,
    PlaybackStarted: TurnMachine._on_playback,
    PlaybackAdvanced: TurnMachine._on_playback,
    PlaybackFinished: TurnMachine._on_playback,
    Initiate: TurnMachine._on_initiate,
    Protect: TurnMachine._on_protect,
    DraftDiscarded: TurnMachine._on_discarded,
    Busy: TurnMachine._on_busy,
    StreamLost: TurnMachine._on_lost,
    StreamRestored: TurnMachine._on_restored,
}
