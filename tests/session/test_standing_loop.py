"""A host calls its session in the right thread, while the loop stands still: refused, in turnkit's own words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from turnkit.errors import LocalProtocolError
from turnkit.session import Session
from turnkit.turns.events import StartOfTurn

CALLS: dict[str, Callable[[Session], object]] = {
    "interrupt": lambda session: session.interrupt("typed"),
    "playback_started": lambda session: session.playback_started(0),
    "record": lambda session: session.record("Fact"),
    "hang_up": lambda session: session.hang_up(),
}


def refused(session: Session, name: str) -> None:
    """It is, and nothing was changed."""
    before = session._machine.snapshot()
    with pytest.raises(LocalProtocolError, match=rf"^{name}\(\): called outside of the event loop that runs"):
        CALLS[name](session)
    assert session._machine.snapshot() == before


@pytest.mark.parametrize("name", CALLS)
def test_between_two_steps_of_asyncio(name: str) -> None:
    """As in a notebook, or a program that lends its loop some time now and then; in the loop it is taken after all."""
    session = Session()
    begun, ends = asyncio.Event(), asyncio.Event()

    async def source() -> AsyncIterator[object]:
        yield StartOfTurn(0, "hello")
        begun.set()
        await ends.wait()

    async def call_and_end() -> None:
        CALLS[name](session)
        ends.set()
        await call

    with asyncio.Runner() as runner:
        call = runner.get_loop().create_task(session.run(source()))
        runner.run(begun.wait())
        refused(session, name)
        runner.run(call_and_end())
