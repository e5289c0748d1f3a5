"""Letting other tasks run: until something holds, or until they have come to rest."""

from __future__ import annotations

from collections.abc import Callable

from anyio.lowlevel import checkpoint


async def until(condition: Callable[[], object]) -> None:
    """Let the others run until it holds."""
    for _ in range(100_000):
        if condition():
            return
        await checkpoint()
    raise AssertionError("what was waited for never came")


async def settle() -> None:
    """Let the others come to rest; trio runs them in any order, so once is not enough."""
    for _ in range(10):
        await checkpoint()
