"""The machine: what the agent wants to say unasked, and how the host takes the floor for the user."""

from __future__ import annotations

import pytest

from tests.support.kinds import kinds
from tests.support.stepped_machine import SteppedMachine, always
from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Initiate,
    Interrupt,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    Speculate,
    StartOfTurn,
    TimedWord,
    TurnDropped,
    TurnStarted,
    Update,
)
from turnkit.turns.policy import Never, Verdict

# Initiatives ------------------------------------------------------------------------------------------------------


def test_a_second_initiative_is_refused_or_waits() -> None:
    """By choice of whoever takes it: refused with a reason, or committed in order when the floor is free."""
    stepped = SteppedMachine()
    assert kinds(stepped.feed(Initiate())) == ["Commit"]
    assert stepped.feed(Initiate()) == [Cancel(None, 1, CancelReason.FLOOR_TAKEN, at=0.2)]
    assert stepped.feed(Initiate(wait=True), Initiate(True, wait=True)) == []
    assert stepped.machine.waiting == 2
    assert stepped.feed(PlaybackStarted(0), PlaybackFinished(0)) == [Commit(None, 2, "", False, "initiate", at=0.6)]
    stepped.feed(PlaybackStarted(2), StartOfTurn(0, "No"))
    assert kinds(stepped.feed(EndOfTurn(0, "No"))) == ["Commit"], "the user is answered first"
    assert stepped.feed(PlaybackFinished(3)) == [Commit(None, 4, "", False, "initiate", at=1.0)]
    assert stepped.machine.waiting == 0
    assert kinds(stepped.feed(StartOfTurn(1, "No"))) == ["TurnStarted"], "it was the protected one"


def test_an_initiative_that_a_turn_cancelled_unheard_is_offered_again() -> None:
    """First in line, as soon as nobody has the floor; protected or not as it was."""
    stepped = SteppedMachine()
    stepped.feed(Initiate(wait=True), Initiate(wait=True))
    assert stepped.feed(StartOfTurn(0, "Hello?"))[-1] == Cancel(None, 0, CancelReason.NEW_TURN, at=0.3)
    assert stepped.machine.waiting == 2
    stepped.feed(EndOfTurn(0, "Hello?"), PlaybackStarted(1))
    assert stepped.feed(PlaybackFinished(1)) == [Commit(None, 2, "", False, "initiate", at=0.6)]


def test_a_noise_costs_no_initiative() -> None:
    """The greeting goes on, waiting or not; today's caller coughs first."""
    for wait in (False, True):
        stepped = SteppedMachine()
        stepped.feed(Initiate(wait=wait), StartOfTurn(0, ""))
        assert kinds(stepped.feed(EndOfTurn(0, ""))) == ["TurnDropped"]
        assert stepped.machine.floor == (0, ReplyState.PENDING)


@pytest.mark.parametrize("end", [EndOfTurn(0, ""), EndOfTurn(0, "mm")])
def test_what_waits_has_the_floor_when_a_turn_gets_no_answer(end: EndOfTurn) -> None:
    """A turn of nothing, or kept over a reply that is over by then, leaves the floor to whoever waits."""
    stepped = SteppedMachine(barge_in=always(Verdict.KEEP))
    stepped.feed(StartOfTurn(0, ""), Initiate(wait=True))
    signals = stepped.feed(end)
    assert kinds(signals)[-1] == "Commit"
    assert stepped.machine.waiting == (1 if end.transcript else 0)


def test_initiatives_that_wait_are_refused_at_the_end() -> None:
    """One Cancel `closed` each, with a number of its own."""
    stepped = SteppedMachine()
    stepped.feed(Initiate(), PlaybackStarted(0), Initiate(wait=True), Initiate(wait=True))
    assert list(stepped.machine.close(9.0)) == [
        Cancel(None, 1, CancelReason.CLOSED, at=9.0),
        Cancel(None, 2, CancelReason.CLOSED, at=9.0),
    ]
    assert stepped.machine.waiting == 0


# The host interrupts ----------------------------------------------------------------------------------------------


