"""The Flux client without I/O: whatever comes, whenever, nothing raises, and every second of audio is accounted for."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from tests.support.protocol_world import STEPS, World, walk
from turnkit.errors import ConnectionFailed
from turnkit.flux.bounds import Bounds
from turnkit.flux.heard import Heard
from turnkit.flux.protocol import FluxProtocol
from turnkit.wire import Connected, FluxOptions

NAMES = st.sampled_from(sorted({*STEPS, "close", "leave"}))
AMOUNTS = st.floats(0, 1, exclude_max=True)


@settings(max_examples=tries(400), deadline=None)
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


@pytest.mark.parametrize(("asked", "lost"), [(False, 0.16), (True, 0.0)])
def test_a_close_that_was_not_asked_for_yet_covers_nothing(asked: bool, lost: float) -> None:
    """Flux covers all that it was sent before it answers CloseStream; one that hangs up before that answers nothing."""
    protocol = FluxProtocol("host", FluxOptions(), Bounds(), Random(0))
    protocol.connection_made(Connected(sequence_id=0), 0.0)
    protocol.add_audio(bytes(5120), 0.0)
    while protocol.next_audio(0.0):
        pass
    protocol.close(0.0)
    if asked:
        assert protocol.next_command(0.0) == '{"type":"CloseStream"}'
    assert protocol.connection_ended(ConnectionFailed("gone"), 0.0, code=1006) is None
    assert protocol.failure is None
    assert protocol.audio.lost_seconds == pytest.approx(lost)


@pytest.mark.parametrize(
    ("numbers", "missed"),
    [([0, -1, 0, 2], 0), ([0, -1, 2], 0), ([0, 0, 1], 0), ([0, -1, 0, 3], 1), ([0, 0, 2], 1), ([3, 1, 4], 3)],
)
def test_a_number_that_comes_again_changes_nothing(numbers: list[int], missed: int) -> None:
    """A gap is forgiven for each message without a number, whatever came twice in between."""
    heard = Heard()
    for number in numbers:
        heard.count(number)
    assert heard.missed == missed
