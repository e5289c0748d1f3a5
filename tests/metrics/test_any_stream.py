"""The figures of every stream: counts agree with the signals, samples and calls add up in any order."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from tests.support.measured_call import MeasuredCall, exchange
from turnkit import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    HoldThenDecide,
    IgnoreBackchannels,
    Initiate,
    Interrupt,
    MinWords,
    Never,
    Note,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    ReplyEnded,
    Resume,
    Speculate,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnDropped,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    Update,
    UserIdle,
)
from turnkit.metrics import DURATIONS, CallMetrics, Metrics, Samples, TurnMetrics, summary
from turnkit.turns.events import SIGNALS

# Many values --------------------------------------------------------------------------------------------------------

durations = st.lists(st.floats(0.0, 1e6) | st.sampled_from([0.0, 1e-9, 0.2]), max_size=30)


def sampled(values: list[float], times: int) -> Samples:
    samples = Samples()
    for _ in range(times):
        for value in values:
            samples.add(value)
    return samples


@settings(max_examples=tries(60), deadline=None)
@given(st.tuples(durations, durations, durations), st.sampled_from([1, 20, 40]))
def test_samples_add_up_in_any_order(three: tuple[list[float], list[float], list[float]], times: int) -> None:
    """`+` is associative and commutative to the last bit, and the same as taking all values one by one."""
    a, b, c = (sampled(values, times) for values in three)
    assert (a + b) + c == a + (b + c) == (c + a) + b
    every = sampled([value for values in three for value in values], times)
    assert a + b + c == every
    assert every.count == 0 or every.quantile(0.5) is not None


# Every stream -------------------------------------------------------------------------------------------------------


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
    st.builds(PlaybackFinished, replies, st.booleans()),
    st.builds(Initiate, st.booleans(), st.booleans()),
    st.builds(Interrupt, texts),
    st.builds(Protect, replies, st.booleans()),
    st.builds(DraftDiscarded, replies, st.sampled_from(["failed", "context_changed"])),
    st.sampled_from([StreamLost(), StreamRestored()]),
)
facts = st.tuples(st.sampled_from(["FirstChunk", "TokensUsed", "Rain"]), replies, st.integers(-1, 9))


@settings(max_examples=tries(250), deadline=None)
@given(
    st.lists(st.tuples(spans, events | facts), max_size=60),
    st.sampled_from([None, MinWords(2), HoldThenDecide(IgnoreBackchannels()), Never()]),
)
def test_counts_agree_with_the_signals(steps: list[tuple[float, Any]], barge_in: Any) -> None:
    """For every ordering of events: counts are those of the signals, every turn is handed out once, nothing is left."""
    call = MeasuredCall(idle_timeout=5.0, **({} if barge_in is None else {"barge_in": barge_in}))
    at, interrupts, stopped = 0.0, 0, 0
    for span, step in steps:
        at += span
        call.wake(at)  # what is due by then is no answer to what comes now
        before = len(call.signals)
        if isinstance(step, tuple):
            call.fact(at, step[0], reply=step[1], tokens=step[2])
        else:
            call.feed(at, step, last_word=0.25)
        if isinstance(step, Interrupt):
            interrupts += 1
            stopped += sum(isinstance(signal, BargeIn) for signal in call.signals[before:])
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
    assert figures.initiated == len([signal for signal in commits if signal.trigger == "initiate"])
    assert figures.dropped.total() == kinds[TurnDropped]
    assert (figures.drafts, figures.kept) == (len(drafts), len(kept))
    assert figures.wasted.total() == len([signal for signal in wasted if signal.reply not in kept])
    assert figures.open_drafts == figures.open_turns == 0
    assert figures.lead.count == figures.kept
    assert figures.saved.count <= figures.kept
    assert figures.interrupts == interrupts
    assert figures.barge_ins == kinds[BargeIn] - stopped == figures.reaction.count
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
        if name not in ("held", "released", "silence", "first_chunk"):  # which may come when the turn is over
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


@settings(max_examples=tries(200), deadline=None)
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


@settings(max_examples=tries(60), deadline=None)
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
        call = MeasuredCall()
        exchange(call)
        exchange(call, 5.0, 1, 1)
        calls.append(call.close(10.0))
    together = summary(calls)
    assert (together.calls, together.turns, together.kept, together.hit_rate) == (3, 6, 6, 1.0)
    assert together.response_gap.values == [0.25] * 6
    assert together.duration.total == 30.0
