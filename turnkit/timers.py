"""The clock of the running async library, an alarm on it, and which library that is: asyncio or trio.

anyio finds out anew at each call which it is; what is asked at every message is worth asking once. And a task that
waits for a time costs ten times the memory of a timer, which asyncio has and trio has not.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from math import inf
from time import monotonic
from typing import Any

import anyio

EARLY_SECONDS = 1e-6
"""Seconds by which a timer may ring early: a deadline so near has come."""


def on_trio() -> bool:
    """Whether the caller runs on trio; trio is not loaded to find out."""
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


def is_cancelled() -> bool:
    """Whether somebody has cancelled the task that asks; if not, a cancellation that it sees came from elsewhere."""
    if anyio.current_effective_deadline() == -inf:
        return True
    task = None if on_trio() else asyncio.current_task()
    return task is not None and task.cancelling() > 0  # by other means than anyio's, which it does not know of


def clock() -> Callable[[], float]:
    """The running library's clock, in monotonic seconds."""
    if on_trio():
        import trio

        return trio.current_time
    loop = asyncio.get_running_loop()
    # The standard loop's is a method that calls this and does nothing else.
    return monotonic if getattr(type(loop), "time", None) is asyncio.BaseEventLoop.time else loop.time


def now() -> float:
    """The present second by the running library's clock: what `anyio.current_time` says, in a third of the time."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return float(trio.current_time())
    return asyncio.get_running_loop().time()


def loop_token() -> object:
    """What `in_loop` and `call_in_loop` know the running loop by."""
    if on_trio():
        import trio

        return trio.lowlevel.current_trio_token()
    return asyncio.get_running_loop()


def in_loop(token: object) -> bool:
    """Whether the caller runs in this loop; nobody does while it stands still."""
    try:
        return loop_token() is token
    except RuntimeError:  # in no loop at all
        return False


def call_in_loop(token: Any, function: Callable[[], object]) -> None:
    """Have a loop call the function soon.

    Args:
        token: which loop, as `loop_token` gave it there; it must still run.
        function: what to call; it may be given from any thread.
    """
    if isinstance(token, asyncio.AbstractEventLoop):
        token.call_soon_threadsafe(function, context=callback_context())
    else:
        token.run_sync_soon(function)


def callback_context() -> Context:
    """A context in which anyio works in a timer's callback too, where asyncio has no current task to tell it by."""
    context = copy_context()
    with suppress(ImportError):  # where sniffio is not installed, anyio does not ask it
        from sniffio import current_async_library_cvar

        context.run(current_async_library_cvar.set, "asyncio")
    return context


def announce_asyncio() -> None:
    """Tell anyio, where it asks sniffio, that a plain callback of asyncio is on asyncio: it has no task to show."""
    if asyncio.current_task() is None:
        with suppress(ImportError):
            from sniffio import current_async_library_cvar

            current_async_library_cvar.set("asyncio")


class Alarm:
    """An alarm that calls `ring` once, at the time it is set to; made and used where the library runs."""

    __slots__ = ("_at", "_context", "_loop", "_ring", "_scope", "_stopped", "_timer")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at = inf
        self._timer: asyncio.TimerHandle | None = None
        self._scope: anyio.CancelScope | None = None
        self._loop = None if on_trio() else asyncio.get_running_loop()
        self._context = None if self._loop is None else callback_context()
        self._stopped = False

    @property
    def needs_task(self) -> bool:
        """Whether `keep` has to run as a task: trio has no timers."""
        return self._loop is None

    def bring_forward(self, at: float) -> None:
        """Ring at `at`, unless it rings before that; the clock may still be a tick short of it then."""
        if at >= self._at:
            return
        self._at = at
        if self._loop is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(at, self._go_off, context=self._context)
        elif self._scope is not None:
            self._scope.deadline = at

    def stop(self) -> None:
        """Ring no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._scope is not None:
            self._scope.cancel()

    async def keep(self) -> None:
        """Wait and ring until stopped; where there are timers, there is nothing to do."""
        while self.needs_task and not self._stopped:
            with anyio.CancelScope(deadline=self._at) as self._scope:
                await anyio.sleep_forever()
            self._go_off()

    def _go_off(self) -> None:
        self._at, self._timer = inf, None
        if not self._stopped:
            self._ring()
