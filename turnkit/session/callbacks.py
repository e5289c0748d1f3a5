"""The callbacks of a session: registered for a signal, called in order, the async ones in the scope of their reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable, iscoroutine
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup

from ..errors import ConfigError
from ..turns.events import SIGNALS, Commit, Note, ReplyEnded, Signal, Speculate
from .callables import check_callback, is_async
from .failures import Failed, HostFailure, failure, must_pass

S = TypeVar("S", bound=Signal | ReplyEnded)
Callback = Callable[[S], Awaitable[object] | object]

KINDS: tuple[type[Signal | ReplyEnded], ...] = (*SIGNALS, ReplyEnded)
"""What there are callbacks for."""


def check_kind(asked: str, kind: object) -> None:
    """Check that what `on` or `signals` was asked for is a type of signal.

    Raises:
        ConfigError: it is not.
    """
    if kind not in KINDS:
        names = ", ".join(known.__name__ for known in KINDS)
        raise ConfigError(f"{asked}({getattr(kind, '__name__', kind)!r}): must be one of the signals {names}")


class Callbacks:
    """The callbacks of one session.

    A sync callback is done when `call` returns. An async one goes on as a task; those for Speculate and Commit belong
    to their reply, and are cancelled with it. One that fails is reported, and the next is called all the same.

    Args:
        failed: is told of what a callback raises.
        settled: is called when the task of an async callback is over.

    Attributes:
        registered: the callbacks for each signal that has any, in order.
        tasks: where the async ones go on; None until the conversation begins.
    """

    __slots__ = ("_failed", "_scopes", "_settled", "registered", "tasks")

    def __init__(
        self,
        failed: Failed,
        settled: Callable[[], None],
    ) -> None:
        self.registered: dict[type, tuple[Callback[Any], ...]] = {}
        self.tasks: TaskGroup | None = None
        self._failed = failed
        self._settled = settled
        self._scopes: dict[int, set[anyio.CancelScope]] = {}

    def on(self, signal: Any, callback: Any = None) -> Any:
        """Register a callback, as `Session.on` does."""
        check_kind("on", signal)
        if callback is None:
            return lambda function: self.on(signal, function)
        check_callback(f"on({signal.__name__}, ...)", callback)
        self.registered[signal] = (*self.registered.get(signal, ()), callback)
        return callback

    def on_error(self, callback: Any) -> Any:
        """Register a callback for what the host's functions raise, as `Session.on_error` does."""
        check_callback("on_error(...)", callback)
        if is_async(callback):
            raise ConfigError(f"on_error({callback!r}): must be a plain function, called where the failure is told")
        self.registered[HostFailure] = (*self.registered.get(HostFailure, ()), callback)
        return callback

    def first(self, callback: Callback[Any]) -> None:
        """Register a callback for every signal, before all others there are."""
        for kind in KINDS:
            self.registered[kind] = (callback, *self.registered.get(kind, ()))

    def remove(self, callback: Callback[Any]) -> None:
        """Take a callback off every signal that it is registered for."""
        for kind, there in list(self.registered.items()):
            self.registered[kind] = tuple(other for other in there if other != callback)
            if not self.registered[kind]:
                del self.registered[kind]  # nobody wants to hear of it any more

    def call(self, callbacks: tuple[Callback[Any], ...], signal: Signal | ReplyEnded) -> None:
        """Call these, in order, for a signal."""
        for callback in callbacks:
            try:
                result = callback(signal)
            except BaseException as error:
                # Also a CancelledError: what is not awaited is not cancelled.
                if must_pass(error):
                    raise
                self._report(callback, signal, error)
            else:
                if result is not None and isawaitable(result):
                    self._start(callback, signal, result)

    def tell(self, failed: HostFailure) -> None:
        """Tell what a function of the host's raised to those who asked for it."""
        for callback in self.registered.get(HostFailure, ()):
            try:
                if iscoroutine(result := callback(failed)):
                    result.close()
                    raise TypeError("an on_error callback must be a plain function, and returned a coroutine")
            except BaseException as error:
                if must_pass(error):
                    raise
                self._failed(callback, HostFailure.__name__, error, noted=False)

    def cancel(self, reply: int) -> None:
        """Cancel the async callbacks of this reply."""
        for scope in self._scopes.pop(reply, ()):
            scope.cancel()

    def runs(self, reply: int) -> bool:
        """Whether an async callback of this reply is under way."""
        return bool(self._scopes.get(reply))

    def _start(self, callback: Callback[Any], signal: Signal | ReplyEnded, work: Awaitable[object]) -> None:
        """Let the work of an async callback, not begun yet, go on by itself, in its reply's scope if it has one."""
        assert self.tasks is not None
        scope = anyio.CancelScope()
        reply = signal.reply if isinstance(signal, (Speculate, Commit)) else None
        if reply is not None:
            self._scopes.setdefault(reply, set()).add(scope)
        self.tasks.start_soon(self._run, callback, signal, work, scope, reply)

    async def _run(
        self,
        callback: Callback[Any],
        signal: Signal | ReplyEnded,
        work: Awaitable[object],
        scope: anyio.CancelScope,
        reply: int | None,
    ) -> None:
        try:
            if not scope.cancel_called:
                with scope:
                    await work
            elif iscoroutine(work):
                # Cancelled before it could begin, so it does not begin.
                work.close()
        except BaseException as raised:
            error = failure(raised)
            if error is None:
                raise
            self._report(callback, signal, error)
        finally:
            if reply is not None and (scopes := self._scopes.get(reply)) is not None:
                scopes.discard(scope)
                if not scopes:
                    del self._scopes[reply]
            self._settled()

    def _report(self, callback: Callback[Any], signal: Signal | ReplyEnded, error: BaseException) -> None:
        # A Note that the callbacks for Note failed could only go to them.
        reply = getattr(signal, "reply", None)
        self._failed(callback, type(signal).__name__, error, reply=reply, noted=not isinstance(signal, Note))
