"""Spans that have been exported: found by name, and what is read off one."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    """The spans of this name, by when they began."""
    spans = [span for span in exporter.get_finished_spans() if span.name == name]
    return sorted(spans, key=lambda span: span.start_time or 0)


def marks(span: ReadableSpan) -> list[str]:
    """The names of the events on a span, in order."""
    return [event.name.removeprefix("turnkit.") for event in span.events]


def lasted(span: ReadableSpan) -> float:
    """How many seconds a span lasted."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def parent(span: ReadableSpan) -> int | None:
    """The id of the span that a span is a child of."""
    return None if span.parent is None else span.parent.span_id
