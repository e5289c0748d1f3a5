"""Where sessions are recorded that say nothing of it: for whoever runs those that others make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

DEFAULT_RECORD: ContextVar[str | None] = ContextVar("turnkit_default_record", default=None)
"""What a session takes for `record` where it is given none; None: it is not recorded."""


@contextmanager
def recorded_in(directory: str) -> Iterator[None]:
    """Have the sessions that are made meanwhile, in this task, be recorded, unless they say where themselves.

    Args:
        directory: as `Session(record=...)` takes it; it must be one, as each call is a file of its own.
    """
    token = DEFAULT_RECORD.set(directory)
    try:
        yield
    finally:
        DEFAULT_RECORD.reset(token)
