"""A coroutine run at once, as far as it goes without waiting: how a frame is written in the step that decides on it.

On asyncio, the `send` of a websocket that has room waits for nothing: its first step is all of it. That step may be run
from a callback, where there is no task; if it does wait, the rest is left to a task. On trio a coroutine belongs to its
task from its first step, so there this is not done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any


def begun(sending: Coroutine[Any, Any, object]) -> Awaitable[None] | None:
    """Run a coroutine up to where it waits, or to its end; on asyncio only.

    Args:
        sending: not begun yet; of a kind that does not ask which task it runs in.

    Returns:
        None if it is done; else the rest of it, for a task to await. What it raised is raised there.
    """
    rest = _Rest(sending)
    return None if rest.step(sending.send, None) else rest


class _Rest:
    """What is left of a coroutine that waits for something: the task that awaits this waits for it instead."""

    def __init__(self, sending: Coroutine[Any, Any, object]) -> None:
        self._sending = sending
        self._waits_for: Any = None
        self._raised: Exception | None = None

    def step(self, proceed: Callable[[Any], Any], given: object) -> bool:
        """Run it on; whether it is done. What it raises it keeps."""
        try:
            self._waits_for = proceed(given)
        except StopIteration:
            return True
        except Exception as error:
            self._raised = error
        return False

    def __await__(self) -> Generator[Any, Any, None]:
        done = False
        while not done:
            if self._raised is not None:
                raise self._raised
            try:
                got = yield self._waits_for
            except BaseException as error:
                done = self.step(self._sending.throw, error)
            else:
                done = self.step(self._sending.send, got)
