"""Telling: what happens in a session, as messages for its page; an observer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...session import Session
from ...turns.events import Event, ReplyEnded, Signal, TurnUpdated
from ...wire import TurnInfo

_NOT_TOLD = frozenset({"at", "words", "languages", "error"})


class Telling:
    """Tells a page of every message of Flux, every signal, and who has the floor when that changes.

    Args:
        session: what it observes.
        post: tells the page; must not wait.
        begun: is called when the session has begun, before the page is told anything.
    """

    def __init__(
        self,
        session: Session,
        post: Callable[[dict[str, object]], object],
        begun: Callable[[], object],
    ) -> None:
        self._session = session
        self._post = post
        self._begun: Callable[[], object] | None = begun
        self._floor: tuple[object, ...] = ()

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: TurnInfo | None = None) -> None:
        """The machine was fed: what Flux said comes before what follows from it."""
        self._begin()
        if message is not None:
            told = {"event": message.event, "turn": message.turn_index, "text": message.transcript}
            told |= {"confidence": message.end_of_turn_confidence, "trigger": message.trigger}
            self._post({"type": "flux", "at": self._seconds(at), **told})
        self._signalled(at, signals)

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        """Time passed."""
        self._begin()
        self._signalled(at, signals)

    def closed(self, at: float, signals: tuple[Signal, ...]) -> None:
        """The machine was closed."""
        self._signalled(at, signals)

    def told(self, signal: Signal | ReplyEnded) -> None:
        """The session's own report."""
        self._tell(signal)

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Nothing: the page is told of these by who makes them."""

    def end(self) -> None:
        """Nothing: the call says so itself."""

    def _begin(self) -> None:
        if self._begun is not None:
            begun, self._begun = self._begun, None
            begun()

    def _signalled(self, at: float, signals: tuple[Signal, ...]) -> None:
        for signal in signals:
            if not isinstance(signal, TurnUpdated):  # Flux's own message has said it
                self._tell(signal)
        reply, state = self._session.floor or (None, None)
        floor = (self._session.user.value, reply, state.value if state else None)
        if floor != self._floor:
            self._floor = floor
            told = dict(zip(("user", "reply", "state"), floor, strict=True))
            self._post({"type": "floor", "at": self._seconds(at), **told})

    def _tell(self, signal: Signal | ReplyEnded) -> None:
        fields = {name: getattr(signal, name) for name in signal.__struct_fields__ if name not in _NOT_TOLD}
        told = msgspec.to_builtins(fields)
        self._post({"type": "signal", "signal": type(signal).__name__, "at": self._seconds(signal.at), **told})

    def _seconds(self, at: float) -> float:
        return round(at - (self._session.began_at or at), 3)
