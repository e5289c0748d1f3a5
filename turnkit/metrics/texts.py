"""Durations, counts, shares and spreads, as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .samples import Samples

NONE = "–"
"""The text of a figure that there is not."""


def seconds(value: float | None) -> str:
    """A duration for people: milliseconds below a second, minutes from two on; "–" for none."""
    if value is None:
        return NONE
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 119.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,} min {rest:02d} s"


def counted(count: int, what: str) -> str:
    """A count with its noun, in the plural where there are several."""
    plural = {"reply": "replies"}.get(what, f"{what}s")
    return f"{count:,} {what if count == 1 else plural}"


def times(count: int) -> str:
    """How often: never, once, or a number of times."""
    return "once" if count == 1 else f"{count:,} times" if count else "never"


def share(part: float | None) -> str:
    """A share as a percentage; "–" for none."""
    return NONE if part is None else f"{part:.0%}".replace("%", " %")


def spread(samples: Samples, what: str, *, at_least: bool = False, total: bool = False) -> str:
    """The median and 95th percentile of durations, and of how many; with `total`, also all of them together."""
    if not samples.count:
        return NONE
    median = f"{'≥ ' if at_least else ''}{seconds(samples.median)} median"
    together = f", {seconds(samples.total)} in all" if total else ""
    return f"{median}, {seconds(samples.p95)} p95, {counted(samples.count, what)}{together}"


def kinds(counts: Mapping[Any, int]) -> str:
    """The count of each kind, the most frequent first; empty if there are none."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return ", ".join(f"{count:,} {str(kind).replace('_', ' ')}" for kind, count in ordered if count)


def split(total: int, counts: Mapping[Any, int]) -> str:
    """A total, and how it divides into kinds."""
    parts = kinds(counts)
    return f"{total:,}: {parts}" if parts else f"{total:,}"
