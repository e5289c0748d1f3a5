"""The machine: turns over a reply that has the floor and was not heard yet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kinds import kinds
from tests.support.stepped_machine import SteppedMachine, always
from turnkit.turns.chart import ReplyState
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Hold,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    StartOfTurn,
    StreamLost,
    TurnDropped,
    Update,
)
from turnkit.turns.policy import (
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    MinDuration,
    MinWords,
    Never,
    Overlap,
    Verdict,
    all_of,
)

REAL_WORDS: list[Any] = [
    *(Immediate(), Never(), MinWords(5), MinDuration(9.0), Grace(9.0), EchoGuard(), IgnoreBackchannels()),
    *(HoldThenDecide(MinWords(5)), all_of(Grace(0.5), EchoGuard(), IgnoreBackchannels()), always(Verdict.WAIT)),
]


@pytest.mark.parametrize("policy", REAL_WORDS)
def test_real_words_are_answered_in_place_of_what_was_not_heard(policy: Any) -> None:
    """Whatever the policy would have over a reply that is heard: one answer, to both turns."""
    stepped = SteppedMachine(barge_in=policy).committed("A table")
    signals = [*stepped.feed(StartOfTurn(1, "for")), *stepped.feed(EndOfTurn(1, "for two"))]
    assert [signal for signal in signals if isinstance(signal, (Cancel, Commit))] == [
        Cancel(0, 0, CancelReason.NEW_TURN, at=next(s.at for s in signals if isinstance(s, Cancel))),
        Commit(1, 1, "for two", False, "", ("A table",), at=0.4),
    ]


@pytest.mark.parametrize("policy", [IgnoreBackchannels(), all_of(Grace(0.5), EchoGuard(), IgnoreBackchannels())])
def test_a_backchannel_does_not_cost_an_answer(policy: Any) -> None:
    """Six of them before the first sound, and it is one answer all the same."""
    stepped = SteppedMachine(barge_in=policy).committed()
    for index in range(1, 7):
        assert kinds(stepped.feed(StartOfTurn(index, "Mm-hm"))) == ["TurnStarted"]
        assert kinds(stepped.feed(EndOfTurn(index, "Mm-hm."))) == ["TurnDropped"]
    assert stepped.machine.floor == (0, ReplyState.PENDING)
    assert stepped.machine.unanswered == ()


def test_a_backchannel_that_the_first_sound_interrupts_is_still_one() -> None:
    """KEEP at its end is KEEP, heard or not."""
    stepped = SteppedMachine(barge_in=IgnoreBackchannels()).committed()
    stepped.feed(StartOfTurn(1, "Mm-hm"), PlaybackStarted(0))
    assert stepped.feed(EndOfTurn(1, "Mm-hm")) == [
        TurnDropped(1, "Mm-hm", DropReason.OVERLAP_KEPT, "2 words, all backchannel", at=0.5)
    ]


@pytest.mark.parametrize("verdict", [Verdict.WAIT, Verdict.HOLD])
@pytest.mark.parametrize("heard", [False, True])
def test_a_turn_from_before_the_first_sound_is_no_backchannel_for_being_undecided(
    verdict: Verdict, heard: bool
) -> None:
    """Undecided at its end it is answered: instead of the reply, or once that is heard, after it."""
    stepped = SteppedMachine(barge_in=always(verdict)).committed("A table")
    assert kinds(stepped.feed(StartOfTurn(1, "for two"))) == ["TurnStarted"]
    stepped.feed(*[PlaybackStarted(0)] * heard)
    signals = stepped.feed(EndOfTurn(1, "for two"))
    if not heard:
        assert kinds(signals) == ["Cancel", "Commit"]
        assert signals[-1] == Commit(1, 1, "for two", False, "", ("A table",), at=0.4)
        return
    assert stepped.machine.suspended == 1
    assert stepped.feed(PlaybackFinished(0)) == [Commit(1, 1, "for two", False, "", (), at=0.6)]


def test_a_noise_asks_nobody_and_cancels_nothing() -> None:
    """Also when the reply begins to be heard over it; its words, if it gets any, are judged as they come."""
    asked: list[Overlap] = []

    def policy(overlap: Overlap) -> Verdict:
        asked.append(overlap)
        return Verdict.WAIT

    stepped = SteppedMachine(barge_in=policy).committed()
    assert kinds(stepped.feed(StartOfTurn(1, ""))) == ["TurnStarted"]
    assert stepped.feed(PlaybackStarted(0)) == []
    assert asked == []
    stepped.feed(Update(1, "so"))
    assert [(overlap.transcript, overlap.pending) for overlap in asked] == [("so", False)]


def test_the_situation_says_that_nothing_was_heard() -> None:
    """`pending`, and no time of playing; it is asked again at the first sound, and knows what was heard of it."""
    asked: list[Overlap] = []

    def policy(overlap: Overlap) -> Verdict:
        asked.append(overlap)
        return Verdict.WAIT

    stepped = SteppedMachine(barge_in=policy).committed()
    stepped.feed(StartOfTurn(1, "mm"), PlaybackAdvanced(0, "Good"))
    assert asked == [
        Overlap("mm", 0.0, 0.0, "", False, False, True),
        Overlap("mm", stepped.at - 0.3, 0.0, "Good", False, False, False),
    ]


def test_there_is_nothing_to_hold_before_the_first_sound() -> None:
    """HOLD is no Hold as long as nothing is heard, and one at the first sound."""
    stepped = SteppedMachine(barge_in=HoldThenDecide(IgnoreBackchannels())).committed()
    assert kinds(stepped.feed(StartOfTurn(1, "Mm"))) == ["TurnStarted"]
    (hold,) = stepped.feed(PlaybackStarted(0))
    assert isinstance(hold, Hold)


def test_the_first_sound_may_be_the_last() -> None:
    """A policy that waits only while nothing is heard stops the agent as soon as something is."""

    def policy(overlap: Overlap) -> Verdict:
        return Verdict.WAIT if overlap.pending else Verdict.YIELD

    stepped = SteppedMachine(barge_in=policy).committed()
    stepped.feed(StartOfTurn(1, "no"))
    assert stepped.feed(PlaybackAdvanced(0, "Good")) == [BargeIn(1, 0, "no", "", "Good", at=0.4)]


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_pending_answer_that_is_protected_is_not_cancelled(when: str) -> None:
    """Protect on a pending reply holds as on one that is heard: what is said is answered afterwards."""
    stepped = SteppedMachine(barge_in=always(Verdict.WAIT)).committed()
    if when == "before":
        stepped.feed(Protect(0, True), StartOfTurn(1, "Hello?"))
    else:
        stepped.feed(StartOfTurn(1, "Hello?"), Protect(0, True))
    assert stepped.feed(EndOfTurn(1, "Hello?")) == []
    assert stepped.machine.floor == (0, ReplyState.PENDING)
    stepped.feed(PlaybackStarted(0))
    assert kinds(stepped.feed(PlaybackFinished(0))) == ["Commit"]


def test_no_draft_is_made_over_a_pending_reply() -> None:
    """The turn may come to nothing; if the reply is over first, it is an ordinary one."""
    stepped = SteppedMachine(barge_in=IgnoreBackchannels()).committed()
    assert kinds(stepped.feed(StartOfTurn(1, "yes"), EagerEndOfTurn(1, "yes"))) == []
    stepped.feed(PlaybackFinished(0))
    assert kinds(stepped.feed(EndOfTurn(1, "yes"))) == ["Commit"]


def test_words_deferred_while_nothing_was_heard_are_not_taken_for_answered() -> None:
    """The first sound answers what the Commit has brought, and not what came to be unanswered since."""
    stepped = SteppedMachine(barge_in=always(Verdict.DEFER)).committed("one")
    stepped.feed(StartOfTurn(1, "two"), EndOfTurn(1, "two"), StartOfTurn(2, "three"))
    assert stepped.machine.unanswered == ("two",)
    stepped.feed(PlaybackStarted(0))
    assert stepped.machine.unanswered == ("two",)
    stepped.feed(EndOfTurn(2, "three"))
    assert stepped.feed(PlaybackFinished(0)) == [Commit(2, 1, "three", False, "", ("two",), at=0.8)]


def test_what_was_not_heard_stands_before_what_was_said_after_it() -> None:
    """Unanswered words are told oldest first, also when the older ones become so later."""
    stepped = SteppedMachine(barge_in=always(Verdict.DEFER)).committed("one")
    stepped.feed(StartOfTurn(1, "two"), EndOfTurn(1, "two"), StartOfTurn(2, "three"), EndOfTurn(2, "three"))
    assert stepped.feed(PlaybackFinished(0, failed=True)) == [Commit(2, 1, "three", False, "", ("one", "two"), at=0.7)]


LOST: list[tuple[Verdict, list[Event], list[str], tuple[str, ...]]] = [
    (Verdict.WAIT, [], ["Cancel"], ("one",)),
    (Verdict.WAIT, [PlaybackStarted(0)], ["TurnDropped"], ("two",)),
    (Verdict.DEFER, [], ["TurnDropped"], ("two",)),
    (Verdict.KEEP, [], ["TurnDropped"], ()),
]


@pytest.mark.parametrize(("verdict", "events", "signals", "unanswered"), LOST)
def test_words_over_a_pending_reply_are_not_lost_with_the_stream(
    verdict: Verdict, events: list[Event], signals: list[str], unanswered: tuple[str, ...]
) -> None:
    """Undecided, they are answered in place of what was not heard; else they are told with the next turn."""
    stepped = SteppedMachine(barge_in=always(verdict)).committed("one")
    stepped.feed(StartOfTurn(1, "two"), *events)
    assert kinds(stepped.feed(StreamLost())) == signals
    assert stepped.machine.unanswered == unanswered
    if signals == ["Cancel"]:
        assert kinds(stepped.wait(2.0)) == ["Commit"]
