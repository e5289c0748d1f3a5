"""`python -m benchmarks.thousand`: a thousand calls on one core, and how late they make each other; about a minute.

Every call sends a frame of 80 ms each 80 ms, no two at once, and hears Flux's empty Updates. How late the loop runs
what is due, how late audio leaves, and how much of the core that takes, client after client, on each event loop. It
wants a second core for the peer, and a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import process_time

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from turnkit.wire import FluxOptions

from .__main__ import environment
from .audio import FRAME, Opened
from .clients import LOOPS, TALKERS
from .peer import peer
from .transports import WIDTH

LOOP_BOUND, AUDIO_BOUND = 0.05, 0.5  # seconds late, at most: the 99th percentile of the loop, and any frame of audio
_PACE = 0.08
_BEAT = 0.005  # seconds from one look at the loop to the next
_AT_ONCE = 50  # calls that are being opened
_BOUNDED = "turnkit picows"


class Lateness(msgspec.Struct, frozen=True, kw_only=True):
    """How late a client was with so many calls, in seconds, and how much of a core it took."""

    client: str
    loop: str
    core: float
    loop_p50: float
    loop_p99: float
    loop_most: float
    audio_p99: float
    audio_most: float

    @property
    def verdict(self) -> str:
        """`within` or `over` the bounds, or nothing where there are none."""
        if self.client != _BOUNDED or self.loop != "asyncio":
            return ""
        return "within" if self.loop_p99 <= LOOP_BOUND and self.audio_most <= AUDIO_BOUND else "over"


async def _beat(late: list[float]) -> None:
    """Look at the clock again and again, and note how late that was."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + _BEAT
        await asyncio.sleep(_BEAT)
        late.append(clock() - due)


async def hold(opened: Opened, url: str, count: int, seconds: float, *, freeze: bool) -> tuple[list[float], ...]:
    """Hold so many calls that talk for so long.

    Returns:
        How late the loop was, each time somebody looked; how late each frame of audio left; the share of a core.
    """
    loop = asyncio.get_running_loop()
    opening, ready, begin = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(0), asyncio.Event()
    loop_late: list[float] = []
    audio_late: list[float] = []
    began = 0.0

    async def talk(number: int) -> None:
        async with opening:
            context = opened(url, FluxOptions())
            send = await context.__aenter__()
        try:
            ready.release()
            await begin.wait()
            due = began + _PACE * number / count
            for _ in range(round(seconds / _PACE)):
                await asyncio.sleep(due - loop.time())
                await send(FRAME)
                audio_late.append(loop.time() - due)
                due += _PACE
        finally:
            await context.__aexit__(None, None, None)

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(talk(number)) for number in range(count)]
        for _ in calls:
            await ready.acquire()
        gc.collect()
        if freeze:
            gc.freeze()
        before, began = process_time(), loop.time()
        beat = group.create_task(_beat(loop_late))
        begin.set()
        await asyncio.sleep(seconds)
        beat.cancel()
        core = (process_time() - before) / (loop.time() - began)
    gc.unfreeze()
    return loop_late, audio_late, [core]


def measure(loop: str, kind: str, url: str, count: int, seconds: float, *, freeze: bool) -> Lateness:
    """How late this client is on this loop."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        loop_late, audio_late, [core] = runner.run(hold(TALKERS[kind], url, count, seconds, freeze=freeze))
    return Lateness(
        client=kind,
        loop=loop,
        core=core,
        loop_p50=statistics.median(loop_late),
        loop_p99=_tail(loop_late),
        loop_most=max(loop_late),
        audio_p99=_tail(audio_late),
        audio_most=max(audio_late),
    )


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep this process to one core, where the system can; the peer, which is there already, finds another."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _tail(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def table(rows: Sequence[Lateness]) -> Table:
    """The rows for people, in milliseconds."""
    shown = Table("client", "loop", box=SIMPLE_HEAD, show_edge=False)
    for heading in ("core", "loop late\np50, ms", "\np99", "\nmost", "audio late\np99, ms", "\nmost"):
        shown.add_column(heading, justify="right")
    shown.add_column("verdict")
    for row in rows:
        late = (row.loop_p50, row.loop_p99, row.loop_most, row.audio_p99, row.audio_most)
        shown.add_row(row.client, row.loop, f"{row.core:.0%}", *(f"{value * 1000:,.1f}" for value in late), row.verdict)
    return shown


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 if `--strict` and turnkit over picows is later than it may be."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.thousand", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="that each client talks for, 5")
    parser.add_argument("--client", action="append", choices=list(TALKERS), help="all, if none is named")
    parser.add_argument("--loop", action="append", choices=list(LOOPS), help="all that are there, if none is named")
    parser.add_argument("--freeze", action="store_true", help="call gc.freeze() once all calls are open")
    parser.add_argument("--json", action="store_true", help="one object a line, the environment first")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if turnkit over picows is over its bounds")
    asked = parser.parse_args(arguments)
    console, about, rows = Console(), environment(), []
    console.width = max(console.width, WIDTH)
    if asked.json:
        print(msgspec.json.encode({"environment": about}).decode(), flush=True)
    with peer() as url, _one_core():
        for loop in asked.loop or LOOPS:
            for kind in asked.client or TALKERS:
                row = measure(loop, kind, url, asked.calls, asked.seconds, freeze=asked.freeze)
                rows.append(row)
                if asked.json:
                    print(
                        msgspec.json.encode({**msgspec.structs.asdict(row), "verdict": row.verdict}).decode(),
                        flush=True,
                    )
                elif console.is_terminal:
                    console.print(f"{kind} on {loop}: done", highlight=False)
    if not asked.json:
        console.print(table(rows))
        bounds = f"loop late p99 {LOOP_BOUND * 1000:.0f} ms, audio late at most {AUDIO_BOUND * 1000:.0f} ms"
        console.print(f"{asked.calls} calls on one core. Of turnkit over picows on asyncio: {bounds}", highlight=False)
        for name, value in about.items():
            console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    return 1 if asked.strict and any(row.verdict == "over" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
