"""How far off the tuner is: calls recorded at one setting, its answers for others, and the simulator run at those.

    python -m benchmarks.tuning [--calls 500] [--seed 0] [--eot 0.7] [--eager 0.4]

Each call is a script of utterances with pauses in them, heard by the simulator's detector at the recorded thresholds.
The tuner sees the frames only. For every other setting its prediction stands beside what the detector, run on the
same calls at that setting, really did, counted from the script: when the last word ended is known there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from math import inf
from random import Random
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from turnkit.simulator.detector import Detector
from turnkit.simulator.parameters import Settings
from turnkit.simulator.script import Script, Utterance, say
from turnkit.tools.tuner import CallSilences, FluxThresholds, Setting, call_silences, tune
from turnkit.trace import Trace, parse

REPLY_SECONDS = 0.7
_BEGINNINGS = ("I'd like", "Could you", "Please", "I was wondering", "Maybe we", "My name is", "We need", "It's about")
_MIDDLES = ("a table", "the booking", "two rooms", "an appointment", "my order", "the invoice", "some help", "a refund")
_ENDS = ("for tomorrow", "on Friday evening", "as soon as possible", "under Smith", "near the station", "if you can")


def call(seed: int) -> Script:
    """A call of eight utterances, a third of them with a pause in mid-sentence, and time for an answer after each."""
    chance = Random(f"call {seed}")
    utterances: list[Utterance] = []
    at = 1.0
    for _ in range(8):
        pause = f"({chance.lognormvariate(-0.5, 0.6):.2f})" if chance.random() < 0.5 else ""
        words = f"{chance.choice(_BEGINNINGS)} {chance.choice(_MIDDLES)} {pause} {chance.choice(_ENDS)}"
        utterances.append(say(words + chance.choice((".", ".", "?", "")), at=at))
        at = utterances[-1].end + chance.uniform(7.0, 8.0)
    return Script(tuple(utterances), seed=seed)


def frames(script: Script, thresholds: FluxThresholds) -> list[dict[str, Any]]:
    """What the simulator says of a call at these thresholds."""
    eager, timeout = thresholds.eager, round(thresholds.timeout * 1000)
    settings = Settings(eot_threshold=thresholds.eot, eager_eot_threshold=eager, eot_timeout_ms=timeout)
    return Detector(script, settings).hear(script.end + 6.5)


def recording(script: Script, thresholds: FluxThresholds, name: str) -> Trace:
    """The same as a trace, as if the frames had been written down."""
    return parse("\n".join(json.dumps(frame) for frame in frames(script, thresholds)).encode(), name)


def measured(script: Script, setting: Setting) -> Iterator[tuple[float, int, int]]:
    """Of each utterance what really happened: response, extra calls, cut-offs."""
    said = frames(script, setting.thresholds)
    starts = [utterance.start for utterance in script.utterances]
    for utterance, until in zip(script.utterances, [*starts[1:], inf], strict=True):
        here = [f for f in said if utterance.start < f["audio_window_end"] <= until + 0.5 and f["event"] != "Update"]
        calls = cut_offs = left = 0
        drafted: float | None = None
        end = utterance.end + setting.thresholds.timeout
        saved = 0.0
        left = int(min(setting.drafts, 10**6))
        for frame in here:
            at, event = frame["audio_window_end"], frame["event"]
            if event == "EagerEndOfTurn" and left:
                calls, left, drafted = calls + 1, left - 1, at
            elif event == "TurnResumed":
                drafted = None
            elif event == "EndOfTurn":
                calls += drafted is None
                if at < utterance.end:
                    cut_offs, left = cut_offs + 1, int(min(setting.drafts, 10**6))
                else:
                    end = at
                    saved = 0.0 if drafted is None else min(at - drafted, REPLY_SECONDS)
                    break
                drafted = None
        yield end - utterance.end + REPLY_SECONDS - saved, max(calls - 1, 0), cut_offs


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def compare(scripts: list[Script], calls: list[CallSilences], settings: list[Setting]) -> list[dict[str, Any]]:
    """Predicted and measured, setting by setting."""
    tuning = tune(calls, reply_seconds=REPLY_SECONDS, settings=settings)
    rows = []
    for outcome in tuning.forecasts:
        if outcome.setting not in settings:
            continue
        real = [turn for script in scripts for turn in measured(script, outcome.setting)]
        rows.append(
            {
                "setting": str(outcome.setting),
                "knowledge": outcome.knowledge.value,
                "median": (outcome.median, middle([r for r, _, _ in real])),
                "mean": (outcome.response.value, sum(r for r, _, _ in real) / len(real)),
                "interval": (outcome.response.low, outcome.response.high),
                "extra": (outcome.extra.value, sum(x for _, x, _ in real) / len(real)),
                "cut_offs": (outcome.cut_offs.value, sum(c for _, _, c in real) / len(real)),
                "extra_interval": (outcome.extra.low, outcome.extra.high),
                "cut_offs_interval": (outcome.cut_offs.low, outcome.cut_offs.high),
            }
        )
    return rows


RECORDED = FluxThresholds(0.7, 0.4, 5.0)
ASKED = [
    Setting(FluxThresholds(eot, eager, timeout), drafts)
    for eot, eager, timeout, drafts in (
        (0.7, 0.4, 5.0, inf),
        (0.7, 0.5, 5.0, inf),
        (0.7, 0.6, 5.0, inf),
        (0.7, 0.4, 5.0, 1.0),
        (0.7, None, 5.0, inf),
        (0.7, 0.5, 1.5, inf),
        (0.7, 0.3, 5.0, inf),
        (0.6, 0.4, 5.0, inf),
        (0.5, 0.4, 5.0, inf),
        (0.6, None, 1.5, inf),
        (0.75, 0.5, 5.0, inf),
        (0.8, 0.5, 3.0, inf),
    )
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--eot", type=float, default=RECORDED.eot, help="the eot_threshold to record at")
    parser.add_argument("--eager", type=float, default=RECORDED.eager, help="the eager_eot_threshold to record at")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    recorded = FluxThresholds(given.eot, given.eager, RECORDED.timeout)
    scripts = [call(given.seed + number) for number in range(given.calls)]
    began = perf_counter()
    calls = [call_silences(recording(s, recorded, f"call {i}"), recorded) for i, s in enumerate(scripts)]
    heard = perf_counter() - began
    rows = compare(scripts, calls, ASKED)
    if given.json:
        print(json.dumps(rows, indent=1))
        return
    table = Table(title=f"{given.calls} calls, recorded at {Setting(recorded)} ({heard:.1f} s)", title_justify="left")
    for name in ("setting", "known", "median ms", "", "mean ms", "", "extra calls", "", "cut-offs", ""):
        table.add_column(name, no_wrap=True, justify="left" if name in ("setting", "known") else "right")
    for row in rows:
        low, high = (f"{value * 1000:.0f}" for value in row["interval"])
        table.add_row(
            row["setting"],
            row["knowledge"],
            *(f"{value * 1000:.0f}" for value in row["median"]),
            f"{low}–{high}",
            f"{row['mean'][1] * 1000:.0f}",
            "{:.3f}–{:.3f}".format(*row["extra_interval"]),
            f"{row['extra'][1]:.3f}",
            "{:.3f}–{:.3f}".format(*row["cut_offs_interval"]),
            f"{row['cut_offs'][1]:.3f}",
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
