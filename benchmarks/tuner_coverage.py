"""How often the truth lies in the tuner's intervals, and what its advice costs.

    python -m benchmarks.tuner_coverage [--sets 200] [--calls 20 100] [--models NAME ...] [--jobs 2] [--write FILE]
        [--keep FOLDER [--seconds 50]]

Callers and detectors of `benchmarks.callers` can be heard at any setting, so that what each setting does is known, from
a hundred thousand turns of theirs. For each model, each variant and each recorded setting, sets of calls are recorded
and forecast; counted is how often the truth lies in the interval, by what the forecast is labelled, and what the
recommended setting really costs beyond the best.
"""

from __future__ import annotations

import argparse
import pickle
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import inf, sqrt
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.callers import MODELS, UNSEEN, Truth, Variant
from benchmarks.callers.world import REPLY_SECONDS
from turnkit.tools.tuner import FluxThresholds, Setting, Worth, calibrate
from turnkit.tools.tuner.columns import Columns
from turnkit.tools.tuner.forecasts import Forecaster
from turnkit.tools.tuner.recommendation import recommend
from turnkit.tools.tuner.settings import Knowledge, knowledge

RECORDED = (
    FluxThresholds(0.7, None, 1.0),
    FluxThresholds(0.9, 0.5, 1.0),
    FluxThresholds(0.7, None, 5.0),
    FluxThresholds(0.5, None, 5.0),
    FluxThresholds(0.9, None, 5.0),
    FluxThresholds(0.7, 0.4, 5.0),
)
OTHERS = (
    FluxThresholds(0.5, 0.4, 1.0),
    FluxThresholds(0.6, None, 1.0),
    FluxThresholds(0.6, 0.5, 2.0),
    FluxThresholds(0.65, None, 3.0),
    FluxThresholds(0.7, 0.6, 2.0),
    FluxThresholds(0.75, 0.4, 5.0),
    FluxThresholds(0.8, None, 2.0),
    FluxThresholds(0.9, 0.7, 1.5),
)
VARIANTS = (
    Variant("dense", 1, True, 0.6),
    Variant("sparse", 2, False, 1.5),
    Variant("busy", 1, True, 1.8),
    Variant("busy", 2, False, 0.6),
)
METRICS = ("response", "extra", "cut_offs")
ASKED = (*RECORDED, *OTHERS)
_WORTH = Worth()
_TRUTH_CALLS = 10_000


def cost(truth: Truth) -> float:
    """What a turn costs at a setting whose truth is known."""
    worth = _WORTH
    return worth.second * (truth.response + worth.cut_off * truth.cut_offs) + worth.per_call * (1 + truth.extra)


@dataclass
class Score:
    """What came out of many sets of calls that were recorded alike.

    Attributes:
        covered: By metric, label and whether the setting was the recorded one: intervals that hold the truth.
        tried: The same: all intervals.
        widths: The same: the sum of their widths.
        regret: True cost of each recommendation beyond that of the best setting asked about.
        stay: The same, had the recorded setting been kept.
        claims: Number of gains that were claimed.
        wrong: Number of claims whose interval does not hold the true gain.
        false: Number of claims where the true gain is not above 0.
    """

    covered: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    tried: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    widths: defaultdict[tuple[str, str, bool], float] = field(default_factory=partial(defaultdict, float))
    regret: list[float] = field(default_factory=list)
    stay: list[float] = field(default_factory=list)
    claims: int = 0
    wrong: int = 0
    false: int = 0

    def add(self, other: Score) -> None:
        """Count another one in."""
        self.covered.update(other.covered)
        self.tried.update(other.tried)
        for key, width in other.widths.items():
            self.widths[key] += width
        self.regret += other.regret
        self.stay += other.stay
        self.claims += other.claims
        self.wrong += other.wrong
        self.false += other.false


def judge(columns: Columns, recorded: FluxThresholds, truths: dict[FluxThresholds, Truth], score: Score) -> None:
    """Forecast from one set of calls and hold it against the truth."""
    made = Forecaster(columns, REPLY_SECONDS, _WORTH)
    settings = [Setting(recorded), *(Setting(one) for one in ASKED if one != recorded)]
    forecasts = [made.forecast(setting) for setting in settings]
    for forecast in forecasts:
        truth = truths[forecast.setting.thresholds]
        for metric in METRICS:
            estimate, real = getattr(forecast, metric), getattr(truth, metric)
            key = metric, getattr(forecast, f"{metric}_knowledge").value, forecast.setting.thresholds == recorded
            score.tried[key] += 1
            score.covered[key] += estimate.low - 1e-9 <= real <= estimate.high + 1e-9
            score.widths[key] += estimate.high - estimate.low
    known = [one for one in settings if knowledge(one, {recorded}) is not Knowledge.BOUNDS]
    advice = recommend(made, forecasts, known, calibrate([]), _WORTH)
    best = min(cost(truth) for truth in truths.values())
    score.regret.append(cost(truths[advice.setting.thresholds]) - best)
    score.stay.append(cost(truths[recorded]) - best)
    if advice.shown:
        gain = cost(truths[recorded]) - cost(truths[advice.setting.thresholds])
        score.claims += 1
        score.wrong += not advice.gain.low <= gain <= advice.gain.high
        score.false += gain <= 0


def cell(
    name: str,
    variant: Variant,
    recorded: FluxThresholds,
    calls: int,
    sets: int,
    seed: int,
    *,
    truth_calls: int = _TRUTH_CALLS,
) -> Score:
    """The score of sets of calls of one model that are recorded alike."""
    draw = {**MODELS, **UNSEEN}[name]
    truths = truth(name, variant.frames, truth_calls)
    score = Score()
    for number in range(sets):
        place = zlib.crc32(f"{name} {variant} {recorded} {calls} {seed} {number}".encode())
        world = draw(np.random.default_rng(place), calls)
        judge(world.heard(recorded, variant), recorded, truths, score)
    return score


