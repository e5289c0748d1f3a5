"""`python -m benchmarks.transports`: what carries the frames, on asyncio's own loop and, if it is installed, on uvloop.

A bare loop over websockets, which is the floor, turnkit over websockets, a bare listener of picows, and turnkit over
picows take turns in each round, on each loop. A figure is the median of the rounds; after it stand the medians of the
rounds' own ratios: to the floor on the standard loop and, on another, to the floor on that one too. All of it takes
about 4 minutes, with --quick one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from time import monotonic, monotonic_ns
from typing import Any, TypeVar

import msgspec
from rich.console import Console

from turnkit.wire import FluxOptions

from . import answers, audio
from .__main__ import environment
from .clients import ANSWERERS, LISTENERS, LOOPS, TALKERS, Loop
from .comparison import HARNESS, Line, Measure, What, judged, lines_of, rounds_of, table
from .listeners import Heard, ignore
from .live import played
from .peer import ALONE, STAMP, Plan, peer
from .resident import in_a_process
from .rows import FULL, QUICK, Effort

WIDTH = 100  # columns, that the table needs
T = TypeVar("T")
_EFFORT = FULL._replace(
    calls=8, turns=40, crowds=8, crowd_turns=1, audio_seconds=0.45, settle=0.1, residents=100, resident_runs=1
)
_QUICK = QUICK._replace(calls=2, crowd_turns=1, settle=0.1)


def _run(loop: str, work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(work)


def time_to_barge_in(loop: str, url: str, kind: str, effort: Effort) -> list[float]:
    """Microseconds from the peer's send to the callback: median, and 99th percentile, of one call."""
    taken: list[float] = []

    def started(heard: Heard) -> None:
        taken.append(monotonic_ns() - int(heard.transcript[:STAMP]))

    plan = Plan(turns=effort.turns, updates=1, idle=0, interval=0.002)
    _run(loop, played(LISTENERS[kind], url, 1, plan, started))
    late = taken[-(effort.turns - 1) :]
    return [answers.median(late), answers.tail(late)]


def time_to_tasks(loop: str, url: str, kind: str, effort: Effort) -> list[float]:
    """Microseconds from the peer's send to `respond` and to the cancelled `speak`, of one call with drafts."""
    taken = _run(loop, answers.delays(ANSWERERS[kind], url, effort.turns))
    return [
        answers.median(taken.respond),
        answers.tail(taken.respond),
        answers.median(taken.speak),
        answers.tail(taken.speak),
    ]


def time_to_answer(loop: str, url: str, kind: str, effort: Effort) -> list[float]:
    """Microseconds from the peer's send to `respond`, of one call without drafts."""
    return [answers.median(_run(loop, answers.delays(ANSWERERS[kind], url, effort.turns, eager=False)).respond)]


def time_message(loop: str, url: str, kind: str, effort: Effort) -> list[float]:
    """Microseconds of processor time a message, many calls at once."""
    plan = Plan(turns=effort.crowd_turns, updates=8, idle=14, interval=effort.crowd * 0.0004)
    spent = _run(loop, played(LISTENERS[kind], url, effort.crowd, plan, ignore))
    return [spent * 1e6 / (effort.crowd * plan.messages)]


def time_flood(loop: str, url: str, kind: str, effort: Effort) -> list[float]:
    """Microseconds of processor time a message of one call, all of whose messages come at once."""
    plan = Plan(turns=effort.flood_turns, updates=8, idle=14, interval=0)
    return [_run(loop, played(LISTENERS[kind], url, 1, plan, ignore)) * 1e6 / plan.messages]


def time_frame(loop: str, url: str, kind: str, effort: Effort) -> list[float]:
    """Microseconds of processor time a frame of audio, many calls at once, without answers and with them."""

    def frame(opened: audio.Opened, options: FluxOptions) -> float:
        return _run(loop, audio.spent(opened, url, options, effort)) * 1e6

    if kind == HARNESS:
        return [frame(audio.nothing, FluxOptions())] * 2
    return [frame(TALKERS[kind], options) for options in (FluxOptions(tag=(ALONE,)), FluxOptions())]


def held(what: str, loop: str, url: str, kind: str, effort: Effort) -> list[float]:
    """Kilobytes a call, measured in a process of its own."""
    return [in_a_process(kind, what, url, effort.residents, loop)]


