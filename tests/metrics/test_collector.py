"""What the collector of figures takes: signals, events and facts in any order, within bounds of memory."""

from __future__ import annotations

import sys
from math import inf, nan
from typing import Any

import msgspec
import pytest

from tests.support.measured_call import MeasuredCall, exchange
from turnkit import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    LocalProtocolError,
    Outcome,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    Speculate,
    StreamLost,
    TurnDropped,
    TurnMachine,
    TurnStarted,
)
from turnkit.metrics import CallMetrics, Metrics, TurnMetrics
from turnkit.metrics.collector import REMEMBERED


def test_signals_alone_are_enough() -> None:
    """Signals without their events give the figures between signals; what needs an event is None."""
    call = MeasuredCall()
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
    call = MeasuredCall()
    exchange(call)
    before = call.metrics.call
    kept = msgspec.json.encode(before.figures())
    exchange(call, 5.0, 1, 1)
    assert msgspec.json.encode(before.figures()) == kept
    assert call.metrics.call.turns == 2


def test_memory_is_bounded() -> None:
    """A long call, and one whose record is damaged so that nothing ever ends, leave few things remembered."""
    call = MeasuredCall()
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
