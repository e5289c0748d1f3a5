"""The measure of what stands between Flux's word and a silent phone: what it takes is in order, and complete."""

from __future__ import annotations

import asyncio

from benchmarks.interop_phone import measure


def test_each_barge_in_is_measured() -> None:
    """How fast it is, is not asked here; on the real clock, as its socket is."""
    barged = asyncio.run(asyncio.wait_for(measure(6), 120))
    assert len(barged) == 6
    for bare, came, told, wrote in barged:
        assert bare > 0
        assert came < told < wrote
