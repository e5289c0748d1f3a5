"""Metrics of OpenTelemetry: their names, units, buckets and attributes, with the SDK's own reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

from tests.support.monitored_bot import TALK, bot, conversation
from turnkit import (
    EndOfTurn,
    Event,
    Interrupt,
    PlaybackStarted,
    StreamLost,
    StreamRestored,
    TurnMachine,
    TurnResumed,
    telemetry,
)
from turnkit.metrics import DURATIONS
from turnkit.telemetry import BUCKETS, instrument

pytestmark = pytest.mark.anyio


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader: InMemoryMetricReader) -> Iterator[MeterProvider]:
    made = MeterProvider([reader])
    yield made
    made.shutdown()


def points(reader: InMemoryMetricReader) -> dict[str, tuple[str, list[NumberDataPoint | HistogramDataPoint]]]:
    """Unit and data points of every metric that was recorded, by its name."""
    data = reader.get_metrics_data()
    assert data is not None
    found: dict[str, tuple[str, list[Any]]] = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found[metric.name] = (metric.unit or "", list(metric.data.data_points))
    return found


def counts(found: Mapping[str, tuple[str, list[Any]]], name: str) -> dict[tuple[Any, ...], int]:
    """The values of a counter, by the values of its attributes."""
    return {tuple((point.attributes or {}).values()): point.value for point in found[name][1]}


async def test_metric_names_units_and_attributes(provider: MeterProvider, reader: InMemoryMetricReader) -> None:
    """Durations are histograms in seconds with buckets made for them, counts are counters by what became of each."""
    session = bot(idle_timeout=0.5)
    instrument(session, meter=provider.get_meter("test"), attributes={"gen_ai.agent.name": "host"})
    await conversation(session, *TALK, 2.0, StreamLost("gone"), 0.25, StreamRestored(), TurnResumed(2, ""), 0.25)
    found = points(reader)
    assert {name: unit for name, (unit, _) in found.items()} == {
        "turnkit.turn.news_to_commit": "s",
        "turnkit.turn.end_to_commit": "s",
        "turnkit.turn.lead": "s",
        "turnkit.turn.first_chunk": "s",
        "turnkit.turn.saved": "s",
        "turnkit.turn.response_gap": "s",
        "turnkit.turn.reaction": "s",
        "turnkit.turn.released": "s",
        "turnkit.turns": "{turn}",
        "turnkit.drafts": "{draft}",
        "turnkit.barge_ins": "{barge_in}",
        "turnkit.replies": "{reply}",
        "turnkit.tokens": "{token}",
        "turnkit.stream_losses": "{loss}",
        "turnkit.notes": "{note}",
        "turnkit.idles": "{time}",
    }
    (gap,) = found["turnkit.turn.response_gap"][1]
    assert isinstance(gap, HistogramDataPoint)
    assert (gap.count, gap.sum, gap.min, gap.max) == (2, 1.25, 0.5, 0.75)
    assert tuple(gap.explicit_bounds) == BUCKETS
    assert gap.attributes == {"gen_ai.agent.name": "host"}
    assert counts(found, "turnkit.turns") == {("host", "committed"): 2}
    assert counts(found, "turnkit.drafts") == {("host", "kept"): 1, ("host", "wasted"): 1}
    assert counts(found, "turnkit.barge_ins") == {("host", "backchannel"): 1}
    assert counts(found, "turnkit.replies") == {
        ("host", "cancelled"): 1,
        ("host", "interrupted"): 1,
        ("host", "finished"): 1,
    }
    assert counts(found, "turnkit.tokens") == {("host", False): 200, ("host", True): 100}
    assert counts(found, "turnkit.stream_losses") == {("host",): 1}
    assert counts(found, "turnkit.notes") == {("host", "stray_resume"): 1}
    for _, data in found.values():
        for point in data:
            assert "call-1" not in (point.attributes or {}).values()


def test_every_duration_is_described() -> None:
    """A duration that is added to the turn's is not forgotten here."""
    assert tuple(telemetry._DESCRIPTIONS) == DURATIONS


async def test_interrupts_by_the_host_are_no_barge_ins(provider: MeterProvider, reader: InMemoryMetricReader) -> None:
    """They are counted by themselves, also where a text was typed."""
    seen = instrument(bot(), meter=provider.get_meter("test"))
    machine = TurnMachine()
    steps: list[Event] = [EndOfTurn(0, "tea"), PlaybackStarted(0), Interrupt("yes"), PlaybackStarted(1), Interrupt()]
    for at, event in enumerate(steps):
        seen.fed(at, event, machine.feed(event, at))
    seen.end()
    found = points(reader)
    assert counts(found, "turnkit.interrupts") == {(): 2}
    assert "turnkit.barge_ins" not in found
