"""The machine, row by row of its behaviour table: what each event does in each state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from turnkit import wire
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.events import (
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
    TurnResumed,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
    UserIdle,
)
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import Grace, MinDuration, MinWords, Never, NoSpeculation, Overlap, Pause, Verdict


class Table:
    """A machine at a table: events are dealt a tenth of a second apart, and what it answers lies open."""

    def __init__(self, **settings: Any) -> None:
        self.machine = TurnMachine(**settings)
        self.at = 0.0

    def deal(self, *events: Event) -> list[Signal]:
        """Feed the events and answer the signals of the last one."""
        signals: tuple[Signal, ...] = ()
        for event in events:
            self.at = round(self.at + 0.1, 6)
            signals = self.machine.feed(event, self.at)
        return list(signals)

    def wait(self, seconds: float) -> list[Signal]:
        """Let time pass, waking the machine at each of its deadlines; all signals."""
        until = round(self.at + seconds, 6)
        signals: list[Signal] = []
        while (due := self.machine.deadline) is not None and due <= until:
            signals += self.machine.wake(due)
        self.at = until
        return signals + list(self.machine.wake(until))

    def committed(self, text: str = "hello", index: int = 0) -> Table:
        """A turn has ended and its reply is pending."""
        self.deal(StartOfTurn(index, text), EndOfTurn(index, text))
        return self

    def audible(self) -> Table:
        """Reply 0 is being heard."""
        self.committed().deal(PlaybackStarted(0))
        return self


def kinds(signals: Sequence[Signal]) -> list[str]:
    return [type(signal).__name__ for signal in signals]


def always(verdict: Verdict) -> Callable[[Overlap], Verdict]:
    return lambda overlap: verdict


# A turn of its own ------------------------------------------------------------------------------------------------


def test_a_turn_goes_from_start_to_commit() -> None:
    """StartOfTurn opens a turn, words are reported, EndOfTurn commits a new reply."""
    table = Table()
    assert table.deal(StartOfTurn(0, "I")) == [TurnStarted(0, "I", at=0.1)]
    assert table.deal(Update(0, "I'd like", 0.2)) == [TurnUpdated(0, "I'd like", 0.2, at=0.2)]
    assert table.deal(EndOfTurn(0, "I'd like tea.", trigger="model")) == [
        Commit(0, 0, "I'd like tea.", False, "model", (), at=0.3)
    ]
    assert table.machine.floor == (0, ReplyState.PENDING)


def test_an_eager_end_is_speculated_on_and_its_draft_kept() -> None:
    """The draft made at the eager end is the reply of the commit, if the words are equal."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"))
    assert table.deal(EagerEndOfTurn(0, "tea", 0.6)) == [Speculate(0, 0, "tea", 0.6, "eager end of turn", at=0.2)]
    assert table.deal(Update(0, "tea"), EndOfTurn(0, "Tea.")) == [Commit(0, 0, "Tea.", True, "", (), at=0.4)]


def test_a_draft_for_other_words_is_cancelled_at_the_end() -> None:
    """Final words that differ from the draft's cancel it and commit a new reply."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert table.deal(EndOfTurn(0, "tea for two")) == [
        Cancel(0, 0, CancelReason.TRANSCRIPT_CHANGED, at=0.3),
        Commit(0, 1, "tea for two", False, "", (), at=0.3),
    ]


def test_turn_resumed_cancels_the_draft_and_only_the_draft() -> None:
    """TurnResumed cancels a draft; the next eager end makes another one."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert table.deal(TurnResumed(0, "tea for")) == [
        Cancel(0, 0, CancelReason.RESUMED, at=0.3),
        TurnUpdated(0, "tea for", 0.0, at=0.3),
    ]
    assert kinds(table.deal(EagerEndOfTurn(0, "tea for two"))) == ["TurnUpdated", "Speculate"]
    assert table.deal(EndOfTurn(0, "tea for two")) == [Commit(0, 1, "tea for two", True, "", (), at=0.5)]
    assert kinds(table.deal(TurnResumed(0, "tea"))) == ["Note"], "a reply that is committed is not taken back"


def test_a_second_eager_end_with_other_words_supersedes() -> None:
    """Eager twice: the same words change nothing, other words cancel the draft and start the next."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert table.deal(EagerEndOfTurn(0, "Tea!")) == []
    assert table.deal(EagerEndOfTurn(0, "tea please")) == [
        Cancel(0, 0, CancelReason.SUPERSEDED, at=0.4),
        TurnUpdated(0, "tea please", 0.0, at=0.4),
        Speculate(0, 1, "tea please", 0.0, "eager end of turn", at=0.4),
    ]


def test_other_words_after_an_eager_end_are_a_missed_resume() -> None:
    """An Update with other words while ending cancels the draft, as TurnResumed would."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert table.deal(Update(0, "tea and")) == [
        Cancel(0, 0, CancelReason.RESUMED, at=0.3),
        Note(NoteKind.MISSING_RESUME, "while ending", at=0.3),
        TurnUpdated(0, "tea and", 0.0, at=0.3),
    ]
    assert table.machine.user is UserState.SPEAKING


def test_punctuation_is_not_news() -> None:
    """A change of case, punctuation or spaces alone is not reported and costs no draft."""
    table = Table()
    table.deal(StartOfTurn(0, "well, tea"))
    assert table.deal(Update(0, "Well tea.")) == []
    table.deal(EagerEndOfTurn(0, "well tea"))
    assert table.deal(Update(0, "Well, tea!")) == []
    assert table.deal(EndOfTurn(0, "WELL  TEA")) == [Commit(0, 0, "WELL  TEA", True, "", (), at=0.5)]


