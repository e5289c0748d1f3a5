"""The referee: judges each step of a machine from what a host sees, events in and signals out."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from ...errors import LocalProtocolError
from ...turns.chart import ReplyState, UserState
from ...turns.events import (
    BargeIn,
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
    Signal,
    Speculate,
    StartOfTurn,
    StreamLost,
    TurnDropped,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
    UserIdle,
)
from ...turns.machine import TurnMachine
from ...turns.words import has_words, same_words
from .invariants import (
    CAUSES,
    DRAFT_CANCELS,
    DROPS,
    FIRST_SOUND,
    INVARIANTS,
    ON_CLOSING,
    PLAYBACK,
    RESUMES,
    TURN_EVENTS,
    Violation,
)
from .referee_memory import NONE, Fate, RefereeMemory


class Referee:
    """Judges one machine, from its first event on, and raises `Violation` when a rule is broken.

    Either step the machine through it (`feed`, `wake`, `close`), or step the machine yourself and tell `check`. A
    referee that has raised is of no further use.

    Args:
        machine: the machine to judge.
        at: the second before which nothing has happened. Default -inf.
        memory: of another referee, to go on where that one was. Default None: the machine is new.
        judged: the counts of another referee, to go on counting. Default None: from 0.

    Attributes:
        machine: the machine that is judged.
        memory: what the referee remembers.
        judged: how many times each invariant was judged, by its number.
    """

    __slots__ = (
        *("_asked", "_due", "_event", "_heard", "_kinds", "_maybe", "_owed", "_signals"),
        *("judged", "machine", "memory"),
    )

    def __init__(
        self,
        machine: TurnMachine,
        at: float = -inf,
        *,
        memory: RefereeMemory | None = None,
        judged: list[int] | None = None,
    ) -> None:
        self.machine = machine
        self.memory = RefereeMemory(at=at) if memory is None else memory
        self.judged = [0] * (len(INVARIANTS) + 1) if judged is None else judged
        self._forget()

    def _forget(self) -> None:
        """Forget what is of use within one step only."""
        self._event: Event | None = None
        self._signals: tuple[Signal, ...] = ()
        self._kinds: tuple[type[Signal], ...] = ()  # of which types they are
        self._due = False
        self._heard = True  # the event's own report has been taken
        self._asked = False  # an initiative has not been answered yet
        self._owed = False  # what a turn of nothing kept from being answered must be answered in this step
        self._maybe: str | None = None  # words of which only the policy knows whether they ask for an answer

    # Stepping the machine -------------------------------------------------------------------------------------------

    def feed(self, event: Event, at: float) -> tuple[Signal, ...]:
        """Feed the machine, judged: see `TurnMachine.feed`.

        Raises:
            Violation: if it breaks a rule.
            LocalProtocolError: where the machine does.
        """
        return self._step("feed", event, at)

    def wake(self, at: float) -> tuple[Signal, ...]:
        """`machine.wake`, judged. Raises Violation, or LocalProtocolError where the machine does."""
        return self._step("wake", None, at)

    def close(self, at: float) -> tuple[Signal, ...]:
        """`machine.close`, judged. Raises Violation, or LocalProtocolError where the machine does."""
        return self._step("close", None, at)

    def _step(self, call: str, event: Event | None, at: float) -> tuple[Signal, ...]:
        machine = self.machine
        try:
            if event is not None:
                signals = machine.feed(event, at)
            else:
                signals = machine.wake(at) if call == "wake" else machine.close(at)
        except LocalProtocolError:
            raise
        except Exception as error:
            said = call if event is None else f"{call} of {type(event).__name__}"
            raise Violation(8, f"{said} raised {type(error).__name__}") from error
        self.check(event, signals, at)
        return signals

    def rest(self, steps: int = 8, seconds: float = inf) -> int:
        """Wake the machine at its deadlines only, until it is at rest.

        At rest means: no turn is open, no draft is alive, no reply is held, and no turn waits unless it is for a reply
        that has the floor.

        Args:
            steps: how many wakes it may take. Default 8.
            seconds: how long it may take. Default `inf`.

        Returns:
            How many wakes it took.

        Raises:
            Violation: it takes more.
        """
        begin = self.memory.at
        for step in range(steps + 1):
            memory = self.memory
            waits = memory.turn != NONE and not (memory.waits and memory.floor != NONE)
            if memory.draft == NONE and not waits and memory.fate is not Fate.HELD:
                return step
            deadline = self.machine.deadline
            self._need(6, deadline is not None, "a turn, a draft or a hold that no deadline ends")
            if deadline is None or step == steps:
                break
            self._need(6, deadline - begin <= seconds, "silence has not brought the machine to rest in time")
            self.wake(deadline)
        raise Violation(6, f"{steps} wakes have not brought the machine to rest")

    def over(self) -> None:
        """Judge that the machine is closed and has left nothing open (`check` has done so after `close`)."""
        memory = self.memory
        self._need(6, self.machine.closed and self.machine.deadline is None, "a closed machine has no deadline")
        self._need(1, memory.draft == NONE, "a draft is alive after close()")
        self._need(1, memory.fate is not Fate.PENDING, "a reply is pending after close()")
        self._need(5, memory.turn == NONE, "a turn is open after close()")

    # Judging --------------------------------------------------------------------------------------------------------

    def _need(self, invariant: int, holds: bool, otherwise: str) -> None:
        self.judged[invariant] += 1
        if not holds:
            raise Violation(invariant, otherwise)

    def check(self, event: Event | None, signals: tuple[Signal, ...], at: float) -> None:
        """Judge one step.

        Args:
            event: what was fed; None if time passed, or the machine was closed.
            signals: what the machine answered.
            at: the second at which.

        Raises:
            Violation: a rule was broken.
        """
        memory, judged = self.memory, self.judged
        self._need(8, at >= memory.at, "the machine let time go back")
        self._need(8, not memory.closed or (event is None and not signals), "a closed machine took a step")
        kind = type(event)
        closing = event is None and self.machine.closed
        self._due = due = memory.due <= at
        self._event, self._signals, self._kinds = event, signals, tuple(map(type, signals))
        self._heard = kind not in PLAYBACK
        self._asked = kind is Initiate
        if kind is Protect and not due:
            self._protect()
        discarded = kind is DraftDiscarded and event.reply == memory.draft  # type: ignore[union-attr]
        judged[7] += len(signals)
        for signal, its in zip(signals, self._kinds, strict=True):
            if signal.at != at:
                raise Violation(7, "a signal does not bear the time of the step that made it")
            cause = CAUSES.get(its)
            if closing:
                self._need(6, its in ON_CLOSING, f"{its.__name__} at close()")
            elif not due and cause is not None and kind not in cause[1]:
                raise Violation(cause[0], f"{its.__name__} after {kind.__name__ if event else 'mere silence'}")
            _TAKE[its](self, signal)
        self._need(5, not self._owed, "what a turn of nothing kept from being answered is not answered")
        if not self._heard:
            self._report()
        if kind is Protect and due:
            self._protect()
        if isinstance(event, Initiate) and self._asked:
            self._need(9, bool(event.wait), "Initiate got no answer")
            memory.waiting += (bool(event.protected),)
        if isinstance(event, Interrupt):
            memory.idle = 0
        memory.at = at
        memory.closed = self.machine.closed
        self._need(1, not discarded or memory.draft == NONE, "a draft outlives its being discarded")
        if not due:
            self._heeded()
        self._compare()
        if closing:
            self.over()
        self._forget()

    def _heeded(self) -> None:
        """Judge that what the event says is so now, whatever was so before, unless it was noted as stale."""
        event, machine, need = self._event, self.machine, self._need
        if isinstance(event, Interrupt):
            left = self.memory.floor == NONE or self.memory.protected or self.memory.fate is Fate.PENDING
            need(4, left, "Interrupt, and the agent is still heard")
            need(4, machine.turn is None or not has_words(event.transcript), "a turn outlives what was typed after it")
        elif isinstance(event, StreamLost):
            need(5, machine.turn is None, "a turn outlives its stream")
        elif type(event) not in TURN_EVENTS or TurnStalled in self._kinds or self._noted(NoteKind.STALE_TURN):
            return
        elif isinstance(event, EndOfTurn):
            need(5, machine.turn is None, "a turn outlives its end")
        elif isinstance(event, StartOfTurn):
            need(4, machine.user is UserState.SPEAKING, "StartOfTurn, and the user does not speak")
        elif isinstance(event, TurnResumed):
            need(4, machine.user is not UserState.ENDING, "TurnResumed, and the user is about to end")
        elif isinstance(event, Update):
            quiet = TurnUpdated not in self._kinds
            need(4, quiet or machine.user is UserState.SPEAKING, "new words, and the user does not speak")
        elif isinstance(event, EagerEndOfTurn) and has_words(event.transcript):
            need(4, machine.user is UserState.ENDING, "EagerEndOfTurn with words, and the user is not about to end")

    def _protect(self) -> None:
        event, memory = self._event, self.memory
        if isinstance(event, Protect):
            if event.reply == memory.draft != NONE:
                memory.draft_protected = bool(event.on)
            elif event.reply == memory.floor != NONE:
                memory.protected = bool(event.on)

    def _report(self) -> None:
        """Take the host's report of playback: that is what it hears."""
        self._heard = True
        event, memory = self._event, self.memory
        if not isinstance(event, (PlaybackStarted, PlaybackAdvanced, PlaybackFinished)):
            return
        if event.reply != memory.floor or memory.floor == NONE:
            return
        pending = memory.fate is Fate.PENDING
        if pending and isinstance(event, PlaybackFinished) and event.failed:
            self._unheard()
        elif pending:
            # It is heard, or has answered without a sound.
            memory.fate = Fate.AUDIBLE
            memory.unanswered = memory.unanswered[memory.carried :]
            memory.carried = 0
        if isinstance(event, PlaybackFinished):
            self._free_floor()

    def _unheard(self) -> None:
        """The reply that has the floor was not heard: what it was to answer follows what its Commit has brought."""
        memory = self.memory
        if memory.floor_turn != NONE:
            words = list(memory.unanswered)
            words.insert(memory.carried, memory.floor_text)
            memory.unanswered = tuple(words)

    def _free_floor(self) -> None:
        memory = self.memory
        memory.floor = memory.floor_turn = NONE
        memory.fate = Fate.OVER
        memory.floor_text = ""
        memory.protected = memory.floor_waits = False
        memory.carried = 0

    # The user's turn ------------------------------------------------------------------------------------------------

    def _started(self, signal: TurnStarted) -> None:
        memory = self.memory
        self._need(5, memory.turn == NONE, "a turn began while another one had not ended")
        self._need(3, signal.turn == memory.next_turn, "turns are counted unbroken from 0")
        memory.next_turn += 1
        memory.turn, memory.words, memory.waits, memory.stalled = signal.turn, signal.transcript, False, False
        memory.silenced = False
        floor = None if memory.floor == NONE else memory.floor
        self._need(4, signal.overlaps == floor, "TurnStarted overlaps another reply than the one that has the floor")

    def _updated(self, signal: TurnUpdated) -> None:
        memory = self.memory
        self._need(5, signal.turn == memory.turn and not memory.waits, "TurnUpdated of a turn that is not open")
        self._need(5, has_words(signal.transcript), "TurnUpdated without words")
        self._need(5, not same_words(signal.transcript, memory.words), "TurnUpdated though the words are the same")
        memory.words = signal.transcript
        memory.stalled = False

    def _stalled(self, signal: TurnStalled) -> None:
        memory = self.memory
        self._need(6, signal.turn == memory.turn and not memory.waits, "TurnStalled of a turn that is not open")
        self._need(5, same_words(signal.transcript, memory.words), "TurnStalled with other words than the turn's")
        memory.stalled = True

    def _dropped(self, signal: TurnDropped) -> None:
        memory, reason, event, kind = self.memory, signal.reason, self._event, type(self._event)
        self._need(5, signal.turn == memory.turn != NONE, "TurnDropped of a turn that is not alive")
        words = self._final_words(5, signal.transcript)
        if reason is DropReason.CLOSED:
            self._need(5, self.machine.closed, "TurnDropped closed before close()")
        else:
            self.judged[5] += 1
            if not self._due and kind not in DROPS[reason]:
                raise Violation(5, f"TurnDropped {reason} after {kind.__name__}")
        if reason is DropReason.EMPTY and words:
            blank = isinstance(event, EndOfTurn) and not has_words(event.transcript)
            self._need(5, blank, "TurnDropped empty of a turn that had words")
        elif reason is DropReason.STALLED:
            self._need(5, not words, "TurnDropped stalled of a turn that had words")
            self._need(6, memory.stalled, "TurnDropped stalled without TurnStalled before it")
        elif reason is DropReason.OVERLAP_KEPT:
            kept = memory.fate in (Fate.AUDIBLE, Fate.PENDING) and not memory.waits
            self._need(5, kept and words, "TurnDropped overlap_kept without an overlap, or without words")
        elif reason is DropReason.SUPERSEDED or (reason is DropReason.STREAM_LOST and memory.waits):
            self._need(5, words, f"TurnDropped {reason} of a turn that had no words")
            memory.unanswered += (signal.transcript,)
        elif reason is DropReason.STREAM_LOST:
            self._need(5, not words or memory.floor != NONE, "TurnDropped stream_lost of words that can be answered")
            self._maybe = signal.transcript if words else None
        # Nobody else would answer what a turn of nothing kept from being answered.
        owed = memory.silenced and not memory.waits and bool(memory.unanswered) and not self.machine.closed
        self._owed = owed and not isinstance(event, Interrupt)
        memory.turn, memory.words, memory.waits, memory.stalled = NONE, "", False, False

    def _final_words(self, invariant: int, transcript: str) -> bool:
        """Judge the text with which the living turn ends; whether it has words."""
        memory, event = self.memory, self._event
        words = has_words(transcript)
        final = event.transcript if isinstance(event, EndOfTurn) and not memory.waits else ""
        if final and has_words(final) and not self._due and not self._noted(NoteKind.STALE_TURN, NoteKind.MISSED_END):
            self._need(invariant, transcript == final, "a turn ended with other words than its EndOfTurn's")
        else:
            same = same_words(transcript, memory.words) or transcript == final != ""
            self._need(invariant, same, "a turn ended with other words than its last ones")
        return words

    def _noted(self, *kinds: NoteKind) -> bool:
        if Note not in self._kinds:
            return False
        return any(isinstance(signal, Note) and signal.kind in kinds for signal in self._signals)

    # Replies --------------------------------------------------------------------------------------------------------

    def _new(self, reply: int) -> None:
        self._need(2, reply == self.memory.next_reply, "replies are counted unbroken from 0, and no id is used again")
        self.memory.next_reply += 1

    def _speculate(self, signal: Speculate) -> None:
        memory = self.memory
        self._need(1, memory.draft == NONE, "Speculate while another draft is alive")
        self._need(1, signal.turn == memory.turn and not memory.waits, "Speculate for a turn that is not open")
        self._need(4, memory.floor == NONE, "Speculate while a reply has the floor")
        same = has_words(signal.transcript) and same_words(signal.transcript, memory.words)
        self._need(3, same, "Speculate for other words than the turn's")
        self._new(signal.reply)
        memory.draft, memory.draft_turn, memory.draft_text = signal.reply, signal.turn, signal.transcript
        memory.draft_protected = False

    def _cancel(self, signal: Cancel) -> None:
        memory, reason, event = self.memory, signal.reason, self._event
        turn = NONE if signal.turn is None else signal.turn
        if reason is CancelReason.FLOOR_TAKEN:
            asked = isinstance(event, Initiate) and not event.wait
            self._need(9, turn == NONE and asked, "Cancel floor_taken without an Initiate that does not wait")
            self._asked = False
            self._need(9, memory.turn != NONE or memory.floor != NONE, "Cancel floor_taken while the floor is free")
            self._new(signal.reply)
        elif reason is CancelReason.CLOSED and turn == NONE and signal.reply == memory.next_reply:
            self._need(9, bool(memory.waiting) and self.machine.closed, "Cancel closed of nothing that waited")
            memory.waiting = memory.waiting[1:]
            self._new(signal.reply)
        elif signal.reply == memory.draft != NONE:
            self._need(1, turn == memory.draft_turn, "Cancel of a draft names another turn")
            if reason is CancelReason.CLOSED:
                self._need(1, self.machine.closed, "Cancel closed before close()")
            else:
                causes = DRAFT_CANCELS.get(reason, frozenset())
                fits = type(event) in causes or (reason is CancelReason.STALLED and self._due)
                self._need(1, fits, f"Cancel {reason} of a draft after {type(event).__name__}")
            if isinstance(event, DraftDiscarded):
                self._need(1, event.reply == signal.reply, "DraftDiscarded of another reply cancels the draft")
            memory.draft = memory.draft_turn = NONE
            memory.draft_text = ""
            memory.draft_protected = False
        else:
            pending = signal.reply == memory.floor != NONE and memory.fate is Fate.PENDING
            self._need(2, pending, "Cancel of a reply that is neither a draft nor pending")
            self._need(2, turn == memory.floor_turn, "Cancel of a pending reply names another turn")
            if reason in (CancelReason.NEW_TURN, CancelReason.INTERRUPTED):
                self._need(4, not memory.protected, f"Cancel {reason} of a protected reply")
                self._unheard()
                if reason is CancelReason.NEW_TURN:
                    self._replaced()
                else:
                    bare = isinstance(event, Interrupt) and not has_words(event.transcript)
                    self._need(4, bare, "Cancel interrupted without an Interrupt")
            else:
                fits = reason is CancelReason.CLOSED and self.machine.closed
                self._need(2, fits, f"Cancel {reason} of a pending reply")
            self._free_floor()

    def _replaced(self) -> None:
        """A turn is to be answered in place of a reply that was not heard yet."""
        memory, event = self.memory, self._event
        self._need(4, memory.turn != NONE and not memory.waits, "Cancel new_turn without a new turn")
        late = event.transcript if isinstance(event, (EndOfTurn, Interrupt)) else ""
        self._need(4, has_words(memory.words) or has_words(late), "Cancel new_turn for a noise")
        if memory.floor_waits:
            memory.waiting = (memory.protected, *memory.waiting)
        memory.silenced = True

    def _commit(self, signal: Commit) -> None:
        memory, event = self.memory, self._event
        if not self._heard and isinstance(event, PlaybackFinished) and event.reply == memory.floor:
            # What is committed because playback has finished is committed after that.
            self._report()
        self._need(4, memory.floor == NONE, "Commit while another reply has the floor")
        self._need(5, signal.unanswered == memory.unanswered, "Commit does not bring what is unanswered")
        turn = NONE if signal.turn is None else signal.turn
        protected = waits = False
        if signal.speculative:
            self._need(1, signal.reply == memory.draft != NONE, "Commit of a draft that is not alive")
            self._need(3, turn == memory.draft_turn, "Commit of a draft for another turn")
            self._need(3, same_words(memory.draft_text, signal.transcript), "Commit of a draft made for other words")
            protected = memory.draft_protected
            memory.draft = memory.draft_turn = NONE
            memory.draft_text = ""
            memory.draft_protected = False
        else:
            self._need(1, memory.draft == NONE, "Commit of a new reply while a draft is alive")
            self._new(signal.reply)
        if turn == NONE:
            self._need(4, memory.turn == NONE, "the agent begins while the user has a turn")
            owed, self._owed = self._owed and signal.trigger == "unanswered", False
            bare = not (signal.transcript or signal.speculative)
            if signal.trigger == "initiate":
                protected, waits = self._initiated()
            self._need(
                3, (owed or signal.trigger == "initiate") and bare, "Commit without a turn that nothing asked for"
            )
        else:
            self._need(3, turn == memory.turn, "Commit of a turn that is not alive")
            self._need(3, self._final_words(3, signal.transcript), "Commit of a turn without words")
            if self._due and signal.trigger == "stalled" and not isinstance(event, EndOfTurn) and not memory.waits:
                self._need(6, memory.stalled, "Commit of a stalled turn without TurnStalled before it")
            memory.turn, memory.words, memory.waits, memory.stalled, memory.idle = NONE, "", False, False, 0
        memory.floor, memory.fate, memory.protected = signal.reply, Fate.PENDING, protected
        memory.floor_turn, memory.floor_text = turn, signal.transcript
        memory.floor_waits, memory.carried = waits, len(signal.unanswered)

    def _initiated(self) -> tuple[bool, bool]:
        """Whether the initiative that is committed is protected, and whether it waits again if a turn cancels it."""
        memory, event = self.memory, self._event
        if memory.waiting:
            protected, *others = memory.waiting
            memory.waiting = tuple(others)
            return protected, True
        self._need(9, self._asked, "Commit initiate that nobody has asked for")
        self._asked = False
        return (bool(event.protected), bool(event.wait)) if isinstance(event, Initiate) else (False, False)

    # The overlap ----------------------------------------------------------------------------------------------------

    def _overlap(self, signal: BargeIn | Hold | Resume, *fates: Fate) -> None:
        memory, name = self.memory, type(signal).__name__
        self._need(2, signal.reply == memory.floor != NONE, f"{name} of a reply that has not the floor")
        self._need(4, memory.fate in fates, f"{name} of a reply that is {memory.fate}")
        if signal.turn is None:
            # (A turn that is open may have been ended, and be waiting, in this very step.)
            self._need(4, isinstance(self._event, Interrupt), f"{name} without a turn")
            self._need(4, memory.waits or self._due or memory.turn == NONE, f"{name} by nobody while a turn is open")
        else:
            self._need(4, signal.turn == memory.turn and not memory.waits, f"{name} by a turn that is not open")

    def _first_sound(self) -> None:
        """What is judged at the first sound is judged after its report."""
        if self.memory.fate is Fate.PENDING and type(self._event) in FIRST_SOUND and not self._heard:
            self._report()

    def _barge_in(self, signal: BargeIn) -> None:
        self._first_sound()
        self._overlap(signal, Fate.AUDIBLE, Fate.HELD)
        self._need(4, not self.memory.protected, "BargeIn of a protected reply")
        self._free_floor()

    def _hold(self, signal: Hold) -> None:
        self._first_sound()
        self._overlap(signal, Fate.AUDIBLE)
        self._need(4, not self.memory.protected, "Hold of a protected reply")
        self.memory.fate = Fate.HELD

    def _resume(self, signal: Resume) -> None:
        self._overlap(signal, Fate.HELD)
        kind = type(self._event)
        self._need(4, self._due or kind in RESUMES[signal.reason], f"Resume {signal.reason} after {kind.__name__}")
        self.memory.fate = Fate.AUDIBLE

    # The rest -------------------------------------------------------------------------------------------------------

    def _idle(self, signal: UserIdle) -> None:
        memory = self.memory
        self._need(6, memory.turn == NONE and memory.floor == NONE, "UserIdle while somebody has the floor")
        self._need(6, signal.count in (1, memory.idle + 1), "UserIdle is not counted unbroken from 1")
        memory.idle = signal.count

    def _note(self, signal: Note) -> None:
        self._need(8, bool(signal.detail), "a Note that says nothing")

    def _compare(self) -> None:
        """Judge that what the machine says of itself is what its signals have said."""
        memory, machine, need = self.memory, self.machine, self._need
        turn, waits, draft, floor = machine.turn, machine.suspended, machine.draft, machine.floor
        if (NONE if draft is None else draft) != memory.draft:
            raise Violation(1, "another draft than was announced")
        if memory.floor == NONE:
            if floor is not None:
                raise Violation(2, "a reply has the floor though none was committed, or it is over")
        elif floor is None or floor[0] != memory.floor or floor[1].value != memory.fate.value:
            raise Violation(2, "another reply or state than was announced has the floor")
        if turn is not None and waits is not None:
            raise Violation(5, "a turn is open while another one waits")
        alive = waits if turn is None else turn
        if memory.turn != (NONE if alive is None else alive):
            raise Violation(5, "a turn began or ended without a word")
        if (machine.user is UserState.LISTENING) != (turn is None):
            raise Violation(4, "the user's state is not that of the turn")
        self._compare_words(waits is not None)
        if draft is not None:
            here = machine.user is UserState.ENDING and turn == memory.draft_turn
            need(1, here, "a draft outlives the end it was made for")
            need(3, same_words(memory.draft_text, memory.words), "a draft outlives the words it was made for")
        if machine.waiting != len(memory.waiting):
            raise Violation(9, "another number of initiatives waits than was announced")
        if memory.waiting and alive is None and floor is None:
            raise Violation(9, "an initiative waits though nobody has the floor")
        self._compare_deadline(turn, waits, floor)
        for invariant in _COMPARED:
            self.judged[invariant] += 1

    def _compare_deadline(self, turn: int | None, waits: int | None, floor: tuple[int, ReplyState] | None) -> None:
        memory, deadline = self.memory, self.machine.deadline
        if deadline is not None and deadline <= memory.at:
            raise Violation(6, "a deadline lies in the past")
        if not memory.closed:
            if floor is not None and floor[1] is ReplyState.HELD:
                self._need(6, turn is not None and deadline is not None, "a hold without a turn, or without a deadline")
            if turn is not None or (waits is not None and floor is None):
                self._need(6, deadline is not None, "a turn that no deadline ends")
        memory.due = inf if deadline is None else deadline

    def _compare_words(self, waits: bool) -> None:
        memory, event = self.memory, self._event
        if waits and not memory.waits:
            # A turn that waits has ended, with the words of its end.
            if isinstance(event, EndOfTurn) and has_words(event.transcript) and not self._noted(NoteKind.STALE_TURN):
                memory.words = event.transcript
            memory.idle = 0
        memory.waits = waits
        unanswered = self.machine.unanswered
        if self._maybe is not None and unanswered != memory.unanswered:
            memory.unanswered += (self._maybe,)
        if unanswered != memory.unanswered:
            raise Violation(5, "what is unanswered is not what was left unanswered")


# What `_compare` judges after each step, whatever the step was. It counts them together, and asks without a call each:
# half of all judgements of an exploration are these.
_COMPARED = (1, 2, 4, 5, 5, 5, 6, 9, 9)

_TAKE: dict[type, Callable[[Referee, Any], None]] = {
    TurnStarted: Referee._started,
    TurnUpdated: Referee._updated,
    TurnStalled: Referee._stalled,
    TurnDropped: Referee._dropped,
    Speculate: Referee._speculate,
    Cancel: Referee._cancel,
    Commit: Referee._commit,
    BargeIn: Referee._barge_in,
    Hold: Referee._hold,
    Resume: Referee._resume,
    UserIdle: Referee._idle,
    Note: Referee._note,
}
