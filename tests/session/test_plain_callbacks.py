"""A host of asyncio that calls its session from plain callbacks of the loop, where there is no task to tell it by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio

from turnkit.session import Reply, Session
from turnkit.turns.events import Commit, EndOfTurn, ReplyEnded, StartOfTurn


def turns(loop: asyncio.AbstractEventLoop, *calls: Callable[[], object]) -> AsyncIterator[object]:
    """A turn, and then each call from a callback of its own."""

    async def source() -> AsyncIterator[object]:
        yield StartOfTurn(0, "hello")
        yield EndOfTurn(0, "hello")
        for call in calls:
            loop.call_soon(call)
            for _ in range(5):
                await anyio.lowlevel.checkpoint()

    return source()


def test_playback_may_be_reported_there_and_async_callbacks_run() -> None:
    """As from a player's done callback."""
    ended: list[str] = []

    async def call() -> None:
        session = Session()

        @session.on(ReplyEnded)
        async def end(signal: ReplyEnded) -> None:
            with anyio.fail_after(1):
                await anyio.lowlevel.checkpoint()
            ended.append(f"{signal.outcome.value}: {signal.heard}")

        session.on(Commit, lambda commit: None)
        loop = asyncio.get_running_loop()
        reports = (
            lambda: session.playback_started(0),
            lambda: session.playback_advanced(0, "Yes."),
            lambda: session.playback_finished(0),
        )
        await session.run(turns(loop, *reports))

    asyncio.run(call())
    assert ended == ["finished: Yes."]


def test_the_agent_may_speak_and_be_stopped_from_there() -> None:
    """As from a timer of the host's, or a key that was pressed."""
    said: list[str] = []

    async def respond(reply: Reply) -> None:
        await reply.say("Yes." if reply.turn == 0 else "By the way.")

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        said.append("".join([chunk async for chunk in chunks]))

    async def call() -> None:
        session = Session(respond=respond, speak=speak)
        loop = asyncio.get_running_loop()
        calls = (
            lambda: session.initiate("By the way.", wait=True),
            lambda: session.interrupt("And this?"),
            session.hang_up,
        )
        await session.run(turns(loop, *calls))

    asyncio.run(call())
    assert said[:2] == ["Yes.", "By the way."]