@pytest.mark.parametrize("text", ["", "  ", "..."])
def test_an_empty_end_drops_the_turn_and_its_draft(text: str) -> None:
    """EndOfTurn without words: the draft is cancelled, the turn dropped with the last words it had."""
    table = Table()
    table.deal(StartOfTurn(0, "uh"), EagerEndOfTurn(0, "uh"))
    assert table.deal(EndOfTurn(0, text)) == [
        Cancel(0, 0, CancelReason.EMPTY_TURN, at=0.3),
        TurnDropped(0, "uh", DropReason.EMPTY, at=0.3),
    ]


def test_speculation_is_the_policys() -> None:
    """The policy sees the pause, with the drafts already started in this turn."""
    seen: list[Pause] = []

    def policy(pause: Pause) -> tuple[bool, str]:
        seen.append(pause)
        return pause.attempts < 1, "once"

    table = Table(speculation=policy)
    table.deal(StartOfTurn(0, "a"), EagerEndOfTurn(0, "a", 0.5), TurnResumed(0, "a"))
    assert table.deal(EagerEndOfTurn(0, "a b", 0.7)) == [TurnUpdated(0, "a b", 0.7, at=0.4)]
    near: Any = pytest.approx
    assert seen == [Pause("a", 0.5, 0, near(0.1)), Pause("a b", 0.7, 1, near(0.3))]
    assert kinds(Table(speculation=NoSpeculation()).deal(StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"))) == []


@pytest.mark.parametrize("reason", ["failed", "context_changed"])
def test_a_discarded_draft_is_never_adopted(reason: str) -> None:
    """DraftDiscarded cancels the draft, and the turn still gets a reply: a new one."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert table.deal(DraftDiscarded(0, reason)) == [Cancel(0, 0, CancelReason(reason), at=0.3)]
    assert table.deal(DraftDiscarded(0, reason)) == []
    assert table.deal(EndOfTurn(0, "tea")) == [Commit(0, 1, "tea", False, "", (), at=0.5)]
    assert table.deal(DraftDiscarded(1, reason)) == [], "a committed reply is not a draft"


# Surprises from Flux ----------------------------------------------------------------------------------------------


def test_words_alone_do_not_start_a_turn_but_are_kept() -> None:
    """Flux sends words before StartOfTurn; they count once it comes, even if it comes without."""
    table = Table()
    assert table.deal(Update(0, "We", 0.1, 0.72)) == []
    assert table.deal(StartOfTurn(0, "", 0.1, 0.96)) == [TurnStarted(0, "We", at=0.2)]


def test_words_that_go_on_without_start_are_a_turn() -> None:
    """0.6 s of audio with words and no StartOfTurn open the turn; a blank Update starts the count again."""
    table = Table()
    assert table.deal(Update(0, "a", 0, 1.0), Update(0, "a b", 0, 1.56)) == []
    assert table.deal(Update(0, "", 0, 1.58), Update(0, "a b", 0, 1.8)) == []
    assert table.deal(Update(0, "a b c", 0, 2.4000001)) == [
        Note(NoteKind.MISSING_START, "while listening", at=0.5),
        TurnStarted(0, "a b c", at=0.5),
    ]


def test_unannounced_words_of_an_earlier_turn_are_answered() -> None:
    """Words of a later turn_index: start and end of the earlier turn were missed, and the span starts anew."""
    table = Table()
    assert kinds(table.deal(Update(0, "a", 0, 1.0))) == []
    signals = table.deal(Update(1, "b", 0, 1.7))
    assert kinds(signals) == ["Note", "TurnStarted", "Note", "Commit"]
    assert signals[-1] == Commit(0, 0, "a", False, "missed", at=signals[-1].at)
    assert kinds(table.deal(Update(1, "b c", 0, 2.2))) == []


def test_unannounced_words_are_not_lost_with_the_stream() -> None:
    """Nobody will announce them any more: they are a turn, and wait for the rest of it like any other."""
    table = Table()
    signals = table.deal(Update(0, "I need help", 0, 1.0), StreamLost("gone"))
    assert kinds(signals) == ["Note", "TurnStarted"]
    assert table.machine.suspended == 0
    assert table.machine.deadline is not None
    (commit,) = table.machine.wake(table.machine.deadline)
    assert commit == Commit(0, 0, "I need help", False, "stream_lost", at=commit.at)


def test_unannounced_words_are_told_of_at_the_end() -> None:
    """close() drops them by name, like an open turn."""
    table = Table()
    table.deal(Update(0, "I need help", 0, 1.0))
    _, started, dropped = table.machine.close(9.0)
    assert isinstance(started, TurnStarted)
    assert dropped == TurnDropped(0, "I need help", DropReason.CLOSED, at=9.0)


@pytest.mark.parametrize("ends", [[EndOfTurn(1, "")], [EndOfTurn(1, "?!")], [StreamLost("gone")], []])
def test_a_noise_does_not_cost_the_user_the_answer(ends: list[Event]) -> None:
    """A turn of nothing that has cancelled a pending reply: what it was to answer is answered after all."""
    table = Table()
    table.deal(StartOfTurn(0, "What time do you open?"), EndOfTurn(0, "What time do you open?"))
    assert kinds(table.deal(StartOfTurn(1, ""))) == ["TurnStarted", "Cancel"]
    signals = table.deal(*ends)
    while not ends and table.machine.turn is not None:
        assert table.machine.deadline is not None
        signals = list(table.machine.wake(table.machine.deadline))
    assert kinds(signals) == ["TurnDropped", "Commit"]
    assert signals[-1] == Commit(None, 1, "", False, "unanswered", ("What time do you open?",), at=signals[-1].at)


def test_a_noise_at_the_end_of_the_call_brings_no_answer() -> None:
    """After close() nobody is there to hear one."""
    table = Table()
    table.deal(StartOfTurn(0, "hi"), EndOfTurn(0, "hi"), StartOfTurn(1, ""))
    assert kinds(list(table.machine.close(9.0))) == ["TurnDropped"]


def test_half_a_character_can_be_remembered() -> None:
    """A text that no encoding takes, as some tokenizers make them, does not keep a machine from being written."""
    table = Table()
    table.deal(StartOfTurn(0, "caf\ud800"), EndOfTurn(0, "caf\ud800"))
    assert TurnMachine.restore(table.machine.snapshot()).floor == table.machine.floor


def test_half_a_character_is_replaced_wherever_it_stands() -> None:
    """In the open turn, in what is unanswered, in words that nobody announced: the rest of the text is kept."""
    table = Table()
    table.deal(StartOfTurn(0, "a\ud800"), EndOfTurn(0, "a\ud800"), StartOfTurn(1, "b\ud800"))
    copy = TurnMachine.restore(table.machine.snapshot())
    assert copy.unanswered == ("a?",)
    assert copy.state.turn is not None
    assert copy.state.turn.text == "b?"
    other = Table()
    other.deal(Update(0, "c\ud800"))
    words = TurnMachine.restore(other.machine.snapshot()).state.unannounced
    assert words is not None
    assert words.text == "c?"


def test_whole_seconds_are_seconds() -> None:
    """A clock that counts in whole numbers leaves the same snapshot as one that does not."""
    whole, real = TurnMachine(), TurnMachine()
    events: list[Event] = [StartOfTurn(0, "hi"), EndOfTurn(0, "hi"), PlaybackStarted(0)]
    for at, event in enumerate(events):
        whole.feed(event, at)
        real.feed(event, float(at))
        assert whole.snapshot() == real.snapshot() == TurnMachine.restore(whole.snapshot()).snapshot()


def test_whole_seconds_of_audio_are_seconds() -> None:
    """Words that nobody announced leave the same snapshot, whatever kind of number says when they came."""
    whole, real = TurnMachine(), TurnMachine()
    whole.feed(Update(0, "hi", 0, 3), 1.0)
    real.feed(Update(0, "hi", 0.0, 3.0), 1.0)
    assert whole.snapshot() == real.snapshot() == TurnMachine.restore(whole.snapshot()).snapshot()


@pytest.mark.parametrize(
    ("event", "after"),
    [(EagerEndOfTurn(0, "hi", 0.5), ["Speculate"]), (EndOfTurn(0, "hi"), ["Commit"])],
)
def test_an_eager_or_final_end_without_start_opens_its_turn_first(event: Event, after: list[str]) -> None:
    """EagerEndOfTurn and EndOfTurn with words in listening count as StartOfTurn first."""
    assert kinds(Table().deal(event)) == ["Note", "TurnStarted", *after]


def test_events_that_mean_nothing_where_they_come() -> None:
    """Blank ends, stray resumes and duplicate starts are noted and change nothing."""
    table = Table()
    assert table.deal(Update(0, "")) == []
    assert table.deal(EagerEndOfTurn(0, "")) == [Note(NoteKind.BLANK_EAGER, "while listening", at=0.2)]
    assert table.deal(TurnResumed(0, "")) == [Note(NoteKind.STRAY_RESUME, "while listening", at=0.3)]
    table.deal(StartOfTurn(0, "hi"))
    assert table.deal(StartOfTurn(0, "hi")) == [Note(NoteKind.DUPLICATE_START, "while speaking", at=0.5)]
    assert table.deal(TurnResumed(0, "hi")) == [Note(NoteKind.STRAY_RESUME, "while speaking", at=0.6)]
    assert table.deal(EagerEndOfTurn(0, " ")) == [Note(NoteKind.BLANK_EAGER, "while speaking", at=0.7)]
    assert table.machine.user is UserState.SPEAKING
    table.deal(EagerEndOfTurn(0, "hi"))
    assert table.deal(EagerEndOfTurn(0, "")) == [Note(NoteKind.BLANK_EAGER, "while ending", at=0.9)]
    assert kinds(table.deal(StartOfTurn(0, "hi"))) == ["Cancel", "Note"]
    assert table.machine.user is UserState.SPEAKING


def test_an_empty_end_without_a_turn_moves_the_index_on() -> None:
    """EndOfTurn without words in listening only ends that index."""
    table = Table()
    assert table.deal(EndOfTurn(0, "")) == []
    assert table.deal(StartOfTurn(0, "late")) == [
        Note(NoteKind.STALE_TURN, "StartOfTurn of turn_index 0, which is over", at=0.2)
    ]


def test_stale_events_are_dropped() -> None:
    """Events of a turn that has ended, or of one below the open one, are noted and dropped."""
    table = Table().committed()
    assert table.deal(EndOfTurn(0, "hello again")) == [
        Note(NoteKind.STALE_TURN, "EndOfTurn of turn_index 0, which is over", at=0.3)
    ]
    table.deal(StartOfTurn(5, "five"))
    assert kinds(table.deal(Update(3, "three"))) == ["Note"]
    assert table.machine.turn == 1


def test_a_later_index_ends_the_open_turn() -> None:
    """An event of a later turn means that an end was missed: the turn ends with the words it had."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert table.deal(Update(1, "")) == [
        Note(NoteKind.MISSED_END, "while ending", at=0.3),
        Commit(0, 0, "tea", True, "missed", (), at=0.3),
    ]
    table = Table()
    table.deal(StartOfTurn(0, ""))
    assert kinds(table.deal(StartOfTurn(2, "hi"))) == ["Note", "TurnDropped", "TurnStarted"]


# The floor --------------------------------------------------------------------------------------------------------


def test_a_turn_before_anything_was_heard_cancels_the_reply() -> None:
    """A pending reply is cancelled by a new turn, and its text comes with the next commit as unanswered."""
    table = Table().committed("one")
    assert table.deal(StartOfTurn(1, "two")) == [
        TurnStarted(1, "two", at=0.3),
        Cancel(0, 0, CancelReason.NEW_TURN, at=0.3),
    ]
    assert table.deal(EndOfTurn(1, "two")) == [Commit(1, 1, "two", False, "", ("one",), at=0.4)]
    assert table.deal(StartOfTurn(2, "three"), EndOfTurn(2, "three")) == [
        Commit(2, 2, "three", False, "", ("one", "two"), at=0.6)
    ]
    table.deal(PlaybackStarted(2), PlaybackFinished(2))
    assert table.deal(EndOfTurn(3, "four"))[-1] == Commit(3, 3, "four", False, "", (), at=0.9)


def test_a_reply_without_sound_leaves_its_turn_unanswered() -> None:
    """PlaybackFinished before any sound: the text was never answered audibly, and says so next time."""
    table = Table().committed("one")
    assert table.deal(PlaybackFinished(0)) == []
    assert table.deal(EndOfTurn(1, "two"))[-1] == Commit(1, 1, "two", False, "", ("one",), at=0.4)


def test_barge_in_is_immediate_by_default() -> None:
    """StartOfTurn over an audible reply stops it; the turn is an ordinary one from then on."""
    table = Table().audible()
    assert table.deal(StartOfTurn(1, "stop")) == [
        TurnStarted(1, "stop", at=0.4),
        BargeIn(1, 0, "stop", "the user speaks", at=0.4),
    ]
    assert kinds(table.deal(EagerEndOfTurn(1, "stop"))) == ["Speculate"]
    assert table.deal(PlaybackFinished(0)) == [], "a late report changes nothing"
    assert table.deal(EndOfTurn(1, "stop")) == [Commit(1, 1, "stop", True, "", (), at=0.7)]


def test_playback_progress_counts_as_the_first_sound() -> None:
    """PlaybackAdvanced of a pending reply makes it audible: the report of its start went missing."""
    table = Table().committed()
    table.deal(PlaybackAdvanced(0, "Good"))
    assert table.machine.floor == (0, ReplyState.AUDIBLE)


def test_playback_of_a_draft_is_noted_and_refused() -> None:
    """No reply is audible before its commit, whatever the host reports."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    for event in (PlaybackStarted(0), PlaybackAdvanced(0, "x"), PlaybackFinished(0)):
        assert [signal.kind for signal in table.deal(event) if isinstance(signal, Note)] == [NoteKind.EARLY_PLAYBACK]
    assert table.machine.draft == 0


def test_the_policy_is_asked_at_each_event_until_it_decides() -> None:
    """MinWords waits, without speculation, until there are words enough; each turn counts anew."""
    table = Table(barge_in=MinWords(3)).audible()
    assert kinds(table.deal(StartOfTurn(1, "I"))) == ["TurnStarted"]
    assert table.deal(EagerEndOfTurn(1, "I")) == []
    assert kinds(table.deal(Update(1, "I want"))) == ["Note", "TurnUpdated"]
    assert table.deal(Update(1, "I want tea")) == [
        TurnUpdated(1, "I want tea", 0.0, at=0.7),
        BargeIn(1, 0, "I want tea", "3 words, 3 needed", at=0.7),
    ]


def test_the_overlap_tells_the_policy_all_it_may_go_by() -> None:
    """Words, how long the turn and the reply have gone on, what was heard, held, final."""
    seen: list[Overlap] = []

    def policy(overlap: Overlap) -> Verdict:
        seen.append(overlap)
        return Verdict.HOLD

    table = Table(barge_in=policy).audible()
    table.deal(PlaybackAdvanced(0, "Good day"), StartOfTurn(1, "uh"), Update(1, "uh huh"), EndOfTurn(1, "uh huh."))
    near: Any = pytest.approx
    assert seen == [
        Overlap("uh", near(0.0), near(0.2), "Good day", False, False),
        Overlap("uh huh", near(0.1), near(0.3), "Good day", True, False),
        Overlap("uh huh.", near(0.2), near(0.4), "Good day", True, True),
    ]


def test_an_undecided_overlap_is_a_backchannel_in_the_end() -> None:
    """WAIT and HOLD at the end mean KEEP: the turn is dropped, the agent goes on, nothing is committed."""
    table = Table(barge_in=MinWords(3)).audible()
    table.deal(StartOfTurn(1, "mm-hm"))
    assert table.deal(EndOfTurn(1, "mm-hm")) == [
        TurnDropped(1, "mm-hm", DropReason.OVERLAP_KEPT, "1 word, 3 needed", at=0.5)
    ]
    assert table.machine.floor == (0, ReplyState.AUDIBLE)


def test_hold_and_resume() -> None:
    """HOLD pauses the playback once; KEEP resumes it."""
    table = Table(barge_in=lambda o: Verdict.KEEP if o.final else Verdict.HOLD).audible()
    assert kinds(table.deal(StartOfTurn(1, "mm"))) == ["TurnStarted", "Hold"]
    assert kinds(table.deal(Update(1, "mm hm"))) == ["TurnUpdated"]
    assert kinds(table.deal(EndOfTurn(1, "mm hm"))) == ["Resume", "TurnDropped"]


def test_a_hold_does_not_outlast_its_timeout() -> None:
    """A hold that nothing decides ends by the clock alone, and the overlap is still undecided."""
    table = Table(barge_in=lambda o: Verdict.YIELD if "stop" in o.transcript else Verdict.HOLD).audible()
    table.deal(StartOfTurn(1, "mm"))
    assert table.wait(2.1) == [Resume(1, 0, ResumeReason.TIMEOUT, at=2.4)]
    assert kinds(table.deal(Update(1, "mm stop"))) == ["TurnUpdated", "BargeIn"]


def test_an_empty_turn_resumes_the_held_reply() -> None:
    """A hold for what turns out to be no words ends with the turn, however it ends."""
    for end in (EndOfTurn(1, ""), Update(2, "")):
        table = Table(barge_in=always(Verdict.HOLD)).audible()
        table.deal(StartOfTurn(1, ""))
        signals = table.deal(end)
        assert Resume(1, 0, ResumeReason.EMPTY_TURN, at=0.5) in signals
        assert signals[-1] == TurnDropped(1, "", DropReason.EMPTY, at=0.5)


def test_a_deferred_turn_is_answered_after_the_agent_has_finished() -> None:
    """DEFER: the agent goes on, the turn waits, and is committed when the floor is free."""
    table = Table(barge_in=Never()).audible()
    assert kinds(table.deal(StartOfTurn(1, "my number is"), EagerEndOfTurn(1, "my number is five"))) == ["TurnUpdated"]
    assert table.deal(EndOfTurn(1, "my number is five", trigger="model")) == []
    assert table.machine.suspended == 1
    assert table.deal(PlaybackFinished(0)) == [Commit(1, 1, "my number is five", False, "model", (), at=0.7)]


def test_a_deferred_turn_resumes_a_held_reply() -> None:
    """The agent keeps the floor, so it must go on."""
    table = Table(barge_in=lambda o: Verdict.DEFER if o.final else Verdict.HOLD).audible()
    table.deal(StartOfTurn(1, "wait"))
    assert table.deal(EndOfTurn(1, "wait")) == [Resume(1, 0, ResumeReason.BACKCHANNEL, at=0.5)]


def test_a_deferred_turn_is_superseded_by_the_next() -> None:
    """A turn that begins before the suspended one could be answered drops it; its words come as unanswered."""
    table = Table(barge_in=Never()).audible()
    table.deal(StartOfTurn(1, "one"), EndOfTurn(1, "one"))
    assert table.deal(StartOfTurn(2, "two")) == [
        TurnDropped(1, "one", DropReason.SUPERSEDED, at=0.6),
        TurnStarted(2, "two", at=0.6),
    ]
    table.deal(EndOfTurn(2, "two"))
    assert table.deal(PlaybackFinished(0)) == [Commit(2, 1, "two", False, "", ("one",), at=0.8)]


@pytest.mark.parametrize("verdict", [Verdict.WAIT, Verdict.KEEP, Verdict.DEFER])
def test_a_turn_that_outlasts_the_reply_is_an_ordinary_one(verdict: Verdict) -> None:
    """When the reply finishes first the overlap is over, decided or not: the turn is drafted for and answered."""
    table = Table(barge_in=always(verdict)).audible()
    table.deal(StartOfTurn(1, "and also"), PlaybackFinished(0))
    assert kinds(table.deal(EagerEndOfTurn(1, "and also tea"))) == ["TurnUpdated", "Speculate"]
    assert kinds(table.deal(EndOfTurn(1, "and also tea"))) == ["Commit"]


def test_a_protected_reply_defers_without_asking() -> None:
    """Protect makes every overlap DEFER, also one that is being judged; unprotecting is for the next."""
    table = Table(barge_in=always(Verdict.HOLD)).audible()
    table.deal(StartOfTurn(1, "but"))
    assert table.deal(Protect(0, True)) == [Resume(1, 0, ResumeReason.BACKCHANNEL, at=0.5)]
    assert table.deal(EndOfTurn(1, "but why")) == []
    assert table.machine.suspended == 1
    table.deal(Protect(0, False))
    assert kinds(table.deal(StartOfTurn(2, "why"))) == ["TurnDropped", "TurnStarted", "Hold"]


def test_protection_given_to_a_draft_holds_after_its_commit() -> None:
    """Protect may come before the commit."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), Protect(0, True))
    table.deal(EndOfTurn(0, "tea"), PlaybackStarted(0))
    assert kinds(table.deal(StartOfTurn(1, "stop"))) == ["TurnStarted"]
    assert table.machine.floor == (0, ReplyState.AUDIBLE)


def test_grace_and_duration() -> None:
    """Grace looks at the reply's age, MinDuration at the turn's."""
    table = Table(barge_in=Grace(0.25)).audible()
    assert kinds(table.deal(StartOfTurn(1, "a"))) == ["TurnStarted"]
    assert kinds(table.deal(Update(1, "a b"))) == ["TurnUpdated"]
    assert kinds(table.deal(Update(1, "a b"))) == ["BargeIn"]
    table = Table(barge_in=MinDuration(0.15)).audible()
    table.deal(StartOfTurn(1, "a"))
    assert kinds(table.deal(Update(1, "a"))) == []
    assert kinds(table.deal(Update(1, "a"))) == ["BargeIn"]


def test_an_undecided_eager_end_is_drafted_for_if_the_policy_yields_to_it() -> None:
    """The overlap is judged before the eager end is speculated on."""
    table = Table(barge_in=MinWords(2)).audible()
    table.deal(StartOfTurn(1, "no"))
    assert kinds(table.deal(EagerEndOfTurn(1, "no thanks"))) == ["TurnUpdated", "BargeIn", "Speculate"]


@pytest.mark.parametrize("broken", [lambda o: 1 / 0, lambda o: None, lambda o: "perhaps", lambda o: (Verdict.KEEP,)])
def test_a_broken_barge_in_policy_gives_the_user_the_floor(broken: Any) -> None:
    """A policy that raises or gives no verdict is noted, and the user gets the floor."""
    table = Table(barge_in=broken).audible()
    signals = table.deal(StartOfTurn(1, "secret words"))
    assert kinds(signals) == ["TurnStarted", "Note", "BargeIn"]
    assert "secret" not in str(signals[1])


@pytest.mark.parametrize("broken", [lambda p: 1 / 0, lambda p: None, lambda p: (True, "a", "b")])
def test_a_broken_speculation_policy_drafts_nothing(broken: Any) -> None:
    """A policy that raises or answers no bool is noted, and nothing is drafted."""
    table = Table(speculation=broken)
    table.deal(StartOfTurn(0, "hi"))
    assert kinds(table.deal(EagerEndOfTurn(0, "hi"))) == ["Note"]
    assert kinds(table.deal(EndOfTurn(0, "hi"))) == ["Commit"]


# Agent initiative and silence -------------------------------------------------------------------------------------


def test_the_agent_may_begin_when_nobody_has_the_floor() -> None:
    """Initiate commits a reply to no turn; while a turn is open or a reply has the floor it is refused."""
    table = Table()
    assert table.deal(Initiate()) == [Commit(None, 0, "", False, "initiate", (), at=0.1)]
    assert table.deal(Initiate()) == [Cancel(None, 1, CancelReason.FLOOR_TAKEN, at=0.2)]
    table.deal(PlaybackStarted(0), PlaybackFinished(0), StartOfTurn(0, "hi"))
    assert table.deal(Initiate()) == [Cancel(None, 2, CancelReason.FLOOR_TAKEN, at=0.6)]


def test_a_protected_greeting_is_not_interrupted() -> None:
    """Initiate(protected): what is said over it is answered after it; before its first sound it gives way."""
    table = Table()
    table.deal(Initiate(protected=True), PlaybackStarted(0), StartOfTurn(0, "hello?"))
    assert table.deal(EndOfTurn(0, "hello?")) == []
    assert kinds(table.deal(PlaybackFinished(0))) == ["Commit"]
    table = Table()
    table.deal(Initiate(protected=True))
    assert table.deal(StartOfTurn(0, "hello?"))[-1] == Cancel(None, 0, CancelReason.NEW_TURN, at=0.2)


def test_a_suspended_turn_counts_as_open() -> None:
    """Neither Initiate nor the idle clock gets in before a suspended turn."""
    table = Table(idle_timeout=1.0)
    table.deal(StartOfTurn(0, "hi"), StreamLost())
    assert kinds(table.deal(Initiate())) == ["Cancel"]
    assert kinds(table.wait(1.5)) == []


def test_idle_comes_again_and_again_until_someone_speaks() -> None:
    """UserIdle counts the silence from the first moment, and anew after somebody spoke."""
    table = Table(idle_timeout=5.0)
    table.machine.wake(0.0)
    assert table.wait(12.0) == [UserIdle(1, at=5.0), UserIdle(2, at=10.0)]
    table.committed().deal(PlaybackStarted(0))
    assert table.wait(60.0) == [], "not while a reply has the floor"
    table.deal(PlaybackFinished(0))
    since = table.at
    assert table.wait(5.0) == [UserIdle(1, at=since + 5.0)]


def test_a_reprompt_does_not_make_the_user_less_silent() -> None:
    """The agent's own words start the idle clock anew, but the count goes on until the user speaks."""
    table = Table(idle_timeout=5.0)
    table.machine.wake(0.0)
    assert kinds(table.wait(5.0)) == ["UserIdle"]
    table.deal(Initiate(), PlaybackStarted(0), PlaybackFinished(0))
    since = table.at
    assert table.wait(6.0) == [UserIdle(2, at=since + 5.0)]
    table.deal(StartOfTurn(0, "yes"), EndOfTurn(0, "yes"), PlaybackFinished(1))
    since = table.at
    assert table.wait(6.0) == [UserIdle(1, at=since + 5.0)]


def test_line_noise_does_not_put_off_idle() -> None:
    """A turn that ends empty does not move the idle deadline; one passed meanwhile is due at once."""
    table = Table(idle_timeout=1.0)
    table.machine.wake(0.0)
    table.deal(StartOfTurn(0, ""), EndOfTurn(0, ""))
    assert table.machine.deadline == 1.0
    table.deal(StartOfTurn(1, ""))
    assert table.wait(3.0) == []
    assert [signal for signal in table.deal(EndOfTurn(1, "")) if isinstance(signal, UserIdle)] == [
        UserIdle(1, at=table.at)
    ]


def test_the_idle_clock_stands_still_while_a_tool_runs() -> None:
    """Busy stops it, and it starts anew when the tool is done; a turn or a reply in between changes nothing in that."""
    table = Table(idle_timeout=5.0)
    table.machine.wake(0.0)
    table.deal(Busy(True))
    assert table.wait(60.0) == []
    table.deal(StartOfTurn(0, ""), EndOfTurn(0, ""))
    assert table.wait(60.0) == []
    table.deal(Busy(False))
    since = table.at
    assert table.wait(6.0) == [UserIdle(1, at=since + 5.0)]
    table.deal(StartOfTurn(1, "hi"), Busy(False))
    assert kinds(table.wait(6.0)) == []


def test_one_late_wake_is_one_idle() -> None:
    """A wake that comes many timeouts late reports the silence once, and the next one a timeout later."""
    machine = TurnMachine(idle_timeout=1.0)
    machine.wake(0.0)
    assert machine.wake(7.5) == (UserIdle(1, at=7.5),)
    assert machine.deadline == 8.5


# Losses and stalls ------------------------------------------------------------------------------------------------


def test_the_words_of_a_lost_turn_are_answered_after_all() -> None:
    """StreamLost with words: the draft goes, the turn waits for more, then it is committed."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert table.deal(StreamLost("dropped")) == [Cancel(0, 0, CancelReason.STREAM_LOST, at=0.3)]
    assert table.wait(3.0) == [Commit(0, 1, "tea", False, "stream_lost", (), at=2.3)]


def test_the_words_of_a_lost_turn_come_with_the_next_turn_if_there_is_one() -> None:
    """A turn that starts within the grace drops the lost one, and brings its words as unanswered."""
    table = Table()
    table.deal(StartOfTurn(4, "my number"), StreamLost(), StreamRestored())
    assert table.deal(StartOfTurn(0, "is five")) == [
        TurnDropped(0, "my number", DropReason.STREAM_LOST, at=0.4),
        TurnStarted(1, "is five", at=0.4),
    ]
    assert table.deal(EndOfTurn(0, "is five")) == [Commit(1, 0, "is five", False, "", ("my number",), at=0.5)]


def test_a_lost_overlap_is_dropped_at_once_and_the_agent_goes_on() -> None:
    """StreamLost in an overlap: Resume if held, TurnDropped; the playback is left alone."""
    table = Table(barge_in=always(Verdict.HOLD)).audible()
    table.deal(StartOfTurn(1, "mm"))
    assert table.deal(StreamLost()) == [
        Resume(1, 0, ResumeReason.TURN_LOST, at=0.5),
        TurnDropped(1, "mm", DropReason.STREAM_LOST, at=0.5),
    ]
    assert table.machine.floor == (0, ReplyState.AUDIBLE)


def test_a_lost_turn_that_was_to_be_answered_is_not_forgotten() -> None:
    """The words of a deferred turn that is lost come with the next commit."""
    table = Table(barge_in=Never()).audible()
    table.deal(StartOfTurn(1, "my number is five"))
    assert kinds(table.deal(StreamLost())) == ["TurnDropped"]
    table.deal(PlaybackFinished(0))
    assert table.deal(EndOfTurn(0, "hello?"))[-1] == Commit(2, 1, "hello?", False, "", ("my number is five",), at=0.7)


def test_a_lost_turn_without_words_is_dropped_at_once() -> None:
    """Nothing to wait for."""
    table = Table()
    table.deal(StartOfTurn(0, ""))
    assert table.deal(StreamLost()) == [TurnDropped(0, "", DropReason.STREAM_LOST, at=0.2)]


def test_turns_are_counted_unbroken_across_connections() -> None:
    """Flux counts from 0 again; turnkit does not. A late StreamRestored changes nothing."""
    table = Table().committed()
    table.deal(PlaybackStarted(0), PlaybackFinished(0), StreamLost())
    assert table.deal(StartOfTurn(0, "again")) == [TurnStarted(1, "again", at=0.6)]
    assert table.deal(StreamRestored()) == []
    assert kinds(table.deal(EndOfTurn(0, "again"))) == ["Commit"]


def test_a_stalled_turn_is_reported_then_ended_with_the_words_it_had() -> None:
    """No progress for 8 s: TurnStalled; none 2 s later: Commit. Repeated words and blanks are no progress."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"))
    table.wait(7.0)
    table.deal(Update(0, "Tea."), Update(0, ""))
    assert kinds(table.wait(0.9)) == ["TurnStalled"]
    assert table.machine.user is UserState.SPEAKING
    assert kinds(table.wait(3.0)) == ["Commit"]


