"""How fast a stand-in goes, and after how many tokens it fails or hangs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from ..checks import is_number, shown
from ..errors import ConfigError


class ScriptedFailure(ConnectionError):
    """What a stand-in raises where its pace says so: it stands for the failures of a network."""


@dataclass(frozen=True)
class Pace:
    """How one call of a stand-in goes: how long it takes, and what goes wrong.

    Attributes:
        first: Seconds to the first token, word or result. Default 0.3.
        between: Seconds a token or word. Default 0.05.
        fails_at: The number of tokens or words that come before it raises ScriptedFailure, a ConnectionError; None,
            the default, is never. A tool has no tokens, so that only 0 makes sense.
        hangs_at: The number of tokens or words that come before it stops for good; None, the default, is never.

    Raises:
        ConfigError: What is given is no number of seconds, or of tokens.
    """

    first: float = 0.3
    between: float = 0.05
    fails_at: int | None = None
    hangs_at: int | None = None

    def __post_init__(self) -> None:
        for name in ("first", "between"):
            seconds = getattr(self, name)
            if not (is_number(seconds) and seconds >= 0):
                raise ConfigError(f"{name}={shown(seconds)}: must be a number of seconds, 0 or more")
        for name in ("fails_at", "hangs_at"):
            count = getattr(self, name)
            if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
                raise ConfigError(f"{name}={shown(count)}: must be a whole number, 0 or more, or None")

    def goes_wrong_at(self, count: int) -> bool:
        """Whether it fails or hangs before token `count`, as it was told to."""
        return count in (self.fails_at, self.hangs_at)

    async def step(self, count: int, who: str) -> None:
        """Let pass what comes before a token, or go wrong.

        Args:
            count: of the tokens before it.
            who: has this pace, as the failure is to name it.
        """
        await anyio.sleep(self.between if count else self.first)
        if count == self.fails_at:
            raise ScriptedFailure(f"the scripted {who} fails at {count}, as it was told to")
        if count == self.hangs_at:
            await anyio.sleep_forever()


class Paces:
    """The paces of all calls of a stand-in: the n-th call goes at the n-th, and all further ones at the last."""

    def __init__(self, paces: Pace | Sequence[Pace]) -> None:
        self._paces = list(paces) if isinstance(paces, Sequence) else [paces]
        if not self._paces or not all(isinstance(pace, Pace) for pace in self._paces):
            raise ConfigError(f"pace={paces!r}: must be a Pace, or at least one in a list")

    def of(self, count: int) -> Pace:
        """The pace of a call before which there were so many."""
        return self._paces[min(count, len(self._paces) - 1)]
