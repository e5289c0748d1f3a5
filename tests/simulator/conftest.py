"""What tests of the simulator over a real socket may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest


@pytest.fixture
async def small_steps() -> AsyncIterator[None]:
    """Let virtual time go on in small steps, so that on a busy machine no bound is over before a packet is there."""

    async def tick() -> None:
        while True:  # noqa: ASYNC110
            await anyio.sleep(0.005)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        yield
        group.cancel_scope.cancel()
