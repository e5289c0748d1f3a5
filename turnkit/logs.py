"""Logging through structlog: as the application configured it, or warnings on standard error if it did not.

Event names are static and values are keys. What may hold personal data (what was said, or an exception's message,
which may quote it) is only ever under a key that begins with `personal_`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from .printable import printable

# structlog's own default prints everything to standard output, where a program's output belongs.
_PROCESSORS: list[structlog.typing.Processor] = [
    lambda _, __, entry: {key: printable(value) if isinstance(value, str) else value for key, value in entry.items()},
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.dev.ConsoleRenderer(colors=False),
]


_given: Callable[[str, str], None] | None = None


def hand_over(take: Callable[[str, str], None]) -> None:
    """Give the lines of an application that has not configured structlog to a function, instead of standard error.

    For a host that logs in another way, so that two logs do not run side by side by accident.

    Args:
        take: is called with the level, such as `warning`, and the line, which has no time of its own.
    """
    global _given
    _given = take


class _Given:
    """What structlog takes for a logger: each of its methods is a level."""

    def __getattr__(self, level: str) -> Callable[[str], None]:
        assert _given is not None
        return partial(_given, level)


def logger(**context: Any) -> Any:
    """A logger bound to `context`; it never configures structlog itself."""
    if structlog.is_configured():
        return structlog.get_logger("turnkit").bind(**context)
    if _given is not None:
        rendered: list[structlog.typing.Processor] = [_PROCESSORS[0], _PROCESSORS[-1]]
        return structlog.wrap_logger(_Given(), processors=rendered, wrapper_class=_from("debug")).bind(**context)
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=_PROCESSORS,
        wrapper_class=_from("warning"),
    ).bind(**context)


def log_to_stderr(level: str = "warning") -> None:
    """Configure structlog as a command line should: from `level` up, to standard error."""
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=_from(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _from(level: str) -> type[structlog.typing.FilteringBoundLogger]:
    """What lets entries pass from that level up; as a number, because structlog takes names only since 25.1."""
    return structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()])