def test_stall_times_are_exact() -> None:
    """TurnStalled after stall_timeout, the end stall_grace after that, wherever Flux is."""
    table = Table(stall_timeout=4.0, stall_grace=1.0)
    table.deal(StartOfTurn(0, "tea"))
    assert table.wait(10.0) == [
        TurnStalled(0, "tea", at=4.1),
        Commit(0, 0, "tea", False, "stalled", (), at=5.1),
    ]
    table = Table(stall_timeout=4.0)
    table.deal(StartOfTurn(0, ""))
    assert kinds(table.wait(10.0)) == ["TurnStalled", "TurnDropped"]


def test_a_late_wake_still_leaves_the_grace() -> None:
    """The grace is for the host to act on TurnStalled, so it counts from that signal."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"))
    assert kinds(list(table.machine.wake(60.0))) == ["TurnStalled"]
    assert table.machine.deadline == 62.0


def test_progress_within_the_grace_saves_the_turn() -> None:
    """New words after TurnStalled start the stall clock again."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"))
    table.wait(9.0)
    assert kinds(table.deal(Update(0, "tea please"))) == ["TurnUpdated"]
    assert table.machine.deadline == pytest.approx(table.at + 8.0)


def test_new_words_of_a_turn_that_was_ended_as_stalled_are_a_fresh_turn() -> None:
    """Flux goes on with its index: old words are nothing new, new ones open a turn, and it can end."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"))
    table.wait(20.0)
    assert table.machine.floor == (0, ReplyState.PENDING)
    assert table.deal(Update(0, "Tea"), Update(0, "")) == []
    assert kinds(table.deal(Update(0, "tea and milk"))) == ["Note", "TurnStarted", "Cancel"]
    assert table.deal(EndOfTurn(0, "tea and milk")) == [Commit(1, 1, "tea and milk", False, "", ("tea",), at=table.at)]
    assert kinds(table.deal(Update(0, "tea and milk and more"))) == ["Note"], "now Flux has ended it"


def test_the_late_end_of_a_stalled_turn_is_stale() -> None:
    """An EndOfTurn with the old words is noted, and ends the index for good."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"))
    table.wait(20.0)
    assert kinds(table.deal(EndOfTurn(0, "tea"))) == ["Note"]
    assert kinds(table.deal(Update(0, "other"))) == ["Note"]


