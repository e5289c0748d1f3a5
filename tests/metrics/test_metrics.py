"""The figures of calls: exact numbers on conversations made by hand, and what holds for every stream."""

from __future__ import annotations

import json
import sys
from collections import Counter
from math import ceil, inf, nan
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnkit import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    HoldThenDecide,
    IgnoreBackchannels,
    Initiate,
    LocalProtocolError,
    MinWords,
    Never,
    Note,
    NoteKind,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    ReplyEnded,
    Resume,
    ResumeReason,
    Signal,
    Speculate,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnDropped,
    TurnMachine,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    Update,
    UserIdle,
    wire,
)
from turnkit.metrics import (
    DURATIONS,
    EXACT,
    CallMetrics,
    FalseBargeIn,
    Metrics,
    Samples,
    TurnMetrics,
    Watch,
    end_of_words,
    measure,
    seconds,
    summary,
)
from turnkit.metrics.collector import _HANDLERS, REMEMBERED
from turnkit.turns.events import SIGNALS


class Call:
    """A machine and the figures of what goes through it; seconds are chosen so that floats hold them exactly."""

    def __init__(self, **settings: Any) -> None:
        self.machine = TurnMachine(**settings)
        self.metrics = Metrics()
        self.signals: list[Signal] = []
        self.turns: list[TurnMetrics] = []

    def feed(self, at: float, event: Event, last_word: float | None = None) -> None:
        self.turns += self.metrics.take(event, at, last_word=last_word)
        self._answered(self.machine.feed(event, at))

    def wake(self, at: float) -> None:
        self._answered(self.machine.wake(at))

    def fact(self, at: float, name: str, **fields: object) -> None:
        self.turns += self.metrics.fact(at, name, fields)

    def close(self, at: float) -> CallMetrics:
        self._answered(self.machine.close(at))
        self.turns += self.metrics.close(at)
        return self.metrics.call

    def _answered(self, signals: tuple[Signal, ...]) -> None:
        self.signals += signals
        for signal in signals:
            self.turns += self.metrics.take(signal)


def exchange(call: Call, at: float = 0.0, index: int = 0, reply: int = 0) -> None:
    """A turn with a draft that is kept, and its reply, heard to its end: 4 s."""
    call.feed(at, StartOfTurn(index, "A table", audio_end=at + 1.0))
    call.feed(at + 0.25, Update(index, "A table for two", audio_end=at + 1.25))
    call.feed(at + 1.0, EagerEndOfTurn(index, "A table for two", 0.5, audio_end=at + 2.0))
    call.fact(at + 1.125, "FirstChunk", reply=reply)
    call.feed(at + 1.5, EndOfTurn(index, "A table for two.", 0.8, audio_end=at + 2.5), last_word=at + 1.1875)
    call.feed(at + 1.75, PlaybackStarted(reply))
    call.feed(at + 3.75, PlaybackFinished(reply))


# One figure at a time ---------------------------------------------------------------------------------------------


def test_every_figure_of_an_ordinary_turn() -> None:
    """Commit, draft and first sound give the turn's figures to the last bit; there was no overlap, so none of that."""
    call = Call()
    exchange(call)
    assert call.turns == [
        TurnMetrics(
            turn=0,
            started_at=0.0,
            ended_at=1.5,
            trigger="",
            words_to_commit=1.3125,
            news_to_commit=1.25,
            end_to_commit=0.0,
            reply=0,
            outcome=Outcome.FINISHED,
            drafts=1,
            lead=0.5,
            first_chunk=0.125,
            saved=0.125,
            response_gap=0.25,
            words_to_sound=1.5625,
        )
    ]


def test_saved_is_bounded_by_the_lead() -> None:
    """A draft that is not ready at the Commit has saved all of its lead, and no more."""
    call = Call()
    call.feed(0.0, EagerEndOfTurn(0, "Tea"))
    call.feed(0.25, EndOfTurn(0, "Tea"))
    call.fact(0.75, "FirstChunk", reply=0)
    call.feed(1.0, PlaybackStarted(0))
    call.feed(2.0, PlaybackFinished(0))
    (turn,) = call.turns
    assert (turn.lead, turn.first_chunk, turn.saved, turn.response_gap) == (0.25, 0.75, 0.25, 0.75)


def test_nothing_is_saved_by_what_is_not_known_to_be_ready_or_heard() -> None:
    """Without FirstChunk, without a sound, or without a draft there is no saving: None, and not 0."""
    unreported, unheard, fresh = Call(), Call(), Call()
    unreported.feed(0.0, EagerEndOfTurn(0, "Tea"))
    unreported.feed(0.25, EndOfTurn(0, "Tea"))
    unreported.feed(1.0, PlaybackStarted(0))
    unheard.feed(0.0, EagerEndOfTurn(0, "Tea"))
    unheard.fact(0.125, "FirstChunk", reply=0)
    unheard.feed(0.25, EndOfTurn(0, "Tea"))
    unheard.feed(1.0, PlaybackFinished(0))
    fresh.feed(0.0, EndOfTurn(0, "Tea"))
    fresh.fact(0.125, "FirstChunk", reply=0)
    fresh.feed(1.0, PlaybackStarted(0))
    for call, known in ((unreported, "lead"), (unheard, "lead"), (fresh, "first_chunk")):
        figures = call.close(2.0)
        assert figures.saved.count == 0
        assert figures.saved.median is None
        assert getattr(figures, known).count == 1


