"""A bot that repeats what it is told: `echo` answers, and a `Voice` says it, a tenth of a second a word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio

from turnkit.session import Reply

WORD_SECONDS = 0.1


class Voice:
    """A TTS and player: each word takes a tenth of a second; remembers what could be heard, and when."""

    def __init__(self) -> None:
        self.sounds: list[tuple[int, str]] = []

    @property
    def heard(self) -> str:
        return " ".join(word for _, word in self.sounds)

    async def speak(self, reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        assert reply.is_committed
        text = ""
        async for chunk in chunks:
            for word in chunk.split():
                await playback.wait_resumed()
                if not text:
                    playback.started()
                self.sounds.append((reply.id, word))
                text = f"{text} {word}".strip()
                await anyio.sleep(WORD_SECONDS)
                playback.advance(text)


async def echo(reply: Reply) -> None:
    """Repeats in two chunks, after the time an LLM takes."""
    await anyio.sleep(0.3)
    await reply.say("You said: ")
    await reply.say(reply.transcript)