def test_a_key_stops_the_agent() -> None:
    """As a barge-in would, without a turn; what was heard is told."""
    stepped = SteppedMachine(barge_in=Never(), idle_timeout=5.0).audible()
    stepped.feed(PlaybackAdvanced(0, "We open"))
    assert stepped.feed(Interrupt()) == [BargeIn(None, 0, "", "the host interrupted", "We open", at=0.5)]
    assert stepped.machine.floor is None
    assert stepped.machine.deadline == pytest.approx(5.5)


def test_a_key_cancels_what_was_not_heard() -> None:
    """A pending reply is cancelled; what it was to answer comes with the next Commit, and an initiative not again."""
    stepped = SteppedMachine().committed("one")
    assert stepped.feed(Interrupt()) == [Cancel(0, 0, CancelReason.INTERRUPTED, at=0.3)]
    assert stepped.machine.unanswered == ("one",)
    stepped = SteppedMachine()
    assert kinds(stepped.feed(Initiate(wait=True), Interrupt())) == ["Cancel"]
    assert stepped.machine.waiting == 0


def test_a_key_does_not_stop_what_is_protected() -> None:
    """A disclaimer is heard to its end; to take that back, say Protect first."""
    for heard in ([], [PlaybackStarted(0)]):
        stepped = SteppedMachine()
        stepped.feed(Initiate(True), *heard)
        assert stepped.feed(Interrupt()) == []
        assert kinds(stepped.feed(Protect(0, False), Interrupt())) == ["BargeIn" if heard else "Cancel"]


def test_a_key_makes_the_user_s_open_turn_an_ordinary_one() -> None:
    """The agent is stopped by the turn that overlaps with it, whatever the policy has said; held or not."""
    for verdict in (Verdict.WAIT, Verdict.HOLD, Verdict.KEEP, Verdict.DEFER):
        stepped = SteppedMachine(barge_in=always(verdict)).audible()
        stepped.feed(StartOfTurn(1, "mm"))
        assert stepped.feed(Interrupt()) == [BargeIn(1, 0, "mm", "the host interrupted", at=0.5)]
        assert kinds(stepped.feed(EndOfTurn(1, "mm"))) == ["Commit"]


def test_a_key_lets_a_deferred_turn_be_answered() -> None:
    """It has waited for the floor, which is free now."""
    stepped = SteppedMachine(barge_in=Never()).audible()
    stepped.feed(StartOfTurn(1, "and tea"), EndOfTurn(1, "and tea"))
    assert kinds(stepped.feed(Interrupt())) == ["BargeIn", "Commit"]


def test_what_is_typed_is_a_turn() -> None:
    """It begins and is final in one step, and is answered like any other."""
    stepped = SteppedMachine(idle_timeout=5.0)
    assert stepped.feed(Interrupt("Table 4")) == [
        TurnStarted(0, "Table 4", at=0.1),
        Commit(0, 0, "Table 4", False, "typed", at=0.1),
    ]
    stepped.feed(PlaybackStarted(0))
    assert stepped.feed(Interrupt("No, 5")) == [
        TurnStarted(1, "No, 5", 0, at=0.3),
        BargeIn(1, 0, "No, 5", "the host interrupted", at=0.3),
        Commit(1, 1, "No, 5", False, "typed", at=0.3),
    ]
    assert stepped.feed(Interrupt("6")) == [
        TurnStarted(2, "6", 1, at=0.4),
        Cancel(1, 1, CancelReason.NEW_TURN, at=0.4),
        Commit(2, 2, "6", False, "typed", ("No, 5",), at=0.4),
    ]


def test_what_is_typed_over_a_protected_reply_is_answered_after_it() -> None:
    """Like what is said over it; and a later one takes its place."""
    stepped = SteppedMachine()
    stepped.feed(Initiate(True))
    assert kinds(stepped.feed(Interrupt("one"))) == ["TurnStarted"]
    assert kinds(stepped.feed(Interrupt("two"))) == ["TurnDropped", "TurnStarted"]
    stepped.feed(PlaybackStarted(0))
    assert stepped.feed(PlaybackFinished(0)) == [Commit(1, 1, "two", False, "typed", ("one",), at=0.5)]