def test_no_playback_no_gap() -> None:
    """A call whose host reports no playback has no response gap, and says so."""
    call = Call()
    call.feed(0.0, StartOfTurn(0, "Tea"))
    call.feed(1.0, EndOfTurn(0, "Tea", audio_end=2.0), last_word=1.5)
    figures = call.close(9.0)
    (turn,) = call.turns
    assert (turn.words_to_commit, turn.response_gap, turn.words_to_sound) == (0.5, None, None)
    assert dict(figures.rows())["response gap"] == "–"


def test_a_reply_that_says_nothing_has_no_gap() -> None:
    """PlaybackFinished without a sound before it ends the reply, and is not its first sound."""
    call = Call()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(1.0, PlaybackFinished(0))
    assert [(turn.outcome, turn.response_gap) for turn in call.turns] == [(Outcome.FINISHED, None)]


def test_advanced_playback_is_a_first_sound() -> None:
    """Where only PlaybackAdvanced is reported, the first of them counts."""
    call = Call()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(0.5, PlaybackAdvanced(0, "Here"))
    call.feed(0.75, PlaybackAdvanced(0, "Here you are"))
    call.close(1.0)
    assert call.turns[0].response_gap == 0.5


def test_early_playback_of_a_draft_is_no_sound() -> None:
    """What is reported of a draft before its Commit is a mistake of the host's, and measures nothing."""
    call = Call()
    call.feed(0.0, EagerEndOfTurn(0, "Tea"))
    call.feed(0.125, PlaybackStarted(0))
    call.feed(0.25, EndOfTurn(0, "Tea"))
    call.feed(1.0, PlaybackStarted(0))
    figures = call.close(2.0)
    assert call.turns[0].response_gap == 0.75
    assert figures.notes == {NoteKind.EARLY_PLAYBACK: 1, NoteKind.MISSING_START: 1}


def test_late_playback_of_a_cancelled_reply_is_no_sound() -> None:
    """A player that reports a sound of a reply which was cancelled before it was heard does not make a gap of it."""
    call = Call()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(0.5, StartOfTurn(1, "No"))
    call.feed(0.75, PlaybackStarted(0))
    figures = call.close(2.0)
    assert (figures.response_gap.count, figures.replies) == (0, {Outcome.CANCELLED: 1})


def test_words_that_came_with_the_end_leave_no_lower_bound() -> None:
    """If EndOfTurn brings new words, how long ago they ended is known from word times or not at all."""
    call = Call()
    call.feed(0.0, StartOfTurn(0, "Tea", audio_end=1.0))
    call.feed(1.0, EndOfTurn(0, "Tea, please", audio_end=2.0))
    call.close(2.0)
    assert (call.turns[0].words_to_commit, call.turns[0].news_to_commit) == (None, None)


def test_punctuation_is_no_new_word() -> None:
    """A full stop that comes with the end does not make its words new."""
    call = Call()
    call.feed(0.0, StartOfTurn(0, "Tea", audio_end=1.0))
    call.feed(1.0, EndOfTurn(0, "Tea.", audio_end=2.0))
    call.close(2.0)
    assert call.turns[0].news_to_commit == 1.0


def test_word_times_go_stale_with_new_words() -> None:
    """The end of a word that was the last one is not that of the words that came after it."""
    call = Call(stall_timeout=1.0, stall_grace=1.0)
    call.feed(0.0, EagerEndOfTurn(0, "Tea", audio_end=2.0), last_word=1.5)
    call.feed(0.25, TurnResumed(0, "Tea with", audio_end=2.25))
    call.wake(1.25)
    call.wake(2.25)
    figures = call.close(9.0)
    (turn,) = call.turns
    assert (turn.trigger, turn.words_to_commit, turn.end_to_commit, turn.stalled) == ("stalled", None, None, True)
    assert (figures.stalls, figures.drafts, figures.wasted) == (1, 1, {CancelReason.RESUMED: 1})


def test_a_stalled_turn_is_measured_from_its_last_message() -> None:
    """Without EndOfTurn, audio time runs to the end of the last message and engine time from its arrival."""
    call = Call(stall_timeout=1.0, stall_grace=1.0)
    call.feed(0.0, StartOfTurn(0, "Tea", audio_end=2.0), last_word=1.5)
    call.feed(0.5, Update(0, "Tea", audio_end=2.5))
    call.wake(1.0)
    call.wake(2.0)
    call.close(9.0)
    assert (call.turns[0].words_to_commit, call.turns[0].news_to_commit) == (2.5, 2.0)


def test_events_without_audio_time_give_no_audio_figures() -> None:
    """An `audio_end` of 0 is none; the engine's own figures do not need it."""
    call = Call()
    call.feed(0.0, StartOfTurn(0, "Tea"))
    call.feed(1.0, EndOfTurn(0, "Tea"), last_word=0.5)
    call.close(2.0)
    turn = call.turns[0]
    assert (turn.words_to_commit, turn.news_to_commit, turn.end_to_commit) == (None, None, 0.0)


def test_a_word_that_ends_with_the_audio() -> None:
    """Flux's times are float32: a word may seem to end a hair after the audio, but never commits before its end."""
    call = Call()
    call.feed(0.0, EndOfTurn(0, "Tea", audio_end=1.68), last_word=1.6800000667572021)
    call.close(1.0)
    assert call.turns[0].words_to_commit == 0.0


def test_a_deferred_turn_waits_in_engine_time() -> None:
    """A turn that is answered after the agent has finished has waited since its EndOfTurn."""
    call = Call(barge_in=Never())
    exchange(call)
    call.feed(4.0, EndOfTurn(1, "Anything", audio_end=1.0))
    call.feed(4.25, PlaybackStarted(1))
    call.feed(5.0, StartOfTurn(2, "And a chair", audio_end=6.0))
    call.feed(6.0, EndOfTurn(2, "And a chair", audio_end=7.0), last_word=6.25)
    call.feed(8.0, PlaybackFinished(1))
    call.feed(8.5, PlaybackStarted(2))
    call.close(9.0)
    turn = call.turns[-1]
    assert (turn.turn, turn.end_to_commit, turn.words_to_commit) == (2, 2.0, 2.75)
    assert (turn.response_gap, turn.words_to_sound) == (0.5, 3.25)
    assert turn.barged_in is None


