"""What operators see of a session: log lines, metrics and spans, with the SDK's own readers and exporters."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import anyio
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from turnkit import (
    BargeIn,
    ConfigError,
    EagerEndOfTurn,
    EndOfTurn,
    Playback,
    PlaybackStarted,
    Reply,
    Session,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnMachine,
    TurnResumed,
    telemetry,
)
from turnkit.metrics import DURATIONS, Metrics, TurnMetrics
from turnkit.session import Observer
from turnkit.telemetry import BUCKETS, instrument, log_turns
from turnkit.turns.events import Event

pytestmark = pytest.mark.anyio

SAID = "a table for two"
HEARD = "certainly"


async def conversation(session: Session, *steps: object) -> None:
    """Events are what Flux says, numbers are seconds that pass."""

    async def source() -> AsyncIterator[object]:
        for step in steps:
            if isinstance(step, float):
                await anyio.sleep(step)
            else:
                yield step

    await session.run(source())


def bot(**settings: Any) -> Session:
    """It thinks for 0.25 s and takes 0.5 s from there to a first sound, then talks for 2 s."""

    async def respond(reply: Reply) -> None:
        try:
            await anyio.sleep(0.25)
            if reply.transcript == "fail":
                raise RuntimeError("the LLM is gone")
            await reply.say(HEARD)
        finally:
            session.record("TokensUsed", reply=reply.id, tokens=100)

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Playback) -> None:
        async for chunk in chunks:
            await anyio.sleep(0.5)
            playback.started()
            playback.advance(chunk)
            await anyio.sleep(2.0)

    session = Session(respond=respond, speak=speak, id="call-1", **settings)
    return session


TALK: tuple[object, ...] = (
    StartOfTurn(0, "a table", audio_end=1.0),
    0.5,
    EagerEndOfTurn(0, "a table", 0.5, audio_end=1.5),
    0.125,
    TurnResumed(0, "a table", audio_end=1.625),
    0.375,
    EagerEndOfTurn(0, SAID, 0.5, audio_end=2.0),
    0.5,
    EndOfTurn(0, SAID, 0.8, audio_end=2.5, trigger="model"),
    1.0,
    StartOfTurn(1, "yeah", audio_end=3.5),
    0.5,
    EndOfTurn(1, "yeah", 0.8, audio_end=4.0, trigger="model"),
    1.0,
)
"""A draft wasted, one kept and interrupted by a backchannel; then a reply that is heard to its end."""


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> trace.Tracer:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("test")


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


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    spans = [span for span in exporter.get_finished_spans() if span.name == name]
    return sorted(spans, key=lambda span: span.start_time or 0)


def marks(span: ReadableSpan) -> list[str]:
    return [event.name.removeprefix("turnkit.") for event in span.events]


def lasted(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


# Metrics of a live session ----------------------------------------------------------------------------------------


async def test_figures_of_a_live_session() -> None:
    """A session that runs its replies gives every figure, the saving of its drafts and what they cost among them."""
    session = bot()
    turns: list[TurnMetrics] = []
    metrics = log_turns(session, turns.append)
    await conversation(session, *TALK)
    first, second = turns
    assert (first.lead, first.first_chunk, first.saved) == (0.5, 0.25, 0.25)
    assert (first.response_gap, first.outcome) == (0.5, "interrupted")
    assert (first.drafts, first.wasted, first.tokens, first.wasted_tokens) == (2, 1, 200, 100)
    assert (second.barged_in, second.false_barge_in) == (1, "backchannel")
    assert (second.lead, second.first_chunk, second.saved, second.response_gap) == (None, 0.25, None, 0.75)
    assert (second.outcome, second.released) == ("finished", 0.0)
    call = metrics.call
    assert (call.turns, call.drafts, call.kept, call.tokens, call.wasted_tokens) == (2, 2, 1, 300, 100)
    assert call.duration.values == [5.75]


async def test_a_player_tells_when_it_fell_silent() -> None:
    """A host that reports the last sound after a barge-in gets the time that its player took to stop."""
    session = bot()
    metrics = log_turns(session)

    async def player_stops(signal: BargeIn) -> None:
        await anyio.sleep(0.125)
        session.playback_finished(signal.reply)

    session.on(BargeIn, player_stops)
    await conversation(session, *TALK)
    assert metrics.call.silence.values == [0.125]


async def test_silence_belongs_to_the_call() -> None:
    """A call lasts from its first moment to its last, and so does an outage that never ends."""
    session = bot()
    metrics = log_turns(session)
    await conversation(session, 1.0, StreamLost("gone"), 2.0)
    assert (metrics.call.duration.values, metrics.call.offline.values) == ([3.0], [2.0])


async def test_a_call_cut_off_hands_out_every_turn() -> None:
    """A session that is cancelled in the middle of a reply still tells of the turn, and closes the call."""
    session = bot()
    turns: list[TurnMetrics] = []
    metrics = log_turns(session, turns.append)
    with anyio.move_on_after(3.0):
        await conversation(session, *TALK[:9], 60.0)
    assert [(turn.turn, turn.outcome) for turn in turns] == [(0, "interrupted")]
    assert metrics.call.open_turns == metrics.call.open_drafts == 0


# Log lines --------------------------------------------------------------------------------------------------------


async def test_a_line_a_turn_and_one_a_call() -> None:
    """Each line has the session and what is known of the turn; nothing in it was said by anybody."""
    session = bot()
    with structlog.testing.capture_logs() as lines:
        structlog.configure(processors=structlog.get_config()["processors"])
        log_turns(session)
        await conversation(session, *TALK)
    assert [line["event"] for line in lines] == ["turn_over", "turn_over", "call_over"]
    assert lines[0] == {
        "event": "turn_over",
        "log_level": "info",
        "session": "call-1",
        "turn": 0,
        "trigger": "model",
        "news_to_commit": 0.5,
        "end_to_commit": 0.0,
        "reply": 1,
        "outcome": "interrupted",
        "drafts": 2,
        "wasted": 1,
        "lead": 0.5,
        "first_chunk": 0.25,
        "saved": 0.25,
        "response_gap": 0.5,
        "tokens": 200,
        "wasted_tokens": 100,
    }
    assert lines[1]["false_barge_in"] == "backchannel"
    last = lines[2]
    assert (last["session"], last["turns"], last["wasted"], last["hit_rate"]) == ("call-1", 2, 1, 0.5)
    assert (last["response_gap_median"], last["response_gap_p95"]) == (0.5, 0.75)
    assert "silence_median" not in last
    assert not any(word in repr(lines) for word in (SAID, HEARD, "yeah"))


async def test_silent_until_configured(capsys: pytest.CaptureFixture[str]) -> None:
    """An application that did not configure structlog sees no line for every turn."""
    session = bot()
    log_turns(session)
    await conversation(session, *TALK)
    assert capsys.readouterr() == ("", "")


# OpenTelemetry ----------------------------------------------------------------------------------------------------


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


async def test_the_tree_of_spans(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """A conversation, in it its turns, in those their drafts and replies: with times, events and attributes."""
    session = bot()
    instrument(session, tracer=tracer, attributes={"gen_ai.agent.name": "host", "gen_ai.provider.name": "openai"})
    with tracer.start_as_current_span("not an ancestor"):
        await conversation(session, *TALK)
    (call,) = named(exporter, "turnkit.conversation")
    one, two = named(exporter, "turnkit.turn")
    wasted, kept, last = named(exporter, "invoke_agent host")
    assert len(exporter.get_finished_spans()) == 7
    assert parent(call) is None
    assert {parent(one), parent(two)} == {call.context.span_id}
    assert [parent(span) for span in (wasted, kept, last)] == [
        one.context.span_id,
        one.context.span_id,
        two.context.span_id,
    ]
    assert [round(lasted(span), 6) for span in (call, one, two, wasted, kept, last)] == [
        5.75,
        2.5,
        3.25,
        0.125,
        1.5,
        2.75,
    ]
    order = list(exporter.get_finished_spans())
    assert order.index(wasted) < order.index(kept) < order.index(one) < order.index(two) < order.index(call)
    assert marks(wasted) == ["speculate", "cancel"]
    assert marks(kept) == ["speculate", "first_chunk", "commit", "first_sound", "barge_in"]
    assert marks(last) == ["commit", "first_chunk", "first_sound"]
    assert marks(two) == ["barge_in"]
    for span in (wasted, kept, last):
        assert span.kind is SpanKind.INTERNAL
        assert span.attributes is not None
        assert span.attributes["gen_ai.operation.name"] == "invoke_agent"
    for span in (call, one, two, wasted, kept, last):
        assert span.attributes is not None
        assert span.attributes["gen_ai.conversation.id"] == "call-1"
        assert span.attributes["gen_ai.provider.name"] == "openai"
        assert span.status.status_code is StatusCode.UNSET
    assert [dict(span.attributes or {})["turnkit.reply.outcome"] for span in (wasted, kept, last)] == [
        "cancelled",
        "interrupted",
        "finished",
    ]
    assert dict(kept.attributes or {})["turnkit.reply.speculative"] is True
    about = dict(one.attributes or {})
    assert about["turnkit.turn.response_gap"] == 0.5
    assert about["turnkit.turn.trigger"] == "model"
    assert dict(two.attributes or {})["turnkit.turn.false_barge_in"] == "backchannel"


async def test_no_words_unless_asked(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """What was said is on no span; with `transcripts` it is, under two names."""
    for transcripts in (False, True):
        exporter.clear()
        session = bot()
        instrument(session, tracer=tracer, transcripts=transcripts)
        await conversation(session, *TALK, StartOfTurn(2, "bye now"))
        said = [
            (name, value)
            for span in exporter.get_finished_spans()
            for where in (span.attributes or {}, *(event.attributes or {} for event in span.events))
            for name, value in where.items()
            if any(words in str(value) for words in (SAID, HEARD, "yeah", "bye"))
        ]
        wanted = [
            ("turnkit.reply.heard", HEARD),
            ("turnkit.reply.heard", HEARD),
            ("turnkit.turn.transcript", SAID),
            ("turnkit.turn.transcript", "bye now"),
            ("turnkit.turn.transcript", "yeah"),
        ]
        assert sorted(said) == (sorted(wanted) if transcripts else [])


async def test_a_failed_reply_is_an_error(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """A reply whose `respond` raised has the status of an error, and no exception's message."""
    session = bot()
    instrument(session, tracer=tracer)
    await conversation(session, EndOfTurn(0, "fail"), 1.0)
    (reply,) = named(exporter, "invoke_agent")
    assert reply.status.status_code is StatusCode.ERROR
    assert dict(reply.attributes or {})["error.type"] == "_OTHER"
    assert "the LLM is gone" not in reply.to_json()


