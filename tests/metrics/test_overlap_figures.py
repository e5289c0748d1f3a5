"""The figures of overlaps: barge-ins, false ones, backchannels, holds."""

from __future__ import annotations

import pytest

from tests.support.measured_call import MeasuredCall, talking
from turnkit import (
    BargeIn,
    Commit,
    DropReason,
    EndOfTurn,
    HoldThenDecide,
    IgnoreBackchannels,
    Interrupt,
    MinWords,
    Outcome,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    ResumeReason,
    StartOfTurn,
    TurnStarted,
    Update,
)
from turnkit.metrics import FalseBargeIn, Metrics


def test_barge_in_from_start_to_silence() -> None:
    """Reaction runs from the start of the turn to BargeIn, silence from there to the player's own report."""
    call = talking(barge_in=MinWords(2))
    call.feed(2.0, StartOfTurn(1, "Wait"))
    call.feed(2.25, Update(1, "Wait, no"))
    call.turns += call.metrics.take(ReplyEnded(0, 0, Outcome.INTERRUPTED, "We have", at=2.375))
    call.feed(2.5, PlaybackFinished(0))
    call.feed(3.0, EndOfTurn(1, "Wait, no milk"))
    figures = call.close(4.0)
    cut, turn = call.turns
    assert (cut.turn, cut.outcome) == (0, Outcome.INTERRUPTED)
    assert (turn.barged_in, turn.reaction, turn.released, turn.silence) == (0, 0.25, 0.125, 0.25)
    assert (turn.judged, turn.false_barge_in) == (True, None)
    assert (figures.barge_ins, figures.judged, figures.false_barge_in_rate) == (1, 1, 0.0)


def test_silence_comes_once() -> None:
    """Of several reports that a reply is over, the first after the barge-in is its silence."""
    call = talking()
    call.feed(2.0, StartOfTurn(1, "Wait"))
    for at in (2.25, 2.75):
        call.turns += call.metrics.take(ReplyEnded(0, 0, Outcome.INTERRUPTED, "We have", at=at))
        call.feed(at + 0.25, PlaybackFinished(0))
    call.feed(3.5, EndOfTurn(1, "Wait"))
    figures = call.close(4.0)
    assert (call.turns[-1].released, call.turns[-1].silence) == (0.25, 0.5)
    assert (figures.released.count, figures.silence.count) == (1, 1)
    assert figures.replies == {Outcome.INTERRUPTED: 1, Outcome.CANCELLED: 1}


def test_the_first_word_takes_no_time_to_barge_in() -> None:
    """With Immediate() the reaction is 0.0, measured, while a silence that nobody reports is None."""
    call = talking()
    call.feed(2.0, StartOfTurn(1, "Wait"))
    call.feed(2.5, EndOfTurn(1, "Wait"))
    call.close(3.0)
    turn = call.turns[-1]
    assert (turn.reaction, turn.released, turn.silence) == (0.0, None, None)


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (EndOfTurn(1, ""), FalseBargeIn.EMPTY),
        (EndOfTurn(1, "Mm-hm, yeah."), FalseBargeIn.BACKCHANNEL),
        (EndOfTurn(1, "green tea and black tea"), FalseBargeIn.ECHO),
        (EndOfTurn(1, "Yeah, but without milk"), None),
        (EndOfTurn(1, "Stop"), None),
    ],
    ids=["empty", "backchannel", "echo", "words", "stop"],
)
def test_false_barge_ins(end: EndOfTurn, kind: FalseBargeIn | None) -> None:
    """A barge-in is judged by what the turn came to: nothing, a backchannel, the agent's own words, or a reason."""
    call = talking()
    call.feed(2.0, StartOfTurn(1, "Mm"))
    call.feed(3.0, end)
    figures = call.close(4.0)
    turn = call.turns[-1]
    assert (turn.turn, turn.barged_in, turn.judged, turn.false_barge_in) == (1, 0, True, kind)
    assert figures.false_barge_ins == ({} if kind is None else {kind: 1})
    assert figures.false_barge_in_rate == (0.0 if kind is None else 1.0)


