"""A measured row, the fair comparison behind it, and how much of it to do."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec


class Effort(NamedTuple):
    """How much to measure; the same benchmarks run in a minute, in seconds, or in a test."""

    rounds: int = 80  # of decode and feed, floor and subject in turn
    decodes: int = 4000  # in a round
    machines: int = 10_000
    calls: int = 20  # latency: rounds of one call each
    turns: int = 60  # in such a call, each a barge-in
    crowds: int = 10  # CPU: rounds of many calls at once
    crowd: int = 50  # calls at once
    crowd_turns: int = 2
    flood_turns: int = 60  # in a call whose messages come as fast as they can
    audio_seconds: float = 0.9  # of talk in each call of a crowd
    settle: float = 0.2  # seconds before it, for the connections to come to rest
    residents: int = 200  # memory: calls held open
    resident_runs: int = 2  # processes of each kind
    starts: int = 21  # interpreters of each kind


FULL = Effort()
QUICK = Effort(
    rounds=20,
    decodes=1000,
    machines=1000,
    calls=4,
    turns=40,
    crowds=2,
    crowd=20,
    crowd_turns=2,
    flood_turns=20,
    audio_seconds=0.6,
    residents=50,
    resident_runs=1,
    starts=5,
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report.

    `floor` is what the bare counterpart costs and `turnkit` what turnkit does, both in `unit`; `ratio` is the median
    of the rounds' own ratios, so it need not be the quotient of the two medians. `bound` is for the ratio, or for
    `turnkit` itself where there is no floor; a row without one only informs.
    """

    name: str
    unit: str
    turnkit: float
    how: str
    floor: float | None = None
    ratio: float | None = None
    bound: float | None = None

    @property
    def verdict(self) -> str:
        """`within` or `over` the bound, or nothing where there is none."""
        if self.bound is None:
            return ""
        return "within" if (self.turnkit if self.ratio is None else self.ratio) <= self.bound else "over"


def alternate(floor: Callable[[], float], subject: Callable[[], float], rounds: int) -> list[tuple[float, float]]:
    """Measure both in each of the rounds, taking turns at going first, so that noise and drift hit them alike."""
    pairs = []
    for index in range(rounds):
        if index % 2:
            later = subject()
            pairs.append((floor(), later))
        else:
            first = floor()
            pairs.append((first, subject()))
    return pairs


def compared(name: str, unit: str, pairs: Sequence[tuple[float, float]], how: str, bound: float | None = None) -> Row:
    """The row of alternating measurements: medians, and the median of the rounds' ratios."""
    return Row(
        name=name,
        unit=unit,
        floor=statistics.median(floor for floor, _ in pairs),
        turnkit=statistics.median(subject for _, subject in pairs),
        ratio=statistics.median(subject / floor for floor, subject in pairs),
        bound=bound,
        how=how,
    )