def test_a_lost_stream_parts_what_has_the_same_index() -> None:
    """Flux counts from 0 again after a loss: messages of the new turn 0 say nothing about the suspended one."""
    call = Call(lost_turn_grace=2.0)
    call.feed(0.0, StartOfTurn(0, "Tea", audio_end=1.0), last_word=0.75)
    call.feed(1.0, StreamLost("gone"))
    call.feed(2.5, Update(0, "", audio_end=0.25))
    call.wake(3.0)
    figures = call.close(4.0)
    (turn,) = call.turns
    assert (turn.trigger, turn.words_to_commit) == ("stream_lost", 3.25)
    assert (figures.stream_losses, figures.offline.values) == (1, [1.5])


@pytest.mark.parametrize(
    ("back", "offline"),
    [((3.0, StreamRestored()), 2.0), ((3.5, StartOfTurn(0, "Hm")), 2.5), (None, 7.0)],
    ids=["restored", "turn event", "never"],
)
def test_seconds_without_a_stream(back: tuple[float, Event] | None, offline: float) -> None:
    """An outage ends with StreamRestored, any turn event, or the call; a second loss in it is the same outage."""
    call = Call()
    call.feed(1.0, StreamLost("gone"))
    call.feed(2.0, StreamLost("still gone"))
    if back is not None:
        call.feed(*back)
    figures = call.close(8.0)
    assert (figures.stream_losses, figures.offline.values) == (1, [offline])


# Overlaps ---------------------------------------------------------------------------------------------------------


def talking(**settings: Any) -> Call:
    """A call in which reply 0 is being heard, since 1.0."""
    call = Call(**settings)
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(1.0, PlaybackStarted(0))
    call.feed(1.5, PlaybackAdvanced(0, "We have green tea and black tea"))
    return call


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
    call = Call()
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


# Drafts, tokens, replies ------------------------------------------------------------------------------------------


def test_drafts_kept_and_wasted() -> None:
    """Each draft is kept or wasted, with the reason of its Cancel; tokens of wasted ones are wasted, also late ones."""
    call = Call()
    call.feed(0.0, StartOfTurn(0, "Tea"))
    call.feed(0.25, EagerEndOfTurn(0, "Tea"))
    call.fact(0.375, "TokensUsed", reply=0, tokens=100)
    call.feed(0.5, TurnResumed(0, "Tea"))
    call.fact(0.625, "TokensUsed", reply=0, tokens=20)
    call.feed(1.0, EagerEndOfTurn(0, "Tea for two"))
    call.feed(1.25, DraftDiscarded(1, "failed"))
    call.feed(1.5, EndOfTurn(0, "Tea for two"))
    call.fact(2.0, "TokensUsed", reply=2, tokens=50)
    call.feed(3.0, EagerEndOfTurn(1, "Sugar"))
    call.feed(3.25, EndOfTurn(1, "Sugar"))
    call.feed(3.5, EagerEndOfTurn(2, "Milk"))
    figures = call.metrics.call
    assert (figures.drafts, figures.kept, figures.open_drafts) == (4, 1, 1)
    assert figures.wasted == {CancelReason.RESUMED: 1, CancelReason.FAILED: 1}
    assert figures.hit_rate == 1 / 3
    assert (figures.token_reports, figures.tokens, figures.wasted_tokens) == (3, 170, 120)
    first = call.turns[0]
    assert (first.drafts, first.wasted, first.lead, first.tokens, first.wasted_tokens) == (2, 2, None, 170, 120)
    call.close(4.0)
    assert [turn.tokens for turn in call.turns] == [170, None, None]


def test_a_wasted_draft_is_never_ready() -> None:
    """What a cancelled draft still says does not count as the bot's time to a first chunk."""
    call = Call()
    call.feed(0.0, EagerEndOfTurn(0, "Tea"))
    call.feed(0.25, TurnResumed(0, "Tea"))
    call.fact(0.5, "FirstChunk", reply=0)
    call.feed(1.0, EndOfTurn(0, "Tea for two"))
    call.fact(1.5, "FirstChunk", reply=1)
    call.fact(1.75, "FirstChunk", reply=1)
    figures = call.close(2.0)
    assert figures.first_chunk.values == [0.5]


def test_no_drafts_no_rate() -> None:
    """Where nothing was drafted there is no hit rate; where no tokens were reported there are none, not 0."""
    call = Call()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    figures = call.close(1.0)
    assert (figures.hit_rate, figures.figures()["tokens"], figures.figures()["wasted_tokens"]) == (None, None, None)
    assert dict(figures.rows())["tokens"] == "–"


@pytest.mark.parametrize("tokens", [-1, 1.5, True, "9", None])
def test_tokens_that_are_no_number_count_for_nothing(tokens: object) -> None:
    """A host may have facts of its own under any name: what does not fit is passed over."""
    metrics = Metrics()
    metrics.take(Speculate(0, 0, "Tea", 0.5, at=0.0))
    metrics.fact(0.5, "TokensUsed", {"reply": 0, "tokens": tokens})
    metrics.fact(0.5, "FirstChunk", {"answer": 0})
    metrics.fact(0.5, "FirstChunk", {"reply": [0]})
    metrics.fact(0.5, "WeatherChanged", {"reply": 0})
    assert (metrics.call.token_reports, metrics.call.first_chunk.count) == (0, 0)


