"""The referee: each rule broken once, by signals made by hand; and no rule broken by a machine that works."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from turnkit.tools.proof import INVARIANTS, Fate, Referee, Violation
from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.events import (
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
    TurnResumed,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
    UserIdle,
)
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import Overlap, Verdict

START, EAGER, END = StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), EndOfTurn(0, "tea", trigger="model")
NEXT = StartOfTurn(1, "no")
DRAFT = (START, EAGER)
PENDING = (*DRAFT, END)
HEARD = (*PENDING, PlaybackStarted(0))
OVERLAP = (*HEARD, NEXT)
GREETED = (Initiate(protected=True), PlaybackStarted(0))
SPECULATE = Speculate(0, 0, "tea", 0.0, at=9.0)
CANCEL = Cancel(0, 0, CancelReason.RESUMED, at=9.0)
COMMIT = Commit(0, 0, "tea", True, "model", at=9.0)
FRESH = Commit(0, 0, "tea", False, "model", at=9.0)
STARTED, NOISE = TurnStarted(1, "no", 0, at=9.0), StartOfTurn(1)
REPLACED = Cancel(0, 0, CancelReason.NEW_TURN, at=9.0)
EMPTY = TurnDropped(0, "tea", DropReason.EMPTY, at=9.0)
FAILED = (PlaybackFinished(0), EndOfTurn(1, "so"), PlaybackFinished(1, failed=True))
FORGETFUL = (TurnStarted(2, "no", at=9.0), Commit(2, 2, "no", False, "", at=9.0))
BARGE_IN = BargeIn(1, 0, "no", at=9.0)
HOLD = Hold(1, 0, at=9.0)
RESUME = Resume(1, 0, ResumeReason.BACKCHANNEL, at=9.0)


def waits(overlap: Overlap) -> Verdict:
    return Verdict.WAIT


def holds(overlap: Overlap) -> Verdict:
    return Verdict.HOLD


def referee_after(*events: Event, barge_in: Any = waits) -> Referee:
    """A referee who has seen a working machine take these events, at second 0."""
    referee = Referee(TurnMachine(barge_in=barge_in, stall_timeout=100.0, hold_timeout=100.0))
    for event in events:
        referee.feed(event, at=0.0)
    return referee


def updated(text: str) -> TurnUpdated:
    return TurnUpdated(0, text, 0.0, at=9.0)


def dropped(reason: DropReason, text: str = "tea") -> TurnDropped:
    return TurnDropped(0, text, reason, at=9.0)


BROKEN: list[tuple[int, str, tuple[Event, ...], Event | None, tuple[Signal, ...]]] = [
    (1, "another draft is alive", DRAFT, EagerEndOfTurn(0, "tea pot"), (updated("tea pot"), SPECULATE)),
    (1, "Speculate after StartOfTurn", (), START, (TurnStarted(0, "tea", at=9.0), SPECULATE)),
    (1, "for a turn that is not open", (), EAGER, (SPECULATE,)),
    (1, "Cancel resumed of a draft after EndOfTurn", DRAFT, END, (CANCEL,)),
    (1, "names another turn", DRAFT, TurnResumed(0, "tea"), (Cancel(1, 0, CancelReason.RESUMED, at=9.0),)),
    (1, "of another reply", DRAFT, DraftDiscarded(7, "failed"), (Cancel(0, 0, CancelReason.FAILED, at=9.0),)),
    (1, "before close", DRAFT, END, (Cancel(0, 0, CancelReason.CLOSED, at=9.0),)),
    (1, "while a draft is alive", DRAFT, END, (Commit(0, 1, "tea", False, "model", at=9.0),)),
    (1, "Commit of a draft that is not alive", (START,), END, (COMMIT,)),
    (1, "Cancel after mere silence", DRAFT, None, (CANCEL,)),
    (2, "neither a draft nor pending", HEARD, NEXT, (Cancel(0, 0, CancelReason.NEW_TURN, at=9.0),)),
    (2, "neither a draft nor pending", (*DRAFT, TurnResumed(0, "tea")), TurnResumed(0, "tea"), (CANCEL,)),
    (2, "no id is used again", (*DRAFT, TurnResumed(0, "tea")), EAGER, (SPECULATE,)),
    (2, "counted unbroken", (START,), EAGER, (Speculate(0, 5, "tea", 0.0, at=9.0),)),
    (2, "Cancel superseded of a pending", PENDING, NEXT, (Cancel(0, 0, CancelReason.SUPERSEDED, at=9.0),)),
    (2, "names another turn", PENDING, NEXT, (Cancel(None, 0, CancelReason.NEW_TURN, at=9.0),)),
    (2, "BargeIn of a reply that has not the floor", OVERLAP, Update(1, "no no"), (BARGE_IN, BARGE_IN)),
    (9, "floor_taken without an Initiate", (), START, (Cancel(None, 0, CancelReason.FLOOR_TAKEN, at=9.0),)),
    (3, "Commit of a turn that is not alive", (), END, (FRESH,)),
    (3, "Commit of a turn without words", (StartOfTurn(0),), EndOfTurn(0), (Commit(0, 0, "", False, "", at=9.0),)),
    (3, "other words than its EndOfTurn", (START,), EndOfTurn(0, "tea!"), (FRESH,)),
    (3, "other words than its last", (START,), Update(1, "no"), (Commit(0, 0, "pot", False, "missed", at=9.0),)),
    (3, "made for other words", DRAFT, EndOfTurn(0, "pot"), (Commit(0, 0, "pot", True, "model", at=9.0),)),
    (3, "Speculate for other words", (START,), EAGER, (Speculate(0, 0, "pot", 0.0, at=9.0),)),
    (3, "for another turn", DRAFT, END, (Commit(3, 0, "tea", True, "model", at=9.0),)),
    (3, "turns are counted unbroken", (), START, (TurnStarted(4, "tea", at=9.0),)),
    (3, "that nothing asked for", (), END, (Commit(None, 0, "", False, "model", at=9.0),)),
    (3, "Commit after PlaybackStarted", (START,), PlaybackStarted(0), (FRESH,)),
    (4, "BargeIn of a reply that is pending", PENDING, NEXT, (STARTED, BARGE_IN)),
    (4, "overlaps another reply", HEARD, NEXT, (TurnStarted(1, "no", at=9.0),)),
    (4, "new_turn for a noise", PENDING, NOISE, (TurnStarted(1, "", 0, at=9.0), REPLACED)),
    (4, "new_turn of a protected", (*PENDING, Protect(0, True)), NEXT, (STARTED, REPLACED)),
    (4, "BargeIn without a turn", HEARD, NEXT, (BargeIn(None, 0, "", at=9.0),)),
    (4, "interrupted without an Interrupt", PENDING, NEXT, (Cancel(0, 0, CancelReason.INTERRUPTED, at=9.0),)),
    (4, "the agent is still heard", HEARD, Interrupt(), ()),
    (4, "by a turn that is not open", HEARD, NEXT, (BARGE_IN,)),
    (4, "BargeIn of a protected", (*GREETED, START), Update(0, "tea pot"), (BargeIn(0, 0, "tea", at=9.0),)),
    (4, "Hold of a protected", (*OVERLAP[:-1], Protect(0, True), NEXT), Update(1, "no no"), (HOLD,)),
    (4, "Hold of a reply that is held", OVERLAP, Update(1, "no no"), (HOLD, HOLD)),
    (4, "Resume of a reply that is audible", OVERLAP, Update(1, "no no"), (RESUME,)),
    (4, "Resume turn_lost after Update", OVERLAP, Update(1), (HOLD, Resume(1, 0, ResumeReason.TURN_LOST, at=9.0))),
    (4, "BargeIn after PlaybackFinished", OVERLAP, PlaybackFinished(0), (BARGE_IN,)),
    (4, "another reply has the floor", HEARD, Initiate(), (Commit(None, 1, "", False, "initiate", at=9.0),)),
    (4, "while the user has a turn", (START,), Initiate(), (Commit(None, 0, "", False, "initiate", at=9.0),)),
    (4, "Speculate while a reply", OVERLAP, EagerEndOfTurn(1, "no"), (Speculate(1, 1, "no", 0.0, at=9.0),)),
    (9, "while the floor is free", (), Initiate(), (Cancel(None, 0, CancelReason.FLOOR_TAKEN, at=9.0),)),
    (9, "that does not wait", HEARD, Initiate(wait=True), (Cancel(None, 1, CancelReason.FLOOR_TAKEN, at=9.0),)),
    (9, "nobody has asked for", (START,), EndOfTurn(0), (EMPTY, Commit(None, 0, "", False, "initiate", at=9.0))),
    (9, "Initiate got no answer", HEARD, Initiate(), ()),
    (4, "without a new turn", PENDING, NEXT, (Cancel(0, 0, CancelReason.NEW_TURN, at=9.0),)),
    (5, "another one had not ended", (START,), NEXT, (TurnStarted(1, "no", at=9.0),)),
    (5, "of a turn that is not open", (), Update(0, "tea"), (updated("tea"),)),
    (5, "the words are the same", (START,), Update(0, "Tea."), (updated("Tea."),)),
    (5, "without words", (START,), Update(0, "?!"), (updated("?!"),)),
    (5, "not alive", (), END, (dropped(DropReason.EMPTY),)),
    (5, "empty of a turn that had words", (START,), END, (dropped(DropReason.EMPTY),)),
    (5, "without an overlap", (START,), END, (dropped(DropReason.OVERLAP_KEPT),)),
    (5, "other words than its EndOfTurn", (START,), END, (dropped(DropReason.OVERLAP_KEPT, "tee"),)),
    (5, "can be answered", (START,), StreamLost(), (dropped(DropReason.STREAM_LOST),)),
    (5, "stalled after StreamLost", (START,), StreamLost(), (dropped(DropReason.STALLED),)),
    (5, "closed before close", (START,), END, (dropped(DropReason.CLOSED),)),
    (
        5,
        "what is unanswered",
        (*HEARD, *FAILED),
        EndOfTurn(2, "no"),
        (TurnStarted(2, "no", at=9.0), Commit(2, 2, "no", False, "", at=9.0)),
    ),
    (6, "TurnStalled of a turn that is not open", (), Update(0, "tea"), (TurnStalled(0, "tea", at=9.0),)),
    (6, "TurnStalled after mere silence", (START,), None, (TurnStalled(0, "tea", at=9.0),)),
    (6, "somebody has the floor", (START,), None, (UserIdle(1, at=9.0),)),
    (6, "not counted unbroken", (StreamRestored(),), None, (UserIdle(3, at=9.0),)),
    (7, "the time of the step", (), START, (TurnStarted(0, "tea", at=8.0),)),
    (8, "says nothing", (), START, (Note(NoteKind.STALE_TURN, "", at=9.0),)),
]


@pytest.mark.parametrize(("invariant", "seen", "before", "event", "signals"), BROKEN)
def test_a_broken_rule_is_named(
    invariant: int, seen: str, before: tuple[Event, ...], event: Event | None, signals: tuple[Signal, ...]
) -> None:
    """The referee says which invariant does not hold, and what was seen instead."""
    referee = referee_after(*before)
    with pytest.raises(Violation) as caught:
        referee.check(event, signals, 9.0)
    assert (caught.value.invariant, seen in caught.value.detail) == (invariant, True), str(caught.value)
    assert INVARIANTS[invariant] in str(caught.value)
    assert "tea" not in str(caught.value)


def test_every_invariant_is_among_them() -> None:
    """The cases above leave no rule out."""
    assert {invariant for invariant, *_ in BROKEN} == set(INVARIANTS)


SILENT: list[tuple[int, str, tuple[Event, ...], Event]] = [
    (1, "another draft than was announced", (START,), EAGER),
    (1, "another draft than was announced", DRAFT, TurnResumed(0, "tea")),
    (2, "none was committed", (START,), END),
    (5, "began or ended without a word", (), START),
    (5, "began or ended without a word", (START,), EndOfTurn(0, "")),
]


@pytest.mark.parametrize(("invariant", "seen", "before", "event"), SILENT)
def test_a_machine_that_keeps_silent_is_caught(
    invariant: int, seen: str, before: tuple[Event, ...], event: Event
) -> None:
    """What the machine says of itself must be what its signals have said."""
    referee = referee_after(*before)
    referee.machine.feed(event, 9.0)
    with pytest.raises(Violation, match=seen) as caught:
        referee.check(event, (), 9.0)
    assert caught.value.invariant == invariant


def saying(**said: Any) -> Any:
    """A stand-in that says of itself whatever it is told to; what is not told is how a machine begins."""
    fresh: dict[str, Any] = {
        "user": UserState.LISTENING,
        "turn": None,
        "draft": None,
        "floor": None,
        "suspended": None,
        "unanswered": (),
        "waiting": 0,
        "deadline": None,
        "closed": False,
    }
    return SimpleNamespace(**{**fresh, **said})


@pytest.mark.parametrize(
    ("invariant", "seen", "before", "said"),
    [
        (5, "left unanswered", (), {"unanswered": ("tea",)}),
        (5, "while another one waits", (START,), {"user": UserState.SPEAKING, "turn": 0, "suspended": 1}),
        (4, "the user's state", (START,), {"turn": 0}),
        (1, "outlives the end", DRAFT, {"user": UserState.SPEAKING, "turn": 0, "draft": 0, "deadline": 99.0}),
        (6, "lies in the past", (START,), {"user": UserState.SPEAKING, "turn": 0, "deadline": 9.0}),
        (6, "no deadline ends", (START,), {"user": UserState.SPEAKING, "turn": 0}),
        (6, "no deadline ends", (START,), {"suspended": 0}),
        (2, "another reply or state", HEARD, {"floor": (0, ReplyState.HELD)}),
        (2, "another reply or state", PENDING, {"floor": (0, ReplyState.AUDIBLE)}),
        (6, "a closed machine", (), {"closed": True, "deadline": 20.0}),
        (5, "open after close", (START,), {"closed": True, "user": UserState.SPEAKING, "turn": 0}),
        (1, "alive after close", DRAFT, {"closed": True, "user": UserState.ENDING, "turn": 0, "draft": 0}),
        (1, "pending after close", PENDING, {"closed": True, "floor": (0, ReplyState.PENDING)}),
    ],
)
def test_what_a_machine_says_of_itself_is_judged(
    invariant: int, seen: str, before: tuple[Event, ...], said: dict[str, Any]
) -> None:
    """Nothing was signalled, and yet the machine is not where it was."""
    referee = referee_after(*before)
    referee.machine = saying(**said)
    with pytest.raises(Violation, match=seen) as caught:
        referee.check(None, (), 9.0)
    assert caught.value.invariant == invariant


def test_a_hold_has_a_turn_and_a_deadline() -> None:
    """A reply that is held for nobody, or for ever."""
    for said in ({"user": UserState.SPEAKING, "turn": 1}, {"deadline": 20.0}):
        referee = referee_after(*OVERLAP, barge_in=holds)
        referee.machine = saying(floor=(0, ReplyState.HELD), **said)
        with pytest.raises(Violation):
            referee.check(None, (), 9.0)


def test_a_machine_that_raises_breaks_a_rule() -> None:
    """What is not the caller's own misuse is a violation; misuse comes through as it is."""

    class Raises(TurnMachine):
        def wake(self, at: float) -> tuple[Signal, ...]:
            raise KeyError(at)

    with pytest.raises(Violation, match="wake raised KeyError") as caught:
        Referee(Raises()).wake(1.0)
    assert caught.value.invariant == 8
    referee = referee_after(START)
    with pytest.raises(Violation, match="time go back"):
        referee.check(None, (), -1.0)


