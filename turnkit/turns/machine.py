"""The turn machine: one event in, the signals it calls for out, and the second at which to wake it.

Rule 1: nothing here waits, reads a clock, logs, or draws a random number; `at` is the caller's.
Rule 2: the user's and the reply's state change through the chart only (`_move_user`, `_move_floor`).
Rule 3: judgement belongs to the policies; what follows from a judgement belongs here.
Rule 4: no event is impossible. A surprise from Flux becomes a `Note`, and the machine goes on from what it implies.

There are two parties. The *user* is listening, speaking, or ending (probably done). The agent has at most one *draft*,
a reply made on speculation, and at most one reply that *has the floor*: pending, audible or held. When a turn begins
while a reply has the floor, that is an *overlap*, which the barge-in policy decides, now or at a later event of the
turn; until then, and if it lets the agent talk on, the turn is neither drafted for nor answered. A turn that must be
answered but cannot be yet is *suspended*: the agent has to finish first, or Flux may still bring the rest. What the
agent wants to say unasked may be *waiting* until nobody has the floor. All that is remembered of them is in
`turnkit.turns.state`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nextafter
from typing import Any, TypeAlias

from ..checks import LATEST, check_seconds, shown
from ..errors import LocalProtocolError
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
    Interrupt,
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
from .policy.settings import check_callable
from .state import (
    NEVER,
    VERSION,
    Draft,
    FloorReply,
    OpenTurn,
    OverlapStanding,
    State,
    SuspendedTurn,
    UnannouncedWords,
)
from .words import LETTERS, has_words, last_letter, same_words

UNANNOUNCED_SPAN = 0.6
"""Seconds of audio that words may go on without StartOfTurn before they are a turn: as long as Flux itself takes to
announce one (0.56 to 0.6 s after the acoustic onset, in a recorded session)."""

_NOISE = 1e-6  # Flux's audio times are float32
_Signals: TypeAlias = list[Signal]

# Bound once: before Python 3.12 looking up an enum's member costs more than a call.
_LISTENING, _SPEAKING, _ENDING = UserState
_DRAFTING, _PENDING, _AUDIBLE, _HELD, _CLOSED = ReplyState
_UNDECIDED, _KEPT, _DEFERRED = OverlapStanding
_YIELD, _HOLD, _WAIT, _KEEP, _DEFER = Verdict
_START, _EAGER, _END = UserMove.START, UserMove.EAGER, UserMove.END
_COMMIT, _BARGE_IN = ReplyMove.COMMIT, ReplyMove.BARGE_IN

_INTERRUPTED = "the host interrupted"

_PROTECTED = _DEFER, "the reply is protected"
_FAILED = _YIELD, "the policy failed"


class TurnMachine:
    """Decides when the bot may think, may speak and must stop.

    Args:
        barge_in: the policy that decides whether the user stops the agent. Default `Immediate()`: always.
        speculation: the policy that decides whether a draft is made at an eager end. Default `OnEager()`: always.
        hold_timeout: how many seconds playback may be held for an overlap that nothing decides. Default 2.
        lost_turn_grace: how many seconds the words of a turn whose stream was lost wait for more before they are
            answered. Default 2.
        stall_timeout: how many seconds an open turn may make no progress; set it above Flux's `eot_timeout_ms`.
            Default 8.
        stall_grace: how many seconds after TurnStalled the turn is ended, if it still makes none. Default 2.
        idle_timeout: after how many seconds of silence UserIdle comes, each time anew. Default None: never.

    Attributes:
        state: all that the machine remembers, for proofs (`turnkit.tools.proof`), which copy it and put copies back;
            whoever drives a machine has no use for it.

    Raises:
        ConfigError: a setting cannot work.
    """

    __slots__ = (
        "_barge_in",
        "_hold_timeout",
        "_idle_timeout",
        "_lost_turn_grace",
        "_speculation",
        "_stall_grace",
        "_stall_timeout",
        "state",
    )

    def __init__(
        self,
        *,
        barge_in: BargeInPolicy = Immediate(),
        speculation: SpeculationPolicy = OnEager(),
        hold_timeout: float = 2.0,
        lost_turn_grace: float = 2.0,
        stall_timeout: float = 8.0,
        stall_grace: float = 2.0,
        idle_timeout: float | None = None,
    ) -> None:
        for name, policy in (("barge_in", barge_in), ("speculation", speculation)):
            check_callable(f"{name}={policy!r}", policy)
        self._barge_in = barge_in
        self._speculation = speculation
        self._hold_timeout = check_seconds("hold_timeout", hold_timeout, zero=False)
        self._lost_turn_grace = check_seconds("lost_turn_grace", lost_turn_grace)
        self._stall_timeout = check_seconds("stall_timeout", stall_timeout, zero=False)
        self._stall_grace = check_seconds("stall_grace", stall_grace)
        self._idle_timeout = None if idle_timeout is None else check_seconds("idle_timeout", idle_timeout, zero=False)
        self.state = State(version=VERSION)

    # What the caller may do ---------------------------------------------------------------------------------------

    def feed(self, event: Event, at: float) -> tuple[Signal, ...]:
        """Take one event and answer the signals it calls for; the state is final when this returns.

        Deadlines that `at` has passed are dealt with first. Afterwards ask `deadline` when to call `wake`.

        Args:
            event: one of `turnkit.turns.events.Event`.
            at: the present second on a monotonic clock; it never goes back.

        Returns:
            The signals, in the order in which to act on them.

        Raises:
            LocalProtocolError: time goes back, the machine is closed, or `event` is no event; nothing was changed.
        """
        s = self.state
        # Nine events in ten are Updates of a turn without overlap, or between turns, with nothing due: they take the
        # short way, which does what `_on_update` would do. (`soonest` is -inf before time begins and after close.)
        if type(event) is Update and s.now <= at < s.soonest:
            turn = s.turn
            text = event.transcript
            if turn is None:
                if not text and s.unannounced is None and event.turn_index > s.ended_index:
                    s.now = at
                    return ()
            elif event.turn_index == turn.index and turn.overlap is None:
                if text == turn.text or not text:
                    s.now = at
                    return ()
                letter = LETTERS.get(text[-1:]) or last_letter(text)
                if letter and letter != turn.letter and turn.letter and s.user is _SPEAKING:
                    s.now = at
                    turn.text = text
                    turn.letter = letter
                    turn.stalled = False
                    turn.stall_at = when = at + self._stall_timeout
                    if when < s.soonest:
                        s.soonest = when
                    return (TurnUpdated(turn.id, text, event.confidence, at=at),)
        handler = _HANDLERS.get(type(event))
        if handler is None:
            raise LocalProtocolError(f"{type(event).__name__} is not an event: feed one of turnkit.turns.events.Event")
        if s.closed:
            raise LocalProtocolError(f"{type(event).__name__} after close(): a closed machine takes no more events")
        if not s.now <= at <= LATEST:
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

        Args:
            at: the present second on a monotonic clock; it never goes back.

        Returns:
            The signals, in the order in which to act on them.

        Raises:
            LocalProtocolError: time goes back; nothing was changed.
        """
        s = self.state
        if not s.now <= at <= LATEST:
            self._refuse_time(at)
        out: _Signals = []
        if at >= s.soonest:
            self._expire(at, out)
        s.now = at
        return tuple(out)

    def close(self, at: float) -> tuple[Signal, ...]:
        """End the session: what is open is cancelled and dropped. Closing twice is harmless.

        Args:
            at: the present second on a monotonic clock; it never goes back.

        Returns:
            The signals, in the order in which to act on them.

        Raises:
            LocalProtocolError: time goes back; nothing was changed.
        """
        s = self.state
        if not s.now <= at <= LATEST:
            self._refuse_time(at)
        out: _Signals = []
        s.now = at
        if s.closed:
            return ()
        self._cancel_draft(CancelReason.CLOSED, at, out)
        if s.reply is not None and s.reply.state is _PENDING:
            self._cancel_pending(s.reply, CancelReason.CLOSED, at, out)
        out += [Cancel(None, self._new_reply(), CancelReason.CLOSED, at=at) for _ in s.waiting]
        s.waiting = ()
        if s.turn is not None:
            self._drop_open(s.turn, UserMove.CLOSE, DropReason.CLOSED, at, out)
        if s.suspended is not None:
            self._drop_suspended(s.suspended, DropReason.CLOSED, at, out)
        if s.unannounced is not None:
            turn = self._open_unannounced(s.unannounced, at, out, judged=False)
            self._drop_open(turn, UserMove.CLOSE, DropReason.CLOSED, at, out)
        s.closed = True
        s.soonest = -inf
        return tuple(out)

    def __repr__(self) -> str:
        s = self.state
        turn = "" if s.turn is None else f" in turn {s.turn.id}"
        floor = "nobody has the floor" if s.reply is None else f"reply {s.reply.id} {s.reply.state}"
        return f"<TurnMachine: {'closed' if s.closed else f'user {s.user}{turn}, {floor}'}>"

    @property
    def deadline(self) -> float | None:
        """The second at which to call `wake`, if no event comes before; None if silence changes nothing."""
        due = self.state.due()
        return None if due == inf else due

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self.state.closed

    @property
    def user(self) -> UserState:
        """What the user is doing."""
        return self.state.user

    @property
    def turn(self) -> int | None:
        """The open turn, if there is one."""
        turn = self.state.turn
        return None if turn is None else turn.id

    @property
    def draft(self) -> int | None:
        """The reply that is being drafted, if there is one."""
        draft = self.state.draft
        return None if draft is None else draft.id

    @property
    def floor(self) -> tuple[int, ReplyState] | None:
        """The reply that has the floor and its state: pending, audible or held."""
        reply = self.state.reply
        return None if reply is None else (reply.id, reply.state)

    @property
    def suspended(self) -> int | None:
        """The turn that waits for the floor, or for the rest of it after the stream was lost."""
        suspended = self.state.suspended
        return None if suspended is None else suspended.id

    @property
    def waiting(self) -> int:
        """How many initiatives of the agent's wait for the floor."""
        return len(self.state.waiting)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The words of earlier turns that never got an audible answer, oldest first; the next Commit brings them."""
        return self.state.unanswered

    def snapshot(self) -> bytes:
        """All that this machine remembers; holds what was said. The settings are not part of it."""
        return self.state.encode()

    @classmethod
    def restore(cls, data: bytes, **settings: Any) -> TurnMachine:
        """A machine that goes on where the one that wrote a snapshot was.

        Args:
            data: the snapshot.
            settings: those that the machine had which wrote it.

        Raises:
            LocalProtocolError: `data` is not a snapshot of this version.
            ConfigError: a setting cannot work.
        """
        machine = cls(**settings)
        machine.state = State.decode(data)
        return machine

    # Time ---------------------------------------------------------------------------------------------------------

    def _refuse_time(self, at: float) -> None:
        now = self.state.now
        since = "" if now == NEVER else f", not before {now!r}"
        raise LocalProtocolError(
            f"at={shown(at)}: must be a finite number of monotonic seconds{since}; nothing was changed"
        )

    def _expire(self, at: float, out: _Signals) -> None:
        """Deal with what is due, oldest first; each step clears its deadline or moves it beyond `at`."""
        s = self.state
        if s.now == NEVER and not s.closed:
            self._start_idle(at)
        while (due := s.due()) <= at:
            if s.reply is not None and due == s.reply.hold_until:
                self._resume(ResumeReason.TIMEOUT, at, out)
            elif s.suspended is not None and due == s.suspended.until:
                self._commit_suspended(s.suspended, at, out)
            elif s.turn is not None and due == s.turn.stall_at:
                self._stall(s.turn, at, out)
            else:
                s.idle_count += 1
                out.append(UserIdle(s.idle_count, at=at))
                # Absolute, so that a late wake does not shift the next one; but one late wake is one signal.
                timeout = self._idle_timeout or inf
                s.idle_at = due + timeout if due + timeout > at else max(at + timeout, nextafter(at, inf))
        s.soonest = -inf if s.closed else min(due, LATEST)

    def _arm(self, when: float) -> None:
        if when < self.state.soonest:
            self.state.soonest = when

    def _progress(self, turn: OpenTurn, at: float) -> None:
        """The open turn got new words or a new state."""
        turn.stalled = False
        turn.stall_at = at + self._stall_timeout
        self._arm(turn.stall_at)

    def _start_idle(self, at: float) -> None:
        """The silence begins now, unless a turn without words has only interrupted it."""
        s = self.state
        if self._idle_timeout is not None and not s.busy:
            if s.idle_at == inf:
                s.idle_at = at + self._idle_timeout
            self._arm(s.idle_at)

    def _stall(self, turn: OpenTurn, at: float, out: _Signals) -> None:
        if not turn.stalled:
            turn.stalled = True
            out.append(TurnStalled(turn.id, turn.text, at=at))
            turn.stall_at = at + self._stall_grace
            return
        if turn.text:
            self._finish(turn, UserMove.STALLED, "stalled", True, at, out)
        else:
            self._end_empty(turn, UserMove.STALLED, DropReason.STALLED, at, out)
        self.state.stalled_text = turn.text

    # Flux ---------------------------------------------------------------------------------------------------------

    def _admit(self, event: TurnEvent, at: float, out: _Signals) -> bool:
        """Whether an event is one to act on; if it is of a later turn than the open one, the end of that was missed."""
        s = self.state
        turn, unannounced = s.turn, s.unannounced
        if turn is None:
            if unannounced is not None and event.turn_index > unannounced.index:
                # Words that were never announced, and now a later turn: both its start and its end were missed.
                turn = self._open_unannounced(unannounced, at, out)
                self._finish(turn, UserMove.MISSED_END, "missed", True, at, out)
            return event.turn_index > s.ended_index or self._revives(event, at, out)
        if event.turn_index == turn.index:
            return True
        if event.turn_index < turn.index:
            self._stale(event, at, out)
            return False
        if turn.text:
            self._finish(turn, UserMove.MISSED_END, "missed", True, at, out)
        else:
            self._end_empty(turn, UserMove.MISSED_END, DropReason.EMPTY, at, out)
        return True

    def _revives(self, event: TurnEvent, at: float, out: _Signals) -> bool:
        """Whether an event of the last ended turn still counts: new words do, if it was turnkit that had ended it."""
        s = self.state
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

    def _on_update(self, s: State, event: Update, at: float, out: _Signals) -> None:
        if not self._admit(event, at, out):
            return
        turn, text = s.turn, event.transcript
        if turn is None:
            if text or s.unannounced is not None:
                self._hear_unannounced(event, at, out)
        elif text:
            if text != turn.text:
                self._take_update(turn, event, at, out)
            if turn.overlap is not None:
                self._rejudge(turn, event, at, out)

    def _take_update(self, turn: OpenTurn, event: Update, at: float, out: _Signals) -> None:
        text = event.transcript
        letter = last_letter(text)
        if letter == turn.letter or not letter or not turn.letter:
            if not letter and not has_words(text):
                return
            if same_words(text, turn.text):
                turn.text = text
                return
        if self.state.user is _ENDING:
            self._cancel_draft(CancelReason.RESUMED, at, out)
            self._move_user(UserMove.MISSING_RESUME, at, out)
        turn.text = text
        turn.letter = letter
        self._progress(turn, at)
        out.append(TurnUpdated(turn.id, text, event.confidence, at=at))

    def _hear_unannounced(self, event: Update, at: float, out: _Signals) -> None:
        s = self.state
        if not has_words(event.transcript):
            s.unannounced = None
            return
        unannounced = s.unannounced
        if unannounced is None or unannounced.index != event.turn_index:
            unannounced = UnannouncedWords(event.turn_index, "", float(event.audio_end))
        s.unannounced = UnannouncedWords(unannounced.index, event.transcript, unannounced.since)
        if event.audio_end - unannounced.since >= UNANNOUNCED_SPAN - _NOISE:
            self._open(UserMove.MISSING_START, event, at, out)

    def _on_start(self, s: State, event: StartOfTurn, at: float, out: _Signals) -> None:
        fresh = s.turn is None and s.unannounced is None and event.turn_index > s.ended_index
        if not fresh and not self._admit(event, at, out):
            return
        if s.turn is None:
            self._open(_START, event, at, out)
            return
        self._go_on(s.turn, _START, event, at, out)

    def _on_resumed(self, s: State, event: TurnResumed, at: float, out: _Signals) -> None:
        if not self._admit(event, at, out):
            return
        if s.turn is None:
            self._move_user(UserMove.RESUMED, at, out)
            return
        self._go_on(s.turn, UserMove.RESUMED, event, at, out)

    def _go_on(
        self, turn: OpenTurn, move: UserMove, event: StartOfTurn | TurnResumed, at: float, out: _Signals
    ) -> None:
        """The user, in an open turn, is said to be speaking."""
        self._cancel_draft(CancelReason.RESUMED, at, out)
        if self.state.user is _ENDING:
            self._progress(turn, at)
        self._move_user(move, at, out)
        self._take_text(turn, event, at, out)
        self._rejudge(turn, event, at, out)

    def _on_eager(self, s: State, event: EagerEndOfTurn, at: float, out: _Signals) -> None:
        before = s.turn
        expected = before is not None and event.turn_index == before.index
        if not expected and not self._admit(event, at, out):
            return
        turn = s.turn
        if not has_words(event.transcript):
            self._move_user(UserMove.BLANK_EAGER, at, out)
            return
        if turn is None:
            turn = self._open(UserMove.MISSING_START, event, at, out)
        elif turn is before:
            again = s.user is _ENDING and same_words(event.transcript, turn.text)
            if not again:
                self._cancel_draft(CancelReason.SUPERSEDED, at, out)
            self._take_text(turn, event, at, out)
            if turn.overlap is _UNDECIDED:
                self._rejudge(turn, event, at, out)
            if again:
                return
        self._move_user(_EAGER, at, out)
        self._progress(turn, at)
        if turn.overlap is None:
            self._speculate(turn, event, at, out)

    def _on_end(self, s: State, event: EndOfTurn, at: float, out: _Signals) -> None:
        expected = s.turn is not None and event.turn_index == s.turn.index
        if not expected and not self._admit(event, at, out):
            return
        turn, words = s.turn, has_words(event.transcript)
        if turn is None:
            if not words:
                self._move_user(_END, at, out)
                s.ended_index = event.turn_index
                s.stalled_text = None
                s.unannounced = None
                return
            turn = self._open(UserMove.MISSING_START, event, at, out)
        if not words:
            self._end_empty(turn, _END, DropReason.EMPTY, at, out)
            return
        same = same_words(event.transcript, turn.text)
        turn.text = event.transcript
        self._finish(turn, _END, event.trigger, same, at, out, event)

    def _on_lost(self, s: State, event: StreamLost, at: float, out: _Signals) -> None:
        if s.unannounced is not None and (s.suspended is None or s.suspended.until != inf):
            # Nobody will announce these words any more. (In an overlap they are dropped at once: not at the cost of a
            # turn that waits for the end of the reply.)
            self._open_unannounced(s.unannounced, at, out, judged=False)
        s.unannounced = None
        turn = s.turn
        if turn is not None:
            self._cancel_draft(CancelReason.STREAM_LOST, at, out)
            early = turn.early and turn.overlap is _UNDECIDED
            if early and turn.text and s.reply is not None and s.reply.state is _PENDING and not s.reply.protected:
                # Nobody will judge it any more, and nothing was heard that it could be a backchannel to.
                self._replace_pending(turn, s.reply, at, out)
            if turn.text and turn.overlap is None:
                self._move_user(UserMove.STREAM_LOST, at, out)
                self._suspend(turn, "stream_lost", at + self._lost_turn_grace)
                self._close_turn(turn)
            else:
                self._resume(ResumeReason.TURN_LOST, at, out)
                if turn.text:
                    s.idle_count = 0
                if turn.text and (early or turn.overlap is _DEFERRED):
                    # It deserves an answer; the next Commit still brings its words.
                    s.unanswered += (turn.text,)
                self._drop_open(turn, UserMove.STREAM_LOST, DropReason.STREAM_LOST, at, out)
        s.ended_index = -1
        s.stalled_text = None

    def _on_restored(self, s: State, event: StreamRestored, at: float, out: _Signals) -> None:
        """Nothing to do: the loss has reset the count of turns, and a turn event may have come before this one."""

    # The user's turn ----------------------------------------------------------------------------------------------

    def _move_user(self, move: UserMove, at: float, out: _Signals) -> None:
        s = self.state
        dest, surprise = USER_TABLE[s.user][move]
        if surprise is not None:
            out.append(Note(surprise, f"while {s.user}", at=at))
        s.user = dest

    def _open_unannounced(
        self, unannounced: UnannouncedWords, at: float, out: _Signals, *, judged: bool = True
    ) -> OpenTurn:
        """The words that were not announced are a turn after all."""
        return self._open(UserMove.MISSING_START, Update(unannounced.index, unannounced.text), at, out, judged=judged)

    def _open(self, move: UserMove, event: TurnEvent, at: float, out: _Signals, *, judged: bool = True) -> OpenTurn:
        """A turn begins, announced or not; unless it is over at once, an overlap is judged."""
        s = self.state
        if s.suspended is not None:
            self._supersede_suspended(s.suspended, at, out)
        self._move_user(move, at, out)
        index, text, unannounced = event.turn_index, event.transcript, s.unannounced
        letter = last_letter(text)
        if not letter and not has_words(text):
            text = unannounced.text if unannounced is not None and unannounced.index == index else ""
            letter = last_letter(text)
        s.unannounced = None
        s.stalled_text = None
        turn = s.turn = OpenTurn(s.next_turn, index, text, letter, started_at=at, stall_at=at + self._stall_timeout)
        s.next_turn += 1
        if turn.stall_at < s.soonest:
            s.soonest = turn.stall_at
        reply = s.reply
        out.append(TurnStarted(turn.id, text, None if reply is None else reply.id, at=at))
        if reply is not None:
            turn.overlap = _UNDECIDED
            turn.early = reply.state is _PENDING
            # A noise has nothing to say against a reply that was not heard yet.
            if judged and (text or not turn.early):
                self._judge(turn, reply, at, out)
        return turn

    def _take_text(self, turn: OpenTurn, event: TurnEvent, at: float, out: _Signals) -> None:
        """The latest words of the open turn, if the event has any."""
        if event.transcript == turn.text or not has_words(event.transcript):
            return
        changed = not same_words(event.transcript, turn.text)
        turn.text = event.transcript
        turn.letter = last_letter(turn.text)
        if changed:
            out.append(TurnUpdated(turn.id, turn.text, event.confidence, at=at))
            self._progress(turn, at)

    def _finish(
        self,
        turn: OpenTurn,
        move: UserMove,
        trigger: str,
        same: bool,
        at: float,
        out: _Signals,
        end: EndOfTurn | None = None,
    ) -> None:
        """The open turn ends with words; `same`: they are those that a draft, if there is one, was made for."""
        s = self.state
        s.idle_count = 0
        if s.reply is not None and turn.overlap is _UNDECIDED:
            self._judge(turn, s.reply, at, out, final=True)
        if turn.overlap is _KEPT:
            self._drop_open(turn, move, DropReason.OVERLAP_KEPT, at, out)
            return
        self._move_user(move, at, out)
        if turn.overlap is _DEFERRED:
            self._suspend(turn, trigger, inf, end)
        else:
            if not same:
                self._cancel_draft(CancelReason.TRANSCRIPT_CHANGED, at, out)
            self._commit(turn.id, turn.text, trigger, at, out, end)
        self._close_turn(turn)

    def _end_empty(self, turn: OpenTurn, move: UserMove, reason: DropReason, at: float, out: _Signals) -> None:
        """The open turn ends without words, or with its words withdrawn."""
        self._cancel_draft(CancelReason.EMPTY_TURN, at, out)
        self._resume(ResumeReason.EMPTY_TURN, at, out)
        self._drop_open(turn, move, reason, at, out)

    def _drop_open(self, turn: OpenTurn, move: UserMove, reason: DropReason, at: float, out: _Signals) -> None:
        """The open turn ends without an answer."""
        self._move_user(move, at, out)
        why = turn.why if reason is DropReason.OVERLAP_KEPT else ""
        out.append(TurnDropped(turn.id, turn.text, reason, why, at=at))
        self._close_turn(turn)
        if turn.silenced and self.state.unanswered and reason is not DropReason.CLOSED:
            # It was nothing: what it kept from being answered is answered now, or nobody would speak again.
            self._commit(None, "", "unanswered", at, out)
        else:
            self._floor_free(at, out)

    def _close_turn(self, turn: OpenTurn) -> None:
        s = self.state
        s.turn = None
        s.ended_index = turn.index

    def _floor_free(self, at: float, out: _Signals) -> None:
        """Somebody has ended: if nobody else has the floor now, it goes to whoever has waited for it."""
        s = self.state
        if s.turn is not None or s.reply is not None:
            return
        if s.suspended is not None:
            if s.suspended.until == inf:
                self._commit_suspended(s.suspended, at, out)
        elif s.waiting:
            protected, *others = s.waiting
            s.waiting = tuple(others)
            self._commit_initiative(protected, True, at, out)
        else:
            self._start_idle(at)

    def _suspend(self, turn: OpenTurn, trigger: str, until: float, end: EndOfTurn | None = None) -> None:
        s = self.state
        s.idle_count = 0
        words, languages = ((), ()) if end is None else (end.words, end.languages)
        s.suspended = SuspendedTurn(turn.id, turn.text, trigger, until, words, languages)
        s.idle_at = inf
        self._arm(until)

    def _commit_suspended(self, suspended: SuspendedTurn, at: float, out: _Signals) -> None:
        self.state.suspended = None
        self._commit(suspended.id, suspended.text, suspended.trigger, at, out, suspended)

    def _supersede_suspended(self, suspended: SuspendedTurn, at: float, out: _Signals) -> None:
        """Another turn begins: the one that waits will not be answered by itself."""
        self.state.unanswered += (suspended.text,)
        reason = DropReason.STREAM_LOST if suspended.until != inf else DropReason.SUPERSEDED
        self._drop_suspended(suspended, reason, at, out)

    def _drop_suspended(self, suspended: SuspendedTurn, reason: DropReason, at: float, out: _Signals) -> None:
        self.state.suspended = None
        out.append(TurnDropped(suspended.id, suspended.text, reason, at=at))

    # The overlap --------------------------------------------------------------------------------------------------

    def _rejudge(self, turn: OpenTurn, event: TurnEvent | Protect, at: float, out: _Signals) -> None:
        """Something has changed: an overlap that is not decided yet is judged again."""
        reply = self.state.reply
        if reply is None or turn.overlap is not _UNDECIDED:
            return
        if isinstance(event, Protect) or has_words(event.transcript):
            self._judge(turn, reply, at, out)

    def _judge(self, turn: OpenTurn, reply: FloorReply, at: float, out: _Signals, *, final: bool = False) -> None:
        """Ask whose the floor is, and act on the answer."""
        if reply.protected:
            verdict, why = _PROTECTED
        else:
            pending = reply.state is _PENDING
            playing = 0.0 if pending else at - reply.audible_at
            held = reply.state is _HELD
            overlap = Overlap(turn.text, at - turn.started_at, playing, reply.heard, held, final, pending)
            try:
                verdict, why = ask_barge_in(self._barge_in, overlap)
            except Exception as error:
                self._policy_failed("barge-in", self._barge_in, error, at, out)
                verdict, why = _FAILED
        if final and turn.early and (verdict is _WAIT or verdict is _HOLD):
            # There was nothing yet to which it could be a backchannel.
            verdict = _YIELD if reply.state is _PENDING else _DEFER
        if verdict is _YIELD:
            if reply.state is _PENDING:
                self._replace_pending(turn, reply, at, out)
            else:
                self._barge_in_on(reply, turn.id, turn.text, why, at, out)
        elif verdict is _KEEP or verdict is _DEFER or final:
            turn.overlap = _DEFERRED if verdict is _DEFER else _KEPT
            turn.why = why
            self._resume(ResumeReason.BACKCHANNEL, at, out)
        elif verdict is _HOLD and reply.state is _AUDIBLE:
            self._move_reply(reply, ReplyMove.HOLD)
            out.append(Hold(turn.id, reply.id, why, at=at))
            reply.hold_until = at + self._hold_timeout
            self._arm(reply.hold_until)

    def _resume(self, reason: ResumeReason, at: float, out: _Signals) -> None:
        """Playback goes on, if it was held."""
        turn, reply = self.state.turn, self.state.reply
        if turn is not None and reply is not None and reply.state is _HELD:
            self._move_reply(reply, ReplyMove.RESUME)
            reply.hold_until = inf
            out.append(Resume(turn.id, reply.id, reason, at=at))

    # Replies ------------------------------------------------------------------------------------------------------

    def _move_reply(self, reply: FloorReply, move: ReplyMove) -> None:
        """Move the reply that has the floor; once it is closed the floor is free, and an overlap with it is over."""
        s = self.state
        reply.state, _ = REPLY_TABLE[reply.state][move]
        if reply.state is _CLOSED:
            s.reply = None
            if s.turn is not None:
                s.turn.overlap = None

    def _new_reply(self) -> int:
        reply = self.state.next_reply
        self.state.next_reply += 1
        return reply

    def _speculate(self, turn: OpenTurn, event: EagerEndOfTurn, at: float, out: _Signals) -> None:
        pause = Pause(turn.text, event.confidence, turn.attempts, at - turn.started_at)
        try:
            start, why = ask_speculation(self._speculation, pause)
        except Exception as error:
            self._policy_failed("speculation", self._speculation, error, at, out)
            return
        if start:
            turn.draft = Draft(self._new_reply())
            turn.attempts += 1
            heard = (event.confidence, why, self.state.unanswered, event.words, event.languages)
            out.append(Speculate(turn.id, turn.draft.id, turn.text, *heard, at=at))

    def _policy_failed(self, kind: str, policy: object, error: Exception, at: float, out: _Signals) -> None:
        name = getattr(policy, "__name__", type(policy).__name__)
        detail = f"{kind} policy {name}: {type(error).__name__}"
        out.append(Note(NoteKind.POLICY_FAILED, detail, at=at))

    def _cancel_draft(self, reason: CancelReason, at: float, out: _Signals) -> None:
        turn = self.state.turn
        if turn is not None and turn.draft is not None:
            out.append(Cancel(turn.id, turn.draft.id, reason, at=at))
            turn.draft = None

    def _commit(
        self,
        turn: int | None,
        text: str,
        trigger: str,
        at: float,
        out: _Signals,
        end: EndOfTurn | SuspendedTurn | None = None,
    ) -> FloorReply:
        """A reply gets the floor: the draft if there is one, which dies with its turn, else a new one."""
        s = self.state
        draft = s.draft
        number = self._new_reply() if draft is None else draft.id
        state, _ = REPLY_TABLE[_DRAFTING][_COMMIT]
        protected = draft is not None and draft.protected
        reply = s.reply = FloorReply(number, state, turn, text, protected, carried=len(s.unanswered))
        s.idle_at = inf
        words, languages = ((), ()) if end is None else (end.words, end.languages)
        out.append(Commit(turn, number, text, draft is not None, trigger, s.unanswered, words, languages, at=at))
        return reply

    def _commit_initiative(self, protected: bool, waits: bool, at: float, out: _Signals) -> None:
        """The agent speaks unasked."""
        reply = self._commit(None, "", "initiate", at, out)
        reply.protected = protected
        reply.waits = waits

    def _cancel_pending(self, reply: FloorReply, reason: CancelReason, at: float, out: _Signals) -> None:
        self._move_reply(reply, ReplyMove.CANCEL)
        out.append(Cancel(reply.turn, reply.id, reason, at=at))

    def _replace_pending(self, turn: OpenTurn | None, reply: FloorReply, at: float, out: _Signals) -> None:
        """A turn (None: one that was typed) is to be answered in place of a reply that was not heard yet."""
        self._leave_unanswered(reply)
        if reply.waits:
            self.state.waiting = (reply.protected, *self.state.waiting)
        self._cancel_pending(reply, CancelReason.NEW_TURN, at, out)
        if turn is not None:
            turn.silenced = True

    def _barge_in_on(self, reply: FloorReply, turn: int | None, text: str, why: str, at: float, out: _Signals) -> None:
        out.append(BargeIn(turn, reply.id, text, why, reply.heard, at=at))
        self._move_reply(reply, _BARGE_IN)

    def _leave_unanswered(self, reply: FloorReply) -> None:
        """Nothing of the reply was heard: what it was to answer comes after what its Commit has brought."""
        if reply.turn is not None:
            words = self.state.unanswered
            self.state.unanswered = (*words[: reply.carried], reply.text, *words[reply.carried :])

    # The host -----------------------------------------------------------------------------------------------------

    def _on_playback(
        self, s: State, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished, at: float, out: _Signals
    ) -> None:
        move = _PLAYBACK_MOVES[type(event)]
        draft, reply = s.draft, s.reply
        if draft is not None and event.reply == draft.id:
            _, surprise = REPLY_TABLE[_DRAFTING][move]
            if surprise is not None:
                out.append(Note(surprise, f"{move} of reply {draft.id}, a draft", at=at))
        if reply is None or event.reply != reply.id:
            return
        unheard = reply.state is _PENDING
        self._move_reply(reply, move)
        if isinstance(event, PlaybackAdvanced):
            reply.heard = str(event.heard)
        if unheard:
            if isinstance(event, PlaybackFinished) and event.failed:
                self._leave_unanswered(reply)
            else:
                # It is heard now, or its author has answered without a sound.
                s.unanswered = s.unanswered[reply.carried :]
                reply.carried = 0
        if reply.state is _CLOSED:
            self._floor_free(at, out)
        elif unheard:
            reply.audible_at = at
            if s.turn is not None and s.turn.overlap is _UNDECIDED and s.turn.text:
                self._judge(s.turn, reply, at, out)

    def _on_initiate(self, s: State, event: Initiate, at: float, out: _Signals) -> None:
        protected, waits = bool(event.protected), bool(event.wait)
        if s.quiet:
            self._commit_initiative(protected, waits, at, out)
        elif waits:
            s.waiting += (protected,)
        else:
            out.append(Cancel(None, self._new_reply(), CancelReason.FLOOR_TAKEN, at=at))

    def _on_interrupt(self, s: State, event: Interrupt, at: float, out: _Signals) -> None:
        text = str(event.transcript)
        s.idle_count = 0
        s.idle_at = inf
        if has_words(text):
            self._take_typed(text, at, out)
            return
        reply = s.reply
        if reply is not None and not reply.protected:
            if reply.state is _PENDING:
                self._leave_unanswered(reply)
                self._cancel_pending(reply, CancelReason.INTERRUPTED, at, out)
            else:
                turn, words = (None, "") if s.turn is None else (s.turn.id, s.turn.text)
                self._barge_in_on(reply, turn, words, _INTERRUPTED, at, out)
        self._floor_free(at, out)

    def _take_typed(self, text: str, at: float, out: _Signals) -> None:
        """Text that the user typed is a turn by itself, over as it begins; one that is spoken meanwhile ends here."""
        s = self.state
        if s.turn is not None:
            self._cut_short(s.turn, at, out)
        if s.suspended is not None:
            self._supersede_suspended(s.suspended, at, out)
        turn, reply = s.next_turn, s.reply
        s.next_turn += 1
        out.append(TurnStarted(turn, text, None if reply is None else reply.id, at=at))
        if reply is not None and reply.protected:
            s.suspended = SuspendedTurn(turn, text, "typed", inf)
            return
        if reply is not None and reply.state is _PENDING:
            self._replace_pending(None, reply, at, out)
        elif reply is not None:
            self._barge_in_on(reply, turn, text, _INTERRUPTED, at, out)
        self._commit(turn, text, "typed", at, out)

    def _cut_short(self, turn: OpenTurn, at: float, out: _Signals) -> None:
        """The open turn ends with the words it has, which come with what is typed; new words of it are a fresh turn."""
        self._cancel_draft(CancelReason.INTERRUPTED, at, out)
        kept = turn.overlap is _KEPT and turn.text != ""
        if turn.text and not kept:
            self.state.unanswered += (turn.text,)
        reason = DropReason.OVERLAP_KEPT if kept else DropReason.SUPERSEDED if turn.text else DropReason.EMPTY
        self._move_user(UserMove.INTERRUPT, at, out)
        out.append(TurnDropped(turn.id, turn.text, reason, turn.why if kept else "", at=at))
        self._close_turn(turn)
        self.state.stalled_text = turn.text

    def _on_protect(self, s: State, event: Protect, at: float, out: _Signals) -> None:
        turn, reply = s.turn, s.reply
        if turn is not None and turn.draft is not None and event.reply == turn.draft.id:
            turn.draft = Draft(turn.draft.id, bool(event.on))
        elif reply is not None and event.reply == reply.id:
            reply.protected = bool(event.on)
            if reply.protected and turn is not None:
                self._rejudge(turn, event, at, out)

    def _on_busy(self, s: State, event: Busy, at: float, out: _Signals) -> None:
        s.busy = bool(event.on)
        s.idle_at = inf
        if s.quiet:
            self._start_idle(at)

    def _on_discarded(self, s: State, event: DraftDiscarded, at: float, out: _Signals) -> None:
        if s.draft is not None and event.reply == s.draft.id:
            changed = event.reason == CancelReason.CONTEXT_CHANGED
            self._cancel_draft(CancelReason.CONTEXT_CHANGED if changed else CancelReason.FAILED, at, out)


_Handler: TypeAlias = Callable[[TurnMachine, State, Any, float, _Signals], None]

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
    Interrupt: TurnMachine._on_interrupt,
    Protect: TurnMachine._on_protect,
    DraftDiscarded: TurnMachine._on_discarded,
    Busy: TurnMachine._on_busy,
    StreamLost: TurnMachine._on_lost,
    StreamRestored: TurnMachine._on_restored,
}
