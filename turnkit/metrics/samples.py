"""Many durations in bounded memory: exact while they are few, in buckets 1 % wide once they are many."""

from __future__ import annotations

from bisect import insort
from math import ceil, exp, floor, log

import msgspec

from ..checks import is_number, shown
from ..errors import LocalProtocolError

EXACT = 1000
"""How many values are kept as they are: more than the turns of an hour's call."""

_WIDTH = log(1.02)  # a bucket's values differ from its middle by 1 % at most
_LEAST = 1e-6  # seconds; below it, all is one bucket
_NANO = 10**9


class Samples(msgspec.Struct):
    """Durations in seconds, 0 or more: how many, their quantiles, and all of them together.

    Up to `EXACT` values are kept as they are. Beyond, each is only counted, in a bucket whose middle is at most 1 %
    off; the least, the greatest, the number and the total stay exact. What `a + b` holds depends on the values alone,
    so it does not matter in which order calls are put together.

    Attributes:
        count: Number of values.
        nanoseconds: Sum of the values, as a whole number.
        least: Least value in seconds; None if there are none.
        greatest: Greatest value in seconds; None if there are none.
        values: All values in order, while they are few; then empty.
        buckets: Number of values by bucket, once they are many.
    """

    count: int = 0
    nanoseconds: int = 0  # whole, because sums of floats depend on their order
    least: float | None = None
    greatest: float | None = None
    values: list[float] = msgspec.field(default_factory=list)  # sorted; empty once there are too many
    buckets: dict[int, int] = msgspec.field(default_factory=dict)

    def add(self, value: float) -> None:
        """Add one value in seconds; raises LocalProtocolError for one that is no duration."""
        if not is_number(value) or value < 0:
            raise LocalProtocolError(f"add({shown(value)}): must be a finite number of seconds, 0 or more")
        self.count += 1
        self.nanoseconds += round(value * _NANO)
        self.least = value if self.least is None else min(self.least, value)
        self.greatest = value if self.greatest is None else max(self.greatest, value)
        if self.buckets:
            self._count(value)
        else:
            insort(self.values, value)
            self._fold()

    def __add__(self, other: Samples) -> Samples:
        least = [bound for bound in (self.least, other.least) if bound is not None]
        greatest = [bound for bound in (self.greatest, other.greatest) if bound is not None]
        both = Samples(
            self.count + other.count,
            self.nanoseconds + other.nanoseconds,
            min(least, default=None),
            max(greatest, default=None),
            sorted(self.values + other.values),
            dict(self.buckets),
        )
        for bucket, count in other.buckets.items():
            both.buckets[bucket] = both.buckets.get(bucket, 0) + count
        both._fold()
        return both

    @property
    def total(self) -> float | None:
        """The seconds of all values together, None if there are none."""
        return self.nanoseconds / _NANO if self.count else None

    @property
    def median(self) -> float | None:
        """The value that half of them do not exceed, None if there are none."""
        return self.quantile(0.5)

    @property
    def p95(self) -> float | None:
        """The value that 95 % of them do not exceed, None if there are none."""
        return self.quantile(0.95)

    def quantile(self, share: float) -> float | None:
        """The least of the values that `share` of them, 0 to 1, do not exceed: one that was measured, not a mean.

        None if there are none. Raises LocalProtocolError for a share outside 0 to 1.
        """
        if not 0 <= share <= 1:
            raise LocalProtocolError(f"quantile({share!r}): must be a share from 0 to 1")
        if self.least is None or self.greatest is None:
            return None
        rank = max(1, ceil(share * self.count - 1e-9))
        if self.values:
            return self.values[rank - 1]
        if rank == 1 or rank == self.count:
            return self.least if rank == 1 else self.greatest
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                break
        middle = _LEAST * exp((bucket + 0.5) * _WIDTH) if bucket >= 0 else 0.0
        return min(max(middle, self.least), self.greatest)

    def _fold(self) -> None:
        """Move the kept values into buckets, if they are too many, or if there are buckets already."""
        if self.buckets or len(self.values) > EXACT:
            for value in self.values:
                self._count(value)
            self.values = []

    def _count(self, value: float) -> None:
        bucket = floor(log(value / _LEAST) / _WIDTH) if value >= _LEAST else -1
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
