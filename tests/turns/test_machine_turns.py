"""The machine, row by row: a turn of its own, from start to commit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kinds import kinds
from tests.support.stepped_machine import SteppedMachine
from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.events import (
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Note,
    NoteKind,
    Speculate,
    StartOfTurn,
    TurnDropped,
    TurnResumed,
    TurnStarted,
    TurnUpdated,
    Update,
)
from turnkit.turns.policy import NoSpeculation, Pause


def test_a_turn_goes_from_start_to_commit() -> None:
    """StartOfTurn opens a turn, words are reported, EndOfTurn commits a new reply."""
    stepped = SteppedMachine()
    assert stepped.feed(StartOfTurn(0, "I")) == [TurnStarted(0, "I", at=0.1)]
    assert stepped.feed(Update(0, "I'd like", 0.2)) == [TurnUpdated(0, "I'd like", 0.2, at=0.2)]
    assert stepped.feed(EndOfTurn(0, "I'd like tea.", trigger="model")) == [
        Commit(0, 0, "I'd like tea.", False, "model", (), at=0.3)
    ]
    assert stepped.machine.floor == (0, ReplyState.PENDING)


def test_an_eager_end_is_speculated_on_and_its_draft_kept() -> None:
    """The draft made at the eager end is the reply of the commit, if the words are equal."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"))
    assert stepped.feed(EagerEndOfTurn(0, "tea", 0.6)) == [Speculate(0, 0, "tea", 0.6, "eager end of turn", at=0.2)]
    assert stepped.feed(Update(0, "tea"), EndOfTurn(0, "Tea.")) == [Commit(0, 0, "Tea.", True, "", (), at=0.4)]


def test_a_draft_for_other_words_is_cancelled_at_the_end() -> None:
    """Final words that differ from the draft's cancel it and commit a new reply."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert stepped.feed(EndOfTurn(0, "tea for two")) == [
        Cancel(0, 0, CancelReason.TRANSCRIPT_CHANGED, at=0.3),
        Commit(0, 1, "tea for two", False, "", (), at=0.3),
    ]


def test_turn_resumed_cancels_the_draft_and_only_the_draft() -> None:
    """TurnResumed cancels a draft; the next eager end makes another one."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert stepped.feed(TurnResumed(0, "tea for")) == [
        Cancel(0, 0, CancelReason.RESUMED, at=0.3),
        TurnUpdated(0, "tea for", 0.0, at=0.3),
    ]
    assert kinds(stepped.feed(EagerEndOfTurn(0, "tea for two"))) == ["TurnUpdated", "Speculate"]
    assert stepped.feed(EndOfTurn(0, "tea for two")) == [Commit(0, 1, "tea for two", True, "", (), at=0.5)]
    assert kinds(stepped.feed(TurnResumed(0, "tea"))) == ["Note"], "a reply that is committed is not taken back"


def test_a_second_eager_end_with_other_words_supersedes() -> None:
    """Eager twice: the same words change nothing, other words cancel the draft and start the next."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert stepped.feed(EagerEndOfTurn(0, "Tea!")) == []
    assert stepped.feed(EagerEndOfTurn(0, "tea please")) == [
        Cancel(0, 0, CancelReason.SUPERSEDED, at=0.4),
        TurnUpdated(0, "tea please", 0.0, at=0.4),
        Speculate(0, 1, "tea please", 0.0, "eager end of turn", at=0.4),
    ]


def test_other_words_after_an_eager_end_are_a_missed_resume() -> None:
    """An Update with other words while ending cancels the draft, as TurnResumed would."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert stepped.feed(Update(0, "tea and")) == [
        Cancel(0, 0, CancelReason.RESUMED, at=0.3),
        Note(NoteKind.MISSING_RESUME, "while ending", at=0.3),
        TurnUpdated(0, "tea and", 0.0, at=0.3),
    ]
    assert stepped.machine.user is UserState.SPEAKING


def test_punctuation_is_not_news() -> None:
    """A change of case, punctuation or spaces alone is not reported and costs no draft."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "well, tea"))
    assert stepped.feed(Update(0, "Well tea.")) == []
    stepped.feed(EagerEndOfTurn(0, "well tea"))
    assert stepped.feed(Update(0, "Well, tea!")) == []
    assert stepped.feed(EndOfTurn(0, "WELL  TEA")) == [Commit(0, 0, "WELL  TEA", True, "", (), at=0.5)]


@pytest.mark.parametrize(
    ("text", "again"),
    [("明日の八時", "明日 の 八 時。"), ("โต๊ะสี่คน", "โต๊ะ สี่ คน"), ("３．５", "3.5"), ("आठ बजे", "आठ बजे।")],
)
def test_blanks_marks_and_width_are_not_news_in_any_script(text: str, again: str) -> None:
    """Whether Flux puts blanks between letters that have none, or not, costs no draft."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, text), EagerEndOfTurn(0, text))
    assert stepped.feed(Update(0, again)) == []
    assert stepped.feed(EndOfTurn(0, again)) == [Commit(0, 0, again, True, "", (), at=0.4)]


@pytest.mark.parametrize("text", ["", "  ", "..."])
def test_an_empty_end_drops_the_turn_and_its_draft(text: str) -> None:
    """EndOfTurn without words: the draft is cancelled, the turn dropped with the last words it had."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "uh"), EagerEndOfTurn(0, "uh"))
    assert stepped.feed(EndOfTurn(0, text)) == [
        Cancel(0, 0, CancelReason.EMPTY_TURN, at=0.3),
        TurnDropped(0, "uh", DropReason.EMPTY, at=0.3),
    ]


def test_speculation_is_the_policys() -> None:
    """The policy sees the pause, with the drafts already started in this turn."""
    seen: list[Pause] = []

    def policy(pause: Pause) -> tuple[bool, str]:
        seen.append(pause)
        return pause.attempts < 1, "once"

    stepped = SteppedMachine(speculation=policy)
    stepped.feed(StartOfTurn(0, "a"), EagerEndOfTurn(0, "a", 0.5), TurnResumed(0, "a"))
    assert stepped.feed(EagerEndOfTurn(0, "a b", 0.7)) == [TurnUpdated(0, "a b", 0.7, at=0.4)]
    near: Any = pytest.approx
    assert seen == [Pause("a", 0.5, 0, near(0.1)), Pause("a b", 0.7, 1, near(0.3))]
    assert kinds(SteppedMachine(speculation=NoSpeculation()).feed(StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"))) == []


@pytest.mark.parametrize("reason", ["failed", "context_changed"])
def test_a_discarded_draft_is_never_adopted(reason: str) -> None:
    """DraftDiscarded cancels the draft, and the turn still gets a reply: a new one."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert stepped.feed(DraftDiscarded(0, reason)) == [Cancel(0, 0, CancelReason(reason), at=0.3)]
    assert stepped.feed(DraftDiscarded(0, reason)) == []
    assert stepped.feed(EndOfTurn(0, "tea")) == [Commit(0, 1, "tea", False, "", (), at=0.5)]
    assert stepped.feed(DraftDiscarded(1, reason)) == [], "a committed reply is not a draft"
