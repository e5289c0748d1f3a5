"""`python -m benchmarks.interop_pipecat`: Pipecat's own Flux service beside turnkit's, in the same stock pipeline.

The same caller, the same simulator, the same faults, for each; how many calls went wrong, what an LLM call was wasted
on, what a call costs in processor time, and how soon a turn that begins is on its way. Needs `turnkit[cli,pipecat]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import Any

from pipecat.frames.frames import Frame, ProposedUserStartedSpeakingFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.deepgram.flux.stt import DeepgramFluxSTTService
from pipecat.services.stt_service import STTService
from rich.console import Console
from rich.table import Table

from turnkit import FluxOptions, IgnoreBackchannels, MinWords, Session, TurnStarted, all_of
from turnkit.interop.pipecat import TurnkitSTTService
from turnkit.simulator import Simulator

from .interop_pipecat_call import Call, Setting, hold, quiet

EAGER = 0.4
TABLE = "1.0 I'd like a table. (0.3) For two please."
FRIDAY = "1.0 I'd like a table for two please, on Friday evening."
GREETING = "Good morning, this call is recorded for training purposes and will be kept."


def pipecats(flux: Simulator) -> STTService:
    """Pipecat's own service, speculation on."""
    settings = DeepgramFluxSTTService.Settings(eager_eot_threshold=EAGER)
    url = f"{flux.url}/v2/listen"
    return DeepgramFluxSTTService(api_key="any", url=url, enable_eager_end_of_turn=True, settings=settings)


def turnkits(flux: Simulator) -> TurnkitSTTService:
    """turnkit's service, speculation on; the same settings in every situation."""
    session = Session(barge_in=all_of(MinWords(2), IgnoreBackchannels()))
    options = FluxOptions(eager_eot_threshold=EAGER)
    return TurnkitSTTService(url=flux.url, options=options, session=session, protect_greeting=True)


SERVICES: dict[str, Callable[[Simulator], STTService]] = {"pipecat": pipecats, "turnkit": turnkits}


def answers_once(call: Call, *words: str) -> str:
    """What is wrong with a call that should have one answer, heard to its end, to all of these words."""
    heard = [one.text for one in call.sounds]
    if len(heard) != 1:
        return f"{len(heard)} answers heard"
    if not call.sounds[0].whole:
        return "the answer was cut off"
    missing = [word for word in words if word not in heard[0]]
    return f"the answer knows nothing of {', '.join(missing)}" if missing else ""


def asked_for_table(call: Call) -> str:
    """What is wrong with a call in which a table for two was asked for."""
    return answers_once(call, "table", "two")


def asked_for_friday(call: Call) -> str:
    """What is wrong with a call in which a table for two on Friday was asked for."""
    return answers_once(call, "table", "two", "Friday")


def nothing_lost(call: Call) -> str:
    """What is wrong with a call in which Flux falls silent: every word is to be known, and something to be heard."""
    known = " ".join(text for role, text in call.messages if role == "user")
    missing = [word for word in ("table", "two", "Friday") if word not in known]
    if missing:
        return f"never known: {', '.join(missing)}"
    return "" if any(one.whole for one in call.sounds) else "no answer was heard"


def plays_on(call: Call) -> str:
    """What is wrong with a call in which nothing but the first question is to be answered."""
    wrong = answers_once(call)
    return wrong or ("" if len([run for run in call.llm if run.finished]) == 1 else "the LLM was asked again")


def greets(call: Call) -> str:
    """What is wrong with a call whose greeting must be heard, and after it the answer."""
    if not call.sounds or call.sounds[0].text != GREETING or not call.sounds[0].whole:
        return "the greeting was cut off"
    return "" if len(call.sounds) == 2 and "two" in call.sounds[1].text else "not answered after it"


@dataclass(frozen=True)
class Situation:
    """A call that can go wrong, and what is wrong with one that did."""

    name: str
    setting: Setting
    wrong: Callable[[Call], str]


def long_answer(_: str) -> str:
    """Something to be talked over."""
    return "We are open from nine in the morning until ten in the evening on every day of the week but Monday."


SITUATIONS = (
    Situation("burst:2@eager1", Setting(TABLE, ["burst:2@eager1"]), asked_for_table),
    Situation("burst:1@eager1", Setting(TABLE, ["burst:1@eager1"]), asked_for_table),
    Situation("drop@2.0s", Setting(FRIDAY, ["drop@2.0s/1"]), asked_for_friday),
    Situation("stall", Setting(FRIDAY, ["stall/1"], seconds=24), nothing_lost),
    Situation("mm-hm", Setting("1.0 When are you open?\n+2.5 Mm-hm.", answer=long_answer, seconds=6), plays_on),
    Situation(
        "noise", Setting("1.0 When are you open?", ["false_start:1@4.5s"], answer=long_answer, seconds=9), plays_on
    ),
    Situation("greeting", Setting("1.0 A table for two please.", greeting=GREETING, seconds=8), greets),
)


