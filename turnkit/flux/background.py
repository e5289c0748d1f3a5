"""Tasks in the background of a stream, on asyncio and on trio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from ..timers import on_trio


class Background:
    """Tasks that run beside the one that begins and stops them, and end with it; none of them may raise.

    Attributes:
        nursery: trio's; None on asyncio, where a task group costs a kilobyte even without a task.
    """

    __slots__ = ("_manager", "_tasks", "nursery")

    def __init__(self) -> None:
        self.nursery: Any = None
        self._manager: Any = None
        self._tasks: set[asyncio.Task[None]] | None = None

    async def begin(self) -> None:
        """Get ready to run tasks; whoever calls this has to call `stop`."""
        if on_trio():
            import trio

            self._manager = trio.open_nursery()
            self.nursery = await self._manager.__aenter__()

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `work` as a task of its own."""
        if self.nursery is not None:
            self.nursery.start_soon(work)
            return
        tasks = self._tasks = set() if self._tasks is None else self._tasks
        task = asyncio.get_running_loop().create_task(work())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def stop(self) -> None:
        """Cancel the tasks that still run, and wait until they have ended, also while the caller is being cancelled."""
        if self.nursery is not None:
            # Else, if the owner is being cancelled, the nursery would raise that once more.
            self.nursery.cancel_scope.shield = True
            self.nursery.cancel_scope.cancel()
            await self._manager.__aexit__(None, None, None)
        elif self._tasks:
            for task in self._tasks:
                task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait(self._tasks)