def test_an_echo_without_reports_is_no_echo() -> None:
    """Where PlaybackAdvanced is not reported, nobody knows what the agent said."""
    call = MeasuredCall()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(1.0, PlaybackStarted(0))
    call.feed(2.0, StartOfTurn(1, "green"))
    call.feed(3.0, EndOfTurn(1, "green tea and black tea"))
    call.close(4.0)
    assert call.turns[-1].false_barge_in is None


def test_a_barge_in_whose_words_were_lost_is_not_judged() -> None:
    """If the call ends before the turn does, nobody can tell whether the barge-in was right."""
    call = talking()
    call.feed(2.0, StartOfTurn(1, "Mm"))
    figures = call.close(3.0)
    assert call.turns[-1].dropped is DropReason.CLOSED
    assert (call.turns[-1].judged, figures.judged, figures.false_barge_in_rate) == (False, 0, None)
    assert dict(figures.rows())["barge-ins"] == "1: 1 cannot be judged"


def test_backchannels_of_ones_own() -> None:
    """The phrases that make a barge-in look false can be given."""
    turns = [
        StartOfTurn(1, "genau"),
        TurnStarted(1, "genau", at=2.0),
        BargeIn(1, 0, "genau", at=2.0),
        Commit(1, 1, "Genau!", False, "", at=3.0),
    ]
    german, english = Metrics(backchannels={"genau"}), Metrics()
    for metrics in (german, english):
        for item in turns:
            metrics.take(item, 2.0)
    assert german.call.false_barge_ins == {FalseBargeIn.BACKCHANNEL: 1}
    assert english.call.false_barge_ins == {}


def test_holds() -> None:
    """What is held is counted from Hold to Resume, BargeIn, or the end of the reply, each on its own."""
    call = talking(barge_in=HoldThenDecide(IgnoreBackchannels()), hold_timeout=9.0)
    call.feed(2.0, StartOfTurn(1, "Mm-hm"))
    call.feed(2.5, EndOfTurn(1, "Mm-hm"))
    call.feed(3.0, StartOfTurn(2, "Yeah"))
    call.feed(3.25, Update(2, "Yeah, but wait"))
    figures = call.close(4.0)
    assert (figures.holds, figures.held.values) == (2, [0.25, 0.5])
    assert figures.resumes == {ResumeReason.BACKCHANNEL: 1}
    assert {turn.turn: turn.held for turn in call.turns} == {0: None, 1: 0.5, 2: 0.25}
    assert figures.dropped == {DropReason.OVERLAP_KEPT: 1, DropReason.CLOSED: 1}


def test_a_turn_held_for_twice() -> None:
    """A hold that nothing decides in time ends; the next one of the same turn adds to what it was held for."""
    call = talking(barge_in=HoldThenDecide(IgnoreBackchannels()), hold_timeout=0.5)
    call.feed(2.0, StartOfTurn(1, "Mm-hm"))
    call.wake(2.5)
    call.feed(3.0, Update(1, "Mm-hm, yeah"))
    call.feed(3.25, EndOfTurn(1, "Mm-hm, yeah"))
    figures = call.close(4.0)
    assert {turn.turn: turn.held for turn in call.turns} == {0: None, 1: 0.75}
    assert figures.held.values == [0.25, 0.5]
    assert figures.resumes == {ResumeReason.TIMEOUT: 1, ResumeReason.BACKCHANNEL: 1}


def test_a_hold_that_ends_with_the_reply() -> None:
    """A reply that finishes while it is held is held no longer."""
    call = talking(barge_in=HoldThenDecide(IgnoreBackchannels()), hold_timeout=9.0)
    call.feed(2.0, StartOfTurn(1, "Mm-hm"))
    call.feed(2.5, PlaybackFinished(0))
    figures = call.close(4.0)
    assert (figures.holds, figures.held.values, figures.resumes) == (1, [0.5], {})


# The host takes the floor ---------------------------------------------------------------------------------------------


