"""The watchdogs of a connection: why it has to be given up although it stands."""

from __future__ import annotations

from math import inf

from ..errors import ConnectionFailed
from .bounds import Bounds

# How much of `message_timeout` has passed when Flux is first suspected. What came while the whole program stood still
# is read in the rest of it.
_SUSPECT = 0.9


class Watchdogs:
    """Give a connection up if Flux says nothing while audio flows, or does not end a turn that gets nowhere.

    The first: from the first audio after a message, or after a pause, Flux has `message_timeout` for the next. It owes
    nothing while no audio flows, and nothing can be said of it while nobody reads what it sent.
    The second: a ForceEndTurn that is not answered within `answer_timeout`, while nothing new came of its turn. There
    may be messages all the while: Flux hears nobody.

    Attributes:
        due_at: when to decide again; `inf` if there is nothing to wait for.
    """

    __slots__ = ("_bounds", "_host", "_mark", "_pause", "_sent_at", "_suspected", "due_at")

    def __init__(self, host: str, bounds: Bounds) -> None:
        self._host = host
        self._bounds = bounds
        self._pause = bounds.message_timeout / 4
        self._sent_at = -inf
        self._mark = -1  # how many messages there had been when the wait began
        self._suspected = False
        self.due_at = inf

    def connection_made(self) -> None:
        """There is a new connection, which has been sent nothing yet."""
        self.due_at = inf

    def audio_given(self, seconds: float) -> None:
        """The application has given a piece of audio of this length: twice that is no pause."""
        self._pause = max(self._bounds.message_timeout / 4, 2 * seconds)

    def audio_sent(self, heard: int, now: float) -> None:
        """Audio leaves; there have been `heard` messages so far."""
        paused = now - self._sent_at > self._pause
        self._sent_at = now
        if heard != self._mark or paused:
            self._mark = heard
            self._suspect_after(_SUSPECT, now)

    def decide(self, now: float, *, heard: int, being_read: bool, unended: bool) -> ConnectionFailed | None:
        """Decide whether the connection is to be given up.

        Args:
            now: the present second.
            heard: how many messages there have been.
            being_read: whether somebody reads them.
            unended: whether a ForceEndTurn was just given up whose turn got nowhere.

        Returns:
            Why it is to be given up; None if it is not.
        """
        if unended and being_read:
            bound = self._bounds.answer_timeout
            return _failed(f"{self._host} did not end a turn that got nowhere within {bound} s (answer_timeout)")
        if self.due_at > now:
            return None
        self.due_at = inf
        if heard != self._mark or now - self._sent_at > self._pause:
            self._mark = -1  # the next audio begins a new wait
        elif not being_read:
            self._suspect_after(_SUSPECT, now)  # messages may lie there: nobody takes them
        elif not self._suspected:
            self._suspect_after(1 - _SUSPECT, now)
            self._suspected = True
        else:
            bound = self._bounds.message_timeout
            return _failed(f"{self._host} sent no message for {bound} s of audio (message_timeout)")
        return None

    def _suspect_after(self, share: float, now: float) -> None:
        self._suspected = False
        self.due_at = now + self._bounds.message_timeout * share


def _failed(what: str) -> ConnectionFailed:
    return ConnectionFailed(what, (TimeoutError(what),))
