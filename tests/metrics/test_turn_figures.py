"""The figures of a turn, one at a time: exact numbers on conversations made by hand."""

from __future__ import annotations

import pytest

from tests.support.measured_call import MeasuredCall, exchange
from turnkit import (
    CancelReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Never,
    NoteKind,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnResumed,
    Update,
)
from turnkit.metrics import TurnMetrics


def test_every_figure_of_an_ordinary_turn() -> None:
    """Commit, draft and first sound give the turn's figures to the last bit; there was no overlap, so none of that."""
    call = MeasuredCall()
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
    call = MeasuredCall()
    call.feed(0.0, EagerEndOfTurn(0, "Tea"))
    call.feed(0.25, EndOfTurn(0, "Tea"))
    call.fact(0.75, "FirstChunk", reply=0)
    call.feed(1.0, PlaybackStarted(0))
    call.feed(2.0, PlaybackFinished(0))
    (turn,) = call.turns
    assert (turn.lead, turn.first_chunk, turn.saved, turn.response_gap) == (0.25, 0.75, 0.25, 0.75)


def test_nothing_is_saved_by_what_is_not_known_to_be_ready_or_heard() -> None:
    """Without FirstChunk, without a sound, or without a draft there is no saving: None, and not 0."""
    unreported, unheard, fresh = MeasuredCall(), MeasuredCall(), MeasuredCall()
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
    call = MeasuredCall()
    call.feed(0.0, StartOfTurn(0, "Tea"))
    call.feed(1.0, EndOfTurn(0, "Tea", audio_end=2.0), last_word=1.5)
    figures = call.close(9.0)
    (turn,) = call.turns
    assert (turn.words_to_commit, turn.response_gap, turn.words_to_sound) == (0.5, None, None)
    assert dict(figures.rows())["response gap"] == "–"


def test_a_reply_that_says_nothing_has_no_gap() -> None:
    """PlaybackFinished without a sound before it ends the reply, and is not its first sound."""
    call = MeasuredCall()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(1.0, PlaybackFinished(0))
    assert [(turn.outcome, turn.response_gap) for turn in call.turns] == [(Outcome.FINISHED, None)]


def test_advanced_playback_is_a_first_sound() -> None:
    """Where only PlaybackAdvanced is reported, the first of them counts."""
    call = MeasuredCall()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(0.5, PlaybackAdvanced(0, "Here"))
    call.feed(0.75, PlaybackAdvanced(0, "Here you are"))
    call.close(1.0)
    assert call.turns[0].response_gap == 0.5


def test_early_playback_of_a_draft_is_no_sound() -> None:
    """What is reported of a draft before its Commit is a mistake of the host's, and measures nothing."""
    call = MeasuredCall()
    call.feed(0.0, EagerEndOfTurn(0, "Tea"))
    call.feed(0.125, PlaybackStarted(0))
    call.feed(0.25, EndOfTurn(0, "Tea"))
    call.feed(1.0, PlaybackStarted(0))
    figures = call.close(2.0)
    assert call.turns[0].response_gap == 0.75
    assert figures.notes == {NoteKind.EARLY_PLAYBACK: 1, NoteKind.MISSING_START: 1}


def test_late_playback_of_a_cancelled_reply_is_no_sound() -> None:
    """A player that reports a sound of a reply which was cancelled before it was heard does not make a gap of it."""
    call = MeasuredCall()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(0.5, StartOfTurn(1, "No"))
    call.feed(0.75, PlaybackStarted(0))
    figures = call.close(2.0)
    assert (figures.response_gap.count, figures.replies) == (0, {Outcome.CANCELLED: 1})


def test_words_that_came_with_the_end_leave_no_lower_bound() -> None:
    """If EndOfTurn brings new words, how long ago they ended is known from word times or not at all."""
    call = MeasuredCall()
    call.feed(0.0, StartOfTurn(0, "Tea", audio_end=1.0))
    call.feed(1.0, EndOfTurn(0, "Tea, please", audio_end=2.0))
    call.close(2.0)
    assert (call.turns[0].words_to_commit, call.turns[0].news_to_commit) == (None, None)


def test_punctuation_is_no_new_word() -> None:
    """A full stop that comes with the end does not make its words new."""
    call = MeasuredCall()
    call.feed(0.0, StartOfTurn(0, "Tea", audio_end=1.0))
    call.feed(1.0, EndOfTurn(0, "Tea.", audio_end=2.0))
    call.close(2.0)
    assert call.turns[0].news_to_commit == 1.0


def test_word_times_go_stale_with_new_words() -> None:
    """The end of a word that was the last one is not that of the words that came after it."""
    call = MeasuredCall(stall_timeout=1.0, stall_grace=1.0)
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
    call = MeasuredCall(stall_timeout=1.0, stall_grace=1.0)
    call.feed(0.0, EagerEndOfTurn(0, "Tea", audio_end=2.0), last_word=1.5)
    call.feed(0.5, Update(0, "Tea", audio_end=2.5))
    call.wake(1.0)
    call.wake(2.0)
    call.close(9.0)
    assert (call.turns[0].words_to_commit, call.turns[0].news_to_commit) == (2.5, 2.0)


def test_events_without_audio_time_give_no_audio_figures() -> None:
    """An `audio_end` of 0 is none; the engine's own figures do not need it."""
    call = MeasuredCall()
    call.feed(0.0, StartOfTurn(0, "Tea"))
    call.feed(1.0, EndOfTurn(0, "Tea"), last_word=0.5)
    call.close(2.0)
    turn = call.turns[0]
    assert (turn.words_to_commit, turn.news_to_commit, turn.end_to_commit) == (None, None, 0.0)


def test_a_word_that_ends_with_the_audio() -> None:
    """Flux's times are float32: a word may seem to end a hair after the audio, but never commits before its end."""
    call = MeasuredCall()
    call.feed(0.0, EndOfTurn(0, "Tea", audio_end=1.68), last_word=1.6800000667572021)
    call.close(1.0)
    assert call.turns[0].words_to_commit == 0.0


def test_a_deferred_turn_waits_in_engine_time() -> None:
    """A turn that is answered after the agent has finished has waited since its EndOfTurn."""
    call = MeasuredCall(barge_in=Never())
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
    call = MeasuredCall(lost_turn_grace=2.0)
    call.feed(0.0, EagerEndOfTurn(0, "Tea", audio_end=1.0), last_word=0.75)
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
    call = MeasuredCall()
    call.feed(1.0, StreamLost("gone"))
    call.feed(2.0, StreamLost("still gone"))
    if back is not None:
        call.feed(*back)
    figures = call.close(8.0)
    assert (figures.stream_losses, figures.offline.values) == (1, [offline])
