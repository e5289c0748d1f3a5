"""The machine, row by row: who has the floor, when a reply is heard or about to be."""

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
    Note,
    NoteKind,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    Resume,
    ResumeReason,
    StartOfTurn,
    TurnDropped,
    TurnStarted,
    TurnUpdated,
    Update,
)
from turnkit.turns.policy import Grace, MinDuration, MinWords, Never, Overlap, Verdict


def test_a_turn_before_anything_was_heard_cancels_the_reply() -> None:
    """A pending reply is cancelled by a new turn, and its text comes with the next commit as unanswered."""
    stepped = SteppedMachine().committed("one")
    assert stepped.feed(StartOfTurn(1, "two")) == [
        TurnStarted(1, "two", 0, at=0.3),
        Cancel(0, 0, CancelReason.NEW_TURN, at=0.3),
    ]
    assert stepped.feed(EndOfTurn(1, "two")) == [Commit(1, 1, "two", False, "", ("one",), at=0.4)]
    assert stepped.feed(StartOfTurn(2, "three"), EndOfTurn(2, "three")) == [
        Commit(2, 2, "three", False, "", ("one", "two"), at=0.6)
    ]
    stepped.feed(PlaybackStarted(2), PlaybackFinished(2))
    assert stepped.feed(EndOfTurn(3, "four"))[-1] == Commit(3, 3, "four", False, "", (), at=0.9)


def test_a_reply_that_failed_before_its_first_sound_leaves_its_turn_unanswered() -> None:
    """PlaybackFinished `failed` before any sound: the text was never answered, and says so next time."""
    stepped = SteppedMachine().committed("one")
    assert stepped.feed(PlaybackFinished(0, failed=True)) == []
    assert stepped.feed(EndOfTurn(1, "two"))[-1] == Commit(1, 1, "two", False, "", ("one",), at=0.4)


def test_a_reply_that_wants_no_sound_has_answered() -> None:
    """PlaybackFinished before any sound, and nothing failed: a tool turn is answered, and what it was told of too."""
    stepped = SteppedMachine().committed("one")
    stepped.feed(PlaybackFinished(0, failed=True), EndOfTurn(1, "two"))
    unanswered = [stepped.machine.unanswered]
    assert stepped.feed(PlaybackFinished(1)) == []
    unanswered.append(stepped.machine.unanswered)
    assert unanswered == [("one",), ()]
    assert stepped.feed(EndOfTurn(2, "three"))[-1] == Commit(2, 2, "three", False, "", at=0.6)


def test_barge_in_is_immediate_by_default() -> None:
    """StartOfTurn over an audible reply stops it; the turn is an ordinary one from then on."""
    stepped = SteppedMachine().audible()
    assert stepped.feed(StartOfTurn(1, "stop")) == [
        TurnStarted(1, "stop", 0, at=0.4),
        BargeIn(1, 0, "stop", "the user speaks", at=0.4),
    ]
    assert kinds(stepped.feed(EagerEndOfTurn(1, "stop"))) == ["Speculate"]
    assert stepped.feed(PlaybackFinished(0)) == [], "a late report changes nothing"
    assert stepped.feed(EndOfTurn(1, "stop")) == [Commit(1, 1, "stop", True, "", (), at=0.7)]


def test_playback_progress_counts_as_the_first_sound() -> None:
    """PlaybackAdvanced of a pending reply makes it audible: the report of its start went missing."""
    stepped = SteppedMachine().committed()
    stepped.feed(PlaybackAdvanced(0, "Good"))
    assert stepped.machine.floor == (0, ReplyState.AUDIBLE)


