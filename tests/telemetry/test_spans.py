"""Spans of OpenTelemetry: their tree, what is on them, and that each ends, with the SDK's own exporter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.monitored_bot import HEARD, SAID, TALK, bot, conversation
from tests.support.spans import lasted, marks, named, parent
from turnkit import (
    EagerEndOfTurn,
    EndOfTurn,
    FluxError,
    Interrupt,
    Outcome,
    PlaybackStarted,
    ReplyEnded,
    StartOfTurn,
    TurnMachine,
)
from turnkit.session import Observer
from turnkit.telemetry import instrument
from turnkit.turns.events import Event

pytestmark = pytest.mark.anyio


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
    """A reply whose `respond` raised has the status of an error and the kind of its exception, not the message."""
    session = bot()
    instrument(session, tracer=tracer)
    await conversation(session, EndOfTurn(0, "fail"), 1.0)
    (reply,) = named(exporter, "invoke_agent")
    assert reply.status.status_code is StatusCode.ERROR
    assert dict(reply.attributes or {})["error.type"] == "RuntimeError"
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


async def test_what_the_host_interrupts(exporter: InMemorySpanExporter, tracer: trace.Tracer) -> None:
    """A mark of the conversation, and a barge-in of no turn on the reply; a typed text is a turn with its answer."""
    seen = instrument(bot(), tracer=tracer)
    machine = TurnMachine()
    steps: list[Event] = [EndOfTurn(0, "tea"), PlaybackStarted(0), Interrupt(), Interrupt("with milk")]
    for at, event in enumerate(steps):
        seen.fed(at, event, machine.feed(event, at))
    seen.end()
    (call,) = named(exporter, "turnkit.conversation")
    spoken, typed = named(exporter, "turnkit.turn")
    cut, answer = named(exporter, "invoke_agent")
    assert marks(call) == ["interrupt", "interrupt"]
    assert marks(cut) == ["commit", "first_sound", "barge_in"]
    assert all(None not in (event.attributes or {}).values() for event in cut.events)
    assert dict(typed.attributes or {})["turnkit.turn.trigger"] == "typed"
    assert parent(answer) == typed.context.span_id
    assert marks(spoken) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [(None, "_OTHER"), (TimeoutError("tea"), "TimeoutError"), (FluxError("X", "tea"), "turnkit.errors.FluxError")],
)
async def test_the_kind_of_error_is_on_the_span(
    exporter: InMemorySpanExporter, tracer: trace.Tracer, error: BaseException | None, kind: str
) -> None:
    """Its name, and not what it says; and whether anybody reported what was heard."""
    seen = instrument(bot(), tracer=tracer)
    event = EndOfTurn(0, "tea")
    seen.fed(0.0, event, TurnMachine().feed(event, 0.0))
    seen.told(ReplyEnded(0, 0, Outcome.FAILED, "Very", reported=False, error=error, at=1.0))
    seen.end()
    (reply,) = named(exporter, "invoke_agent")
    about = dict(reply.attributes or {})
    assert (about["error.type"], about["turnkit.reply.reported"]) == (kind, False)
    assert "tea" not in reply.to_json()