async def test_spans_of_ones_own(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """A span begun in a reply's context is its child; of a reply that is not there, the conversation's."""
    session = bot()
    seen = instrument(session, tracer=tracer)

    def ask() -> Iterator[object]:
        tracer.start_span("chat", context=seen.context(0)).end()
        tracer.start_span("stray", context=seen.context(99)).end()
        yield 0.5

    async def source() -> AsyncIterator[object]:
        yield EagerEndOfTurn(0, "tea")
        for _ in ask():
            yield EndOfTurn(0, "tea")

    await session.run(source())
    (reply,) = named(exporter, "invoke_agent")
    assert parent(named(exporter, "chat")[0]) == reply.context.span_id
    assert parent(named(exporter, "stray")[0]) == named(exporter, "turnkit.conversation")[0].context.span_id


async def test_the_conversation_is_a_child_of_what_was_current(
    exporter: InMemorySpanExporter, tracer: trace.Tracer
) -> None:
    """A host that has a span for the phone call finds the conversation in it."""
    session = bot()
    with tracer.start_as_current_span("phone call") as call:
        instrument(session, tracer=tracer)
    await conversation(session, EndOfTurn(0, "tea"))
    assert parent(named(exporter, "turnkit.conversation")[0]) == call.get_span_context().span_id


async def test_initiated_replies_are_in_the_conversation(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """What the agent says unasked answers no turn; its span is a child of the conversation."""
    session = bot()
    instrument(session, tracer=tracer)

    async def source() -> AsyncIterator[object]:
        session.initiate("Hello!")
        await anyio.sleep(1.0)
        yield StartOfTurn(0, "stop")

    await session.run(source())
    (reply,) = named(exporter, "invoke_agent")
    assert parent(reply) == named(exporter, "turnkit.conversation")[0].context.span_id
    assert marks(reply) == ["commit", "first_chunk", "first_sound", "barge_in"]


async def test_every_span_ends_however_the_call_does(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """A call cut off at any moment leaves no span open: as many are exported as were begun."""
    for moment in range(0, 48, 3):
        exporter.clear()
        session, begun = bot(), 0
        seen = instrument(session, tracer=tracer)
        start = seen._spans._start

        def counting(*given: Any) -> Any:
            nonlocal begun
            begun += 1
            return start(*given)  # noqa: B023 - it is called before the next

        seen._spans._start = counting  # type: ignore[assignment, method-assign]
        with anyio.move_on_after(moment / 8 + 0.01):
            await conversation(session, *TALK)
        assert len(exporter.get_finished_spans()) == begun > 0
        assert all(lasted(span) >= 0 for span in exporter.get_finished_spans())


def test_spans_end_without_a_session(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """Whoever tells of a machine alone, where no ReplyEnded comes, gets every span at the end, each once."""

    class Alone:
        id = "call-1"

        def observe(self, observer: Observer) -> None:
            machine = TurnMachine()
            steps: tuple[tuple[float, Event], ...] = (
                (0.0, EagerEndOfTurn(0, "tea")),
                (1.0, EndOfTurn(0, "tea")),
                (2.0, PlaybackStarted(0)),
                (3.0, StartOfTurn(1, "no")),
            )
            for at, event in steps:
                observer.fed(at, event, machine.feed(event, at))
            observer.end()

    instrument(Alone(), tracer=tracer)
    assert sorted(span.name for span in exporter.get_finished_spans()) == [
        "invoke_agent",
        "turnkit.conversation",
        "turnkit.turn",
        "turnkit.turn",
    ]


async def test_what_is_remembered_stays_small(tracer: trace.Tracer) -> None:
    """Of hundreds of turns, of which every other is cut off, a handful is remembered; at the end, nothing."""
    session = bot()
    sizes: list[int] = []

    def remembered() -> int:
        spans = seen._spans
        return sum(map(len, (spans._turns, spans._replies, spans._waiting, spans._heard, spans._tokens)))

    seen = instrument(session, tracer=tracer, on_turn=lambda turn: sizes.append(remembered()))
    steps: list[object] = []
    for index in range(300):
        steps += [EagerEndOfTurn(index, "tea"), 0.25, EndOfTurn(index, "tea"), 3.0 if index % 2 else 1.0]
    await conversation(session, *steps)
    assert (seen.metrics.call.turns, seen.metrics.call.barge_ins) == (300, 150)
    assert max(sizes) <= 6
    assert remembered() == 0


async def test_without_an_sdk_nothing_happens() -> None:
    """With only the API, or no SDK configured, `instrument` measures and reports to nobody."""
    session = bot()
    turns: list[TurnMetrics] = []
    seen = instrument(session, on_turn=turns.append)
    await conversation(session, *TALK)
    assert seen.metrics.call.turns == len(turns) == 2


def test_only_the_api_is_needed() -> None:
    """`instrument` imports nothing of the SDK, and `telemetry` nothing of OpenTelemetry until it is called."""
    code = """
import sys
from turnkit.telemetry import instrument
assert "opentelemetry" not in sys.modules
sys.modules["opentelemetry.sdk"] = None
class Observed:
    id = "call-1"
    def observe(self, observer): self.observer = observer
session = Observed()
instrument(session)
from turnkit import EndOfTurn, TurnMachine
machine = TurnMachine()
session.observer.fed(0.0, EndOfTurn(0, "tea"), machine.feed(EndOfTurn(0, "tea"), 0.0))
session.observer.end()
print("nothing happened")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (run.stdout, run.stderr) == ("nothing happened\n", "")


def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenTelemetry the error says what to install; log lines do not need it."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    session = bot()
    with pytest.raises(ConfigError, match=r"not installed; install turnkit\[otel\]"):
        instrument(session)
    assert isinstance(log_turns(session), Metrics)


def test_every_duration_is_described() -> None:
    """A duration that is added to the turn's is not forgotten here."""
    assert tuple(telemetry._DESCRIPTIONS) == DURATIONS
