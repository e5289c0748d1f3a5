"""What docs/pipecat.md claims of either service holds in a call of each situation; how fast, is not asked here."""

from __future__ import annotations

from typing import Any

import pytest

from turnkit.testing import virtual_time

pytest.importorskip("pipecat", reason="Pipecat has an environment of its own: .ci/interop")

from benchmarks.interop_pipecat import SITUATIONS, Situation, added_microseconds, compare

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(params=["asyncio"])
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Pipecat runs on asyncio; here on a clock that jumps whenever all tasks wait."""
    return virtual_time("asyncio")


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
async def test_turnkit_gets_it_right(situation: Situation) -> None:
    """Where Pipecat's own service does not, but for the draft that it only wastes a call on."""
    own, turnkits = await compare(situation, 1, 1)
    assert turnkits["wrong"] == 0, turnkits["reasons"]
    if situation.name == "burst:1@eager1":
        assert own["wasted"] > turnkits["wasted"] == 0
    else:
        assert own["wrong"] == 1


async def test_each_turn_is_stamped_twice() -> None:
    """When it was decided, and when Pipecat was told."""
    added = await added_microseconds(3)
    assert len(added) == 3
    assert all(microseconds > 0 for microseconds in added)
