"""The run of a conversation: its source is read to its end, and what is under way then has its time."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable
from inspect import isasyncgen
from math import inf
from typing import TYPE_CHECKING

import anyio

from ..errors import FluxError, LocalProtocolError, TurnkitError, sole_error
from ..turns.events import Busy, Initiate, TurnStalled
from ..wire import TurnInfo
from .intake import Intake, Surprise

if TYPE_CHECKING:
    from .dispatcher import Dispatcher
    from .recording import Recording


class Run:
    """The one run of a session.

    Args:
        recording: the session's, if it has one.
        drain_timeout: seconds as for `Session`.

    Attributes:
        dispatcher: the session's.
    """

    __slots__ = ("_drain_timeout", "_drained", "_hung_up", "_intake", "_recording", "_source", "dispatcher")

    dispatcher: Dispatcher

    def __init__(self, recording: Recording | None, drain_timeout: float) -> None:
        self._recording = recording
        self._drain_timeout = drain_timeout
        self._intake = Intake()
        self._drained: anyio.Event | None = None
        self._source: object = None
        self._hung_up = False

    async def hold(self, source: AsyncIterable[object], *, drain: bool, busy: bool) -> None:
        """Hold the conversation, as `Session.run` says; `busy`: the host works as it begins."""
        dispatcher = self.dispatcher
        if dispatcher.tasks is not None:
            raise LocalProtocolError("run(): a session runs once; make a new one for the next conversation")
        dispatcher.begin(source)
        failure: Exception | None = None
        try:
            async with anyio.create_task_group() as tasks:
                dispatcher.join(tasks)
                try:
                    dispatcher.start()
                    if busy:
                        dispatcher.feed_if_running(Busy(True))
                    if self._hung_up:
                        self.hang_up()
                    failure = await self._read(source)
                    until = anyio.current_time() + self._drain_timeout
                    with anyio.CancelScope(deadline=until):
                        while drain and dispatcher.unfinished():
                            self._drained = anyio.Event()
                            await self._drained.wait()
                finally:
                    # Also when the run is cancelled: whoever plays or pays for a reply learns that it is over.
                    dispatcher.close()
                tasks.cancel_scope.deadline = until if drain else -inf
        except BaseExceptionGroup as group:
            # Only what ends the program gets here, or a cancellation.
            error = sole_error(group.split(anyio.get_cancelled_exc_class())[1] or group)
            raise error from error.__cause__
        finally:
            dispatcher.end()
        if failure is not None:
            raise failure

    def hang_up(self) -> None:
        """The caller is gone: close, and cancel the reading and all else; before the run, as soon as it begins."""
        self._hung_up = True
        tasks = self.dispatcher.tasks
        if tasks is not None and not self.dispatcher.over:
            self.dispatcher.close()
            tasks.cancel_scope.cancel()

    def force_end_turn(self, _: TurnStalled) -> Awaitable[object] | None:
        """Have Flux end a turn that goes nowhere, if the source can tell it to; the reader does not wait for that."""
        force = getattr(self._source, "send_force_end_turn", None)
        return None if force is None else force()

    def look_again(self) -> None:
        """Let a run that drains look again whether anything is unfinished."""
        if self._drained is not None:
            self._drained.set()

    async def _read(self, source: AsyncIterable[object]) -> Exception | None:
        """Take all that the source has to give; what it raises, if it does, is the loss of the stream."""
        self._source = source
        try:
            items, begun = aiter(source), not self._hung_up
            if begun:
                async for item in items:
                    self._take(item)
                    if self._hung_up:
                        break
            if self._hung_up and isasyncgen(items):
                await items.aclose()
        except Exception as raised:
            error = sole_error(raised)
            reason = str(error) if isinstance(error, TurnkitError) else type(error).__name__
            for lost in self._intake.lose(reason):
                self.dispatcher.feed_if_running(lost)
            return self._of_flux(error)
        finally:
            self._source = None
        return None if self._hung_up else self._intake.fatal

    def _of_flux(self, error: Exception) -> Exception:
        """The reason that Flux itself gave before the source raised, if it did."""
        fatal = self._intake.fatal
        if fatal is None or isinstance(error, FluxError):
            return error
        fatal.__cause__ = error
        return fatal

    def _take(self, item: object) -> None:
        if type(item) is TurnInfo and (event := self._intake.take_due(item)) is not None:
            if self._recording is not None and self._recording.frames:
                self._recording.received(item)
            self.dispatcher.feed(event, item)
            return
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
