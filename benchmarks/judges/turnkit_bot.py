"""The bot of turnkit: `turnkit serve benchmarks.judges.turnkit_bot:patient --simulate --ear voice`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from turnkit import IgnoreBackchannels, MinWords, Reply, Session, Sound
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


def immediate(call: browser.Call) -> Session:
    """A bot that gives way with the first sound that is speech."""
    return Session(respond=respond, speak=call.speaker(voice))


def patient(call: browser.Call) -> Session:
    """A bot that gives way to four syllables, as the voice ear counts them: "mm-hm" has fewer."""
    return Session(respond=respond, speak=call.speaker(voice), barge_in=MinWords(4))


def listening(call: browser.Call) -> Session:
    """A bot that gives way to words that are no backchannel: for an ear that knows at least those."""
    return Session(respond=respond, speak=call.speaker(voice), barge_in=IgnoreBackchannels())
