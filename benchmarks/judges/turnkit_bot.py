"""The bot of turnkit: `turnkit serve benchmarks.judges.turnkit_bot:session --simulate --ear voice`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from turnkit import Reply, Session, Sound
from turnkit.interop import browser

from .answering import LLM_SECONDS, answer_sound
from .sounds import ANSWER


async def respond(reply: Reply) -> None:
    """Say the same to everything."""
    await anyio.sleep(LLM_SECONDS)
    await reply.say(ANSWER)


async def voice(text: str) -> AsyncIterator[Sound]:
    """Speak the answer."""
    yield Sound(answer_sound())


def session(call: browser.Call) -> Session:
    """The session of a call."""
    return Session(respond=respond, speak=call.speaker(voice))
