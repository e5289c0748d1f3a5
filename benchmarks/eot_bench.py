"""The simulator and the tuner against what LiveKit's eot-bench measured of Flux: the same figures, side by side.

    python -m benchmarks.eot_bench [--calls 200] [--seed 0] [--json]

https://github.com/livekit/eot-bench tells three points of Flux on human turns in English: a threshold, an action delay
and a timeout, and what they come to in mean latency, cut-offs and detected ends. Here callers of `EOT_BENCH_LIKE` are
heard by the simulator's detector, whose confidences are judged by the same three policies, with the times from the
script: "simulated". The same calls are recorded at 0.70 with a timeout of 2.5 s, and at 0.90 with one of 5 s; what the
tuner says of the three policies from those recordings alone stands beside it, with its 95 % intervals.
"""

from __future__ import annotations

import argparse
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from turnkit.simulator import EOT_BENCH_LIKE, Detector, Script, Settings
from turnkit.tools.tuner import CallSilences, FluxThresholds, call_silences
from turnkit.tools.tuner.ending import EndingPolicy
from turnkit.tools.tuner.fixed_points import OperatingPoint, Range, operating_points, spans
from turnkit.trace import parse

UTTERANCES = 20
HORIZON = 6.0  # seconds for which a silence is heard: more than the longest hold, less than the gap between turns


class Figures(NamedTuple):
    """Mean latency in seconds, share of holds cut off, share of ends detected."""

    latency: float
    cut_offs: float
    detected: float


PUBLISHED = {
    EndingPolicy(0.70, 0.2, 2.5): Figures(0.298, 0.129, 0.988),
    EndingPolicy(0.68, 0.5, 3.0): Figures(0.548, 0.099, 0.988),
    EndingPolicy(0.79, 0.3, 2.0): Figures(1.151, 0.050, 0.507),
}
"""What eot-bench reports of Flux, English."""

PAUSES = {0.3: 0.556, 0.6: 0.217, 1.0: 0.1, 1.6: 0.05}
"""The share of holds longer than so many seconds: the cut-offs of its silence-only baseline, the last two at most."""

RECORDED = (FluxThresholds(0.70, None, 2.5), FluxThresholds(0.90, None, 5.0))
"""The settings at which the tuner's recordings are made."""


class Heard(NamedTuple):
    """A pause as the script has it: how long it is, inf at the end of a turn, and the confidences heard in it."""

    seconds: float
    samples: list[tuple[float, float]]


def callers(count: int, seed: int) -> list[Script]:
    """The calls."""
    return [EOT_BENCH_LIKE.script(seed + number, utterances=UTTERANCES) for number in range(count)]


def heard(script: Script) -> Iterator[Heard]:
    """Every pause of a call, and how sure the detector is in it when nothing ends the turn before `HORIZON`."""
    settings = Settings(eot_threshold=1.0, eot_timeout_ms=round(HORIZON * 1000))
    said = Detector(script, settings).hear(script.end + HORIZON + 1)
    reports = [(message["audio_window_end"], message["end_of_turn_confidence"]) for message in said]
    for begin, end in pauses_of(script):
        first, last = (bisect_right(reports, (at, inf)) for at in (begin, min(end, begin + HORIZON)))
        yield Heard(end - begin, [(at - begin, sure) for at, sure in reports[first:last]])


def pauses_of(script: Script) -> Iterator[tuple[float, float]]:
    """From when to when nothing is said: within a turn, if for at least 0.1 s, and after it, to inf."""
    for utterance in script.utterances:
        yield from ((one.end, two.start) for one, two in pairwise(utterance.words) if two.start - one.end >= 0.1)
        yield utterance.end, inf


def judged(pauses: Sequence[Heard], policy: EndingPolicy) -> Figures:
    """What a policy makes of pauses whose every second is known."""
    latencies: list[float] = []
    detected = cut_offs = holds = 0
    for pause in pauses:
        reached = next((at for at, sure in pause.samples if sure >= policy.threshold), inf)
        acts = min(max(reached, policy.action_delay), policy.timeout)
        if pause.seconds == inf:
            latencies.append(acts)
            detected += acts < policy.timeout
        elif 0.2 <= pause.seconds <= 5.0:
            holds += 1
            cut_offs += acts < pause.seconds
    return Figures(sum(latencies) / len(latencies), cut_offs / holds, detected / len(latencies))


def recorded(script: Script, thresholds: FluxThresholds, name: str) -> CallSilences:
    """What the tuner reads in a call that was recorded at these thresholds."""
    settings = Settings(eot_threshold=thresholds.eot, eot_timeout_ms=round(thresholds.timeout * 1000))
    said = Detector(script, settings).hear(script.end + HORIZON)
    trace = parse(b"\n".join(map(msgspec.json.encode, said)), name)
    return call_silences(trace, thresholds)


def told(scripts: Sequence[Script], thresholds: FluxThresholds) -> dict[EndingPolicy, OperatingPoint]:
    """What the tuner says of the three policies, from calls recorded at these thresholds."""
    calls = [spans(recorded(script, thresholds, f"call {number}")) for number, script in enumerate(scripts)]
    return {point.policy: point for point in operating_points(calls, PUBLISHED)}


def rows(scripts: Sequence[Script]) -> list[dict[str, Any]]:
    """Published, simulated and told, policy by policy."""
    pauses = [pause for script in scripts for pause in heard(script)]
    tuned = {thresholds: told(scripts, thresholds) for thresholds in RECORDED}
    return [
        {
            "policy": str(policy),
            "published": published,
            "simulated": judged(pauses, policy),
            "told": {f"{one.eot:.2f} / {one.timeout:g} s": points[policy] for one, points in tuned.items()},
        }
        for policy, published in PUBLISHED.items()
    ]


def _figures(figures: Figures) -> str:
    return f"{figures.latency * 1000:,.0f} ms, {figures.cut_offs:.1%}, {figures.detected:.1%}"


def _range(known: Range, unit: str) -> str:
    scale = 1000 if unit == "ms" else 100
    digits = 0 if unit == "ms" else 1
    return f"{known.least * scale:.{digits}f}–{known.most * scale:.{digits}f} {unit}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200, help=f"of {UTTERANCES} turns each; 200 by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    measured = rows(callers(given.calls, given.seed))
    if given.json:
        # The points are structs, which `json` does not know.
        print(json.dumps(measured, indent=1, default=lambda point: _shown(point)))
        return
    table = Table("threshold / delay / timeout", "published", "simulated", title_justify="left")
    table.title = f"{given.calls} calls of {UTTERANCES} turns: mean latency, cut-offs, detected"
    for name in measured[0]["told"]:
        table.add_column(f"told from {name}")
    for row in measured:
        table.add_row(
            row["policy"], _figures(row["published"]), _figures(row["simulated"]), *map(_shown, row["told"].values())
        )
    Console(width=170).print(table)


def _shown(point: OperatingPoint) -> str:
    return ", ".join((_range(point.latency, "ms"), _range(point.cut_offs, "%"), _range(point.detected, "%")))


if __name__ == "__main__":
    main()
