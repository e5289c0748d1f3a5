"""The tally of drafts: what counts as confirmed, live and recorded; shared by calls, merged, and adapted to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings

from benchmarks.adaptive_drafts import REPLY_SECONDS, rows
from tests.support.hearing import hear
from tests.support.sessions import script, turn
from turnkit import AdaptiveDrafts, Cancel, Session, Speculate, TurnMachine
from turnkit.errors import ConfigError
from turnkit.metrics import DraftTally, count_drafts
from turnkit.simulator import HESITANT, Settings
from turnkit.testing.strategies import hostile
from turnkit.trace import Fed, parse, read, replay
from turnkit.turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    PlaybackStarted,
    StartOfTurn,
    StreamLost,
    TurnResumed,
    Update,
)
from turnkit.turns.policy import DraftCounts
from turnkit.wire import decode, to_event

START, EAGER = StartOfTurn(0, "a table"), EagerEndOfTurn(0, "a table", 0.52)
END, OTHER_END = EndOfTurn(0, "A table.", 0.8), EndOfTurn(0, "A table for two.", 0.8)


def counted(*events: Event) -> tuple[int, int]:
    """How many of these events' eager ends were confirmed, and withdrawn."""
    tally = DraftTally()
    observer = tally.observer()
    for event in events:
        observer.fed(0.0, event)
    observer.end()
    return sum(tally.counts.confirmed), sum(tally.counts.withdrawn)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([START, EAGER, END], (1, 0)),
        ([START, EAGER, OTHER_END], (0, 1)),
        ([START, EAGER, TurnResumed(0, "a table", 0.1), END], (0, 1)),
        ([START, EAGER, TurnResumed(0, "a table for", 0.1), EagerEndOfTurn(0, "a table for", 0.5)], (0, 1)),
        ([START, EAGER, Update(0, "A table,", 0.6), END], (1, 0)),
        ([START, EAGER, Update(0, "", 0.6), END], (1, 0)),
        ([START, EAGER, Update(0, "a table for", 0.2), OTHER_END], (0, 1)),
        ([START, EAGER, EAGER, END], (1, 0)),
        ([START, EAGER, EagerEndOfTurn(0, "a table for two", 0.5), OTHER_END], (1, 1)),
        ([START, EAGER, EagerEndOfTurn(0, " ", 0.5), END], (1, 0)),
        ([START, EagerEndOfTurn(0, "", 0.5), END], (0, 0)),
        ([START, EAGER, StartOfTurn(0, "a table", 0.1), END], (0, 1)),
        ([START, EAGER, EndOfTurn(0, "", 0.8)], (0, 1)),
        ([START, EAGER, StreamLost("gone"), START, END], (0, 0)),
        ([START, EAGER, StartOfTurn(1, "and"), EndOfTurn(1, "and", 0.8)], (0, 0)),  # its end was missed
        ([StartOfTurn(1, "a"), EagerEndOfTurn(1, "a", 0.5), END, EndOfTurn(1, "a", 0.9)], (1, 0)),  # END is stale
        ([START, EAGER, PlaybackStarted(0), END], (1, 0)),
        ([START, EAGER], (0, 0)),
        ([START, END], (0, 0)),
    ],
)
def test_what_becomes_of_an_eager_end(events: list[Event], expected: tuple[int, int]) -> None:
    """Confirmed by an end on the same words, withdrawn by anything else that is said of it, else not counted."""
    assert counted(*events) == expected
    assert sum(expected) == count_drafts([Fed(0.0, event) for event in events]).total


def test_it_counts_at_the_confidence_of_the_draft() -> None:
    """Not at that of what ended it."""
    counts = count_drafts([Fed(0.0, event) for event in (START, EAGER, END)])
    assert counts == DraftCounts().counted(0.52, confirmed=True)


@settings(deadline=None)
@given(hostile())
def test_whatever_comes_each_eager_end_counts_once_at_most(stream: Any) -> None:
    """And none is made up."""
    eager = sum(isinstance(event, EagerEndOfTurn) for _, event in stream)
    assert count_drafts([Fed(0.0, event) for _, event in stream]).total <= eager


def test_drafts_of_a_machine_come_out_as_counted() -> None:
    """On simulated calls: as many kept as confirmed and as many cancelled as withdrawn, where all are drafted."""
    kept = cancelled = 0
    counts = DraftCounts()
    for seed in range(10):
        machine, alive, events = TurnMachine(), 0, []
        for said in hear(HESITANT.script(seed), Settings(eager_eot_threshold=0.4)):
            event = to_event(decode(said))
            assert event is not None
            events.append(event)
            for signal in machine.feed(event, said["audio_window_end"]):
                alive += isinstance(signal, Speculate)
                kept += getattr(signal, "speculative", False)
                cancelled += isinstance(signal, Cancel) and signal.reason.value in ("resumed", "transcript_changed")
        counts += count_drafts([Fed(0.0, event) for event in events])
    assert (sum(counts.confirmed), sum(counts.withdrawn)) == (kept, cancelled)
    assert counts.total > 100