def test_what_the_host_stops_is_no_barge_in() -> None:
    """A key press is nobody's turn: neither right nor wrong, and how fast the player was is known all the same."""
    call = talking()
    call.feed(2.0, Interrupt())
    call.feed(2.25, PlaybackFinished(0))
    figures = call.close(3.0)
    assert [type(signal) for signal in call.signals[-1:]] == [BargeIn]
    assert (figures.interrupts, figures.barge_ins, figures.judged, figures.reaction.count) == (1, 0, 0, 0)
    assert figures.silence.values == [0.25]
    assert figures.replies == {Outcome.INTERRUPTED: 1}
    assert [turn.turn for turn in call.turns] == [0]


def test_what_is_typed_is_no_false_barge_in_and_has_no_times_of_flux() -> None:
    """ "Yes" that was typed over the agent means it; and no message of Flux is about it."""
    call = MeasuredCall()
    call.feed(0.0, EndOfTurn(0, "Tea", audio_end=1.0), last_word=0.5)
    call.feed(1.0, PlaybackStarted(0))
    call.feed(2.0, Interrupt("Yes."))
    call.feed(2.5, PlaybackStarted(1))
    call.feed(3.0, PlaybackFinished(1))
    call.feed(3.5, EndOfTurn(1, "Milk", audio_end=2.0), last_word=1.5)
    figures = call.close(4.0)
    spoken, typed, next_ = call.turns
    assert (typed.trigger, typed.reply, typed.response_gap) == ("typed", 1, 0.5)
    assert (typed.words_to_commit, typed.news_to_commit, typed.end_to_commit, typed.words_to_sound) == (None,) * 4
    assert (typed.barged_in, typed.reaction, typed.judged, typed.false_barge_in) == (None, None, False, None)
    assert (spoken.words_to_commit, next_.words_to_commit) == (0.5, 0.5)
    assert (figures.interrupts, figures.barge_ins, figures.triggers["typed"], figures.triggers["other"]) == (1, 0, 1, 0)


def test_a_turn_that_the_host_stopped_the_agent_for_is_not_judged() -> None:
    """The user says "mm-hm", the host interrupts: it was not the policy."""
    call = talking(barge_in=MinWords(2))
    call.feed(2.0, StartOfTurn(1, "Mm-hm"))
    call.feed(2.25, Interrupt())
    call.feed(2.5, EndOfTurn(1, "Mm-hm"))
    figures = call.close(3.0)
    assert (call.turns[-1].barged_in, call.turns[-1].judged) == (None, False)
    assert (figures.interrupts, figures.barge_ins, figures.false_barge_ins.total()) == (1, 0, 0)


def test_from_signals_alone_a_typed_turn_is_not_judged() -> None:
    """Without the event, its Commit tells."""
    metrics = Metrics()
    signals = [TurnStarted(0, "yes", 7, at=1.0), BargeIn(0, 7, "yes", "the host interrupted", "Tea", at=1.0)]
    for signal in (*signals, Commit(0, 8, "yes", False, "typed", at=1.0)):
        metrics.take(signal)
    metrics.close()
    assert (metrics.call.judged, metrics.call.false_barge_ins.total()) == (0, 0)


def test_an_echo_is_told_from_what_the_barge_in_says_was_heard() -> None:
    """Also where the reports of the playback are not in the record."""
    metrics = Metrics()
    said = "We have green tea"
    for signal in (TurnStarted(1, said, 0, at=1.0), BargeIn(1, 0, said, "", said, at=1.0)):
        metrics.take(signal)
    metrics.take(Commit(1, 1, said, False, "model", at=2.0))
    assert metrics.call.false_barge_ins == {FalseBargeIn.ECHO: 1}


def test_a_turn_over_a_reply_that_nobody_heard() -> None:
    """Kept, it is a turn that was dropped, and the reply comes after all; there is no barge-in."""
    call = MeasuredCall(barge_in=IgnoreBackchannels())
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(0.5, StartOfTurn(1, "Mm-hm"))
    call.feed(1.0, EndOfTurn(1, "Mm-hm"))
    call.feed(1.5, PlaybackStarted(0))
    call.feed(2.0, PlaybackFinished(0))
    figures = call.close(3.0)
    assert figures.dropped == {DropReason.OVERLAP_KEPT: 1}
    assert (figures.barge_ins, figures.replies) == (0, {Outcome.FINISHED: 1})
    assert figures.response_gap.values == [1.5]
