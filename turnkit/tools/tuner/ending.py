"""A policy that ends turns, and a pause that it is asked about."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class EndingPolicy(msgspec.Struct, frozen=True):
    """When a turn is ended.

    Attributes:
        threshold: Confidence from which on it is.
        action_delay: Seconds of silence before which it is not.
        timeout: Seconds of silence after which it is in any case.
    """

    threshold: float
    action_delay: float
    timeout: float

    def __str__(self) -> str:
        return f"{self.threshold:.2f} / {self.action_delay:g} s / {self.timeout:g} s"


class Span(msgspec.Struct, frozen=True, gc=False):
    """A pause of the user's, as far as it is known.

    Attributes:
        seconds: Seconds until the user went on, or if it may have been the end, spoke again; inf if never.
        samples: Seconds of silence so far and Flux's confidence then, in order.
        known: Seconds of silence up to which the samples are complete.
        hold: Whether it is a pause within a turn; None if nobody can tell.
    """

    seconds: float
    samples: Sequence[tuple[float, float]]
    known: float
    hold: bool | None
