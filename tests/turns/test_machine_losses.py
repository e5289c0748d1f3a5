"""The machine, row by row: lost streams and turns that stall."""

from __future__ import annotations

import pytest

from tests.support.kinds import kinds
from tests.support.stepped_machine import SteppedMachine, always
from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.events import (
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    PlaybackFinished,
    PlaybackStarted,
    Resume,
    ResumeReason,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnDropped,
    TurnStalled,
    TurnStarted,
    Update,
)
from turnkit.turns.policy import Never, Verdict


def test_the_words_of_a_lost_turn_are_answered_after_all() -> None:
    """StreamLost with words: the draft goes, the turn waits for more, then it is committed."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert stepped.feed(StreamLost("dropped")) == [Cancel(0, 0, CancelReason.STREAM_LOST, at=0.3)]
    assert stepped.wait(3.0) == [Commit(0, 1, "tea", False, "stream_lost", (), at=2.3)]


def test_the_words_of_a_lost_turn_come_with_the_next_turn_if_there_is_one() -> None:
    """A turn that starts within the grace drops the lost one, and brings its words as unanswered."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(4, "my number"), StreamLost(), StreamRestored())
    assert stepped.feed(StartOfTurn(0, "is five")) == [
        TurnDropped(0, "my number", DropReason.STREAM_LOST, at=0.4),
        TurnStarted(1, "is five", at=0.4),
    ]
    assert stepped.feed(EndOfTurn(0, "is five")) == [Commit(1, 0, "is five", False, "", ("my number",), at=0.5)]


def test_a_lost_overlap_is_dropped_at_once_and_the_agent_goes_on() -> None:
    """StreamLost in an overlap: Resume if held, TurnDropped; the playback is left alone."""
    stepped = SteppedMachine(barge_in=always(Verdict.HOLD)).audible()
    stepped.feed(StartOfTurn(1, "mm"))
    assert stepped.feed(StreamLost()) == [
        Resume(1, 0, ResumeReason.TURN_LOST, at=0.5),
        TurnDropped(1, "mm", DropReason.STREAM_LOST, at=0.5),
    ]
    assert stepped.machine.floor == (0, ReplyState.AUDIBLE)


def test_a_lost_turn_that_was_to_be_answered_is_not_forgotten() -> None:
    """The words of a deferred turn that is lost come with the next commit."""
    stepped = SteppedMachine(barge_in=Never()).audible()
    stepped.feed(StartOfTurn(1, "my number is five"))
    assert kinds(stepped.feed(StreamLost())) == ["TurnDropped"]
    stepped.feed(PlaybackFinished(0))
    assert stepped.feed(EndOfTurn(0, "hello?"))[-1] == Commit(2, 1, "hello?", False, "", ("my number is five",), at=0.7)


def test_a_lost_turn_without_words_is_dropped_at_once() -> None:
    """Nothing to wait for."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, ""))
    assert stepped.feed(StreamLost()) == [TurnDropped(0, "", DropReason.STREAM_LOST, at=0.2)]


def test_turns_are_counted_unbroken_across_connections() -> None:
    """Flux counts from 0 again; turnkit does not. A late StreamRestored changes nothing."""
    stepped = SteppedMachine().committed()
    stepped.feed(PlaybackStarted(0), PlaybackFinished(0), StreamLost())
    assert stepped.feed(StartOfTurn(0, "again")) == [TurnStarted(1, "again", at=0.6)]
    assert stepped.feed(StreamRestored()) == []
    assert kinds(stepped.feed(EndOfTurn(0, "again"))) == ["Commit"]


def test_a_stalled_turn_is_reported_then_ended_with_the_words_it_had() -> None:
    """No progress for 8 s: TurnStalled; none 2 s later: Commit. Repeated words and blanks are no progress."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"))
    stepped.wait(7.0)
    stepped.feed(Update(0, "Tea."), Update(0, ""))
    assert kinds(stepped.wait(0.9)) == ["TurnStalled"]
    assert stepped.machine.user is UserState.SPEAKING
    assert kinds(stepped.wait(3.0)) == ["Commit"]


def test_stall_times_are_exact() -> None:
    """TurnStalled after stall_timeout, the end stall_grace after that, wherever Flux is."""
    stepped = SteppedMachine(stall_timeout=4.0, stall_grace=1.0)
    stepped.feed(StartOfTurn(0, "tea"))
    assert stepped.wait(10.0) == [
        TurnStalled(0, "tea", at=4.1),
        Commit(0, 0, "tea", False, "stalled", (), at=5.1),
    ]
    stepped = SteppedMachine(stall_timeout=4.0)
    stepped.feed(StartOfTurn(0, ""))
    assert kinds(stepped.wait(10.0)) == ["TurnStalled", "TurnDropped"]


def test_a_late_wake_still_leaves_the_grace() -> None:
    """The grace is for the host to act on TurnStalled, so it counts from that signal."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"))
    assert kinds(list(stepped.machine.wake(60.0))) == ["TurnStalled"]
    assert stepped.machine.deadline == 62.0


def test_progress_within_the_grace_saves_the_turn() -> None:
    """New words after TurnStalled start the stall clock again."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"))
    stepped.wait(9.0)
    assert kinds(stepped.feed(Update(0, "tea please"))) == ["TurnUpdated"]
    assert stepped.machine.deadline == pytest.approx(stepped.at + 8.0)


def test_new_words_of_a_turn_that_was_ended_as_stalled_are_a_fresh_turn() -> None:
    """Flux goes on with its index: old words are nothing new, new ones open a turn, and it can end."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"))
    stepped.wait(20.0)
    assert stepped.machine.floor == (0, ReplyState.PENDING)
    assert stepped.feed(Update(0, "Tea"), Update(0, "")) == []
    assert kinds(stepped.feed(Update(0, "tea and milk"))) == ["Note", "TurnStarted", "Cancel"]
    assert stepped.feed(EndOfTurn(0, "tea and milk")) == [
        Commit(1, 1, "tea and milk", False, "", ("tea",), at=stepped.at)
    ]
    assert kinds(stepped.feed(Update(0, "tea and milk and more"))) == ["Note"], "now Flux has ended it"


def test_the_late_end_of_a_stalled_turn_is_stale() -> None:
    """An EndOfTurn with the old words is noted, and ends the index for good."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"))
    stepped.wait(20.0)
    assert kinds(stepped.feed(EndOfTurn(0, "tea"))) == ["Note"]
    assert kinds(stepped.feed(Update(0, "other"))) == ["Note"]
