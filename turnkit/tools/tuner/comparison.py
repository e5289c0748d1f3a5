"""A against B: two sets of calls that were run at different settings, or with different bots, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

import msgspec

from .recommendation import Reading, forecaster
from .settings import Knowledge, Setting
from .silences import CallSilences
from .statistics import Estimate, difference
from .worth import Worth

_METRICS = ("response", "extra", "cut_offs")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of two sets of calls.

    Attributes:
        name: `response` (seconds), `extra` or `cut_offs` (a turn), see `Forecast`.
        before: The figure in A.
        after: The figure in B.
        change: How much more it is in B, with its interval.
        knowledge: The lesser of what the two sets tell.
        told: Whether the interval of the change leaves out 0.
        more_calls: How many more calls of each set would tell a change of this size; 0 if it is told; None if no
            number would, as the recordings leave it open or no change was seen.
    """

    name: str
    before: Estimate
    after: Estimate
    change: Estimate
    knowledge: Knowledge
    told: bool
    more_calls: int | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two sets of calls, as they were run.

    Attributes:
        calls: Number of calls of A and of B.
        settings: The setting that most calls of A, and of B, were recorded with.
        differences: The figures compared.
    """

    calls: tuple[int, int]
    settings: tuple[Setting, Setting]
    differences: tuple[Difference, ...]


def compare(before: Iterable[CallSilences], after: Iterable[CallSilences], *, reply_seconds: float = 0.7) -> Comparison:
    """Compare two sets of calls as they were run.

    Args:
        before: The calls of A.
        after: The calls of B.
        reply_seconds: Seconds from the start of the LLM to the first sound.

    Returns:
        Each figure in both, how much it changed, and how many more calls it would take to tell.

    Raises:
        ConfigError: numpy or scipy is not installed, or `reply_seconds` is no number of seconds.
    """
    readings = Reading(before), Reading(after)
    made = [forecaster(reading, Worth(), reply_seconds) for reading in readings]
    one, other = (each.forecast(reading.usual()) for each, reading in zip(made, readings, strict=True))
    fewer = min(len(reading.calls) for reading in readings)
    labels = list(Knowledge)
    differences = []
    for name in _METRICS:
        a, b = getattr(one, name), getattr(other, name)
        known = max(getattr(one, f"{name}_knowledge"), getattr(other, f"{name}_knowledge"), key=labels.index)
        open_ended = known is Knowledge.BOUNDS
        change = Estimate(b.value - a.value, b.low - a.high, b.high - a.low) if open_ended else difference(b, a)
        told = change.low > 0 or change.high < 0
        differences.append(
            Difference(
                name=name,
                before=a,
                after=b,
                change=change,
                knowledge=known,
                told=told,
                more_calls=0 if told else None if open_ended else _more(change, fewer),
            )
        )
    return Comparison(
        calls=(len(readings[0].calls), len(readings[1].calls)),
        settings=(readings[0].usual(), readings[1].usual()),
        differences=tuple(differences),
    )


def _more(change: Estimate, calls: int) -> int | None:
    """An interval narrows with the root of the calls."""
    reach = change.value - change.low if change.value > 0 else change.high - change.value
    if not change.value or not calls or not reach < float("inf"):
        return None
    return max(1, ceil(calls * ((reach / change.value) ** 2 - 1)))
