"""A bot whose times are known, and a talk with it, for what operators see of a session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio

from turnkit import EagerEndOfTurn, EndOfTurn, Playback, Reply, Session, StartOfTurn, TurnResumed

SAID = "a table for two"
HEARD = "certainly"


async def conversation(session: Session, *steps: object) -> None:
    """Events are what Flux says, numbers are seconds that pass."""

    async def source() -> AsyncIterator[object]:
        for step in steps:
            if isinstance(step, float):
                await anyio.sleep(step)
            else:
                yield step

    await session.run(source())


def bot(**settings: Any) -> Session:
    """It thinks for 0.25 s and takes 0.5 s from there to a first sound, then talks for 2 s."""

    async def respond(reply: Reply) -> None:
        try:
            await anyio.sleep(0.25)
            if reply.transcript == "fail":
                raise RuntimeError("the LLM is gone")
            await reply.say(HEARD)
        finally:
            session.record("TokensUsed", reply=reply.id, tokens=100)

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Playback) -> None:
        async for chunk in chunks:
            await anyio.sleep(0.5)
            playback.started()
            playback.advance(chunk)
            await anyio.sleep(2.0)

    session = Session(respond=respond, speak=speak, id="call-1", **settings)
    return session


TALK: tuple[object, ...] = (
    StartOfTurn(0, "a table", audio_end=1.0),
    0.5,
    EagerEndOfTurn(0, "a table", 0.5, audio_end=1.5),
    0.125,
    TurnResumed(0, "a table", audio_end=1.625),
    0.375,
    EagerEndOfTurn(0, SAID, 0.5, audio_end=2.0),
    0.5,
    EndOfTurn(0, SAID, 0.8, audio_end=2.5, trigger="model"),
    1.0,
    StartOfTurn(1, "yeah", audio_end=3.5),
    0.5,
    EndOfTurn(1, "yeah", 0.8, audio_end=4.0, trigger="model"),
    1.0,
)
"""A draft wasted, one kept and interrupted by a backchannel; then a reply that is heard to its end."""
