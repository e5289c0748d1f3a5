"""The thread in which a session runs: calls from another one are refused, or passed on to it.

Calls from a policy or an observer are refused too: the machine is in the midst of a decision then, or its last one is
not carried out yet, and what would come of the call would come before it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from inspect import iscoroutine, iscoroutinefunction
from threading import Lock, get_ident
from typing import Any, TypeVar, TypeVarTuple

from ..errors import ConfigError, LocalProtocolError
from ..timers import announce_asyncio, call_in_loop, in_loop, loop_token, on_trio

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

_NOT_ASYNC = "call_from_thread(): the function must not be async: nobody would wait for it"
_LOCK = Lock()  # one for all: it is held for moments, and a process may hold thousands of sessions


class LoopThread:
    """The thread of the event loop that runs a session; before the run and after it there is none.

    Attributes:
        deciding: whether a policy is being asked or an observer told, from which nothing may be changed.
    """

    __slots__ = ("_calls", "_on_asyncio", "_thread", "_token", "deciding")

    def __init__(self) -> None:
        self._token: object = None
        self._thread: int | None = None
        self._on_asyncio = False  # and the conversation runs
        self._calls: set[Future[Any]] | None = None
        self.deciding = False

    def begin(self) -> None:
        """The conversation begins in this thread."""
        self._token, self._thread = loop_token(), get_ident()
        self._on_asyncio = not on_trio()

    def end(self) -> None:
        """The conversation is over; who still waits to be passed on is refused."""
        with _LOCK:
            self._token = self._thread = None
            self._on_asyncio = False
            calls, self._calls = self._calls, None
        for call in calls or ():
            call.cancel()

    def check(self, what: str, *, changes: bool = True) -> None:
        """Refuse what comes from another thread or loop while the conversation runs, or from a policy or an observer.

        Args:
            what: the name of what was called.
            changes: whether it changes anything, True by default; if not, it may come from a policy or an observer.

        Raises:
            LocalProtocolError: if it does.
        """
        if self._thread is not None and get_ident() != self._thread:
            raise LocalProtocolError(
                f"{what}(): called from another thread than the one that runs the session; nothing was changed. "
                "Give it to session.call_from_thread"
            )
        if self._thread is not None and not in_loop(self._token):
            raise LocalProtocolError(
                f"{what}(): called outside of the event loop that runs the session; nothing was changed. "
                "Call it from a task or a callback of that loop"
            )
        if self._on_asyncio:
            announce_asyncio()
        if self.deciding and changes:
            raise LocalProtocolError(
                f"{what}(): called from a policy or an observer, which only judge and watch; nothing was changed. "
                "Call it from a callback (session.on)"
            )

    def call(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Call the function in this thread, and wait for what it returns; see `Session.call_from_thread`."""
        if iscoroutinefunction(function):
            raise ConfigError(_NOT_ASYNC)
        if get_ident() == self._thread:
            return _called(function, *arguments)
        call: Future[T] = Future()
        with _LOCK:
            token = self._token
            if token is None:
                raise LocalProtocolError("call_from_thread(): the session is not running; nothing was called")
            self._calls = self._calls or set()
            self._calls.add(call)
        call_in_loop(token, lambda: self._carry_out(call, lambda: _called(function, *arguments)))
        try:
            return call.result()
        except CancelledError:
            raise LocalProtocolError("call_from_thread(): the session has ended; nothing was called") from None

    def _carry_out(self, call: Future[T], work: Callable[[], T]) -> None:
        if not call.set_running_or_notify_cancel():
            return
        with _LOCK:
            if self._calls is not None:
                self._calls.discard(call)
        try:
            result = work()
        except BaseException as error:
            call.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            call.set_result(result)


def _called(function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    result = function(*arguments)
    if iscoroutine(result):
        result.close()
        raise ConfigError(_NOT_ASYNC)
    return result