# Close, misuse, snapshots -----------------------------------------------------------------------------------------


def test_close_cancels_and_drops_what_is_open() -> None:
    """A draft, a pending reply, an open turn, a suspended one: each is told."""
    table = Table()
    table.deal(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert table.machine.close(1.0) == (
        Cancel(0, 0, CancelReason.CLOSED, at=1.0),
        TurnDropped(0, "tea", DropReason.CLOSED, at=1.0),
    )
    assert Table().committed().machine.close(1.0) == (Cancel(0, 0, CancelReason.CLOSED, at=1.0),)
    table = Table()
    table.deal(StartOfTurn(0, "tea"), StreamLost())
    assert table.machine.close(1.0) == (TurnDropped(0, "tea", DropReason.CLOSED, at=1.0),)


def test_a_closed_machine_takes_no_events() -> None:
    """An event after close() raises; waking and closing again are harmless."""
    machine = TurnMachine(idle_timeout=1.0)
    machine.close(1.0)
    with pytest.raises(LocalProtocolError, match=r"Update after close\(\)"):
        machine.feed(Update(0, "x"), 2.0)
    assert machine.deadline is None
    assert machine.wake(5.0) == machine.close(6.0) == ()


@pytest.mark.parametrize("at", [0.5, float("nan"), float("inf"), -float("inf")])
def test_time_does_not_go_back(at: float) -> None:
    """A second before the last one raises and changes nothing, and so does what is no second at all."""
    machine = TurnMachine()
    machine.feed(StartOfTurn(0, "tea"), 1.0)
    before = machine.snapshot()
    calls: list[Callable[[], object]] = [
        lambda: machine.feed(EndOfTurn(0, "tea"), at),
        lambda: machine.wake(at),
        lambda: machine.close(at),
    ]
    for call in calls:
        with pytest.raises(LocalProtocolError, match="monotonic seconds"):
            call()
    assert machine.snapshot() == before


@pytest.mark.parametrize("thing", [None, 42, "StartOfTurn", TurnStarted(0, "x", at=0.0)])
def test_only_events_are_fed(thing: Any) -> None:
    """Anything else is the caller's mistake: it raises and changes nothing."""
    machine = TurnMachine()
    before = machine.snapshot()
    with pytest.raises(LocalProtocolError, match="is not an event"):
        machine.feed(thing, 0.0)
    assert machine.snapshot() == before


def test_events_that_came_late_find_their_deadlines_dealt_with() -> None:
    """feed at a late second is wake at that second, then feed."""
    one, other = TurnMachine(), TurnMachine()
    for machine in (one, other):
        machine.feed(StartOfTurn(0, "tea"), 0.0)
        machine.wake(8.0)
    event = Update(0, "tea please")
    assert one.feed(event, 11.0) == other.wake(11.0) + other.feed(event, 11.0)
    assert kinds(list(one.feed(event, 12.0))) == []


@pytest.mark.parametrize("name", ["hold_timeout", "lost_turn_grace", "stall_timeout", "stall_grace", "idle_timeout"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "2", True])
def test_settings_are_checked_by_name(name: str, value: Any) -> None:
    """A setting that cannot work raises ConfigError with its name, value and rule."""
    with pytest.raises(ConfigError, match=rf"{name}={value!r}: must be a number of seconds"):
        TurnMachine(**{name: value})


def test_policies_are_checked() -> None:
    """A policy's class instead of an instance is the likely slip."""
    with pytest.raises(ConfigError, match=r"barge_in=.*must be a policy"):
        TurnMachine(barge_in=Never)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="speculation=None"):
        TurnMachine(speculation=None)  # type: ignore[arg-type]


