"""The machine, row by row: events that Flux sends late, early, twice, blank or not at all."""

from __future__ import annotations

import pytest

from tests.support.kinds import kinds
from tests.support.stepped_machine import SteppedMachine
from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.events import (
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Note,
    NoteKind,
    PlaybackStarted,
    StartOfTurn,
    StreamLost,
    TurnDropped,
    TurnResumed,
    TurnStarted,
    Update,
)
from turnkit.turns.machine import TurnMachine


def test_words_alone_do_not_start_a_turn_but_are_kept() -> None:
    """Flux sends words before StartOfTurn; they count once it comes, even if it comes without."""
    stepped = SteppedMachine()
    assert stepped.feed(Update(0, "We", 0.1, 0.72)) == []
    assert stepped.feed(StartOfTurn(0, "", 0.1, 0.96)) == [TurnStarted(0, "We", at=0.2)]


def test_words_that_go_on_without_start_are_a_turn() -> None:
    """0.6 s of audio with words and no StartOfTurn open the turn; a blank Update starts the count again."""
    stepped = SteppedMachine()
    assert stepped.feed(Update(0, "a", 0, 1.0), Update(0, "a b", 0, 1.56)) == []
    assert stepped.feed(Update(0, "", 0, 1.58), Update(0, "a b", 0, 1.8)) == []
    assert stepped.feed(Update(0, "a b c", 0, 2.4000001)) == [
        Note(NoteKind.MISSING_START, "while listening", at=0.5),
        TurnStarted(0, "a b c", at=0.5),
    ]


def test_unannounced_words_of_an_earlier_turn_are_answered() -> None:
    """Words of a later turn_index: start and end of the earlier turn were missed, and the span starts anew."""
    stepped = SteppedMachine()
    assert kinds(stepped.feed(Update(0, "a", 0, 1.0))) == []
    signals = stepped.feed(Update(1, "b", 0, 1.7))
    assert kinds(signals) == ["Note", "TurnStarted", "Note", "Commit"]
    assert signals[-1] == Commit(0, 0, "a", False, "missed", at=signals[-1].at)
    assert kinds(stepped.feed(Update(1, "b c", 0, 2.2))) == []


def test_unannounced_words_are_not_lost_with_the_stream() -> None:
    """Nobody will announce them any more: they are a turn, and wait for the rest of it like any other."""
    stepped = SteppedMachine()
    signals = stepped.feed(Update(0, "I need help", 0, 1.0), StreamLost("gone"))
    assert kinds(signals) == ["Note", "TurnStarted"]
    assert stepped.machine.suspended == 0
    assert stepped.machine.deadline is not None
    (commit,) = stepped.machine.wake(stepped.machine.deadline)
    assert commit == Commit(0, 0, "I need help", False, "stream_lost", at=commit.at)


def test_unannounced_words_are_told_of_at_the_end() -> None:
    """close() drops them by name, like an open turn."""
    stepped = SteppedMachine()
    stepped.feed(Update(0, "I need help", 0, 1.0))
    _, started, dropped = stepped.machine.close(9.0)
    assert isinstance(started, TurnStarted)
    assert dropped == TurnDropped(0, "I need help", DropReason.CLOSED, at=9.0)


@pytest.mark.parametrize("ends", [[EndOfTurn(1, "")], [EndOfTurn(1, "?!")], [StreamLost("gone")], []])
def test_a_noise_does_not_cost_the_user_the_answer(ends: list[Event]) -> None:
    """A turn of nothing leaves a pending reply alone: it is heard as if nothing had been."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "What time do you open?"), EndOfTurn(0, "What time do you open?"))
    assert kinds(stepped.feed(StartOfTurn(1, ""))) == ["TurnStarted"]
    signals = stepped.feed(*ends)
    while not ends and stepped.machine.turn is not None:
        assert stepped.machine.deadline is not None
        signals = list(stepped.machine.wake(stepped.machine.deadline))
    assert kinds(signals) == ["TurnDropped"]
    assert stepped.machine.floor == (0, ReplyState.PENDING)


def test_words_that_are_taken_back_do_not_cost_the_user_the_answer() -> None:
    """A turn that cancels a pending reply and turns out to be nothing: what it was to answer is answered after all."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "What time do you open?"), EndOfTurn(0, "What time do you open?"))
    assert kinds(stepped.feed(StartOfTurn(1, "uh"))) == ["TurnStarted", "Cancel"]
    signals = stepped.feed(EndOfTurn(1, ""))
    assert kinds(signals) == ["TurnDropped", "Commit"]
    assert signals[-1] == Commit(None, 1, "", False, "unanswered", ("What time do you open?",), at=signals[-1].at)


