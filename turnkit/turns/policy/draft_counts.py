"""What became of eager ends of turn, by the confidence that came with them: counts that add up."""

from __future__ import annotations

from math import sqrt
from typing import Any

import msgspec

from ...checks import shown
from ...errors import ConfigError, LocalProtocolError

STEPS = 20
"""Into how many equal parts confidences from 0 to 1 are sorted."""

_MOST = 2**53  # a count beyond which all count the same: as many as JSON carries everywhere
_Z95 = 1.96


class DraftCounts(msgspec.Struct, frozen=True):
    """How many eager ends of turn were the end, and how many were not, by confidence.

    A value: what is counted makes another one, and `a + b` has the counts of both, in whatever order they are added.
    Counts belong to one setting of Flux's thresholds and one kind of caller: keep those of others apart.

    Attributes:
        confirmed: Numbers of those after which the turn ended on the same words, for each twentieth of confidence.
        withdrawn: The same of those after which the user went on.

    Raises:
        ConfigError: They are no 20 whole numbers, 0 or more.
    """

    confirmed: tuple[int, ...] = (0,) * STEPS
    withdrawn: tuple[int, ...] = (0,) * STEPS

    def __post_init__(self) -> None:
        for name in ("confirmed", "withdrawn"):
            counts: object = getattr(self, name)
            if (
                not isinstance(counts, tuple)
                or len(counts) != STEPS
                or any(type(count) is not int or not 0 <= count <= _MOST for count in counts)
            ):
                raise ConfigError(
                    f"DraftCounts({name}={shown(counts)}): must be {STEPS} whole numbers, 0 to {_MOST}, in a tuple"
                )

    def __add__(self, other: DraftCounts) -> DraftCounts:
        if not isinstance(other, DraftCounts):
            return NotImplemented
        return DraftCounts(_sums(self.confirmed, other.confirmed), _sums(self.withdrawn, other.withdrawn))

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self.confirmed) + sum(self.withdrawn)

    def counted(self, confidence: float, *, confirmed: bool) -> DraftCounts:
        """These counts and one more; the same if the confidence is none from 0 to 1.

        Args:
            confidence: Flux's, at the eager end.
            confirmed: Whether it was the end.
        """
        step = step_of(confidence)
        if step is None:
            return self
        one = tuple(int(place == step) for place in range(STEPS))
        return self + (DraftCounts(confirmed=one) if confirmed else DraftCounts(withdrawn=one))

    def near(self, confidence: float) -> tuple[int, int]:
        """How many were confirmed and how many were counted at about this confidence: its twentieth and the next ones.

        None at all if it is no confidence from 0 to 1.
        """
        step = step_of(confidence)
        if step is None:
            return 0, 0
        around = slice(max(0, step - 1), step + 2)
        confirmed = sum(self.confirmed[around])
        return confirmed, confirmed + sum(self.withdrawn[around])

    def to_bytes(self) -> bytes:
        """The counts, to be kept or sent; no words are in them."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> DraftCounts:
        """The counts that `to_bytes` wrote; raises LocalProtocolError for anything else."""
        try:
            written = msgspec.json.decode(data, type=_Written)
            return cls(written.confirmed, written.withdrawn)
        except (msgspec.DecodeError, ConfigError, UnicodeError, RecursionError) as error:
            raise LocalProtocolError(f"from_bytes: must be what to_bytes wrote: {error}") from None


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bytes of counts: both are there, or they are of something else."""

    confirmed: tuple[int, ...]
    withdrawn: tuple[int, ...]


def step_of(confidence: float) -> int | None:
    """The twentieth that a confidence falls into; None if it is none from 0 to 1."""
    if not 0 <= confidence <= 1:
        return None
    # Flux gives four digits at most; 0.15 * 20 is not quite 3.
    return min(STEPS - 1, int(confidence * STEPS + 1e-6))


def interval(hits: int, tries: int) -> tuple[float, float]:
    """Where a share lies with 95 % confidence (Wilson's interval): from 0 to 1 where nothing was counted."""
    if not tries:
        return 0.0, 1.0
    rate, z = hits / tries, _Z95**2 / tries
    middle = (rate + z / 2) / (1 + z)
    reach = _Z95 * sqrt(rate * (1 - rate) / tries + z / (4 * tries)) / (1 + z)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _sums(some: Any, others: Any) -> tuple[int, ...]:
    return tuple(min(one + other, _MOST) for one, other in zip(some, others, strict=True))