def test_what_is_typed_ends_the_turn_that_is_spoken() -> None:
    """Its words come with what was typed; its draft is of no use; further words of it are a fresh turn."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "My number is"), EagerEndOfTurn(0, "My number is"))
    assert stepped.feed(Interrupt("4711")) == [
        Cancel(0, 0, CancelReason.INTERRUPTED, at=0.3),
        TurnDropped(0, "My number is", DropReason.SUPERSEDED, at=0.3),
        TurnStarted(1, "4711", at=0.3),
        Commit(1, 1, "4711", False, "typed", ("My number is",), at=0.3),
    ]
    assert stepped.machine.user is UserState.LISTENING
    assert stepped.feed(Update(0, "My number is")) == []
    assert kinds(stepped.feed(Update(0, "My number is long")))[:2] == ["Note", "TurnStarted"]


@pytest.mark.parametrize(
    ("verdict", "text", "reason"),
    [
        (Verdict.KEEP, "mm", DropReason.OVERLAP_KEPT),
        (Verdict.HOLD, "mm", DropReason.SUPERSEDED),
        (Verdict.HOLD, "", DropReason.EMPTY),
    ],
)
def test_what_is_typed_into_an_overlap_stops_the_agent(verdict: Verdict, text: str, reason: DropReason) -> None:
    """A backchannel stays one, a noise is none."""
    stepped = SteppedMachine(barge_in=always(verdict)).audible()
    stepped.feed(StartOfTurn(1, text))
    dropped, started, barge_in, commit = stepped.feed(Interrupt("stop"))
    assert isinstance(dropped, TurnDropped)
    assert dropped.reason is reason
    assert started == TurnStarted(2, "stop", 0, at=0.5)
    assert isinstance(barge_in, BargeIn)
    assert isinstance(commit, Commit)
    assert commit.unanswered == (("mm",) if reason is DropReason.SUPERSEDED else ())
    assert stepped.machine.deadline is None


# What authors are told --------------------------------------------------------------------------------------------


def test_a_draft_is_told_what_else_is_unanswered_and_both_ends_the_words() -> None:
    """Speculate as Commit; a turn that Flux did not end has no words with times."""
    words = (TimedWord("two", 1.0, 1.25, 0.9),)
    stepped = SteppedMachine().committed("one")
    stepped.feed(StartOfTurn(1, "two"))
    assert stepped.feed(EagerEndOfTurn(1, "two", 0.5, 1.25, words, ("en",))) == [
        Speculate(1, 1, "two", 0.5, "eager end of turn", ("one",), words, ("en",), at=0.4)
    ]
    (commit,) = stepped.feed(EndOfTurn(1, "two", 0.9, 1.5, "model", words, ("en", "hi")))
    assert commit == Commit(1, 1, "two", True, "model", ("one",), words, ("en", "hi"), at=0.5)
    stepped.feed(PlaybackStarted(1), StartOfTurn(2, "three"))
    (*_, missed) = stepped.feed(StartOfTurn(3, "four"))[:2]
    assert missed == Commit(2, 2, "three", False, "missed", at=0.8)


def test_a_turn_that_had_to_wait_keeps_its_words() -> None:
    """Also over a snapshot."""
    words = (TimedWord("tea", 1.0, 1.25, 0.9),)
    stepped = SteppedMachine(barge_in=Never()).audible()
    stepped.feed(StartOfTurn(1, "tea"), EndOfTurn(1, "tea", 0.9, 1.5, "model", words, ("en",)))
    stepped.machine = type(stepped.machine).restore(stepped.machine.snapshot())
    assert stepped.feed(PlaybackFinished(0)) == [Commit(1, 1, "tea", False, "model", (), words, ("en",), at=0.6)]


def test_a_machine_tells_its_state_and_no_words() -> None:
    """Its repr is for logs."""
    stepped = SteppedMachine()
    assert repr(stepped.machine) == "<TurnMachine: user listening, nobody has the floor>"
    stepped.audible().feed(StartOfTurn(1, "secret"), Interrupt(), Update(1, "secret plan"))
    assert repr(stepped.machine) == "<TurnMachine: user speaking in turn 1, nobody has the floor>"
    assert "reply" in repr(SteppedMachine().audible().machine)
    stepped.machine.close(9.0)
    assert repr(stepped.machine) == "<TurnMachine: closed>"
