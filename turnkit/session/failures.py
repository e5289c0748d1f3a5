"""Failures of the host's functions, which are reported and not raised."""

from __future__ import annotations

import traceback
from typing import Protocol

from ..logs import logger


class Failed(Protocol):
    """Takes the report that a function of the host's raised."""

    def __call__(self, function: object, at: str, error: Exception, *, noted: bool = True) -> None:
        """Report it in the log and as a Note.

        Args:
            function: the callback, `respond`, `speak` or observer that raised.
            at: what it was called with or for, such as the name of a signal.
            error: what it raised.
            noted: whether as a Note too, True by default; not where that would lead to the next failure.
        """


def log_failure(session: str, function: object, at: str, error: Exception) -> str:
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


def _where(error: Exception) -> str:
    """The line that raised, without the values that were in play."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
