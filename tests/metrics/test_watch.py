"""Figures of real calls: of a recorded trace, of the recorded session, and of a session that is watched live."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.support.measured_call import MeasuredCall, exchange
from turnkit import (
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Outcome,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    StartOfTurn,
    TimedWord,
    TurnMachine,
    Update,
    wire,
)
from turnkit.metrics import CallMetrics, Metrics, TurnMetrics, Watch, measure

# A recorded trace ---------------------------------------------------------------------------------------------------


class Fed(msgspec.Struct):
    """As a trace records an event."""

    at: float
    event: Event


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
    live = MeasuredCall()
    exchange(live)
    live.wake(6.0)
    figures = live.close(6.0)
    machine = TurnMachine()
    words = (TimedWord("A", 0.25, 0.5), TimedWord("two.", 1.0, 1.1875))
    fed: list[tuple[float, Event]] = [
        (0.0, StartOfTurn(0, "A table", audio_end=1.0)),
        (0.25, Update(0, "A table for two", audio_end=1.25)),
        (1.0, EagerEndOfTurn(0, "A table for two", 0.5, audio_end=2.0)),
        (1.5, EndOfTurn(0, "A table for two.", 0.8, audio_end=2.5, words=words)),
        (1.75, PlaybackStarted(0)),
        (3.75, PlaybackFinished(0)),
    ]
    records: list[object] = []
    for at, event in fed:
        if at == 1.5:
            records.append(Fact(1.125, "FirstChunk", {"reply": 0}))
        records += [Fed(at, event), *machine.feed(event, at)]
    assert measure([*records, Woken(6.0)]) == (figures, live.turns)


def test_the_recorded_session(preamble: Path) -> None:
    """One real Flux session through the machine: its one turn was final 1.2 s of audio after its last word."""
    machine, metrics = TurnMachine(stall_timeout=60.0), Metrics()
    turns: list[TurnMetrics] = []
    for line in preamble.read_bytes().splitlines():
        message = wire.decode(line)
        event = wire.to_event(message)
        if event is not None:
            turns += metrics.take(event, event.audio_end)
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
        ((TimedWord("a"),), None),
        ((TimedWord("a", 0.0, 0.5), TimedWord("b")), None),
        ((TimedWord("a", 0.0, 0.75), TimedWord("b", 0.5, 0.5)), 0.75),
        ((TimedWord("a"), TimedWord("b", 0.5, 0.5)), 0.5),
    ],
)
def test_end_of_words(words: tuple[TimedWord, ...], end: float | None) -> None:
    """The last word's end, or that of a neighbour that Flux lets overlap it; none without times."""
    call = MeasuredCall()
    call.feed(0.0, EndOfTurn(0, "a b", audio_end=1.0, words=words))
    call.close(0.0)
    assert call.turns[0].words_to_commit == (None if end is None else 1.0 - end)


# Watching a session -------------------------------------------------------------------------------------------------


def test_a_watch_measures_what_it_is_told() -> None:
    """Word times are read, turns handed to `on_turn` as they are over, the call to `on_call` at the end."""
    live = MeasuredCall()
    exchange(live)
    turns: list[TurnMetrics] = []
    calls: list[CallMetrics] = []
    watch, machine = Watch(turns.append, calls.append), TurnMachine()

    def feed(at: float, event: Event) -> None:
        watch.fed(at, event, machine.feed(event, at))

    watch.woken(0.0, machine.wake(0.0))
    feed(0.0, StartOfTurn(0, "A table", audio_end=1.0))
    feed(0.25, Update(0, "A table for two", audio_end=1.25))
    feed(1.0, EagerEndOfTurn(0, "A table for two", 0.5, audio_end=2.0))
    watch.fact(1.125, "FirstChunk", reply=0)
    words = (TimedWord("two.", 1.0, 1.1875, 0.9),)
    feed(1.5, EndOfTurn(0, "A table for two.", 0.8, audio_end=2.5, words=words))
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