_TRUTHS: dict[tuple[str, int], dict[FluxThresholds, Truth]] = {}


def truth(name: str, frames: int, calls: int = _TRUTH_CALLS) -> dict[FluxThresholds, Truth]:
    """What every setting asked about does to the callers of a model, from ten turns of each of so many calls."""
    if (name, frames) not in _TRUTHS:
        draw = {**MODELS, **UNSEEN}[name]
        found: dict[FluxThresholds, list[Truth]] = {one: [] for one in ASKED}
        for part in range(10):
            world = draw(np.random.default_rng(zlib.crc32(f"{name} truth {part}".encode())), calls // 10)
            for one in ASKED:
                found[one].append(world.truth(one, frames))
        _TRUTHS[name, frames] = {
            one: Truth(*(float(np.mean([getattr(part, metric) for part in parts])) for metric in METRICS))
            for one, parts in found.items()
        }
    return _TRUTHS[name, frames]


def _lines(scores: dict[tuple[str, Variant, FluxThresholds, int], Score]) -> Iterable[str]:
    for label in Knowledge:
        for at_recorded in (True, False):
            yield ""
            where = "at the recorded setting" if at_recorded else "at other settings"
            yield f"`{label.value}`, {where}: intervals that hold the truth, of how many"
            yield ""
            yield "| model | calls | response | extra calls | cut-offs |"
            yield "| --- | ---: | ---: | ---: | ---: |"
            groups: dict[tuple[str, int], Score] = {}
            for (name, _, _, calls), score in scores.items():
                groups.setdefault((name, calls), Score()).add(score)
            for (name, calls), score in groups.items():
                cells = [_cell(score, metric, label.value, at_recorded) for metric in METRICS]
                if any(one != "–" for one in cells):
                    yield f"| {name} | {calls} | {' | '.join(cells)} |"
    yield ""
    yield "By recorded setting and variant, all labels (share that holds the truth, least label first):"
    yield ""
    yield "| model | recorded at | variant | calls | response | extra calls | cut-offs | regret | had one stayed |"
    yield "| --- | --- | --- | ---: | --- | --- | --- | ---: | ---: |"
    for (name, variant, recorded, calls), score in scores.items():
        cells = [_by_label(score, metric) for metric in METRICS]
        yield (
            f"| {name} | {Setting(recorded)} | {variant} | {calls} | {' | '.join(cells)} "
            f"| {np.mean(score.regret):.5f} | {np.mean(score.stay):.5f} |"
        )
    total = Score()
    for score in scores.values():
        total.add(score)
    yield ""
    yield (
        f"Gains claimed: {total.claims} of {len(total.regret)} sets; the true gain is outside its interval in "
        f"{total.wrong}, and not above 0 in {total.false}. Regret {np.mean(total.regret):.5f} a turn on average, "
        f"{np.mean(total.stay):.5f} had one stayed."
    )


def _cell(score: Score, metric: str, label: str, at_recorded: bool) -> str:
    key = metric, label, at_recorded
    tried = score.tried[key]
    if not tried:
        return "–"
    rate = score.covered[key] / tried
    return f"{rate:.1%} of {tried:,} (width {score.widths[key] / tried:.3f})"


def _by_label(score: Score, metric: str) -> str:
    parts = []
    for label in Knowledge:
        for at_recorded in (True, False):
            key = metric, label.value, at_recorded
            if score.tried[key]:
                mark = "!" if at_recorded else ""
                parts.append(f"{label.value}{mark} {score.covered[key] / score.tried[key]:.0%}/{score.tried[key]}")
    return ", ".join(parts)


def _kept(
    folder: Path | None, sets: int, seed: int, until: float, key: tuple[str, Variant, FluxThresholds, int]
) -> Score | None:
    """The score of a cell, from the folder if it is there; None if it is not, and it is too late to begin."""
    if folder is None:
        return cell(*key, sets, seed)
    file = folder / f"{zlib.crc32(f'{key} {sets} {seed}'.encode()):08x}.pickle"
    if file.exists():
        score: Score = pickle.loads(file.read_bytes())
        return score
    if perf_counter() > until:
        return None
    score = cell(*key, sets, seed)
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(score))
    return score


def main() -> None:
    """Run all cells and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--calls", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=[*MODELS, *UNSEEN])
    parser.add_argument("--keep", type=Path, help="keep what is done there, and do not do it again")
    parser.add_argument("--seconds", type=float, default=inf, help="begin nothing new after so many")
    parser.add_argument("--write", type=Path, help="write the tables there as well")
    given = parser.parse_args()
    began = perf_counter()
    keys = [(m, v, r, c) for m in given.models for v in VARIANTS for r in RECORDED for c in given.calls]
    work = partial(_kept, given.keep, given.sets, given.seed, began + given.seconds)
    if given.jobs == 1:
        found = {key: work(key) for key in keys}
    else:
        with ProcessPoolExecutor(given.jobs, get_context("spawn")) as pool:
            found = dict(zip(keys, pool.map(work, keys), strict=True))
    scores = {key: score for key, score in found.items() if score is not None}
    if len(scores) < len(keys):
        print(f"{len(scores)} of {len(keys)} rows are done")
        return
    chance = sqrt(0.05 * 0.95 / given.sets)
    title = f"{given.sets} sets a row, chance alone moves a cell by {chance:.1%}; {perf_counter() - began:.0f} s"
    text = "\n".join([title, *_lines(scores)])
    print(text)
    if given.write:
        given.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
