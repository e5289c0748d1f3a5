"""Clients beside each other on each event loop: in turn in every round, each figure with its ratios to the floor."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table

from .clients import FLOOR, LISTENERS, LOOPS, Loop
from .rows import Effort

STANDARD = "asyncio"
HARNESS = "harness"
BOUNDED = ("turnkit websockets", "turnkit picows")

Take: TypeAlias = Callable[[str, str, str, Effort], list[float]]
"""What one client takes in one round: is given the loop's name, the peer's url, and the client's name."""
Taken: TypeAlias = Mapping[tuple[str, str], Sequence[Sequence[float]]]
"""By loop and client, for each of the rounds, a value for each row."""


class What(NamedTuple):
    """One row: its name, how it is measured, and what it is bounded by for turnkit over websockets and over picows.

    A bound is for the ratio to the floor on the standard loop.
    """

    name: str
    how: str
    bounds: tuple[float | None, float | None] = (None, None)


class Measure(NamedTuple):
    """What is measured together: its rows, what takes them, and how often.

    `net`: what the harness takes is taken off. `apart`: each time in a fresh process, so that nothing is tried before.
    `traced`: only on the standard loop, as others' memory is not seen.
    """

    rows: tuple[What, ...]
    take: Take
    rounds: int
    net: bool = False
    apart: bool = False
    traced: bool = False


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What one client took on one loop, in the median of the rounds, and its ratios, medians of the rounds' own.

    `spread`: half the distance of the quartiles of the rounds' ratios to the floor on the standard loop.
    """

    client: str
    value: float
    ratio: float  # to the floor on the standard loop
    spread: float = 0.0
    ratio_same_loop: float
    bound: float | None = None

    @property
    def verdict(self) -> str:
        """`within` or `over` the bound, or nothing where there is none."""
        return "" if self.bound is None else "within" if self.ratio <= self.bound else "over"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One row on one loop: all clients' figures."""

    name: str
    loop: str
    how: str
    figures: list[Figure]


def rounds_of(
    measure: Measure, url: str, loops: Mapping[str, Loop], effort: Effort, progress: Callable[[int], None]
) -> Taken:
    """Have every client on every loop take its turn in each of the rounds; every other round goes backwards."""
    names = [STANDARD] if measure.traced else list(loops)
    kinds = [(loop, kind) for loop in names for kind in (*LISTENERS, *([HARNESS] if measure.net else []))]
    least = effort._replace(crowd=2, crowd_turns=1, turns=5, flood_turns=2, audio_seconds=0.16, residents=1)
    for loop, kind in [] if measure.apart else kinds:  # imports and first calls
        measure.take(loop, url, kind, least)
    taken: dict[tuple[str, str], list[list[float]]] = {key: [] for key in kinds}
    for turn in range(measure.rounds):
        progress(turn)
        for loop, kind in kinds[:: -1 if turn % 2 else 1]:
            gc.collect()
            taken[loop, kind].append(measure.take(loop, url, kind, effort))
    return _net(taken) if measure.net else taken


def _net(taken: Taken) -> Taken:
    """What is left without what the harness took on the same loop, in the median of its rounds, as it varies too."""
    idle = {
        loop: [statistics.median(values) for values in zip(*rounds, strict=True)]
        for (loop, kind), rounds in taken.items()
        if kind == HARNESS
    }
    return {
        (loop, kind): [[value - less for value, less in zip(values, idle[loop], strict=True)] for values in rounds]
        for (loop, kind), rounds in taken.items()
        if kind != HARNESS
    }


def lines_of(measure: Measure, taken: Taken) -> list[Line]:
    """The rows of what the clients took."""
    loops = dict.fromkeys(loop for loop, _ in taken)
    return [
        Line(
            name=what.name,
            loop=loop,
            how=what.how,
            figures=[_figure(taken, index, loop, kind, what) for kind in LISTENERS],
        )
        for index, what in enumerate(measure.rows)
        for loop in loops
    ]


def _figure(taken: Taken, index: int, loop: str, kind: str, what: What) -> Figure:
    values, floors, same = (
        [round_[index] for round_ in taken[key]] for key in ((loop, kind), (_standard(taken), FLOOR), (loop, FLOOR))
    )
    bounds = dict(zip(BOUNDED, what.bounds, strict=True)) if loop == STANDARD else {}
    ratios = [value / floor for value, floor in zip(values, floors, strict=True)]
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Figure(
        client=kind,
        value=statistics.median(values),
        ratio=statistics.median(ratios),
        spread=(quartiles[2] - quartiles[0]) / 2,
        ratio_same_loop=statistics.median(value / floor for value, floor in zip(values, same, strict=True)),
        bound=bounds.get(kind),
    )


def _standard(taken: Taken) -> str:
    """The standard loop, if it was measured, else the one that was."""
    return next((loop for loop, _ in taken if loop == STANDARD), next(iter(taken))[0])


def table(lines: Sequence[Line]) -> Table:
    """All figures, for people: medians, and after them the ratio to the floor on the standard loop, then on its own."""
    shown = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    shown.add_column("µs, if not kB", no_wrap=True)
    shown.add_column("loop", no_wrap=True)
    for kind in LISTENERS:
        shown.add_column(kind.replace(" ", "\n"), justify="right", no_wrap=True)
    for line in lines:
        cells = []
        for figure in line.figures:
            ratios = _ratio(figure.ratio) + ("" if line.loop == STANDARD else f" {_ratio(figure.ratio_same_loop)}")
            colour = {"over": "red", "within": "green"}.get(figure.verdict)
            cells.append(f"{_number(figure.value)} " + (f"[{colour}]{ratios}[/]" if colour else ratios))
        shown.add_row(line.name, line.loop, *cells, end_section=line.loop == list(LOOPS)[-1])
    return shown


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def judged(lines: Sequence[Line]) -> Table:
    """What was to be reached, and whether it was."""
    shown = Table("to reach (asyncio)", box=SIMPLE_HEAD, padding=0, show_edge=False)
    for kind in BOUNDED:
        shown.add_column(kind.replace(" ", "\n"), justify="right", no_wrap=True)
    for line in lines:
        verdicts = {figure.client: figure for figure in line.figures if figure.bound is not None}
        if verdicts:
            shown.add_row(line.name, *(_verdict(verdicts.get(kind)) for kind in BOUNDED))
    return shown


def _verdict(figure: Figure | None) -> str:
    if figure is None or figure.bound is None:
        return ""
    colour = "bold red" if figure.verdict == "over" else "green"
    return f"{_ratio(figure.ratio)} of {figure.bound:.2f} [{colour}]{figure.verdict}[/]"
