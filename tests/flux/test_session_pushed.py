"""A session on a Flux stream that gives it messages in the socket's own callback: what its callbacks may do there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar

import anyio
import pytest

from tests.support.flux_peer import Link
from tests.support.streams import opened
from tests.support.voices import Voice
from tests.support.waiting import settle
from turnkit.flux import FluxStream
from turnkit.session import Reply, Session
from turnkit.timers import on_trio
from turnkit.turns.events import BargeIn, ReplyEnded

pytestmark = pytest.mark.anyio

CALLER: ContextVar[str] = ContextVar("CALLER", default="nobody")
LONG = "one two three four five six seven eight nine ten eleven twelve"


async def respond(reply: Reply) -> None:
    await reply.say(LONG if reply.turn == 0 else "Yes.")


async def interrupting(link: Link) -> None:
    """A turn that is answered at length, and another one over the answer."""
    await link.connected()
    await link.turn("StartOfTurn", "hello")
    await link.turn("EndOfTurn", "hello", trigger="model")
    await anyio.sleep(0.55)
    await settle()
    await link.turn("StartOfTurn", "stop", turn_index=1)
    await link.turn("EndOfTurn", "stop", turn_index=1, trigger="model")
    await link.hang_up()


async def close_later(stream: FluxStream) -> None:
    """The host closes the stream when all has been heard."""
    await anyio.sleep(6.0)
    await stream.close()


ACTIONS: dict[str, tuple[Callable[[Session], object], list[str]]] = {
    "nothing": (lambda session: None, ["interrupted", "finished"]),
    "hang up": (lambda session: session.hang_up(), ["interrupted"]),
    "key": (lambda session: session.interrupt(), ["interrupted", "finished"]),
    "typed": (lambda session: session.interrupt("and this"), ["interrupted", "finished"]),
    "initiate": (lambda session: session.initiate("By the way.", wait=True), ["interrupted", "finished", "finished"]),
}


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_callback_runs_where_the_frame_came_and_may_do_all_it_may_elsewhere(action: str) -> None:
    """On asyncio outside of any task, in the context of whoever runs the session; the run ends as it does elsewhere."""
    voice = Voice()
    do, outcomes = ACTIONS[action]
    session = Session(respond=respond, speak=voice.speak)
    where: list[tuple[bool, str]] = []
    ends: list[str] = []
    session.on(ReplyEnded, lambda end: ends.append(end.outcome.value))

    @session.on(BargeIn)
    def stop(_: BargeIn) -> None:
        where.append((not on_trio() and asyncio.current_task() is None, CALLER.get()))
        do(session)

    CALLER.set("the caller")
    with anyio.fail_after(60.0):
        async with opened(interrupting) as (stream, _), anyio.create_task_group() as tasks:
            tasks.start_soon(close_later, stream)
            await session.run(stream)
            tasks.cancel_scope.cancel()
    assert where == [(not on_trio(), "the caller")]
    assert ends == outcomes
    assert "twelve" not in voice.heard
