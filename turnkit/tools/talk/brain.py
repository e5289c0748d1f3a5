"""The brain of a bot: what it has to say to a turn, and how it begins."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Protocol

from ...errors import TurnkitError
from ...session import Reply

UNKNOWN = frozenset({"bla", "mm"})
"""The words that an ear tells where it has heard one and understood none."""


class BrainFailed(TurnkitError):
    """A brain that could not answer; the message says why, and may have in it what a server says about that."""


class Brain(Protocol):
    """What answers the turns of one call.

    Attributes:
        greeting: what is said at the beginning.
    """

    greeting: str

    def answer(self, reply: Reply) -> AsyncGenerator[str, None]:
        """The answer to a turn, in pieces that are joined as they are.

        It may be asked for the same turn again, and be broken off at any piece: what takes effect stands behind
        `await reply.committed()`.

        Raises:
            BrainFailed: it cannot answer.
        """


def words_of(text: str) -> list[str]:
    """The words of a text, small, without their punctuation."""
    words = (word.strip('.,!?;:…"“”()').lower().replace("’", "'") for word in text.split())
    return [word for word in words if word]


def understood(words: Iterable[str]) -> list[str]:
    """Those words that an ear has understood."""
    return [word for word in words if word not in UNKNOWN]


def counted(number: int, what: str) -> str:
    """A number and what it counts, as one says it."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