def test_a_closed_machine_takes_no_step() -> None:
    """Waking and closing it again are harmless; an event, or a signal, is not."""
    referee = referee_after(*DRAFT)
    assert referee.close(1.0) != ()
    assert referee.close(2.0) == referee.wake(3.0) == ()
    with pytest.raises(Violation, match="a closed machine took a step"):
        referee.check(START, (), 4.0)


def test_rest_is_judged() -> None:
    """A machine comes to rest by its deadlines; one that does not is caught, be it late, stuck or without deadline."""
    referee = referee_after(*OVERLAP, barge_in=holds)
    assert referee.rest() == 2
    assert referee.memory.fate is Fate.AUDIBLE
    assert referee.rest() == 0
    for steps, seconds in ((1, 1e9), (8, 10.0)):
        with pytest.raises(Violation) as caught:
            referee_after(*OVERLAP, barge_in=holds).rest(steps, seconds)
        assert caught.value.invariant == 6
    referee = referee_after(START)
    referee.machine = saying(user=UserState.SPEAKING, turn=0)
    with pytest.raises(Violation, match="no deadline ends"):
        referee.rest()


def test_late_events_are_judged_as_what_they_are() -> None:
    """A deadline that nobody woke the machine for is dealt with before the event, and the referee can tell."""
    for event in (PlaybackFinished(0), Protect(0, True), EndOfTurn(1, "no way"), StreamLost(), Update(1, "no way")):
        machine = TurnMachine(barge_in=holds, hold_timeout=1.0, stall_timeout=1.0)
        referee = Referee(machine)
        for early in OVERLAP:
            referee.feed(early, at=0.0)
        referee.feed(event, at=50.0)
        referee.close(60.0)


