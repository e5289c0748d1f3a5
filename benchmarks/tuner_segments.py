"""How often `--by` gives a part of the calls a setting of its own: where the parts are alike, and where they differ.

    python -m benchmarks.tuner_segments [--sets 40] [--calls 100 400] [--parts 2 5] [--jobs 2] [--write FILE]

Callers and detectors of `benchmarks.callers`, who can be heard at any setting. In the sets that are *alike*, the parts
are calls of one population: each setting of a part's own is a false one. In those that *differ*, callers of the first
tag hesitate (their pauses last 1.8 times as long, and Flux is surer in them by 0.15), those of the others are decided
(they make one pause of ten). Counted is how often a part is given a setting of its own, and what the settings that are
run really cost a turn beyond the best for each part: with settings of their own, and with one for all.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.callers import MODELS, UNSEEN, Variant, World
from benchmarks.callers.world import REPLY_SECONDS
from benchmarks.tuner_coverage import cost
from turnkit.tools.tuner import CallSilences, FluxThresholds, Setting, Worth, calibrate
from turnkit.tools.tuner.forecasts import Forecaster
from turnkit.tools.tuner.recommendation import recommend
from turnkit.tools.tuner.segments import By, segments
from turnkit.tools.tuner.settings import Knowledge, knowledge

RECORDED = (FluxThresholds(0.9, None, 5.0), FluxThresholds(0.7, 0.4, 5.0), FluxThresholds(0.9, 0.5, 2.0))
"""What the calls are recorded at: settings that leave lower ones to ask about."""

VARIANT = Variant("busy", 1, True, 0.6)
ASKED = tuple(
    FluxThresholds(eot, eager, timeout)
    for eot in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
    for eager in (None, 0.4, 0.5)
    for timeout in (1.0, 1.5, 2.0, 3.0, 5.0)
    if eager is None or eager <= eot
)
_WORTH = Worth()
_TRUTH_CALLS = 4000


class Cell(NamedTuple):
    """Sets of calls that are made alike: what they are drawn from, and how many calls and parts a set has."""

    model: str
    recorded: FluxThresholds
    calls: int
    parts: int
    differ: bool


@dataclass
class Outcome:
    """What came of such sets.

    Attributes:
        own: For each set, how many of its parts were given a setting of their own.
        parted: For each set, the true cost a turn beyond the best for each part, with what the parts were given.
        single: The same with one setting for all.
    """

    own: list[int] = field(default_factory=list)
    parted: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)


def decided(world: World) -> World:
    """Callers who make one pause of ten."""
    return _rows(world, world.last | (np.arange(len(world.call)) % 10 == 0))


def hesitant(world: World) -> World:
    """Callers whose pauses last 1.8 times as long, and sound as if they had finished: people who spell or list."""
    raised = np.where(world.last, 0.0, 0.15)[:, None]
    return replace(world, pause=world.pause * 1.8, confidence=np.minimum(world.confidence + raised, 0.98))


def drawn(model: str, seed: str, calls: int, differ: bool, part: int) -> World:
    """The calls of a part."""
    world = {**MODELS, **UNSEEN}[model](np.random.default_rng(zlib.crc32(seed.encode())), calls)
    if not differ:
        return world
    return hesitant(world) if part == 0 else decided(world)


def together(worlds: list[World]) -> World:
    """Calls of several worlds, one after the other."""
    first, starts = worlds[0], np.cumsum([0, *(int(world.call[-1]) + 1 for world in worlds)])
    shifted = [replace(world, call=world.call + start) for world, start in zip(worlds, starts[:-1], strict=True)]
    return replace(first, **{name: np.concatenate([getattr(one, name) for one in shifted]) for name in _FIELDS})


def run(cell: Cell, sets: int) -> Outcome:
    """Tune so many sets, and hold what the parts were given against the truth."""
    outcome = Outcome()
    known = [Setting(one) for one in (cell.recorded, *(one for one in ASKED if one != cell.recorded))]
    known = [one for one in known if knowledge(one, {cell.recorded}) is not Knowledge.BOUNDS]
    for number in range(sets):
        _run_set(cell, number, known, outcome)
    return outcome


def _run_set(cell: Cell, number: int, known: list[Setting], outcome: Outcome) -> None:
    each = cell.calls // cell.parts
    seeds = [f"{cell.model} {cell.calls} {cell.parts} {number} {part}" for part in range(cell.parts)]
    world = together([drawn(cell.model, seed, each, cell.differ, part) for part, seed in enumerate(seeds)])
    made = Forecaster(world.heard(cell.recorded, VARIANT), REPLY_SECONDS, _WORTH)
    # Tags come as calls do, in no order: every other call of a part is what its setting is chosen on.
    calls = [
        CallSilences("call", cell.recorded, False, [], [], True, tag=f"tag {number // each}")
        for number in range(each * cell.parts)
    ]
    advice = recommend(made, [made.forecast(Setting(cell.recorded))], known, calibrate([]), _WORTH)
    whole = advice.setting if advice.shown else advice.current
    found = segments(made, calls, By.TAG, whole, known)
    truths = [truth(cell.model, cell.differ, part) for part in range(cell.parts)]
    outcome.own.append(sum(part.setting != whole for part in found))
    outcome.parted.append(_regret(truths, [part.setting for part in found], known))
    outcome.single.append(_regret(truths, [whole] * cell.parts, known))


def _regret(truths: list[dict[FluxThresholds, float]], settings: list[Setting], known: list[Setting]) -> float:
    """What these settings cost a turn, on average of the parts, beyond the best that could be known for each."""
    best = [min(costs[one.thresholds] for one in known) for costs in truths]
    costs = [costs[setting.thresholds] for costs, setting in zip(truths, settings, strict=True)]
    return float(np.mean(costs) - np.mean(best))


def truth(model: str, differ: bool, part: int) -> dict[FluxThresholds, float]:
    """What each setting really costs a turn in a part."""
    return _truth(model, differ, differ and part > 0)


@cache
def _truth(model: str, differ: bool, later: bool) -> dict[FluxThresholds, float]:
    world = drawn(model, f"{model} truth", _TRUTH_CALLS, differ, int(later))
    return {one: cost(world.truth(one, VARIANT.frames)) for one in {*ASKED, *RECORDED}}


_FIELDS = ("call", "last", "pause", "confidence", "phase", "latency", "speech", "reaction", "joins")


def _rows(world: World, keep: np.typing.NDArray[np.bool_]) -> World:
    return replace(world, **{name: getattr(world, name)[keep] for name in _FIELDS})


def lines(outcomes: dict[Cell, Outcome]) -> Iterator[str]:
    """The table: a row for each model and number of calls and parts, all recorded settings together."""
    yield (
        "| model | calls, parts | alike: sets in which a part gets its own | differ: the same "
        "| such parts a set | regret with, one for all |"
    )
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    rows = dict.fromkeys((cell.model, cell.calls, cell.parts) for cell in outcomes)
    for row in [*rows, *(("all", calls, parts) for calls, parts in dict.fromkeys(row[1:] for row in rows))]:
        alike, differ = (
            [one for cell, one in outcomes.items() if _is(cell, row) and cell.differ is kind] for kind in (False, True)
        )
        false, power = (_flat(some, "own") for some in (alike, differ))
        parted, single = _flat(differ, "parted"), _flat(differ, "single")
        yield (
            f"| {row[0]} | {row[1]}, {row[2]} | {np.mean(false > 0):.1%} of {len(false)} "
            f"| {np.mean(power > 0):.1%} of {len(power)} | {np.mean(power):.2f} "
            f"| {np.mean(parted):.5f}, {np.mean(single):.5f} |"
        )


def _is(cell: Cell, row: tuple[str, int, int]) -> bool:
    return row[0] in ("all", cell.model) and (cell.calls, cell.parts) == row[1:]


def _flat(outcomes: list[Outcome], name: str) -> np.typing.NDArray[np.float64]:
    return np.array([value for one in outcomes for value in getattr(one, name)], dtype=np.float64)


def main() -> None:
    """Run all cells and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=40)
    parser.add_argument("--calls", type=int, nargs="+", default=[100])
    parser.add_argument("--parts", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--models", nargs="+", default=[*MODELS, *UNSEEN], choices=[*MODELS, *UNSEEN])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="write the table there as well")
    given = parser.parse_args()
    cells = [
        Cell(model, recorded, calls, parts, differ)
        for model in given.models
        for calls in given.calls
        for parts in given.parts
        for recorded in RECORDED
        for differ in (False, True)
    ]
    if given.jobs == 1:
        outcomes = {cell: run(cell, given.sets) for cell in cells}
    else:
        with ProcessPoolExecutor(given.jobs, get_context("spawn")) as pool:
            outcomes = dict(zip(cells, pool.map(run, cells, [given.sets] * len(cells)), strict=True))
    text = "\n".join([f"{given.sets} sets a cell", "", *lines(outcomes)])
    print(text)
    if given.write:
        given.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