def test_a_snapshot_goes_on_where_the_machine_was() -> None:
    """restore with the same settings gives the same signals; a bad snapshot is refused."""
    table = Table(barge_in=MinWords(2), idle_timeout=3.0).audible()
    table.deal(StartOfTurn(1, "mm"))
    copy = TurnMachine.restore(table.machine.snapshot(), barge_in=MinWords(2), idle_timeout=3.0)
    assert copy.snapshot() == table.machine.snapshot()
    event = EndOfTurn(1, "mm hm")
    assert copy.feed(event, 9.0) == table.machine.feed(event, 9.0)
    for junk in (b"", b"junk", b"\x80", b"\x81\xa7version\x63"):
        with pytest.raises(LocalProtocolError, match="snapshot"):
            TurnMachine.restore(junk)


def test_a_snapshot_of_an_earlier_version_is_refused() -> None:
    """It says which version it has and which one can be read, though nothing else in it makes sense here."""
    flat = {"version": 1, "now": 1.0, "turn": 0, "index": 0, "text": "tea", "reply": -1, "suspended": -1}
    with pytest.raises(LocalProtocolError, match="the snapshot has version 1, this turnkit reads 2"):
        TurnMachine.restore(msgspec.msgpack.encode(flat))


def test_the_recorded_session(preamble: Path) -> None:
    """One real session: a turn at 0.96, a draft at 19.84, its commit at 20.00, and nothing else is decided."""
    machine = TurnMachine()
    signals: list[Signal] = []
    for line in preamble.read_bytes().splitlines():
        event = wire.to_event(wire.decode(line))
        if event is not None:
            signals += machine.feed(event, event.audio_end)
    decided = [signal for signal in signals if not isinstance(signal, TurnUpdated)]
    assert kinds(decided) == ["TurnStarted", "Speculate", "Commit"]
    assert [signal.at for signal in decided] == [0.96, 19.84, 20.0]
    commit = decided[-1]
    assert isinstance(commit, Commit)
    assert commit.speculative
    assert commit.reply == 0


def test_hold_signal_carries_the_reason() -> None:
    """Hold says why, in the policy's words."""
    table = Table(barge_in=lambda o: (Verdict.HOLD, "could be a backchannel")).audible()
    assert table.deal(StartOfTurn(1, "mm"))[-1] == Hold(1, 0, "could be a backchannel", at=0.4)
