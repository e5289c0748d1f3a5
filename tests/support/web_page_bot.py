"""A bot for pages that a server of its own process serves: a voice that hums, a word in a fifth of a second."""

from __future__ import annotations

import math
from array import array
from collections.abc import AsyncIterator
from typing import Any

from turnkit import Session
from turnkit.session import Reply
from turnkit.speaking import Sound

RATE = 16000  # Hz, as `turnkit serve` has it by default
WORD = 0.2  # seconds
_HUM = array("h", (round(6000 * math.sin(2 * math.pi * 220 * i / RATE)) for i in range(int(WORD * RATE)))).tobytes()


async def voice(text: str) -> AsyncIterator[Sound]:
    """A TTS, linear16 at 16 kHz."""
    for count, word in enumerate(text.split()):
        yield Sound(_HUM, [(word, count * WORD, (count + 1) * WORD)])


async def respond(reply: Reply) -> None:
    await reply.say("Good evening, and thank you for calling. I am happy to help you with whatever it is.")


def session(call: Any) -> Session:
    return Session(respond=respond, speak=call.speaker(voice))
