"""Failures of the host's functions, which are reported and not raised; and what must pass, which is no failure."""

from __future__ import annotations

import traceback
from math import inf
from typing import Protocol

import anyio

from ..logs import logger

_ENDS_THE_PROGRAM = (KeyboardInterrupt, SystemExit, GeneratorExit)


class Failed(Protocol):
    """Takes the report that a function of the host's raised."""

    def __call__(self, function: object, at: str, error: BaseException, *, noted: bool = True) -> None:
        """Report it in the log and as a Note.

        Args:
            function: the callback, `respond`, `speak` or observer that raised.
            at: what it was called with or for, such as the name of a signal.
            error: what it raised.
            noted: whether as a Note too, True by default; not where that would lead to the next failure.
        """


def log_failure(session: str, function: object, at: str, error: BaseException) -> str:
    """Log what a function of the host raised.

    Args:
        session: the session's name.
        function: the callback, `respond`, `speak` or observer that raised.
        at: what it was called with or for, such as the name of a signal.
        error: what it raised.

    Returns:
        The same in a few words that quote nobody, for a Note.
    """
    name = getattr(function, "__qualname__", type(function).__qualname__)
    logger(session=session).error(
        "callback_failed",
        callback=name,
        at=at,
        error=type(error).__name__,
        where=_where(error),
        personal_message=str(error),
    )
    return f"{name} at {at}: {type(error).__name__}"


def _where(error: BaseException) -> str:
    """The line that raised, without the values that were in play."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""


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