def test_playback_of_a_draft_is_noted_and_refused() -> None:
    """No reply is audible before its commit, whatever the host reports."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    for event in (PlaybackStarted(0), PlaybackAdvanced(0, "x"), PlaybackFinished(0)):
        assert [signal.kind for signal in stepped.feed(event) if isinstance(signal, Note)] == [NoteKind.EARLY_PLAYBACK]
    assert stepped.machine.draft == 0


def test_the_policy_is_asked_at_each_event_until_it_decides() -> None:
    """MinWords waits, without speculation, until there are words enough; each turn counts anew."""
    stepped = SteppedMachine(barge_in=MinWords(3)).audible()
    assert kinds(stepped.feed(StartOfTurn(1, "I"))) == ["TurnStarted"]
    assert stepped.feed(EagerEndOfTurn(1, "I")) == []
    assert kinds(stepped.feed(Update(1, "I want"))) == ["Note", "TurnUpdated"]
    assert stepped.feed(Update(1, "I want tea")) == [
        TurnUpdated(1, "I want tea", 0.0, at=0.7),
        BargeIn(1, 0, "I want tea", "3 words, 3 needed", at=0.7),
    ]


def test_the_overlap_tells_the_policy_all_it_may_go_by() -> None:
    """Words, how long the turn and the reply have gone on, what was heard, held, final."""
    seen: list[Overlap] = []

    def policy(overlap: Overlap) -> Verdict:
        seen.append(overlap)
        return Verdict.HOLD

    stepped = SteppedMachine(barge_in=policy).audible()
    stepped.feed(PlaybackAdvanced(0, "Good day"), StartOfTurn(1, "uh"), Update(1, "uh huh"), EndOfTurn(1, "uh huh."))
    near: Any = pytest.approx
    assert seen == [
        Overlap("uh", near(0.0), near(0.2), "Good day", False, False),
        Overlap("uh huh", near(0.1), near(0.3), "Good day", True, False),
        Overlap("uh huh.", near(0.2), near(0.4), "Good day", True, True),
    ]


def test_an_undecided_overlap_is_a_backchannel_in_the_end() -> None:
    """WAIT and HOLD at the end mean KEEP: the turn is dropped, the agent goes on, nothing is committed."""
    stepped = SteppedMachine(barge_in=MinWords(3)).audible()
    stepped.feed(StartOfTurn(1, "mm-hm"))
    assert stepped.feed(EndOfTurn(1, "mm-hm")) == [
        TurnDropped(1, "mm-hm", DropReason.OVERLAP_KEPT, "1 word, 3 needed", at=0.5)
    ]
    assert stepped.machine.floor == (0, ReplyState.AUDIBLE)


def test_hold_and_resume() -> None:
    """HOLD pauses the playback once; KEEP resumes it."""
    stepped = SteppedMachine(barge_in=lambda o: Verdict.KEEP if o.final else Verdict.HOLD).audible()
    assert kinds(stepped.feed(StartOfTurn(1, "mm"))) == ["TurnStarted", "Hold"]
    assert kinds(stepped.feed(Update(1, "mm hm"))) == ["TurnUpdated"]
    assert kinds(stepped.feed(EndOfTurn(1, "mm hm"))) == ["Resume", "TurnDropped"]


def test_a_hold_does_not_outlast_its_timeout() -> None:
    """A hold that nothing decides ends by the clock alone, and the overlap is still undecided."""
    stepped = SteppedMachine(barge_in=lambda o: Verdict.YIELD if "stop" in o.transcript else Verdict.HOLD).audible()
    stepped.feed(StartOfTurn(1, "mm"))
    assert stepped.wait(2.1) == [Resume(1, 0, ResumeReason.TIMEOUT, at=2.4)]
    assert kinds(stepped.feed(Update(1, "mm stop"))) == ["TurnUpdated", "BargeIn"]


def test_an_empty_turn_resumes_the_held_reply() -> None:
    """A hold for what turns out to be no words ends with the turn, however it ends."""
    for end in (EndOfTurn(1, ""), Update(2, "")):
        stepped = SteppedMachine(barge_in=always(Verdict.HOLD)).audible()
        stepped.feed(StartOfTurn(1, ""))
        signals = stepped.feed(end)
        assert Resume(1, 0, ResumeReason.EMPTY_TURN, at=0.5) in signals
        assert signals[-1] == TurnDropped(1, "", DropReason.EMPTY, at=0.5)


def test_a_deferred_turn_is_answered_after_the_agent_has_finished() -> None:
    """DEFER: the agent goes on, the turn waits, and is committed when the floor is free."""
    stepped = SteppedMachine(barge_in=Never()).audible()
    assert kinds(stepped.feed(StartOfTurn(1, "my number is"), EagerEndOfTurn(1, "my number is five"))) == [
        "TurnUpdated"
    ]
    assert stepped.feed(EndOfTurn(1, "my number is five", trigger="model")) == []
    assert stepped.machine.suspended == 1
    assert stepped.feed(PlaybackFinished(0)) == [Commit(1, 1, "my number is five", False, "model", (), at=0.7)]


def test_a_deferred_turn_resumes_a_held_reply() -> None:
    """The agent keeps the floor, so it must go on."""
    stepped = SteppedMachine(barge_in=lambda o: Verdict.DEFER if o.final else Verdict.HOLD).audible()
    stepped.feed(StartOfTurn(1, "wait"))
    assert stepped.feed(EndOfTurn(1, "wait")) == [Resume(1, 0, ResumeReason.BACKCHANNEL, at=0.5)]


def test_a_deferred_turn_is_superseded_by_the_next() -> None:
    """A turn that begins before the suspended one could be answered drops it; its words come as unanswered."""
    stepped = SteppedMachine(barge_in=Never()).audible()
    stepped.feed(StartOfTurn(1, "one"), EndOfTurn(1, "one"))
    assert stepped.feed(StartOfTurn(2, "two")) == [
        TurnDropped(1, "one", DropReason.SUPERSEDED, at=0.6),
        TurnStarted(2, "two", 0, at=0.6),
    ]
    stepped.feed(EndOfTurn(2, "two"))
    assert stepped.feed(PlaybackFinished(0)) == [Commit(2, 1, "two", False, "", ("one",), at=0.8)]


@pytest.mark.parametrize("verdict", [Verdict.WAIT, Verdict.KEEP, Verdict.DEFER])
def test_a_turn_that_outlasts_the_reply_is_an_ordinary_one(verdict: Verdict) -> None:
    """When the reply finishes first the overlap is over, decided or not: the turn is drafted for and answered."""
    stepped = SteppedMachine(barge_in=always(verdict)).audible()
    stepped.feed(StartOfTurn(1, "and also"), PlaybackFinished(0))
    assert kinds(stepped.feed(EagerEndOfTurn(1, "and also tea"))) == ["TurnUpdated", "Speculate"]
    assert kinds(stepped.feed(EndOfTurn(1, "and also tea"))) == ["Commit"]


def test_a_protected_reply_defers_without_asking() -> None:
    """Protect makes every overlap DEFER, also one that is being judged; unprotecting is for the next."""
    stepped = SteppedMachine(barge_in=always(Verdict.HOLD)).audible()
    stepped.feed(StartOfTurn(1, "but"))
    assert stepped.feed(Protect(0, True)) == [Resume(1, 0, ResumeReason.BACKCHANNEL, at=0.5)]
    assert stepped.feed(EndOfTurn(1, "but why")) == []
    assert stepped.machine.suspended == 1
    stepped.feed(Protect(0, False))
    assert kinds(stepped.feed(StartOfTurn(2, "why"))) == ["TurnDropped", "TurnStarted", "Hold"]


def test_protection_given_to_a_draft_holds_after_its_commit() -> None:
    """Protect may come before the commit."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), Protect(0, True))
    stepped.feed(EndOfTurn(0, "tea"), PlaybackStarted(0))
    assert kinds(stepped.feed(StartOfTurn(1, "stop"))) == ["TurnStarted"]
    assert stepped.machine.floor == (0, ReplyState.AUDIBLE)