def test_a_noise_at_the_end_of_the_call_brings_no_answer() -> None:
    """After close() nobody is there to hear one."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "hi"), EndOfTurn(0, "hi"), StartOfTurn(1, "uh"))
    assert kinds(list(stepped.machine.close(9.0))) == ["TurnDropped"]


def test_half_a_character_can_be_remembered() -> None:
    """A text that no encoding takes, as some tokenizers make them, does not keep a machine from being written."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "caf\ud800"), EndOfTurn(0, "caf\ud800"))
    assert TurnMachine.restore(stepped.machine.snapshot()).floor == stepped.machine.floor


def test_whole_seconds_are_seconds() -> None:
    """A clock that counts in whole numbers leaves the same snapshot as one that does not."""
    whole, real = TurnMachine(), TurnMachine()
    events: list[Event] = [StartOfTurn(0, "hi"), EndOfTurn(0, "hi"), PlaybackStarted(0)]
    for at, event in enumerate(events):
        whole.feed(event, at)
        real.feed(event, float(at))
        assert whole.snapshot() == real.snapshot() == TurnMachine.restore(whole.snapshot()).snapshot()


@pytest.mark.parametrize(
    ("event", "after"),
    [(EagerEndOfTurn(0, "hi", 0.5), ["Speculate"]), (EndOfTurn(0, "hi"), ["Commit"])],
)
def test_an_eager_or_final_end_without_start_opens_its_turn_first(event: Event, after: list[str]) -> None:
    """EagerEndOfTurn and EndOfTurn with words in listening count as StartOfTurn first."""
    assert kinds(SteppedMachine().feed(event)) == ["Note", "TurnStarted", *after]


def test_events_that_mean_nothing_where_they_come() -> None:
    """Blank ends, stray resumes and duplicate starts are noted and change nothing."""
    stepped = SteppedMachine()
    assert stepped.feed(Update(0, "")) == []
    assert stepped.feed(EagerEndOfTurn(0, "")) == [Note(NoteKind.BLANK_EAGER, "while listening", at=0.2)]
    assert stepped.feed(TurnResumed(0, "")) == [Note(NoteKind.STRAY_RESUME, "while listening", at=0.3)]
    stepped.feed(StartOfTurn(0, "hi"))
    assert stepped.feed(StartOfTurn(0, "hi")) == [Note(NoteKind.DUPLICATE_START, "while speaking", at=0.5)]
    assert stepped.feed(TurnResumed(0, "hi")) == [Note(NoteKind.STRAY_RESUME, "while speaking", at=0.6)]
    assert stepped.feed(EagerEndOfTurn(0, " ")) == [Note(NoteKind.BLANK_EAGER, "while speaking", at=0.7)]
    assert stepped.machine.user is UserState.SPEAKING
    stepped.feed(EagerEndOfTurn(0, "hi"))
    assert stepped.feed(EagerEndOfTurn(0, "")) == [Note(NoteKind.BLANK_EAGER, "while ending", at=0.9)]
    assert kinds(stepped.feed(StartOfTurn(0, "hi"))) == ["Cancel", "Note"]
    assert stepped.machine.user is UserState.SPEAKING


def test_an_empty_end_without_a_turn_moves_the_index_on() -> None:
    """EndOfTurn without words in listening only ends that index."""
    stepped = SteppedMachine()
    assert stepped.feed(EndOfTurn(0, "")) == []
    assert stepped.feed(StartOfTurn(0, "late")) == [
        Note(NoteKind.STALE_TURN, "StartOfTurn of turn_index 0, which is over", at=0.2)
    ]


def test_stale_events_are_dropped() -> None:
    """Events of a turn that has ended, or of one below the open one, are noted and dropped."""
    stepped = SteppedMachine().committed()
    assert stepped.feed(EndOfTurn(0, "hello again")) == [
        Note(NoteKind.STALE_TURN, "EndOfTurn of turn_index 0, which is over", at=0.3)
    ]
    stepped.feed(StartOfTurn(5, "five"))
    assert kinds(stepped.feed(Update(3, "three"))) == ["Note"]
    assert stepped.machine.turn == 1


def test_a_later_index_ends_the_open_turn() -> None:
    """An event of a later turn means that an end was missed: the turn ends with the words it had."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert stepped.feed(Update(1, "")) == [
        Note(NoteKind.MISSED_END, "while ending", at=0.3),
        Commit(0, 0, "tea", True, "missed", (), at=0.3),
    ]
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, ""))
    assert kinds(stepped.feed(StartOfTurn(2, "hi"))) == ["Note", "TurnDropped", "TurnStarted"]
