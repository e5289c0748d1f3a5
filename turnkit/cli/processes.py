"""Work of several processes on one machine: in order, few parts at a time, and done again where a process dies."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
_AHEAD = 4  # parts a process that are under way or done, and not taken yet
_ATTEMPTS = 3  # at a path alone, after its part was lost
DIED = "ended each process that read it: it may need more memory than there is"


def on_processes(
    work: Callable[[list[str]], T], paths: list[str], jobs: int | None, largest: int, lost: Callable[[str, str], T]
) -> Iterator[tuple[int, T]]:
    """What `work` makes of parts of the paths, in order, and how many paths each has; see `many_files.parts`."""
    jobs = min(jobs or cores(), max(1, len(paths) // 4))
    size = max(1, min(largest, len(paths) // (8 * jobs)))
    waiting = (paths[place : place + size] for place in range(0, len(paths), size))
    running: deque[tuple[list[str], Future[T]]] = deque()
    with _pool(jobs) as pool:
        while True:
            while len(running) < _AHEAD * jobs and (part := next(waiting, None)) is not None:
                running.append((part, pool.submit(work, part)))
            if not running:
                return
            part, future = running.popleft()
            try:
                result = future.result()
            except BrokenProcessPool:
                # A process died, of one path or for a reason of its own; which one, nobody says.
                yield from _one_by_one(work, part, lost)
            else:
                yield len(part), result


def _one_by_one(
    work: Callable[[list[str]], T], part: list[str], lost: Callable[[str, str], T]
) -> Iterator[tuple[int, T]]:
    """Do a part again, so that a path which ends its process is told from those beside it."""
    with _pool(1) as pool:
        for path in part:
            for _ in range(_ATTEMPTS):
                try:
                    result = pool.submit(work, [path]).result()
                except BrokenProcessPool:
                    continue  # for a reason of its own again, or of this path
                yield 1, result
                break
            else:
                yield 1, lost(path, DIED)


class _Pool:
    """Processes that are begun anew when they are broken."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self.executor = self._begun()

    def _begun(self) -> ProcessPoolExecutor:
        # Begun anew and not forked: a fork of a process with threads may hang.
        # Ctrl-C reaches them all; what is said of it is for this process to say.
        ignore = (signal.signal, (signal.SIGINT, signal.SIG_IGN))
        return ProcessPoolExecutor(self._jobs, get_context("spawn"), *ignore)

    def submit(self, work: Callable[[list[str]], T], part: list[str]) -> Future[T]:
        """Have it done; what was submitted before, and is lost, is for whoever waits for it to see."""
        try:
            return self.executor.submit(work, part)
        except BrokenProcessPool:
            self.executor.shutdown(wait=False)
            self.executor = self._begun()
            return self.executor.submit(work, part)


@contextmanager
def _pool(jobs: int) -> Iterator[_Pool]:
    pool = _Pool(jobs)
    try:
        yield pool
    finally:
        pool.executor.shutdown(wait=False, cancel_futures=True)


def cores() -> int:
    """Number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