# Side by side --------------------------------------------------------------------------------------------------------


async def compare(situation: Situation, runs: int, together: int) -> list[dict[str, Any]]:
    """Hold the calls of one situation with each service, `together` at once."""
    rows = []
    for name, service in SERVICES.items():
        calls: list[Call] = []
        while len(calls) < runs:
            more = min(together, runs - len(calls))
            calls += await asyncio.gather(*(hold(situation.setting, service) for _ in range(more)))
        reasons = [reason for call in calls if (reason := situation.wrong(call))]
        answers = [sum(one.text != GREETING for one in call.sounds) for call in calls]
        wasted = sum(max(0, len(call.llm) - heard) for call, heard in zip(calls, answers, strict=True))
        row = {"situation": situation.name, "service": name, "runs": runs, "wrong": len(reasons), "wasted": wasted}
        rows.append({**row, "llm_calls": sum(len(call.llm) for call in calls), "reasons": sorted(set(reasons))})
    return rows


async def processor_seconds(runs: int) -> dict[str, float]:
    """What a call costs with each service, in turns; the simulator and the rest of the pipeline are in it."""
    setting = Setting("1.0 I'd like a table. (0.3) For two please.\n+4 And a high chair.", seconds=4)
    costs: dict[str, list[float]] = {name: [] for name in SERVICES}
    for _ in range(runs):
        for name, service in SERVICES.items():
            costs[name].append((await hold(setting, service)).cpu)
    return {name: round(median(seconds), 4) for name, seconds in costs.items()}


# From Flux's message to Pipecat --------------------------------------------------------------------------------------


class StampedService(TurnkitSTTService):
    """Says when it proposes a turn, which is what Pipecat interrupts for."""

    proposed: list[float]

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        if isinstance(frame, ProposedUserStartedSpeakingFrame) and direction is FrameDirection.DOWNSTREAM:
            self.proposed.append(perf_counter())
        await super().push_frame(frame, direction)


async def added_microseconds(turns: int) -> list[float]:
    """What passes between turnkit's decision, in the callback of the message, and the frame on its way, each time."""
    decided: list[float] = []
    made: list[StampedService] = []

    def service(flux: Simulator) -> STTService:
        session = Session()
        session.on(TurnStarted, lambda _: decided.append(perf_counter()))
        made.append(StampedService(url=flux.url, session=session))
        made[-1].proposed = []
        return made[-1]

    script = "\n".join(["1.0 Yes."] + ["+1.5 Yes."] * (turns - 1))
    await hold(Setting(script, answer=lambda _: "", seconds=1), service)
    return [1e6 * (after - before) for before, after in zip(decided, made[0].proposed, strict=True)]


# What is printed -----------------------------------------------------------------------------------------------------


async def measure(runs: int, together: int, only: str | None) -> dict[str, Any]:
    """Everything, or one situation."""
    situations = [one for one in SITUATIONS if only is None or one.name == only]
    rows = [row for one in situations for row in await compare(one, runs, together)]
    measured: dict[str, Any] = {"pipecat": version("pipecat-ai"), "situations": rows}
    if only is None:
        measured["processor_seconds"] = await processor_seconds(runs)
        added = sorted(await added_microseconds(20))
        measured["added_microseconds"] = {"p50": round(median(added), 1), "max": round(added[-1], 1)}
    return measured


def main(arguments: list[str]) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interop_pipecat", description=__doc__)
    parser.add_argument("--runs", type=int, default=4, help="calls of each situation, with each service")
    parser.add_argument("--together", type=int, default=1, help="how many of them at once")
    parser.add_argument("--only", choices=[one.name for one in SITUATIONS], help="one situation")
    parser.add_argument("--json", action="store_true", help="for programs")
    asked = parser.parse_args(arguments)
    quiet("CRITICAL")
    measured = asyncio.run(measure(asked.runs, asked.together, asked.only))
    if asked.json:
        print(json.dumps(measured, indent=1))
        return
    console = Console(width=140)
    table = Table("situation", "service", "wrong", "LLM calls", "wasted", "what was wrong")
    for row in measured["situations"]:
        numbers = (f"{row['wrong']} of {row['runs']}", str(row["llm_calls"]), str(row["wasted"]))
        table.add_row(row["situation"], row["service"], *numbers, "; ".join(row["reasons"]))
    console.print(table)
    for name in ("processor_seconds", "added_microseconds"):
        if name in measured:
            console.print(f"{name}: {measured[name]}")


if __name__ == "__main__":
    main(sys.argv[1:])
