"""The watch over the silence of a reply that has the floor: words that do not come, and words without a sound."""

from __future__ import annotations

from math import inf

import anyio

from ..timers import EARLY_SECONDS

_CHARACTERS = 15.0  # that a voice says in a second, and
_BYTES = 8000.0  # of audio at the least: what a voice that does not report may still be busy with


class Silence:
    """How long a reply has been silent; the time stands still while somebody works or the playback is held.

    Args:
        first: seconds until the first words; None for ever.
        later: seconds without a sign of life after them; None for ever.

    Attributes:
        owed: whether the voice has words of which it has reported nothing.
    """

    __slots__ = ("_allowed", "_first", "_later", "_pauses", "_reported", "_said", "_scope", "_since", "owed")

    def __init__(self, first: float | None, later: float | None) -> None:
        self._first = first
        self._later = later
        self._since = inf
        self._allowed = 0.0
        self._pauses: set[object] = set()
        self._said = self._reported = self.owed = False
        self._scope: anyio.CancelScope | None = None

    @property
    def has_words(self) -> bool:
        """Whether anything but blanks was said."""
        return self._said

    @property
    def bound(self) -> float | None:
        """The seconds that hold now; None for ever."""
        return self._later if self._said else self._first

    def said(self, chunk: str | bytes) -> None:
        """`respond` said something; blanks are no words, and more words do not excuse a voice that is silent."""
        if not (chunk.strip() if isinstance(chunk, str) else chunk):
            return
        if isinstance(chunk, bytes):
            self._allowed += len(chunk) / _BYTES
        elif not self._reported:
            self._allowed += len(chunk) / _CHARACTERS
        self._said = True
        if not self.owed:
            self.owed = True
            self.restart()

    def heard(self) -> None:
        """The voice reported a sound."""
        if not self._reported:
            self._reported, self._allowed = True, 0.0
        self.owed = False
        self.restart()

    def pause(self, who: object, on: bool) -> None:
        """Stand still, or not `on`, go on, for this reason."""
        (self._pauses.add if on else self._pauses.discard)(who)
        self.restart()

    def restart(self) -> None:
        """Count from now."""
        self._since = anyio.current_time()
        if self._scope is not None:
            self._scope.deadline = self._deadline()

    async def wait(self) -> None:
        """Wait until it has been silent for too long, counted from now."""
        self.restart()
        while True:
            with anyio.CancelScope(deadline=self._deadline()) as self._scope:
                await anyio.sleep_forever()
            if anyio.current_time() + EARLY_SECONDS >= self._deadline():
                return

    def _deadline(self) -> float:
        if self._pauses or self.bound is None:
            return inf
        return self._since + self.bound + self._allowed
