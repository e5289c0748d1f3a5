"""What it costs to read one message."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

from turnkit.wire import decode

from . import bare, flux_frames
from .rows import Effort, Row, alternate, compared


def time_decode(read: Callable[[bytes], object], count: int) -> float:
    """Nanoseconds to read the typical frame, the mean of `count` in a row."""
    frame = flux_frames.typical()
    begun = perf_counter_ns()
    for _ in range(count):
        read(frame)
    return (perf_counter_ns() - begun) / count


def measure(effort: Effort) -> list[Row]:
    """`turnkit.wire.decode` against a typed msgspec decoder that was told the same fields and checks nothing more."""
    pairs = alternate(
        lambda: time_decode(bare.decode, effort.decodes),
        lambda: time_decode(decode, effort.decodes),
        effort.rounds,
    )
    size = len(flux_frames.typical())
    return [compared("decode", "ns", pairs, f"a {size}-byte TurnInfo with 12 words, words left raw", bound=1.5)]