def test_grace_and_duration() -> None:
    """Grace looks at the reply's age, MinDuration at the turn's."""
    stepped = SteppedMachine(barge_in=Grace(0.25)).audible()
    assert kinds(stepped.feed(StartOfTurn(1, "a"))) == ["TurnStarted"]
    assert kinds(stepped.feed(Update(1, "a b"))) == ["TurnUpdated"]
    assert kinds(stepped.feed(Update(1, "a b"))) == ["BargeIn"]
    stepped = SteppedMachine(barge_in=MinDuration(0.15)).audible()
    stepped.feed(StartOfTurn(1, "a"))
    assert kinds(stepped.feed(Update(1, "a"))) == []
    assert kinds(stepped.feed(Update(1, "a"))) == ["BargeIn"]


def test_an_undecided_eager_end_is_drafted_for_if_the_policy_yields_to_it() -> None:
    """The overlap is judged before the eager end is speculated on."""
    stepped = SteppedMachine(barge_in=MinWords(2)).audible()
    stepped.feed(StartOfTurn(1, "no"))
    assert kinds(stepped.feed(EagerEndOfTurn(1, "no thanks"))) == ["TurnUpdated", "BargeIn", "Speculate"]


@pytest.mark.parametrize("broken", [lambda o: 1 / 0, lambda o: None, lambda o: "perhaps", lambda o: (Verdict.KEEP,)])
def test_a_broken_barge_in_policy_gives_the_user_the_floor(broken: Any) -> None:
    """A policy that raises or gives no verdict is noted, and the user gets the floor."""
    stepped = SteppedMachine(barge_in=broken).audible()
    signals = stepped.feed(StartOfTurn(1, "secret words"))
    assert kinds(signals) == ["TurnStarted", "Note", "BargeIn"]
    assert "secret" not in str(signals[1])


@pytest.mark.parametrize("broken", [lambda p: 1 / 0, lambda p: None, lambda p: (True, "a", "b")])
def test_a_broken_speculation_policy_drafts_nothing(broken: Any) -> None:
    """A policy that raises or answers no bool is noted, and nothing is drafted."""
    stepped = SteppedMachine(speculation=broken)
    stepped.feed(StartOfTurn(0, "hi"))
    assert kinds(stepped.feed(EagerEndOfTurn(0, "hi"))) == ["Note"]
    assert kinds(stepped.feed(EndOfTurn(0, "hi"))) == ["Commit"]
