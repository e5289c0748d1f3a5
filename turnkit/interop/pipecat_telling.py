"""The one ordered path on which Pipecat is told: step by step, by a task; or at once, where that can be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from types import coroutine
from typing import Any

from ..turns.events import Signal
from .pipecat_steps import Open, Step, Steps

# What travels the pipeline as data is overtaken by what goes as a system frame: there are one queue and two tasks a
# processor. A system frame that must not overtake what was pushed before it waits for so long, and for so many turns of
# the loop, as in a loop that has stood still no task has run.
_PASSAGE_SECONDS = 0.03
_PASSAGE_TURNS = 20


class Telling:
    """Takes the steps that signals lead to, one after the other.

    Nothing is lost by that: what is still to be told may be taken back meanwhile, and what stops the bot is told in
    the very callback that brought the message, outside of any task, unless something is being told already.

    Args:
        tell: tells one step; what it raises is its own to report.
    """

    def __init__(self, tell: Callable[[Step], Coroutine[Any, Any, None]]) -> None:
        self.steps = Steps()
        self._tell = tell
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._context: Context | None = None
        self._news: asyncio.Future[None] | None = None  # for the task, while there is nothing to tell
        self._begun: Awaitable[None] | None = None  # what was begun outside of the task and has to wait for something
        self._arrives_at = 0.0  # when what was pushed as data is where it should be

    def put(self, signal: Signal) -> None:
        """Take a signal."""
        self.steps.put(signal)
        steps, news = self.steps, self._news
        if news is None or not steps or news.done():
            return
        if len(steps) == 1 and type(steps.first) is Open and self._may_tell_now():
            self._tell_now(steps.next())
            if self._begun is None:
                return
        news.set_result(None)

    def close(self) -> None:
        """Have a turn end that Pipecat was told of no end of."""
        self.steps.close()
        if self.steps and self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def keep_on(self) -> None:
        """Tell, until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._task, self._context = asyncio.current_task(), copy_context()
        while True:
            if self._begun is not None:
                begun, self._begun = self._begun, None
                await begun
            while self.steps:
                await self._tell(self.steps.next())
            self._news = self._loop.create_future()
            try:
                await self._news
            finally:
                self._news = None

    async def finish(self) -> None:
        """Tell what is left, once nobody keeps on."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            await begun
        while self.steps:
            await self._tell(self.steps.next())

    def depart(self) -> None:
        """Say that data was pushed that no system frame may overtake."""
        self._arrives_at = asyncio.get_running_loop().time() + _PASSAGE_SECONDS

    async def arrive(self) -> None:
        """Wait until what was pushed as data is where it should be; hardly ever is it still on its way."""
        wait = self._arrives_at - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)
            for _ in range(_PASSAGE_TURNS):
                await asyncio.sleep(0)

    def _may_tell_now(self) -> bool:
        # Within a task, what it would have to wait for would be waited for by that one.
        assert self._loop is not None
        return self._arrives_at <= self._loop.time() and asyncio.current_task(self._loop) is None

    def _tell_now(self, step: Step) -> None:
        """Begin to tell on behalf of the task; usually that is all."""
        assert self._loop is not None
        assert self._task is not None
        assert self._context is not None
        telling = self._tell(step)
        # As asyncio's documentation asks of those who run coroutines themselves.
        asyncio.tasks._enter_task(self._loop, self._task)
        try:
            waited_for = self._context.run(telling.send, None)
        except StopIteration:
            return
        finally:
            asyncio.tasks._leave_task(self._loop, self._task)
        self._begun = _rest(telling, waited_for)


@coroutine
def _rest(begun: Coroutine[Any, Any, None], waited_for: Any) -> Generator[Any, Any, None]:
    """The rest of a coroutine that was begun by hand, and now waits."""
    while True:
        try:
            value = yield waited_for
        except BaseException as error:
            failed: BaseException | None = error
        else:
            failed = None
        try:
            waited_for = begun.send(value) if failed is None else begun.throw(failed)
        except StopIteration:
            return
