"""`python -m benchmarks.interop_server`: many phone calls at once through two workers, one of which is killed.

Fake Twilio peers ring one after the other, the simulator is Flux, and the bot talks all the while. What is lost must be
the calls of the worker that was killed, and nothing else. Workers, phones and simulator are processes of their own on
this machine, and what each costs is told apart, in seconds of CPU for a second of the bot that a caller heard: that
holds also where there is too little of it, and all is slow. Needs `turnkit[web]`, and Linux, whose /proc says what a
process has used.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import anyio

from tests.support.web_server import ServerProcess

from .interop_server_peers import RAMP

_PEERS = [sys.executable, "-m", "benchmarks.interop_server_peers"]
_SETTLE, _LOOK, _AFTER = 5.0, 10.0, 8.0  # seconds: after the last ring, measured, and after a worker was killed


class Peer:
    """A process of peers: what it said last, and how late its loop was."""

    def __init__(self, *arguments: object) -> None:
        command = [*_PEERS, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told: dict[str, Any] = {}
        self.late: list[float] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told = json.loads(line)
            self.late += self.told["late"]

    def hang_up(self) -> None:
        """Have all phones hang up."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


def used(processes: Iterable[int]) -> float:
    """Seconds of CPU that processes have used."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def merged(peers: Iterable[Peer], name: str) -> dict[str, float]:
    """What all phones say under that name."""
    return {number: value for peer in peers for number, value in peer.told.get(name, {}).items()}


def ended(peers: Iterable[Peer]) -> set[str]:
    """The phones whose calls are over."""
    return {number for peer in peers for number in peer.told.get("ended", [])}


def rates(before: dict[str, float], after: dict[str, float], seconds: float, of: Iterable[str]) -> list[float]:
    """Seconds heard in a second, of these phones."""
    return [(after[number] - before.get(number, 0.0)) / seconds for number in of]


def late(samples: list[float]) -> str:
    """How late a loop was, as text."""
    ordered = sorted(samples)
    p99 = ordered[int(len(ordered) * 0.99)]
    return f"{1000 * statistics.median(ordered):.0f} / {1000 * p99:.0f} / {1000 * ordered[-1]:.0f}"


async def comes_true(condition: Callable[[], bool], within: float) -> bool:
    """Wait until it holds; False if it does not in time."""
    with anyio.move_on_after(within):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.1)
        return True
    return False


async def lag_of(server: ServerProcess, workers: int) -> list[float]:
    """How late the loops of the workers say they are, as `/health` of whichever answers."""
    lags: dict[int, float] = {}
    with anyio.move_on_after(20):
        while len(lags) < workers:
            figures = await server.figures()
            if figures:
                lags[figures["pid"]] = max(figures["lag"], lags.get(figures["pid"], 0.0))
    return list(lags.values())


async def measure(server: ServerProcess, flux: Peer, count: int, processes: int) -> None:
    """Make the calls, kill a worker, and print what came of it."""
    await server.until(calls=0)
    phones = [Peer("phones", server.port, first, processes, count) for first in range(processes)]
    kinds = {"the phones": [phone.process.pid for phone in phones], "the simulator": [flux.process.pid]}
    try:
        await anyio.sleep(RAMP * count)
        await comes_true(lambda: sum(heard > 0.2 for heard in merged(phones, "heard").values()) >= count, 60)
        await anyio.sleep(_SETTLE)
        answered = sum(heard > 0.2 for heard in merged(phones, "heard").values())
        kinds = {"the workers": list(server.numbers()), **kinds}
        for peer in (flux, *phones):
            peer.late.clear()
        began, cpu, before = time.monotonic(), {kind: used(of) for kind, of in kinds.items()}, merged(phones, "heard")
        await anyio.sleep(_LOOK)
        seconds = time.monotonic() - began
        cost = {kind: (used(of) - cpu[kind]) / seconds for kind, of in kinds.items()}
        heard = rates(before, merged(phones, "heard"), seconds, before)
        loops = {"phones": late([one for phone in phones for one in phone.late]), "simulator": late(flux.late)}
        lags = await lag_of(server, len(kinds["the workers"]))
        held = server.numbers()
        victim, lost = min(held.items(), key=lambda item: len(item[1]))
        load = os.getloadavg()[0]
        os.kill(victim, signal.SIGKILL)
        await anyio.sleep(2)
        at, before = time.monotonic(), merged(phones, "heard")
        await anyio.sleep(_AFTER)
        went_on = set(before) - ended(phones)
        after = rates(before, merged(phones, "heard"), time.monotonic() - at, went_on)
        complaints = sum(int(phone.told["complaints"]) for phone in phones)
        for phone in phones:
            phone.hang_up()
        await comes_true(lambda: went_on <= server.whole(), 60)
        whole = server.whole()
    finally:
        for phone in phones:
            phone.process.kill()
    print(f"| phone calls at once, by worker | {count}: {' and '.join(str(len(of)) for of in held.values())} |")
    print(f"| answered, heard by the caller | {answered} |")
    for kind, share in cost.items():
        print(f"| CPU of {kind}, ms a second heard (cores) | {1000 * share / sum(heard):.1f} ({share:.2f}) |")
    print(f"| seconds heard in a second: median, least | {statistics.median(heard):.2f}, {min(heard):.2f} |")
    print(f"| event loop of a worker late, p95, ms | {' and '.join(f'{1000 * lag:.0f}' for lag in lags)} |")
    for kind, lateness in loops.items():
        print(f"| event loop of the {kind} late, median / p99 / most, ms | {lateness} |")
    print(f"| calls of the worker that was killed | {len(lost)} |")
    print(f"| calls lost | {len(ended(phones) - went_on)}, of the other worker {count - len(went_on) - len(lost)} |")
    print(
        f"| the others, seconds heard in a second: median, least | {statistics.median(after):.2f}, {min(after):.2f} |"
    )
    print(f"| their recordings that are whole | {len(whole & went_on)} of {len(went_on)} |")
    print(f"| what the service would not have taken | {complaints} |")
    print(f"| load of the machine when the worker was killed, {os.cpu_count()} cores | {load:.1f} |")


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--phones", type=int, default=2, help="processes that the phones are spread over")
    arguments = parser.parse_args()
    flux = Peer("simulator")
    with tempfile.TemporaryDirectory() as recordings:
        while not flux.told:
            time.sleep(0.05)
        # No call is refused here: what many of them cost is what is to be seen.
        settings: dict[str, Any] = {"workers": 2, "max_calls": arguments.calls, "max_lag": 60.0, "drain": 2.0}
        server = ServerProcess(Path(recordings), url=flux.told["url"], **settings)
        try:
            anyio.run(measure, server, flux, arguments.calls, arguments.phones)
        finally:
            server.stop()
            flux.process.kill()


if __name__ == "__main__":
    main()