def measures(effort: Effort) -> dict[str, Measure]:
    """What is measured, by the name that `--only` takes."""
    one_call = f"{effort.calls} calls of {effort.turns} turns"
    crowd = f"{effort.crowd} calls at once"
    talk = f"processor time a frame of 80 ms net of an empty harness, {crowd}, faster than real time"
    resident = f"growth over {effort.residents} open connections in use, fresh processes"
    return {
        "barge-in": Measure(
            (
                What("barge-in p50", f"peer's send of StartOfTurn to the sync callback, {one_call}", (1.1, 0.65)),
                What("barge-in p99", "the same calls, the 99th percentile of each", (1.2, 1.0)),
            ),
            time_to_barge_in,
            effort.calls,
        ),
        "answers": Measure(
            (
                What("draft→respond p50", f"{answers.DRAFT[1]}, {one_call}", (1.4, 0.9)),
                What("draft→respond p99", "the same calls, the 99th percentile of each"),
                What("barge-in→speak p50", f"{answers.SPEAK[1]}, the same calls", (1.4, 1.0)),
                What("barge-in→speak p99", "the same calls, the 99th percentile of each"),
            ),
            time_to_tasks,
            effort.calls,
        ),
        "end": Measure(
            (What("end→respond p50", f"{answers.ANSWER[1]}, {one_call}"),), time_to_answer, max(1, effort.calls // 2)
        ),
        "cpu": Measure(
            (What("CPU a message", f"processor time, {crowd}, 2,500 messages/s, no two together"),),
            time_message,
            max(1, effort.crowds // 2),
        ),
        "flood": Measure(
            (What("flood, a message", "processor time a message of one call, all of them sent at once"),),
            time_flood,
            effort.calls,
        ),
        "audio": Measure(
            (
                What("audio alone", talk, (1.25, 0.5)),
                What(
                    "audio and Updates",
                    "the same with an empty Update for each third frame: what a session costs",
                    (1.15, 0.6),
                ),
            ),
            time_frame,
            effort.crowds,
            net=True,
        ),
        "allocated": Measure(
            (What("allocated, kB", f"tracemalloc, {resident}", (1.4, 1.4)),),
            partial(held, "allocated"),
            effort.resident_runs,
            apart=True,
            traced=True,
        ),
        "resident": Measure(
            (What("resident, kB", f"RSS, {resident}"),), partial(held, "resident"), effort.resident_runs, apart=True
        ),
    }


def measure(
    names: list[str],
    effort: Effort,
    loops: Mapping[str, Loop],
    tell: Callable[[str], None],
    done: Callable[[Line], None],
) -> list[Line]:
    """Measure these, and tell of each row as soon as it is there."""
    lines = []
    known = measures(effort)
    with peer() as url:
        for name in names:
            asked = known[name]

            def progress(turn: int, name: str = name, of: int = asked.rounds) -> None:
                tell(f"{name}: round {turn + 1} of {of}")

            for line in lines_of(asked, rounds_of(asked, url, loops, effort, progress)):
                lines.append(line)
                done(line)
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Measure what carries the frames, and print it; 1 if `--strict` and a row is over its bound, else 0."""
    known = measures(_EFFORT)
    names = list(known)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.transports",
        description=__doc__,
        epilog="\n".join(f"{name}, {what.name}: {what.how}" for name in known for what in known[name].rows),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small counts: a minute, and noisier")
    parser.add_argument("--json", action="store_true", help="one object a line, the environment first")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--loop", action="append", choices=list(LOOPS), help="all that are there, if none is named")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a row is over its bound")
    asked = parser.parse_args(arguments)
    loops = {name: LOOPS[name] for name in asked.loop or LOOPS}
    console, about, began = Console(), environment(), monotonic()
    console.width = max(console.width, WIDTH)  # as for a pipe, which has none
    if asked.json:
        print(msgspec.json.encode({"environment": about}).decode(), flush=True)
    status = console.status("") if console.is_terminal and not asked.json else None

    def tell(what: str) -> None:
        if status is not None:
            status.update(f"{what}, {monotonic() - began:.0f} s")

    def done(line: Line) -> None:
        if asked.json:
            figures = [{**msgspec.structs.asdict(one), "verdict": one.verdict} for one in line.figures]
            print(msgspec.json.encode({**msgspec.structs.asdict(line), "figures": figures}).decode(), flush=True)

    shown: AbstractContextManager[object] = status or nullcontext()
    with shown:
        lines = measure(asked.only or names, _QUICK if asked.quick else _EFFORT, loops, tell, done)
    if not asked.json:
        _report(console, lines, about, monotonic() - began)
    over = any(figure.verdict == "over" for line in lines for figure in line.figures)
    return 1 if asked.strict and over else 0


def _report(console: Console, lines: list[Line], about: Mapping[str, str], seconds: float) -> None:
    console.print(table(lines))
    if any(figure.verdict for line in lines for figure in line.figures):
        console.print(judged(lines))
    for name, how in {line.name: line.how for line in lines}.items():
        console.print(f"{name}: {how}", highlight=False, soft_wrap=True)
    console.print()
    if "uvloop" not in LOOPS:
        console.print("uvloop is not installed: asyncio's own loop only")
    for name, value in {**about, "took": f"{seconds:.0f} s"}.items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
