"""Worker threads on virtual time: which are at work, so that the clock stands still until they are done.

A thread that waits for something it asked of the loop, as by `anyio.from_thread.run`, is not at work: what it asked
for may take virtual time. Threads that are made by hand are nobody's workers, and time does not wait for them.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from math import inf
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class _Job:
    """A function in an executor; its thread is known once it has begun."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None

    def run(self, function: Callable[[], T]) -> T:
        self.thread = threading.current_thread()
        return function()


class LoopThreads:
    """The worker threads of one asyncio loop: those of its executors, and those of anyio."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: set[_Job] = set()
        self._asked: dict[asyncio.Future[Any], threading.Thread] = {}
        self._asks: threading.Thread | None = None

    def job(
        self, executor: Executor | None, function: Callable[[*Arguments], T], *args: *Arguments
    ) -> tuple[_Job, Callable[[], T]]:
        """A new job, and what is to be run for it."""
        job = _Job()
        bound = partial(function, *args)
        # What goes to another process has to be as it is, to get there.
        threads = executor is None or isinstance(executor, ThreadPoolExecutor)
        return job, partial(job.run, bound) if threads else bound

    def begin(self, job: _Job, future: asyncio.Future[Any]) -> None:
        """The job has been handed in; it is over when its future is."""
        self._jobs.add(job)
        future.add_done_callback(lambda _: self._jobs.discard(job))

    def asking(self, callback: Callable[..., object], *args: Any) -> Callable[[], None]:
        """The callback, which this thread wants the loop to call: tasks that it begins are this thread's."""
        thread = threading.current_thread()

        def call() -> None:
            self._asks = thread
            try:
                callback(*args)
            finally:
                self._asks = None

        return call

    def begun(self, task: asyncio.Future[Any]) -> None:
        """A task has begun; if a thread asked for it, the thread waits for it."""
        if self._asks is not None and not task.done():
            self._asked[task] = self._asks
            task.add_done_callback(lambda _: self._asked.pop(task, None))

    def at_work(self) -> int:
        """How many threads the loop has to wait for before time goes on."""
        waiting = set(self._asked.values())
        jobs = sum(job.thread is None or job.thread not in waiting for job in self._jobs)
        return jobs + sum(thread not in waiting for thread in self._workers_of_anyio())

    def _workers_of_anyio(self) -> list[threading.Thread]:
        """The busy ones; anyio hands out work past the loop's executors."""
        kind = getattr(sys.modules.get("anyio._backends._asyncio"), "WorkerThread", None)
        if kind is None:
            return []
        workers: list[Any] = [thread for thread in threading.enumerate() if isinstance(thread, kind)]
        return [
            worker
            for worker in workers
            if worker.loop is self._loop and not worker.stopping and worker not in worker.idle_workers
        ]


def hold_while_threads_work(clock: Any) -> Any:
    """Make a trio instrument that keeps this MockClock from jumping while worker threads are at work."""
    import trio

    class Hold(trio.abc.Instrument):
        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            threshold = inf if threads_of_trio() else 0
            if clock.autojump_threshold != threshold:
                clock.autojump_threshold = threshold

    return Hold()


def threads_of_trio() -> int:
    """How many worker threads of this trio run are at work."""
    from trio.testing import active_thread_count

    active = active_thread_count()
    return max(0, active - _asked_of_trio()) if active else 0


def _asked_of_trio() -> int:
    """How many tasks of this trio run do what a thread asked for."""
    import trio

    asked = 0
    root = trio.lowlevel.current_root_task()
    tasks = [] if root is None else [root]
    while tasks:
        task = tasks.pop()
        asked += any(
            frame.f_code.co_qualname.startswith("Run.") and frame.f_globals.get("__name__") == "trio._threads"
            for frame, _ in task.iter_await_frames()
        )
        for nursery in task.child_nurseries:
            tasks += nursery.child_tasks
    return asked
