"""What is said in a call, told to its page as it is said: for the page at `/`, which asks for it."""

from __future__ import annotations

from typing import Any

from ...session import Session
from ...turns.events import Commit, Event, PlaybackAdvanced, ReplyEnded, Signal, TurnUpdated
from ...wire import TurnInfo
from .. import browser

__all__ = ["Captions"]


class Captions:
    """An observer that sends the page a line for each turn and each reply, again and again as it grows.

    Args:
        call: the page's.
        session: its session, which is observed from now on.
    """

    def __init__(self, call: browser.Call, session: Session) -> None:
        self._call = call
        session.observe(self)
        session.on(TurnUpdated, self._update)
        session.on(Commit, self._commit)
        session.on(ReplyEnded, self._ended)

    def _update(self, turn: TurnUpdated) -> None:
        self._call.send({"turn": turn.turn, "you": turn.transcript})

    def _commit(self, turn: Commit) -> None:
        self._call.send({"turn": turn.turn, "you": turn.transcript, "note": "answered"})

    def _ended(self, end: ReplyEnded) -> None:
        self._call.send({"reply": end.reply, "bot": end.heard, "note": end.outcome})

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: TurnInfo | None = None) -> None:
        """More of a reply was heard."""
        if isinstance(event, PlaybackAdvanced):
            self._call.send({"reply": event.reply, "bot": event.heard})

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        """Nothing of it is said."""

    def closed(self, at: float, signals: tuple[Signal, ...]) -> None:
        """Nothing of it is said."""

    def told(self, signal: Signal | ReplyEnded) -> None:
        """Nothing of it is said here: the page is told by the callbacks."""

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Nothing of it is said."""

    def end(self) -> None:
        """Nothing is left to be said."""
