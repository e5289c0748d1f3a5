"""The interface between a session and a `speak`: `Playback`, `Mark` and `Speak`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any, Protocol


class Playback(Protocol):
    """Where a `speak` reports what is heard, and learns whether to pause."""

    @property
    def held(self) -> bool:
        """Whether the playback is to be paused: the user has begun to speak, and it is being judged."""

    def started(self) -> None:
        """Report that the first sound was heard."""

    def advance(self, text: str) -> None:
        """Report all the `text` that has been heard so far; it replaces what was reported before."""

    async def wait_held(self) -> None:
        """Wait until the playback is to be paused; at once if it is."""

    async def wait_resumed(self) -> None:
        """Wait until the playback may go on; at once if it may."""


class Mark(Protocol):
    """A place in what a reply says, between its chunks: what came before it is to be said now.

    Chunks that have a method `with_marks` give marks between text and audio when iterated over by way of it; a `speak`
    that iterates over the chunks themselves never sees one.
    """

    def heard(self) -> None:
        """Report that all that came before the mark has been heard."""


class Speak(Protocol):
    """A function that says one reply; barge-in cancels it, and its return means that the last sound was heard."""

    def __call__(self, reply: Any, chunks: AsyncIterator[str | bytes], playback: Playback, /) -> Awaitable[object]:
        """Say a reply.

        Args:
            reply: the reply; it has an `id`.
            chunks: what the reply says, text or audio; ends when the reply is complete.
            playback: where to report what is heard.

        Returns:
            Anything, once the last sound was heard.
        """
        ...