def test_how_replies_end() -> None:
    """Committed replies end finished, interrupted, cancelled or failed; the session's word counts if it is first."""
    call = Call()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(1.0, StartOfTurn(1, "No"))  # before anything was heard
    call.feed(1.5, EndOfTurn(1, "No, coffee"))
    call.feed(2.0, PlaybackStarted(1))
    call.turns += call.metrics.take(ReplyEnded(1, 1, Outcome.FAILED, "", at=3.0))
    call.feed(3.0, PlaybackFinished(1))
    call.feed(4.0, Initiate())
    call.feed(4.25, PlaybackStarted(2))
    call.feed(4.5, Initiate())  # refused
    call.feed(5.0, StartOfTurn(2, "What"))
    figures = call.close(6.0)
    assert figures.replies == {Outcome.CANCELLED: 1, Outcome.FAILED: 1, Outcome.INTERRUPTED: 1}
    assert (figures.initiated, figures.refused, figures.committed) == (1, 1, 2)
    assert [turn.outcome for turn in call.turns] == [Outcome.CANCELLED, Outcome.FAILED, None]
    assert figures.response_gap.values == [0.5]  # what is said unasked responds to nothing


def test_triggers_are_bounded() -> None:
    """Triggers that nobody knows are counted together, because Flux may send anything."""
    call = Call()
    for index, trigger in enumerate(("model", "timeout", "model", "moonlight", "sunshine")):
        call.feed(float(index), EndOfTurn(index, "Tea", trigger=trigger))
    figures = call.close(9.0)
    assert figures.triggers == {"model": 2, "timeout": 1, "other": 2}
    assert call.turns[3].trigger == "moonlight"


def test_idle_and_notes() -> None:
    """UserIdle and every kind of Note are counted."""
    call = Call(idle_timeout=1.0)
    call.wake(0.0)
    call.wake(1.0)
    call.wake(2.0)
    call.feed(2.5, TurnResumed(0, ""))
    figures = call.close(3.0)
    assert (figures.idles, figures.notes) == (2, {NoteKind.STRAY_RESUME: 1})


# What is taken ----------------------------------------------------------------------------------------------------


def test_signals_alone_are_enough() -> None:
    """Signals without their events give the figures between signals; what needs an event is None."""
    call = Call()
    exchange(call)
    metrics = Metrics()
    for signal in call.signals:
        metrics.take(signal)
    metrics.take(ReplyEnded(0, 0, Outcome.FINISHED, "", at=3.75))
    alone, full = metrics.call, call.close(4.0)
    assert (alone.turns, alone.committed, alone.kept) == (full.turns, full.committed, full.kept)
    assert (alone.lead, alone.replies) == (full.lead, full.replies)
    assert (alone.response_gap.count, alone.words_to_commit.count, alone.saved.count) == (0, 0, 0)


def test_a_record_that_begins_in_the_middle() -> None:
    """Turns and replies that began before the record did are counted, without what is not known of them."""
    metrics = Metrics()
    turns = [
        *metrics.take(Commit(7, 9, "Tea", True, "model", at=1.0)),
        *metrics.take(PlaybackStarted(9), 1.5),
        *metrics.take(PlaybackFinished(9), 2.0),
        *metrics.take(Cancel(8, 11, CancelReason.RESUMED, at=2.5)),
        *metrics.take(BargeIn(9, 8, "No", at=3.0)),
    ]
    assert turns == [
        TurnMetrics(
            turn=7, ended_at=1.0, trigger="model", reply=9, outcome=Outcome.FINISHED, response_gap=0.5, started_at=None
        )
    ]
    call = metrics.call
    assert (call.turns, call.committed, call.open_turns, call.drafts, call.kept) == (2, 1, 1, 0, 0)
    assert (call.barge_ins, call.reaction.count) == (1, 0)


def test_a_turn_ends_once() -> None:
    """In a damaged record a turn that has ended does not end again, whatever the record says."""
    metrics = Metrics()
    for item in (
        TurnStarted(0, "Tea", at=0.0),
        Commit(0, 0, "Tea", False, "model", at=1.0),
        Commit(0, 1, "Tea", False, "model", at=2.0),
        TurnDropped(0, "Tea", DropReason.EMPTY, at=3.0),
    ):
        assert metrics.take(item) == ()
    call = metrics.call
    assert (call.turns, call.committed, call.dropped.total(), call.open_turns) == (1, 1, 0, 0)
    assert metrics.close() == (TurnMetrics(turn=0, started_at=0.0, ended_at=1.0, trigger="model", reply=0),)


@pytest.mark.parametrize("at", [None, nan, inf, "1"])
def test_events_need_a_time(at: Any) -> None:
    """An event without a time that is one is the caller's mistake, and changes nothing."""
    metrics = Metrics()
    with pytest.raises(LocalProtocolError, match=r"StreamLost at=.*finite number of monotonic seconds"):
        metrics.take(StreamLost(), at)
    assert metrics.call == CallMetrics(calls=1)


@pytest.mark.parametrize("item", [None, "StartOfTurn", {"event": "Update"}, 5, TurnMachine])
def test_what_is_no_item_is_refused(item: object) -> None:
    """Anything that is neither event, signal nor record is refused, naming its type and not its contents."""
    with pytest.raises(LocalProtocolError, match=f"^{type(item).__name__}: must be an event"):
        Metrics().take(item, 0.0)


