"""What drafts cost and save when their policy adapts to what becomes of them, against a draft at every eager end.

    python -m benchmarks.adaptive_drafts [--calls 100] [--seed 0] [--json]

One population after the other, hesitant callers and decided ones, is heard by the simulator's detector and answered by
a machine, a call at a time, as by a bot that has just been started. `AdaptiveDrafts` gets the counts of the calls
before; a draft is *wasted* if its reply is cancelled, and saves the seconds from its Speculate to its Commit, up to
`REPLY_SECONDS`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from turnkit import AdaptiveDrafts, Commit, Event, PlaybackFinished, PlaybackStarted, Speculate, TurnMachine
from turnkit.metrics import DraftTally
from turnkit.simulator import DECIDED, HESITANT, POPULATIONS, Detector, Settings
from turnkit.turns.policy import OnEager, SpeculationPolicy
from turnkit.wire import decode, to_event

REPLY_SECONDS = 0.7
_FLUX = Settings(eot_threshold=0.8, eager_eot_threshold=0.4)


class Outcome(NamedTuple):
    """What came of drafts: how many there were, how many were kept, and the seconds that those saved."""

    drafts: int
    kept: int
    saved: float

    @property
    def wasted(self) -> int:
        """How many calls of the LLM were for nothing."""
        return self.drafts - self.kept


@cache
def _heard(population: str, seed: int) -> tuple[Event, ...]:
    script = POPULATIONS[population].script(seed)
    said = Detector(script, _FLUX).hear(script.end + 6.5)
    return tuple(event for event in (to_event(decode(msgspec.json.encode(one))) for one in said) if event is not None)


def answered(
    population: str, calls: range, policy: Callable[[DraftTally], SpeculationPolicy], tally: DraftTally
) -> Outcome:
    """Calls one after the other, each with the policy made from what was counted before it."""
    drafts = kept = 0
    saved = 0.0
    for seed in calls:
        machine = TurnMachine(speculation=policy(tally))
        observer = tally.observer()
        begun: dict[int, float] = {}
        for event in _heard(population, seed):
            at = getattr(event, "audio_end", 0.0)
            signals = machine.feed(event, at)
            observer.fed(at, event, signals)
            for signal in signals:
                if isinstance(signal, Speculate):
                    drafts += 1
                    begun[signal.reply] = at
                elif isinstance(signal, Commit):
                    if signal.speculative:
                        kept += 1
                        saved += min(at - begun[signal.reply], REPLY_SECONDS)
                    machine.feed(PlaybackStarted(signal.reply), at)
                    machine.feed(PlaybackFinished(signal.reply), at)
    return Outcome(drafts, kept, saved)


def on_eager(tally: DraftTally) -> SpeculationPolicy:
    """A draft at every eager end."""
    return OnEager()


def adaptive(tally: DraftTally) -> SpeculationPolicy:
    """Drafts where at least half of them are kept, as far as was counted."""
    return AdaptiveDrafts(tally.counts, pays=0.5, least=0.4, most=0.8)


def rows(calls: int, seed: int) -> dict[str, dict[str, Outcome]]:
    """Both policies on both populations."""
    tried = {"every eager end": on_eager, "adaptive": adaptive}
    return {
        population.name: {
            name: answered(population.name, range(seed, seed + calls), policy, DraftTally())
            for name, policy in tried.items()
        }
        for population in (HESITANT, DECIDED)
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100, help="of eight turns each; 100 by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    measured = rows(given.calls, given.seed)
    if given.json:
        print(json.dumps(measured, indent=1))
        return
    table = Table(title=f"{given.calls} calls of 8 turns, none counted before", title_justify="left")
    for name in ("callers", "policy", "drafts", "kept", "wasted", "wasted less", "seconds saved"):
        table.add_column(name, justify="left" if name in ("callers", "policy") else "right")
    for population, outcomes in measured.items():
        before = outcomes["every eager end"].wasted
        for name, one in outcomes.items():
            less = f"{1 - one.wasted / before:.0%}" if name != "every eager end" else ""
            share = f"{one.kept} ({one.kept / one.drafts:.0%})"
            table.add_row(population, name, str(one.drafts), share, str(one.wasted), less, f"{one.saved:.1f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
