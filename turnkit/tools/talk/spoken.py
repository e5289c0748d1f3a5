"""A brain and a voice as the `respond` and the `speak` of a session, watched by whoever shows the call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Protocol

from ...logs import logger
from ...session import Reply
from ...speaking import TTS, Playback, Speak
from .brain import Brain, BrainFailed
from .stopwatch import Stopwatch

_KEPT = 8  # replies whose words are remembered
APOLOGY = "Sorry, I cannot think of an answer just now."


class Shown(Protocol):
    """Who shows what the bot does; nothing here may wait."""

    def draft(self, reply: int, text: str) -> object:
        """So much has been thought of by now, heard or not."""

    def said(self, reply: int, heard: str, rest: str) -> object:
        """So much has been heard, and so much is to come, as far as is known."""

    def failed(self, reply: int, problem: str) -> object:
        """The brain has failed, and why."""


class SpokenBot:
    """`respond` and `speak`, as every bot has them.

    Args:
        brain: what answers.
        voice: what says it.
        speaker: makes a `speak` of a voice: `call.speaker`, or `turnkit.speaker` with its sink.
        stopwatch: is told what is done when.
        shown: is told what is said.
    """

    def __init__(
        self, brain: Brain, voice: TTS, speaker: Callable[[TTS], Speak], stopwatch: Stopwatch, shown: Shown
    ) -> None:
        self.greeting = brain.greeting
        self._brain = brain
        self._speak = speaker(stopwatch.voice(voice))
        self._stopwatch = stopwatch
        self._shown = shown
        self._texts: dict[int, str] = {}

    async def respond(self, reply: Reply) -> None:
        """Answer, early or not."""
        self._stopwatch.began(reply.id)
        try:
            async with aclosing(self._brain.answer(reply)) as pieces:
                async for piece in pieces:
                    await self._say(reply, piece)
        except BrainFailed as error:
            if not reply.is_committed:
                raise  # nobody has heard of this draft, and the end of the turn gets a fresh one
            logger().warning(
                "brain_failed", reply=reply.id, personal_message=str(error)
            )  # a server may quote what was said
            self._shown.failed(reply.id, str(error))
            await self._say(reply, APOLOGY if reply.id not in self._texts else f" {APOLOGY}")
        self._stopwatch.thought(reply.id)

    async def speak(self, reply: Reply, chunks: AsyncIterator[str | bytes], playback: Playback) -> None:
        """Say it, word by word as it is heard."""
        self._stopwatch.speaking(reply.id)
        told = _ToldPlayback(playback, lambda: self._started(reply.id), lambda heard: self._heard(reply.id, heard))
        try:
            await self._speak(reply, chunks, told)
        finally:
            self._texts.pop(reply.id, None)

    async def _say(self, reply: Reply, piece: str) -> None:
        self._stopwatch.thought(reply.id)
        text = self._texts[reply.id] = self._texts.get(reply.id, "") + piece
        while len(self._texts) > _KEPT:
            del self._texts[next(iter(self._texts))]
        self._shown.draft(reply.id, text)
        await reply.say(piece)

    def _started(self, reply: int) -> None:
        self._stopwatch.heard(reply)
        self._heard(reply, "")

    def _heard(self, reply: int, heard: str) -> None:
        text = self._texts.get(reply, self.greeting)
        rest = text[len(heard) :].strip() if text.startswith(heard) else ""
        self._shown.said(reply, heard.strip(), rest)


class _ToldPlayback:
    """A playback that tells somebody else too."""

    def __init__(self, playback: Playback, started: Callable[[], object], advanced: Callable[[str], object]) -> None:
        self._playback = playback
        self._started = started
        self._advanced = advanced
        self._has_started = False
        self.wait_held, self.wait_resumed = playback.wait_held, playback.wait_resumed

    @property
    def held(self) -> bool:
        return self._playback.held

    def started(self) -> None:
        self._playback.started()
        if not self._has_started:  # it is told again as a sign of life
            self._has_started = True
            self._started()

    def advance(self, text: str) -> None:
        self._playback.advance(text)
        self._advanced(text)