def test_time_stands_still_rather_than_go_back() -> None:
    """A clock that goes back makes no negative durations."""
    metrics = Metrics()
    metrics.take(Speculate(0, 0, "Tea", 0.5, at=5.0))
    metrics.take(Commit(0, 0, "Tea", True, "", at=4.0))
    assert metrics.call.lead.values == [0.0]


def test_closing_twice_hands_out_once() -> None:
    """An open turn is handed out at the first close; a late report still counts."""
    metrics = Metrics()
    metrics.take(TurnStarted(0, "Tea", at=1.0))
    assert metrics.close(2.0) == (TurnMetrics(turn=0, started_at=1.0),)
    assert metrics.close(3.0) == ()
    metrics.fact(3.0, "TokensUsed", {"tokens": 5})
    assert (metrics.call.open_turns, metrics.call.tokens, metrics.call.duration.values) == (1, 5, [2.0])


def test_the_call_is_a_copy() -> None:
    """Figures that were asked for do not change any more."""
    call = Call()
    exchange(call)
    before = call.metrics.call
    kept = msgspec.json.encode(before.figures())
    exchange(call, 5.0, 1, 1)
    assert msgspec.json.encode(before.figures()) == kept
    assert call.metrics.call.turns == 2


def test_memory_is_bounded() -> None:
    """A long call, and one whose record is damaged so that nothing ever ends, leave few things remembered."""
    call = Call()
    for index in range(500):
        exchange(call, index * 4.0, index, index)
    metrics = call.metrics
    assert len(call.turns) == 500
    assert (len(metrics._turns), len(metrics._replies)) == (0, REMEMBERED)
    damaged = Metrics()
    handed = [turn for n in range(500) for turn in damaged.take(TurnStarted(n, "Tea", at=float(n)))]
    for n in range(500):
        damaged.take(Speculate(0, n, "Tea", 0.5, at=500.0))
    assert len(damaged._turns) == len(damaged._replies) == REMEMBERED
    assert [turn.turn for turn in handed] == list(range(500 - REMEMBERED))
    assert sum(sys.getsizeof(samples.values) for samples in (metrics.call.lead, metrics.call.saved)) < 20_000


# A recorded trace -------------------------------------------------------------------------------------------------


class Fed(msgspec.Struct):
    """As a trace records an event."""

    at: float
    event: Event
    words: tuple[wire.Word, ...] = ()


class Fact(msgspec.Struct):
    """As a trace records what the machine is not told."""

    at: float
    name: str
    fields: dict[str, object]


class Woken(msgspec.Struct):
    """As a trace records that time passed."""

    at: float


def test_a_recorded_call_has_the_figures_of_the_live_one() -> None:
    """Records of a trace are taken as they are, word times, facts and wakes among them."""
    live = Call()
    exchange(live)
    live.wake(6.0)
    figures = live.close(6.0)
    machine = TurnMachine()
    words = (wire.Word("A", 0.9, 0.25, 0.5), wire.Word("two.", 0.9, 1.0, 1.1875))
    fed: list[tuple[float, Event]] = [
        (0.0, StartOfTurn(0, "A table", audio_end=1.0)),
        (0.25, Update(0, "A table for two", audio_end=1.25)),
        (1.0, EagerEndOfTurn(0, "A table for two", 0.5, audio_end=2.0)),
        (1.5, EndOfTurn(0, "A table for two.", 0.8, audio_end=2.5)),
        (1.75, PlaybackStarted(0)),
        (3.75, PlaybackFinished(0)),
    ]
    records: list[object] = []
    for at, event in fed:
        if at == 1.5:
            records.append(Fact(1.125, "FirstChunk", {"reply": 0}))
        records += [Fed(at, event, words if at == 1.5 else ()), *machine.feed(event, at)]
    assert measure([*records, Woken(6.0)]) == (figures, live.turns)


def test_the_recorded_session(preamble: Path) -> None:
    """One real Flux session through the machine: its one turn was final 1.2 s of audio after its last word."""
    machine, metrics = TurnMachine(stall_timeout=60.0), Metrics()
    turns: list[TurnMetrics] = []
    for line in preamble.read_bytes().splitlines():
        message = wire.decode(line)
        event = wire.to_event(message)
        if event is not None and isinstance(message, wire.TurnInfo):
            turns += metrics.take(event, event.audio_end, last_word=end_of_words(message.words))
            for signal in machine.feed(event, event.audio_end):
                turns += metrics.take(signal)
    turns += metrics.close()
    (turn,) = [turn for turn in turns if turn.trigger is not None]
    ends = [
        message
        for message in map(wire.decode, preamble.read_bytes().splitlines())
        if getattr(message, "event", "") == "EndOfTurn"
    ]
    (end,) = ends
    assert isinstance(end, wire.TurnInfo)
    assert turn.words_to_commit == end.audio_window_end - max(word.end or 0.0 for word in end.words)
    assert turn.lead == pytest.approx(0.16, abs=1e-5)
    assert turn.response_gap is None


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ((), None),
        (None, None),
        ("words", None),
        ((wire.Word("a"),), None),
        ((wire.Word("a", 0.9, 0.0, 0.5), wire.Word("b")), None),
        ((wire.Word("a", 0.9, 0.0, 0.75), wire.Word("b", 0.9, 0.5, 0.5)), 0.75),
        ((wire.Word("a"), wire.Word("b", 0.9, 0.5, 0.5)), 0.5),
    ],
)
def test_end_of_words(words: object, end: float | None) -> None:
    """The last word's end, or that of a neighbour that Flux lets overlap it; none without times."""
    assert end_of_words(words) == end


# Watching a session -----------------------------------------------------------------------------------------------


