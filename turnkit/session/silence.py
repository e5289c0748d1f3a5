"""The watch over the silence of a reply that has the floor: words that do not come, and words without a sound."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from ..timers import EARLY_SECONDS, Alarm, now
from ..turns.events import Hold

CHARACTERS = 15.0
"""That a voice says in a second."""
_NOTHING: frozenset[object] = frozenset()  # one for all, as most replies have none
_BYTES = 8000.0  # of audio in a second, at the least: what a voice that does not report may still be busy with


class Silence:
    """How long a reply has been silent; the time stands still while somebody works or the playback is held.

    Args:
        first: seconds until the first words; None for ever.
        later: seconds without a sign of life after them; None for ever.

    Attributes:
        owed: whether the voice has words of which it has reported nothing.
    """

    __slots__ = (
        "_alarm",
        "_allowed",
        "_complete",
        "_first",
        "_later",
        "_pauses",
        "_reported",
        "_said",
        "_since",
        "_too_long",
        "_work",
        "owed",
    )

    def __init__(self, first: float | None, later: float | None) -> None:
        self._first = first
        self._later = later
        self._since = inf
        self._allowed = 0.0
        self._pauses: frozenset[object] = _NOTHING
        self._work = 0
        self._said = self._reported = self._complete = self.owed = False
        self._alarm: Alarm | None = None
        self._too_long: Callable[[], None]

    @property
    def has_words(self) -> bool:
        """Whether anything but blanks was said."""
        return self._said

    @property
    def is_held(self) -> bool:
        """Whether the playback is held."""
        return Hold in self._pauses

    @property
    def bound(self) -> float | None:
        """The seconds that hold now; None for ever."""
        return self._later if self._said else self._first

    def said(self, chunk: str | bytes) -> None:
        """`respond` said something that is no blank; more words do not excuse a voice that is silent."""
        if isinstance(chunk, bytes):
            self._allowed += len(chunk) / _BYTES
        elif not self._reported:
            self._allowed += len(chunk) / CHARACTERS
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

    def caught_up(self) -> None:
        """The voice has said all that it was given, whether it reported a sound or not."""
        self._allowed = 0.0
        self.owed = False
        self.restart()

    def complete(self) -> None:
        """All is said: what `respond` works on is no reason any more for the voice to be silent."""
        self._complete = True
        self.restart()

    def work(self, on: bool) -> None:
        """`respond` works, or not `on`, has done so: it has nothing to say meanwhile."""
        self._work += 1 if on else -1
        if not self._complete:
            self.restart()

    def pause(self, who: object, on: bool) -> None:
        """Stand still, or not `on`, go on, for this reason."""
        if on != (who in self._pauses):
            self._pauses = self._pauses | {who} if on else self._pauses - {who}
        self.restart()

    def watch(self, too_long: Callable[[], None]) -> Alarm:
        """Count from now, and call `too_long` once it has been silent for too long, as long as the alarm is kept."""
        self._too_long = too_long
        self._alarm = Alarm(self._ring)
        self.restart()
        return self._alarm

    def stop(self) -> None:
        """Watch no more."""
        if self._alarm is not None:
            self._alarm.stop()
            self._alarm = None
            del self._too_long  # it knows the reply: kept, that would be freed by nothing but a collection of garbage

    def restart(self) -> None:
        """Count from now."""
        if self._alarm is not None:
            self._since = now()
            self._alarm.bring_forward(self._deadline())

    def _ring(self) -> None:
        """The alarm has rung: perhaps for a deadline that has moved on since."""
        if self._alarm is None:
            return
        deadline = self._deadline()
        if now() + EARLY_SECONDS >= deadline:
            too_long = self._too_long
            self.stop()
            too_long()
        else:
            self._alarm.bring_forward(deadline)

    def _deadline(self) -> float:
        if self.bound is None or self._pauses or (self._work and not self._complete):
            return inf
        return self._since + self.bound + self._allowed
