"""A reply that is over is freed at once, and not by a collection of garbage: those make a busy process pause."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator

import anyio
import pytest

from tests.support.sessions import turn
from tests.support.voices import Voice, echo
from turnkit.session import Reply, Session
from turnkit.turns.events import Commit

pytestmark = pytest.mark.anyio


async def test_nothing_goes_round_in_a_circle() -> None:
    """Neither its tasks nor the timer over its silence keep it."""
    replies: list[weakref.ref[Reply]] = []
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)

    @session.on(Commit)
    def note(commit: Commit) -> None:
        reply = session._replies.find(commit.reply)
        assert reply is not None
        replies.append(weakref.ref(reply))

    async def source() -> AsyncIterator[object]:
        for index in range(3):
            for event in turn(index, "hello"):
                yield event
            await anyio.sleep(3)

    gc.collect()
    gc.disable()
    try:
        await session.run(source())
        assert len(replies) == 3
        assert [reply for reply in replies[:2] if reply() is not None] == []
    finally:
        gc.enable()