async def _call(tally: DraftTally, *source: object, record: Path | None = None) -> list[Speculate]:
    session = Session(speculation=AdaptiveDrafts(tally.counts), record=record)
    drafts: list[Speculate] = []
    session.on(Speculate, drafts.append)
    session.observe(tally.observer())
    await session.run(script(*source))
    return drafts


def _wasted(index: int) -> list[Event]:
    start, eager, _ = turn(index, "tea")
    return [start, eager, TurnResumed(index, "tea for", 0.1), EndOfTurn(index, "tea for two", 0.9)]


@pytest.mark.anyio
async def test_calls_at_the_same_time_count_into_one_tally() -> None:
    """Each its own eager ends, however they take turns."""
    tally = DraftTally()
    async with anyio.create_task_group() as tasks:
        for good in (True, False, True):
            events = turn(0, "tea") if good else _wasted(0)
            tasks.start_soon(_call, tally, *(step for event in events for step in (event, 0.1)))
    assert (sum(tally.counts.confirmed), sum(tally.counts.withdrawn)) == (2, 1)
    assert repr(tally) == "<DraftTally: 2 of 3 eager ends were the end>"


@pytest.mark.anyio
async def test_the_next_call_goes_by_what_was_counted_and_its_replay_too(tmp_path: Path) -> None:
    """A call keeps the counts that it began with; they are in its recording, which replays the same to the last bit."""
    tally = DraftTally()
    first = await _call(tally, *(event for index in range(8) for event in _wasted(index)), record=tmp_path / "a.jsonl")
    assert len(first) == 8
    later = await _call(tally, *_wasted(0), record=tmp_path / "b.jsonl")
    assert later == []
    assert sum(tally.counts.withdrawn) == 9  # what was not drafted is counted all the same
    for name, drafts in (("a", 8), ("b", 0)):
        trace = read(tmp_path / f"{name}.jsonl")
        replayed = replay(trace)
        assert replayed.verified
        assert sum(isinstance(signal, Speculate) for signal in replayed.signals) == drafts
        assert "DraftCounts(" in trace.header.settings["speculation"]
        assert count_drafts(trace.records).total == (8 if name == "a" else 1)


def test_a_tally_goes_on_from_kept_counts() -> None:
    """As bytes, from another process, merged with its own."""
    mine, theirs = DraftTally(), DraftTally()
    for tally in (mine, theirs):
        observer = tally.observer()
        for event in (START, EAGER, END):
            observer.fed(0.0, event)
    merged = DraftTally(mine.counts + DraftCounts.from_bytes(theirs.counts.to_bytes()))
    assert sum(merged.counts.confirmed) == 2
    assert DraftTally().counts.total == 0
    with pytest.raises(ConfigError, match="must be DraftCounts"):
        DraftTally(theirs.counts.to_bytes())  # type: ignore[arg-type]


@pytest.mark.slow("soak")
def test_adapting_saves_most_wasted_calls_of_hesitant_callers_and_keeps_the_drafts_of_decided_ones() -> None:
    """From nothing, over 40 calls: at least 60 % fewer wasted, and at least 95 % of the seconds where drafts pay."""
    measured = rows(calls=40, seed=0)
    hesitant, decided = measured["hesitant"], measured["decided"]
    every, adapted = hesitant["every eager end"], hesitant["adaptive"]
    assert every.kept / every.drafts == pytest.approx(0.3, abs=0.05)
    assert adapted.wasted <= 0.4 * every.wasted
    every, adapted = decided["every eager end"], decided["adaptive"]
    assert every.kept / every.drafts == pytest.approx(0.8, abs=0.05)
    assert adapted.saved >= 0.95 * every.saved
    assert adapted.saved <= adapted.kept * REPLY_SECONDS


def test_raw_frames_are_counted_too() -> None:
    """A recording without a machine has its events."""
    frames = b"\n".join(
        b'{"type":"TurnInfo","request_id":"r","sequence_id":%d,"event":"%s","turn_index":0,"audio_window_start":0.0,'
        b'"audio_window_end":%d.0,"transcript":"tea","words":[],"end_of_turn_confidence":0.6}' % (number, event, number)
        for number, event in enumerate((b"StartOfTurn", b"EagerEndOfTurn", b"EndOfTurn"), 1)
    )
    trace = parse(frames, "raw")
    assert trace.raw
    assert count_drafts(trace.records) == DraftCounts().counted(0.6, confirmed=True)
