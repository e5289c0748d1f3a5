"""What a live session takes in memory, websocket and all, each kind of client in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import tracemalloc
from functools import partial
from os import sysconf
from pathlib import Path

from .clients import LISTENERS, LOOPS
from .listeners import Listener
from .live import played
from .peer import ROOT, Plan, peer
from .rows import Effort, Row, alternate, compared

BOUND = 1.5
_SPACING = 0.0004  # seconds between messages, over all connections: where they bunch, buffers grow


def _resident() -> int:
    """Bytes of this process that are in memory now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * sysconf("SC_PAGE_SIZE")


def _traced() -> int:
    return tracemalloc.get_traced_memory()[0]


async def bytes_per_call(listen: Listener, url: str, count: int, *, traced: bool) -> float:
    """Bytes that each of `count` open connections adds, once it has lived through a few turns."""
    held = _traced if traced else _resident
    after = 0

    def end() -> None:
        nonlocal after
        gc.collect()
        after = held()

    plan = Plan(turns=3, updates=4, idle=1, interval=count * _SPACING)
    # The first call pays for imports, and for what the allocator and asyncio keep.
    await played(listen, url, 1, plan, lambda heard: None)
    gc.collect()
    before = held()
    await played(listen, url, count, plan, lambda heard: None, last=end)
    return (after - before) / count


def in_a_process(kind: str, measure: str, url: str, count: int, loop: str = "asyncio") -> float:
    """Kilobytes a call of this client, on this event loop, as a fresh process measures them."""
    command = [sys.executable, "-m", "benchmarks.resident", kind, measure, url, str(count), loop]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return float(done.stdout) / 1000


def measure(effort: Effort) -> list[Row]:
    """Memory a call that is open and in use: all that Python allocated for it, and what the process grew by.

    The second has the sockets' buffers and the allocator's slack in it, and varies; so the first has the bound.
    """
    rows = []
    with peer() as url:
        for what, tool, bound in (("allocated", "tracemalloc", BOUND), ("resident", "RSS", None)):
            bare, turnkit = (
                partial(in_a_process, kind, what, url, effort.residents)
                for kind in ("bare websockets", "turnkit websockets")
            )
            how = f"{tool}, growth over {effort.residents} open connections, fresh processes"
            rows.append(compared(f"session, {what}", "kB", alternate(bare, turnkit, effort.resident_runs), how, bound))
    return rows


def _main() -> None:
    kind, what, url, count, loop = sys.argv[1:]
    if what == "allocated":
        tracemalloc.start()
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        print(runner.run(bytes_per_call(LISTENERS[kind], url, int(count), traced=what == "allocated")))


if __name__ == "__main__":
    _main()
