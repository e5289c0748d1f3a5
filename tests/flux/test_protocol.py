"""The Flux client without I/O: whatever comes, whenever, nothing raises, and every second of audio is accounted for."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.protocol_world import STEPS, World, walk

NAMES = st.sampled_from(sorted({*STEPS, "close", "leave"}))
AMOUNTS = st.floats(0, 1, exclude_max=True)


@settings(max_examples=400, deadline=None)
@given(
    steps=st.lists(st.tuples(NAMES, AMOUNTS), max_size=80),
    kept=st.sampled_from([0.0, 0.1, 0.5, 3.0]),
    reconnect_timeout=st.sampled_from([0.0, 1.0, 30.0]),
)
def test_every_second_of_audio_is_covered_sent_again_or_counted_as_lost(
    steps: list[tuple[str, float]], kept: float, reconnect_timeout: float
) -> None:
    """None twice where Flux had covered it, any bytes, any times, any losses."""
    world = World(Random(1), kept, reconnect_timeout)
    for name, amount in steps:
        world.step(name, amount)


def test_so_it_is_over_thousands_of_steps() -> None:
    """Through streams of any length; `python -m tests.support.protocol_world 1000000` takes as many as you like."""
    assert walk(Random(12), 30_000) > 10
