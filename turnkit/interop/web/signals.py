"""SIGTERM, and Ctrl-C: the calls end first, and then the server is told.

Servers close every websocket as soon as they are told to end. So their handlers are set aside, and called once the
last call is over. A second SIGINT does not wait for it; a second SIGTERM does, as process managers send more than one.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

__all__ = ["draining_first"]

_ENDING = (signal.SIGTERM, signal.SIGINT)


@asynccontextmanager
async def draining_first(drain: Callable[[], Awaitable[None]]) -> AsyncIterator[TaskGroup]:
    """While this is open, a signal to end awaits `drain` before the server hears of it.

    Outside the main thread, and where event loops know no signals, it does nothing.

    Args:
        drain: is awaited once.

    Yields:
        The tasks beside it, which are cancelled at the end.
    """
    async with anyio.create_task_group() as tasks:
        if threading.current_thread() is threading.main_thread():
            await tasks.start(_wait_for_the_end, drain)
        try:
            yield tasks
        finally:
            tasks.cancel_scope.cancel()


async def _wait_for_the_end(
    drain: Callable[[], Awaitable[None]], *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    servers = {number: signal.getsignal(number) for number in _ENDING}
    came = None
    try:
        with anyio.open_signal_receiver(*_ENDING) as signals:
            task_status.started()
            came = await anext(aiter(signals))
            async with anyio.create_task_group() as tasks:

                async def until_drained() -> None:
                    await drain()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(until_drained)
                async for another in signals:
                    if another == signal.SIGINT:
                        tasks.cancel_scope.cancel()
                        break
    except NotImplementedError:
        task_status.started()
    finally:
        for number, handler in servers.items():
            signal.signal(number, handler)
    if came is not None:
        signal.raise_signal(came)
