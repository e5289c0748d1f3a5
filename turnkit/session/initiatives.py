"""What the agent wants to say unasked: each until it has its reply, and those that wait in the order they came in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ..turns.events import Cancel, CancelReason, Commit, Initiate, Signal
from .reply import Respond


class Initiatives:
    """The initiatives of one session, as the machine has them: it commits those that wait in order.

    The machine decides, and what it decides is carried out later, also in order: so what has not begun yet stands here
    in the order of the Commits that will come.
    """

    __slots__ = ("_given", "_offered", "_waiting")

    def __init__(self) -> None:
        self._given: dict[int, Respond | None] = {}  # those that do not wait, by the reply that they have
        self._waiting: deque[Respond | None] = deque()
        self._offered: tuple[int, Respond | None] = (-1, None)  # the one that waited last, and the reply it got

    def decided(
        self, event: Initiate, respond: Respond | None, signals: Iterable[Signal], *, waits: bool
    ) -> int | None:
        """The machine was fed `event`, which is for `respond`, and answered `signals`, not carried out yet.

        Args:
            event: the event.
            respond: what says the reply; None if the session's own does.
            signals: the answer.
            waits: whether this initiative waits now.

        Returns:
            The number of its reply; None if it waits, or was refused.
        """
        if event.wait:
            self._waiting.append(respond)
        if waits:
            return None
        reply: int | None = None
        for signal in signals:
            if isinstance(signal, Commit) and signal.trigger == "initiate":
                reply = signal.reply  # those that had waited longer come first
            elif isinstance(signal, Cancel) and signal.reason is CancelReason.FLOOR_TAKEN:
                return None
        if reply is not None and not event.wait:
            self._given[reply] = respond
        return reply

    def begin(self, reply: int) -> Respond | None:
        """What this reply, an initiative's, is to say; None if `respond` says it."""
        if reply in self._given:
            return self._given.pop(reply)
        self._offered = reply, self._waiting.popleft() if self._waiting else None
        return self._offered[1]

    def cancelled(self, cancel: Cancel) -> None:
        """A reply to no turn was cancelled: if a turn did it, before its first sound, it waits again, as the first."""
        reply, respond = self._offered
        if cancel.reply == reply and cancel.reason is CancelReason.NEW_TURN:
            self._waiting.appendleft(respond)
