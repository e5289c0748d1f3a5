"""Gauges of what sessions cost: memory, tasks, descriptors, processor time and the lag of the event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from array import array
from collections.abc import Iterable
from math import sqrt
from time import process_time

import anyio
import msgspec

from ...timers import on_trio
from .collector import CollectorWatch

LAG_SECONDS = 0.05
"""How often the event loop is asked how late it is."""
SETTLED_SECONDS = 600.0
"""From when on growth of memory is measured: until then what is freed leaves holes that nothing fits into."""
_BINS = 12


def resident() -> int:
    """Bytes of memory that this process has, as the system counts them; 0 where it does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _peak()


def _peak() -> int:
    # Not what it has but the most it had, which is as good for seeing growth.
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def descriptors() -> int:
    """Files that this process has open; 0 where the system does not tell."""
    for path in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(path)) - 1  # one of them is the directory itself
        except OSError:
            continue
    return 0


def loop_name() -> str:
    """The running event loop: `asyncio`, `uvloop` or `trio`."""
    if on_trio():
        return "trio"
    return "uvloop" if type(asyncio.get_running_loop()).__module__.startswith("uvloop") else "asyncio"


def tasks() -> int:
    """Tasks that the running event loop has."""
    if on_trio():
        import trio

        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


class Sample(msgspec.Struct, frozen=True, gc=False):
    """The process at one second of the soak."""

    at: float
    resident: int
    tasks: int
    descriptors: int


class Slice(msgspec.Struct):
    """A part of the soak: averages or sums over its seconds.

    Attributes:
        begin: Second at which it begins.
        end: Second at which it ends.
        live: Sessions in a call, on average.
        resident: Bytes of memory, on average.
        tasks: Tasks, on average.
        descriptors: Open files, on average.
        cpu: Processor seconds of the sessions' process.
        flux_cpu: Processor seconds of the simulators' processes.
        session_seconds: Seconds of calls, all sessions together.
        lag_p50: Median lag of the event loop, in seconds.
        lag_p99: 99th percentile of that lag.
        lag_max: Greatest lag.
        behind: Seconds by which audio left later than it was said, at most.
        messages: Number of messages of Flux.
        turns: Number of turns that began.
        faults: Number of faults that struck.
        reconnects: Number of connections made again.
    """

    begin: float
    end: float
    live: float
    resident: float
    tasks: float
    descriptors: float
    cpu: float
    flux_cpu: float
    session_seconds: float
    lag_p50: float
    lag_p99: float
    lag_max: float
    behind: float
    messages: int
    turns: int
    faults: int
    reconnects: int

    @property
    def cpu_share(self) -> float:
        """Processor seconds a session-second."""
        return self.cpu / self.session_seconds if self.session_seconds else 0.0


class Growth(msgspec.Struct, frozen=True):
    """How something grew.

    Attributes:
        what: What grew.
        mean: Its mean.
        per_hour: Its growth an hour, as a share of the mean.
        spread: Standard error of that growth.
        begin: Second from which on it was measured.
        seconds: Seconds for which it was measured; too few say nothing.
    """

    what: str
    mean: float
    per_hour: float
    spread: float
    begin: float
    seconds: float

    @property
    def surely(self) -> float:
        """The growth an hour less twice the spread: what it grows at least."""
        return self.per_hour - 2 * self.spread

    @property
    def at_most(self) -> float:
        """The growth an hour and twice the spread."""
        return self.per_hour + 2 * self.spread


class Gauges:
    """Takes the samples, and the lags of a task that wakes up each `LAG_SECONDS` (`watch_lag`)."""

    def __init__(self) -> None:
        self._at, self._resident = array("d"), array("d")
        self._tasks, self._descriptors = array("d"), array("d")
        self.blocks: list[tuple[float, float]] = []  # Python's allocations that are left once garbage is collected
        self.lags: list[float] = []
        self.all_lags = array("d")  # a tenth of the memory of a list
        self.collector = CollectorWatch()
        self._cpu = process_time()

    def hold(self, at: float) -> None:
        """Collect all garbage and note what is left: garbage that waits for its collection would look like growth."""
        self.collector.collect()
        self.blocks.append((at, float(sys.getallocatedblocks())))

    def sample(self, at: float) -> Sample:
        """Take a sample of the process, and keep it for `growth`."""
        sample = Sample(at, resident(), tasks(), descriptors())
        self.keep(sample)
        return sample

    def keep(self, sample: Sample) -> None:
        """Keep a sample for `growth`, as bare numbers, or the gauges would be what grows."""
        self._at.append(sample.at)
        self._resident.append(sample.resident)
        self._tasks.append(sample.tasks)
        self._descriptors.append(sample.descriptors)

    def cpu(self) -> float:
        """Processor seconds since the last time."""
        now = process_time()
        spent, self._cpu = now - self._cpu, now
        return spent

    def take_lags(self) -> tuple[float, float, float]:
        """The median, 99th percentile and greatest lag since the last time."""
        lags, self.lags = sorted(self.lags), []
        self.all_lags.extend(lags)
        return quantile(lags, 0.5), quantile(lags, 0.99), quantile(lags, 1.0)

    def forget_lags(self) -> None:
        """Forget the lags until now."""
        self.lags.clear()
        del self.all_lags[:]

    async def watch_lag(self) -> None:
        """Ask the event loop how late it is, for ever."""
        at = anyio.current_time()
        while True:
            at += LAG_SECONDS
            await anyio.sleep_until(at)
            late = anyio.current_time() - at
            self.lags.append(late)
            if late > LAG_SECONDS:
                at += late

    def growth(self, since: float, until: float) -> tuple[Growth, ...]:
        """The growth of memory, objects, tasks and descriptors between two seconds; that of memory once it settled."""
        series: tuple[tuple[str, float, Iterable[tuple[float, float]]], ...] = (
            ("memory", max(since, SETTLED_SECONDS), zip(self._at, self._resident, strict=True)),
            ("objects", since, self.blocks),
            ("tasks", since, zip(self._at, self._tasks, strict=True)),
            ("descriptors", since, zip(self._at, self._descriptors, strict=True)),
        )
        return tuple(
            _growth(what, begin, [(at, value) for at, value in points if begin <= at <= until])
            for what, begin, points in series
        )


def quantile(ordered: list[float], share: float) -> float:
    """The quantile of sorted values; 0 if there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _growth(what: str, begin: float, points: list[tuple[float, float]]) -> Growth:
    """A straight line through the means of a dozen parts: what is sampled each second is too alike to be counted."""
    seconds = points[-1][0] - points[0][0] if points else 0.0
    mean = sum(value for _, value in points) / len(points) if points else 0.0
    bins = _means(points)
    if len(bins) < 4 or not mean:
        return Growth(what, mean, 0.0, 0.0, begin, 0.0)
    middle = sum(at for at, _ in bins) / len(bins)
    centre = sum(value for _, value in bins) / len(bins)
    width = sum((at - middle) ** 2 for at, _ in bins)
    slope = sum((at - middle) * (value - centre) for at, value in bins) / width
    rest = sum((value - centre - slope * (at - middle)) ** 2 for at, value in bins)
    error = sqrt(rest / (len(bins) - 2) / width)
    return Growth(what, mean, slope * 3600 / mean, error * 3600 / mean, begin, seconds)


def _means(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    size = max(1, len(points) // _BINS)
    parts = [points[at : at + size] for at in range(0, len(points), size)]
    return [
        (sum(at for at, _ in part) / len(part), sum(value for _, value in part) / len(part))
        for part in parts
        if len(part) == size
    ]
