"""The figures of drafts and replies: kept and wasted, triggers, tokens, how they end."""

from __future__ import annotations

import pytest

from tests.support.measured_call import MeasuredCall
from turnkit import (
    CancelReason,
    Commit,
    DraftDiscarded,
    EagerEndOfTurn,
    EndOfTurn,
    Initiate,
    NoteKind,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    TurnResumed,
)
from turnkit.metrics import Metrics


def test_drafts_kept_and_wasted() -> None:
    """Each draft is kept or wasted, with the reason of its Cancel; tokens of wasted ones are wasted, also late ones."""
    call = MeasuredCall()
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
    call = MeasuredCall()
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
    call = MeasuredCall()
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
    call = MeasuredCall()
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
    call = MeasuredCall()
    for index, trigger in enumerate(("model", "timeout", "model", "moonlight", "sunshine")):
        call.feed(float(index), EndOfTurn(index, "Tea", trigger=trigger))
    figures = call.close(9.0)
    assert figures.triggers == {"model": 2, "timeout": 1, "other": 2}
    assert call.turns[3].trigger == "moonlight"


def test_idle_and_notes() -> None:
    """UserIdle and every kind of Note are counted."""
    call = MeasuredCall(idle_timeout=1.0)
    call.wake(0.0)
    call.wake(1.0)
    call.wake(2.0)
    call.feed(2.5, TurnResumed(0, ""))
    figures = call.close(3.0)
    assert (figures.idles, figures.notes) == (2, {NoteKind.STRAY_RESUME: 1})


def test_a_reply_that_wanted_no_sound_has_answered() -> None:
    """It finished, without a gap; one that failed before its first sound has failed."""
    call = MeasuredCall()
    for index, failed in enumerate((False, True)):
        call.feed(index, EndOfTurn(index, "Tea"))
        call.feed(index + 0.5, PlaybackFinished(index, failed))
    figures = call.close(3.0)
    assert [turn.outcome for turn in call.turns] == [Outcome.FINISHED, Outcome.FAILED]
    assert figures.replies == {Outcome.FINISHED: 1, Outcome.FAILED: 1}
    assert (figures.silent, figures.response_gap.count) == (1, 0)
    assert dict(figures.rows())["replies"] == "2: 1 failed, 1 finished (1 without a sound)"


def test_what_nobody_reported_has_no_first_sound() -> None:
    """The session takes what it gave the voice for heard, at its end: no figure of when can be made from that."""
    call = MeasuredCall()
    call.feed(0.0, EndOfTurn(0, "Tea", audio_end=1.0), last_word=0.5)
    call.feed(5.0, PlaybackAdvanced(0, "With milk?"))
    call.turns += call.metrics.take(ReplyEnded(0, 0, Outcome.FINISHED, "With milk?", reported=False, at=5.0))
    call.feed(5.0, PlaybackFinished(0))
    figures = call.close(6.0)
    (turn,) = call.turns
    assert (turn.outcome, turn.response_gap, turn.words_to_sound, turn.words_to_commit) == (
        *(Outcome.FINISHED, None, None),
        0.5,
    )
    assert (figures.unreported, figures.silent, figures.response_gap.count) == (1, 0, 0)
    assert dict(figures.rows())["replies"] == "1: 1 finished (1 whose playback nobody reported)"


def test_an_initiative_offered_again_is_another_reply() -> None:
    """What a turn cancelled before it was heard, and what was said in the end, are counted; the waiting is not."""
    call = MeasuredCall()
    call.feed(0.0, Initiate(wait=True))
    call.feed(0.5, StartOfTurn(0, "Tea"))
    call.feed(1.0, EndOfTurn(0, "Tea"))
    call.feed(2.0, Initiate(wait=True))
    call.feed(2.5, PlaybackStarted(1))
    call.feed(3.0, PlaybackFinished(1))
    figures = call.close(4.0)
    assert (figures.initiated, figures.refused) == (2, 0)
    assert figures.replies == {Outcome.CANCELLED: 2, Outcome.FINISHED: 1}


def test_an_answer_given_anew_is_no_initiative() -> None:
    """A turn of nothing had cost it: it is the user who waits for it."""
    call = MeasuredCall()
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(0.5, StartOfTurn(1, "Er"))
    call.feed(1.0, EndOfTurn(1, ""))
    figures = call.close(2.0)
    assert [signal.trigger for signal in call.signals if isinstance(signal, Commit)] == ["", "unanswered"]
    assert figures.initiated == 0
