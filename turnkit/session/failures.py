"""Failures of the host's functions, which are reported and not raised; and what must pass, which is no failure."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Protocol

import anyio

from ..errors import ConnectionFailed
from ..logs import logger
from ..timers import on_trio
from .loop_thread import LoopThread

AT_POLICY = "a policy's question"
"""Where a policy fails."""

_ENDS_THE_PROGRAM = (KeyboardInterrupt, SystemExit, GeneratorExit)


@dataclass(frozen=True, slots=True, repr=False)
class HostFailure:
    """What a function of the host raised, as `Session.on_error` tells it.

    Attributes:
        error: the exception itself, with its traceback; its message may quote what was said.
        errors: the exceptions in it, if it is an ExceptionGroup, to the last leaf; otherwise only itself.
        function: the name of the callback, `respond`, `speak`, observer or policy.
        at: what it was called with or for, such as the name of a signal, or `reply 3`.
        reply: the reply that it was about; None if it was about none.
    """

    error: BaseException
    errors: tuple[BaseException, ...]
    function: str
    at: str
    reply: int | None

    def __repr__(self) -> str:
        # The message of an exception may quote somebody: it stays out of logs.
        return f"<HostFailure {self.function} at {self.at}: {', '.join(kinds(self.errors))}>"


class Failed(Protocol):
    """Takes the report that a function of the host's raised."""

    def __call__(
        self, function: object, at: str, error: BaseException, *, reply: int | None = None, noted: bool = True
    ) -> None:
        """Report it in the log, to whoever asked with `on_error`, and as a Note.

        Args:
            function: the callback, `respond`, `speak` or observer that raised.
            at: what it was called with or for, such as the name of a signal.
            error: what it raised.
            reply: the reply that it was about, None by default: about none.
            noted: whether as a Note too, True by default; not where that would lead to the next failure.
        """


def host_failure(function: object, at: str, error: BaseException, reply: int | None) -> HostFailure:
    """Put together what `Session.on_error` tells."""
    return HostFailure(error, leaves(error), _name(function), at, reply)


def log_failure(session: str, function: object, at: str, error: BaseException) -> str:
    """Log what a function of the host raised.

    Args:
        session: the session's name.
        function: the callback, `respond`, `speak`, observer or policy that raised.
        at: what it was called with or for, such as the name of a signal.
        error: what it raised.

    Returns:
        The same in a few words that quote nobody, for a Note.
    """
    name = _name(function)
    errors = leaves(error)
    what = ", ".join(kinds(errors))
    logger(session=session).error(
        "callback_failed",
        callback=name,
        at=at,
        error=what,
        where=", ".join(filter(None, map(_where, errors))) or _where(error),
        personal_message="; ".join(map(str, errors)),
    )
    return f"{name} at {at}: {what}"


def leaves(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of a group, and of the groups in it, in order; of any other only itself."""
    if not isinstance(error, BaseExceptionGroup):
        return (error,)
    return tuple(leaf for inner in error.exceptions for leaf in leaves(inner))


def kinds(errors: tuple[BaseException, ...]) -> list[str]:
    """The names of their types."""
    return [type(error).__name__ for error in errors]


def _name(function: object) -> str:
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else type(function).__qualname__


def _where(error: BaseException) -> str:
    """The innermost line of the host's own code, or else the line that raised; without the values that were in play."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    frame = next((frame for frame in reversed(frames) if _is_the_hosts(frame.filename)), frames[-1])
    return f"{frame.filename}:{frame.lineno} in {frame.name}"


_OTHERS = tuple(f"{Path(module).parent}{os.sep}" for module in (os.__file__, Path(__file__).parent))
"""Where Python's own modules are, and turnkit."""


def _is_the_hosts(filename: str) -> bool:
    installed = not {"site-packages", "dist-packages"}.isdisjoint(Path(filename).parts)
    return not (installed or filename.startswith((*_OTHERS, "<frozen ")))


class ReportedPolicy:
    """A policy of the host's that reports what it raises, and raises it on: the machine goes by its default then.

    Args:
        policy: the policy.
        failed: is told the policy and what it raised.
        thread: knows meanwhile that nothing may be changed.
    """

    __slots__ = ("_failed", "_policy", "_thread")

    def __init__(
        self, policy: Callable[[Any], Any], failed: Callable[[object, BaseException], None], thread: LoopThread
    ) -> None:
        self._policy = policy
        self._failed = failed
        self._thread = thread

    def __repr__(self) -> str:
        return repr(self._policy)

    @property
    def __name__(self) -> str:
        """The policy's own, as Notes have it."""
        name: str = getattr(self._policy, "__name__", type(self._policy).__name__)
        return name

    def __call__(self, situation: Any) -> Any:
        """What the policy answers."""
        self._thread.deciding = True
        try:
            return self._policy(situation)
        except BaseException as error:
            if must_pass(error):
                raise
            self._failed(self._policy, error)
            if isinstance(error, Exception):
                raise
            # Also a CancelledError: what is not awaited is not cancelled. The machine knows Exceptions only.
            raise RuntimeError(f"the policy raised {type(error).__name__}") from error
        finally:
            self._thread.deciding = False


def must_pass(raised: BaseException) -> bool:
    """Whether it ends more than this function: the program, or the coroutine itself."""
    if isinstance(raised, BaseExceptionGroup):
        return any(must_pass(error) for error in raised.exceptions)
    return isinstance(raised, _ENDS_THE_PROGRAM)


def failure(raised: BaseException) -> BaseException | None:
    """Tell a failure of what was awaited from a cancellation; asked by the task that awaited it.

    A cancellation that nobody has asked for is a failure: it came from a task of the host's own, say in its LLM client.

    Args:
        raised: what was raised; on trio a task group may raise a failure and a cancellation as one group.

    Returns:
        What went wrong; None if it must be raised on.
    """
    if must_pass(raised):
        return None
    if anyio.current_effective_deadline() > -inf:
        return raised
    cancelled = anyio.get_cancelled_exc_class()
    if isinstance(raised, BaseExceptionGroup):
        return raised.split(cancelled)[1]
    return None if isinstance(raised, cancelled) else raised


def source_failure(raised: BaseException) -> Exception | None:
    """The same of a source, which is read in the task of whoever runs the session.

    Returns:
        What to raise when all is over, and never what would pass for a cancellation of the caller; None if it must be
        raised on now.
    """
    task = None if on_trio() else asyncio.current_task()
    if task is not None and task.cancelling() and not isinstance(raised, Exception):
        return None  # by other means than anyio's, which it does not know of
    error = failure(raised)
    if error is None or isinstance(error, Exception):
        return error
    failed = ConnectionFailed(f"the source raised {type(error).__name__}, and nobody had asked for it", (error,))
    failed.__cause__ = error
    return failed
