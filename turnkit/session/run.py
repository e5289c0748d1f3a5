"""The run of a conversation: its source is read to its end, and what is under way then has its time."""

from __future__ import annotations

from collections.abc import AsyncIterable
from inspect import isasyncgen
from math import inf
from typing import TYPE_CHECKING

import anyio

from ..errors import ConfigError, FluxError, LocalProtocolError, TurnkitError, sole_error
from ..logs import logger
from ..turns.events import Busy, Initiate
from ..wire import TurnInfo
from .failures import source_failure
from .intake import Intake, Surprise

if TYPE_CHECKING:
    from .dispatcher import Dispatcher
    from .recording import Recording


class Run:
    """The one run of a session.

    Args:
        name: the session's.
        recording: the session's, if it has one.
        drain_timeout: seconds as for `Session`.

    Attributes:
        dispatcher: the session's.
        busy: how many of the host's tools are running.
    """

    __slots__ = (
        "_drain_timeout",
        "_drained",
        "_failure",
        "_hung_up",
        "_intake",
        "_name",
        "_recording",
        "busy",
        "dispatcher",
    )

    dispatcher: Dispatcher

    def __init__(self, name: str, recording: Recording | None, drain_timeout: float) -> None:
        self._name = name
        self._recording = recording
        self._drain_timeout = drain_timeout
        self._intake = Intake()
        self._drained: anyio.Event | None = None
        self._failure: Exception | None = None
        self._hung_up = False
        self.busy = 0

    async def hold(self, source: AsyncIterable[object], *, drain: bool) -> None:
        """Hold the conversation, as `Session.run` says."""
        # Its source is read in here and not in a coroutine of its own, which would cost each call a quarter kilobyte.
        dispatcher = self.dispatcher
        if dispatcher.tasks is not None:
            raise LocalProtocolError("run(): a session runs once; make a new one for the next conversation")
        if not hasattr(source, "__aiter__"):
            enter = "; enter it first, with `async with ... as stream`" if hasattr(source, "__aenter__") else ""
            rule = "must be an async iterable of messages, such as the stream of connect(...) or a Feed"
            raise ConfigError(f"run({type(source).__name__}): {rule}{enter}")
        dispatcher.begin(source)
        try:
            async with anyio.create_task_group() as tasks:
                dispatcher.join(tasks)
                try:
                    self._start()
                    try:
                        items, due = aiter(source), not self._hung_up
                        push = getattr(source, "read_into", None)
                        if due and push is not None:
                            await push(self._take)
                        elif due:
                            async for item in items:
                                if not self._take(item):
                                    break
                        await self._close(items)
                    except BaseException as raised:
                        failed = source_failure(raised)
                        if failed is None:
                            raise
                        self._lose(sole_error(failed))
                    finally:
                        dispatcher.source = None
                    tasks.cancel_scope.deadline = await self._drain() if drain else -inf
                finally:
                    # Also when the run is cancelled: whoever plays or pays for a reply learns that it is over.
                    dispatcher.close()
            if tasks.cancel_scope.cancel_called and drain and not self._hung_up:
                replies = list(dispatcher.replies.cut_off)
                logger(session=self._name).warning("drain_timed_out", seconds=self._drain_timeout, replies=replies)
        except BaseExceptionGroup as group:
            # Only what ends the program gets here, or a cancellation.
            error = sole_error(group.split(anyio.get_cancelled_exc_class())[1] or group)
            raise error from error.__cause__
        finally:
            dispatcher.end()
        if self._failure is not None:
            raise self._failure

    def _start(self) -> None:
        self.dispatcher.start()
        if self.busy:
            self.dispatcher.feed_if_running(Busy(True))
        if self._hung_up:
            self.hang_up()

    async def _close(self, items: object) -> None:
        """The source was read to its end, or as far as it will be."""
        if not self._hung_up:
            self._failure = self._intake.fatal
        elif isasyncgen(items):
            await items.aclose()

    def _lose(self, error: Exception) -> None:
        """The source raised: that is the loss of the stream, for which Flux may have given the reason."""
        reason = str(error) if isinstance(error, TurnkitError) else type(error).__name__
        for lost in self._intake.lose(reason):
            self.dispatcher.feed_if_running(lost)
        self._failure = self._intake.fatal
        if self._failure is None or isinstance(error, FluxError):
            self._failure = error
        else:
            self._failure.__cause__ = error

    async def _drain(self) -> float:
        """Wait for what is under way; the time until which all else may go on."""
        until = anyio.current_time() + self._drain_timeout
        with anyio.CancelScope(deadline=until):
            while self.dispatcher.unfinished():
                self._drained = anyio.Event()
                await self._drained.wait()
        return until

    def hang_up(self) -> None:
        """The caller is gone: close, and cancel the reading and all else; before the run, as soon as it begins."""
        self._hung_up = True
        tasks = self.dispatcher.tasks
        if tasks is not None and not self.dispatcher.over:
            self.dispatcher.close()
            tasks.cancel_scope.cancel()

    def look_again(self) -> None:
        """Let a run that drains look again whether anything is unfinished."""
        if self._drained is not None:
            self._drained.set()

    def _take(self, item: object) -> bool:
        """Take an item of the source, unless the caller has hung up; whether more are wanted."""
        if self._hung_up:
            return False
        if type(item) is TurnInfo and (event := self._intake.take_due(item)) is not None:
            if self._recording is not None and self._recording.frames:
                self._recording.received(item)
            self.dispatcher.feed(event, item)
        else:
            self._take_other(item)
        return not self._hung_up

    def _take_other(self, item: object) -> None:
        message, steps = self._intake.take(item)
        if self._recording is not None and message is not None:
            self._recording.received(message)
        turn = message if type(message) is TurnInfo else None
        for step in steps:
            if type(step) is Surprise:
                self.dispatcher.note(step.kind, step.detail)
            elif not self.dispatcher.running:
                return  # a callback has hung up
            elif type(step) is Initiate:
                self.dispatcher.initiate(step, None)
            else:
                self.dispatcher.feed(step, turn)