def test_a_turn_is_not_ended_as_stalled_without_a_word_before() -> None:
    """Its deadline has passed, but TurnStalled comes first, with words or without."""
    endings: list[tuple[str, Signal]] = [
        ("", TurnDropped(0, "", DropReason.STALLED, at=9.0)),
        ("tea", Commit(0, 0, "tea", False, "stalled", at=9.0)),
    ]
    for text, ending in endings:
        referee = Referee(TurnMachine(stall_timeout=1.0))
        referee.feed(StartOfTurn(0, text), at=0.0)
        with pytest.raises(Violation, match="without TurnStalled"):
            referee.check(None, (ending,), 9.0)


def test_a_deferred_turn_is_answered_or_remembered() -> None:
    """The words of a turn that waits end in a Commit, or in what is unanswered, when the stream is lost too."""
    for event in (PlaybackFinished(0), StreamLost(), StartOfTurn(2, "go")):
        for end in (EndOfTurn(1, "no"), Update(1, "no")):
            referee = referee_after(*OVERLAP, end, event, barge_in=lambda overlap: Verdict.DEFER)
            referee.rest()
            referee.close(500.0)


def test_memory_is_bounded_and_can_be_copied() -> None:
    """After a thousand turns they are no larger than after one; a referee goes on from a copy of them."""
    referee = referee_after(barge_in=lambda overlap: Verdict.YIELD)
    for index in range(1000):
        referee.feed(StartOfTurn(index, "tea"), at=float(index))
        referee.feed(EndOfTurn(index, "tea"), at=float(index))
        referee.feed(PlaybackStarted(index), at=float(index))
    assert len(repr(referee.memory)) < 600
    other = Referee(referee.machine, memory=copy.copy(referee.memory))
    other.feed(StartOfTurn(1000, "tea"), at=1000.0)
    assert other.memory.next_turn == referee.memory.next_turn + 1
    assert referee.judged[4] > 4000


def test_a_violation_travels() -> None:
    """From one process to another it keeps its number and its sentence."""
    again = pickle.loads(pickle.dumps(Violation(4, "something")))
    assert (again.invariant, again.detail, str(again)) == (4, "something", str(Violation(4, "something")))