def test_a_watch_measures_what_it_is_told() -> None:
    """Word times are read, turns handed to `on_turn` as they are over, the call to `on_call` at the end."""
    live = Call()
    exchange(live)
    turns: list[TurnMetrics] = []
    calls: list[CallMetrics] = []
    watch, machine = Watch(turns.append, calls.append), TurnMachine()

    def feed(at: float, event: Event, message: wire.TurnInfo | None = None) -> None:
        watch.fed(at, event, machine.feed(event, at), message)

    watch.woken(0.0, machine.wake(0.0))
    feed(0.0, StartOfTurn(0, "A table", audio_end=1.0))
    feed(0.25, Update(0, "A table for two", audio_end=1.25))
    feed(1.0, EagerEndOfTurn(0, "A table for two", 0.5, audio_end=2.0))
    watch.fact(1.125, "FirstChunk", reply=0)
    words = msgspec.Raw(b'[{"word": "two.", "confidence": 0.9, "start": 1.0, "end": 1.1875}]')
    message = wire.TurnInfo("EndOfTurn", 0, raw_words=words)
    feed(1.5, EndOfTurn(0, "A table for two.", 0.8, audio_end=2.5), message)
    feed(1.75, PlaybackStarted(0))
    watch.told(ReplyEnded(0, 0, Outcome.FINISHED, "", at=3.75))
    assert turns == live.turns
    feed(3.75, PlaybackFinished(0))
    watch.closed(5.0, machine.close(5.0))
    watch.end()
    assert calls[0].duration.values == [5.0]
    assert turns == live.turns
    assert [call.turns for call in calls] == [1]
    assert calls[0].response_gap.values == [0.25]


def test_a_callback_that_raises_costs_no_figure() -> None:
    """What `on_turn` raises gets to whoever tells; all that had happened by then is measured, and told of later."""
    told: list[int] = []

    def on_turn(turn: TurnMetrics) -> None:
        told.append(turn.turn)
        raise RuntimeError("no disk")

    calls: list[CallMetrics] = []
    watch, machine = Watch(on_turn, calls.append), TurnMachine()
    watch.fed(0.0, EndOfTurn(0, "Tea"), machine.feed(EndOfTurn(0, "Tea"), 0.0))
    with pytest.raises(RuntimeError, match="no disk"):
        watch.fed(1.0, StartOfTurn(1, "No"), machine.feed(StartOfTurn(1, "No"), 1.0))
    with pytest.raises(RuntimeError, match="no disk"):
        watch.closed(2.0, machine.close(2.0))
    watch.end()
    assert told == [0, 1]
    assert (calls[0].turns, calls[0].committed, calls[0].dropped) == (2, 1, {DropReason.CLOSED: 1})


# Many values ------------------------------------------------------------------------------------------------------


def test_quantiles_are_values_that_were_measured() -> None:
    """The least value that so many do not exceed: no means, nothing made up."""
    samples = Samples()
    assert (samples.median, samples.p95, samples.total, samples.quantile(0.0)) == (None, None, None, None)
    for value in (0.5, 0.1, 0.4, 0.2):
        samples.add(value)
    assert (samples.quantile(0.0), samples.median, samples.p95, samples.quantile(1.0)) == (0.1, 0.2, 0.5, 0.5)
    assert (samples.least, samples.greatest, samples.count, samples.total) == (0.1, 0.5, 4, 1.2)
    twenty = Samples()
    for value in range(1, 21):
        twenty.add(float(value))
    assert (twenty.median, twenty.p95) == (10.0, 19.0)


@pytest.mark.parametrize("value", [-0.1, nan, inf, -inf])
def test_what_is_no_duration_is_refused(value: float) -> None:
    """A negative or endless duration is a mistake, and changes nothing."""
    samples = Samples()
    with pytest.raises(LocalProtocolError, match="0 or more"):
        samples.add(value)
    with pytest.raises(LocalProtocolError, match="from 0 to 1"):
        samples.quantile(2.0)
    assert samples == Samples()


def test_many_values_are_within_a_hundredth() -> None:
    """Beyond what is kept, quantiles are 1 % off at most; number, total and extremes are exact; memory stays small."""
    samples, values = Samples(), []
    for number in range(20 * EXACT):
        value = 0.05 + (number * 7919 % 20_011) / 10_000
        values.append(value)
        samples.add(value)
    values.sort()
    for share in (0.0, 0.01, 0.25, 0.5, 0.95, 0.999, 1.0):
        exact = values[max(1, ceil(share * len(values) - 1e-9)) - 1]
        assert samples.quantile(share) == pytest.approx(exact, rel=0.0101)
    assert (samples.count, samples.least, samples.greatest) == (len(values), values[0], values[-1])
    assert samples.total == pytest.approx(sum(values))
    assert samples.values == []
    assert len(samples.buckets) < 250


durations = st.lists(st.floats(0.0, 1e6) | st.sampled_from([0.0, 1e-9, 0.2]), max_size=30)


def sampled(values: list[float], times: int) -> Samples:
    samples = Samples()
    for _ in range(times):
        for value in values:
            samples.add(value)
    return samples


@settings(max_examples=60, deadline=None)
@given(st.tuples(durations, durations, durations), st.sampled_from([1, 20, 40]))
def test_samples_add_up_in_any_order(three: tuple[list[float], list[float], list[float]], times: int) -> None:
    """`+` is associative and commutative to the last bit, and the same as taking all values one by one."""
    a, b, c = (sampled(values, times) for values in three)
    assert (a + b) + c == a + (b + c) == (c + a) + b
    every = sampled([value for values in three for value in values], times)
    assert a + b + c == every
    assert every.count == 0 or every.quantile(0.5) is not None


# Every stream -----------------------------------------------------------------------------------------------------

