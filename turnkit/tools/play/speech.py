"""Speech on the page: a bot that is heard there, and what the page is shown of it."""

from __future__ import annotations

from contextlib import AsyncExitStack

import msgspec

from ...interop import browser
from ...speaking.espeak import EspeakVoice
from ..talk.choosing import Choice, opened
from ..talk.spoken import SpokenBot
from ..talk.stopwatch import Latency, Stopwatch
from .bot import Post


class Speech(msgspec.Struct, frozen=True):
    """How the bot of the microphone speaks.

    Attributes:
        voice: that says it.
        choice: who answers. Default: the bot that takes a booking.
    """

    voice: EspeakVoice
    choice: Choice = Choice()


async def open_bot(page: browser.Call, speech: Speech, stack: AsyncExitStack) -> tuple[SpokenBot, Stopwatch]:
    """The bot of one call, and what measures it.

    Args:
        page: where it is heard.
        speech: how it speaks.
        stack: closes what it needs.

    Raises:
        ConfigError: it cannot be had.
    """
    shown = PageShown(page.send)
    stopwatch = Stopwatch(shown.took)
    brain = await stack.enter_async_context(opened(speech.choice, stopwatch))
    return SpokenBot(brain, speech.voice, page.speaker, stopwatch, shown), stopwatch


class PageShown:
    """Shows on the page what the bot does.

    Args:
        post: tells the page; must not wait.
    """

    def __init__(self, post: Post) -> None:
        self._post = post

    def draft(self, reply: int, text: str) -> None:
        """So much has been thought of."""
        self._post({"type": "draft", "reply": reply, "text": text})

    def said(self, reply: int, heard: str, rest: str) -> None:
        """So much has been heard."""
        self._post({"type": "said", "reply": reply, "heard": heard, "rest": rest})

    def failed(self, reply: int, problem: str) -> None:
        """The brain has failed."""
        self._post({"type": "problem", "reply": reply, "text": problem})

    def took(self, latency: Latency) -> None:
        """An answer took so long."""
        self._post({"type": "latency", **msgspec.structs.asdict(latency)})
