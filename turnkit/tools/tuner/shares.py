"""Shares of the arithmetic, for several processes: what whoever calls `tune` may hand it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Spread(Protocol):
    """Processes that share work.

    Attributes:
        processes: How many shares the work is done in.
    """

    processes: int

    def __call__(self, work: Callable[[int], T]) -> list[T]:
        """What `work` makes of each share, by its number from 0, in order; `work` and what it makes can be pickled."""