texts = st.sampled_from(["", "mm-hm", "tea", "Tea.", "tea for two", "stop that"])
replies = st.integers(0, 6)
spans = st.sampled_from([0.0, 0.125, 0.25, 1.0, 3.0, 12.0])
turn_events = st.builds(
    lambda kind, index, text, audio: kind(index, text, 0.5, audio),
    st.sampled_from([StartOfTurn, Update, EagerEndOfTurn, TurnResumed, EndOfTurn]),
    st.integers(0, 4),
    texts,
    st.sampled_from([0.0, 0.5, 1.0, 2.0]),
)
events: st.SearchStrategy[Event] = st.one_of(
    turn_events,
    turn_events,
    st.builds(PlaybackStarted, replies),
    st.builds(PlaybackAdvanced, replies, texts),
    st.builds(PlaybackFinished, replies),
    st.builds(Initiate, st.booleans()),
    st.builds(Protect, replies, st.booleans()),
    st.builds(DraftDiscarded, replies, st.sampled_from(["failed", "context_changed"])),
    st.sampled_from([StreamLost(), StreamRestored()]),
)
facts = st.tuples(st.sampled_from(["FirstChunk", "TokensUsed", "Rain"]), replies, st.integers(-1, 9))


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.tuples(spans, events | facts), max_size=60),
    st.sampled_from([None, MinWords(2), HoldThenDecide(IgnoreBackchannels()), Never()]),
)
def test_counts_agree_with_the_signals(steps: list[tuple[float, Any]], barge_in: Any) -> None:
    """For every ordering of events: counts are those of the signals, every turn is handed out once, nothing is left."""
    call = Call(idle_timeout=5.0, **({} if barge_in is None else {"barge_in": barge_in}))
    at = 0.0
    for span, step in steps:
        at += span
        if isinstance(step, tuple):
            call.fact(at, step[0], reply=step[1], tokens=step[2])
        else:
            call.feed(at, step, last_word=0.25)
    in_between = call.metrics.call
    assert in_between.open_turns == len([turn for turn in call.metrics._turns.values() if turn.ended_at is None])
    figures = call.close(at)
    kinds = Counter(map(type, call.signals))
    commits = [signal for signal in call.signals if isinstance(signal, Commit)]
    drafts = {signal.reply for signal in call.signals if isinstance(signal, Speculate)}
    wasted = [signal for signal in call.signals if isinstance(signal, Cancel) and signal.reply in drafts]
    kept = [signal.reply for signal in commits if signal.speculative]
    assert figures.turns == kinds[TurnStarted] == figures.committed + figures.dropped.total()
    assert figures.committed == len([signal for signal in commits if signal.turn is not None])
    assert figures.committed == figures.triggers.total()
    assert figures.initiated == len(commits) - figures.committed
    assert figures.dropped.total() == kinds[TurnDropped]
    assert (figures.drafts, figures.kept) == (len(drafts), len(kept))
    assert figures.wasted.total() == len([signal for signal in wasted if signal.reply not in kept])
    assert figures.open_drafts == figures.open_turns == 0
    assert figures.lead.count == figures.kept
    assert figures.saved.count <= figures.kept
    assert figures.barge_ins == kinds[BargeIn] == figures.reaction.count
    assert figures.false_barge_ins.total() <= figures.judged <= figures.barge_ins
    assert (figures.stalls, figures.idles, figures.notes.total()) == (
        kinds[TurnStalled],
        kinds[UserIdle],
        kinds[Note],
    )
    assert figures.resumes.total() == kinds[Resume] <= figures.holds == figures.held.count
    assert figures.replies.total() <= len(commits)
    assert sorted(turn.turn for turn in call.turns) == list(range(figures.turns))
    assert sum(turn.drafts for turn in call.turns) == figures.drafts
    assert sum(turn.wasted for turn in call.turns) == figures.wasted.total()
    for name in DURATIONS:
        if name not in ("held", "released", "first_chunk"):
            assert (
                sorted(getattr(turn, name) for turn in call.turns if getattr(turn, name) is not None)
                == getattr(figures, name).values
            )
    assert figures.wasted_tokens <= figures.tokens
    assert len(figures.rows()) == len(CallMetrics().rows())
    json.dumps(figures.figures(), allow_nan=False)


signals: st.SearchStrategy[object] = st.one_of(
    *(
        st.builds(kind, at=st.floats(-10, 100))
        if kind is not Commit
        else st.builds(
            Commit,
            turn=st.none() | st.integers(0, 3),
            reply=replies,
            transcript=texts,
            speculative=st.booleans(),
            trigger=st.sampled_from(["", "model", "odd"]),
            at=st.floats(-10, 100),
        )
        for kind in (*SIGNALS, ReplyEnded)
    )
)


@settings(max_examples=200, deadline=None)
@given(st.lists(signals | events, max_size=60))
def test_no_stream_is_impossible(items: list[object]) -> None:
    """Damaged records, signals that no machine gives in that order, clocks that jump: no exception, counts add up."""
    metrics = Metrics()
    turns: list[TurnMetrics] = []
    for item in items:
        turns += metrics.take(item, None if hasattr(item, "at") else 1.0)
    turns += metrics.close()
    call = metrics.call
    assert call.turns == call.committed + call.dropped.total() + call.open_turns == len(turns)
    assert call.drafts == call.kept + call.wasted.total() + call.open_drafts
    assert min(call.open_turns, call.open_drafts, call.barge_ins - call.judged) >= 0
    assert all(getattr(turn, name) is None or getattr(turn, name) >= 0 for turn in turns for name in DURATIONS)
    call.rows()


