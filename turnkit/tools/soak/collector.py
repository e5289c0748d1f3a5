"""Python's cyclic collector in a soak: what it does and for how long, and settings of it that suit many calls."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import msgspec

THRESHOLDS = (10_000, 10, 10)
"""What `tuned` sets. A call leaves some 200 objects to the collector; by Python's own, it comes for 700."""
_OLDEST = 2  # the generation that is everything


class Collections(msgspec.Struct):
    """What the collector did in a time.

    Attributes:
        number: Number of collections.
        full: Number of those that went through everything.
        longest: Seconds that the longest took, for which all stood still.
        seconds: Seconds that all took.
    """

    number: int = 0
    full: int = 0
    longest: float = 0.0
    seconds: float = 0.0


class CollectorWatch:
    """Counts and times collections, those excepted that it is asked for itself.

    Attributes:
        seen: What the collector did since this was last set.
    """

    def __init__(self) -> None:
        self.seen = Collections()
        self._since = 0.0
        self._asked = False

    def collect(self) -> None:
        """Collect all garbage, uncounted."""
        self._asked = True
        gc.collect()
        self._asked = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count meanwhile."""
        gc.callbacks.append(self._on_collection)
        try:
            yield
        finally:
            gc.callbacks.remove(self._on_collection)

    def _on_collection(self, phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            self._since = perf_counter()
        elif not self._asked:
            took = perf_counter() - self._since
            self.seen.number += 1
            self.seen.full += about["generation"] == _OLDEST
            self.seen.seconds += took
            self.seen.longest = max(self.seen.longest, took)


@contextmanager
def tuned() -> Iterator[None]:
    """Meanwhile, have the collector pass over all that there is now, and come less often."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