def counted(turns: int, drafts: int, gaps: list[float]) -> CallMetrics:
    call = CallMetrics(calls=1, turns=turns, drafts=drafts)
    call.wasted[CancelReason.RESUMED] = drafts
    for gap in gaps:
        call.response_gap.add(gap)
    return call


some_calls = st.builds(counted, st.integers(0, 9), st.integers(0, 9), durations)


@settings(max_examples=60, deadline=None)
@given(some_calls, some_calls, some_calls)
def test_calls_add_up_in_any_order(a: CallMetrics, b: CallMetrics, c: CallMetrics) -> None:
    """Calls put together in whatever order, or all at once, give the same, and are not changed by it."""
    before = msgspec.json.encode(a.figures())
    assert (a + b) + c == a + (b + c) == summary([c, a, b])
    assert msgspec.json.encode(a.figures()) == before
    assert summary([]) == CallMetrics()


def test_a_summary_of_calls() -> None:
    """Median and 95th percentile are those of all turns of all calls."""
    calls = []
    for _ in range(3):
        call = Call()
        exchange(call)
        exchange(call, 5.0, 1, 1)
        calls.append(call.close(10.0))
    together = summary(calls)
    assert (together.calls, together.turns, together.kept, together.hit_rate) == (3, 6, 6, 1.0)
    assert together.response_gap.values == [0.25] * 6
    assert together.duration.total == 30.0


# For people -------------------------------------------------------------------------------------------------------


def test_rows_of_a_call() -> None:
    """Every row of a call in which something of everything happened, in order."""
    call = talking(barge_in=HoldThenDecide(IgnoreBackchannels()), idle_timeout=60.0)
    call.feed(2.0, StartOfTurn(1, "Mm-hm"))
    call.feed(2.5, EndOfTurn(1, "Mm-hm"))
    call.feed(3.0, PlaybackFinished(0))
    exchange(call, 4.0, 2, 1)
    call.fact(8.0, "TokensUsed", reply=1, tokens=1200)
    call.feed(8.0, StreamLost())
    call.feed(10.5, StreamRestored())
    figures = call.close(128.0)
    assert figures.rows() == [
        ("calls", "1, 2 min 08 s"),
        ("turns", "3: 2 committed, 1 dropped (1 overlap kept)"),
        ("replies", "2: 2 finished"),
        ("last word to commit", "1.31 s median, 1.31 s p95, 1 turn"),
        ("last new words to commit", "≥ 1.25 s median, 1.25 s p95, 1 turn"),
        ("response gap", "250 ms median, 1.00 s p95, 2 turns"),
        ("last word to first sound", "1.56 s median, 1.56 s p95, 1 turn"),
        ("time to first chunk", "125 ms median, 125 ms p95, 1 reply"),
        ("drafts", "1: 1 kept, hit rate 100 %"),
        ("eager lead", "500 ms median, 500 ms p95, 1 draft"),
        ("saved by drafts", "125 ms median, 125 ms p95, 1 draft, 125 ms in all"),
        ("tokens", "1,200, 0 of them wasted"),
        ("barge-ins", "0"),
        ("start of turn to barge-in", "–"),
        ("barge-in to silence", "–"),
        ("holds", "1: 1 resumed (1 backchannel), 500 ms in all"),
        ("stalls", "0"),
        ("stream losses", "1, 2.50 s without a stream"),
        ("user idle", "never"),
        ("surprises", "1: 1 missing start"),
    ]


def test_rows_of_nothing() -> None:
    """Where nothing was measured there is a dash, never a number."""
    rows = dict(CallMetrics().rows())
    dashes = {label for label, text in rows.items() if text == "–"}
    assert dashes == {
        "last word to commit",
        "last new words to commit",
        "response gap",
        "last word to first sound",
        "time to first chunk",
        "eager lead",
        "saved by drafts",
        "tokens",
        "start of turn to barge-in",
        "barge-in to silence",
    }
    assert rows["turns"] == rows["drafts"] == "0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0 ms"),
        (0.2124, "212 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (9.99, "9.99 s"),
        (9.999, "10.0 s"),
        (119.9, "119.9 s"),
        (119.96, "2 min 00 s"),
        (3661.4, "61 min 01 s"),
    ],
)
def test_seconds_for_people(value: float | None, text: str) -> None:
    """Milliseconds, seconds or minutes, never "1000 ms" or "1 min 60 s"."""
    assert seconds(value) == text


def test_figures_are_json() -> None:
    """Every field is there for a program, durations by their parts, None as null, reasons as words."""
    call = Call()
    exchange(call)
    plain = json.loads(json.dumps(call.close(4.0).figures()))
    assert plain["response_gap"] == {
        "count": 1,
        "median": 0.25,
        "p95": 0.25,
        "least": 0.25,
        "greatest": 0.25,
        "total": 0.25,
    }
    assert plain["silence"]["median"] is None
    assert plain["replies"] == {"finished": 1}
    assert set(plain) >= {*CallMetrics.__struct_fields__, "open_turns", "open_drafts", "hit_rate"}


def test_nothing_quotes_what_was_said() -> None:
    """No figure, row or repr of a call or a turn has a word of the conversation in it."""
    call = talking()
    call.feed(2.0, StartOfTurn(1, "tangerine"))
    call.feed(3.0, EndOfTurn(1, "tangerine"))
    figures = call.close(4.0)
    for text in (repr(figures), repr(figures.rows()), repr(call.turns), repr(call.metrics)):
        assert "tangerine" not in text
        assert "green tea" not in text


def test_every_kind_of_item_is_known() -> None:
    """No signal or event of turnkit is refused, so that a new one cannot be forgotten here."""
    assert {*SIGNALS, ReplyEnded, *get_args(Event)} == set(_HANDLERS)
