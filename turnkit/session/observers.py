"""Who is told what happens in a session: its recording, and those who observe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..metrics import Observer
from ..timers import Alarm
from ..turns.events import Event, ReplyEnded, Signal
from ..wire import Message, TurnInfo
from .recording import Tape


class Witnesses:
    """Passes on all that happens, in the order in which it is decided. Nothing here raises.

    `failed` hears of what an observer raises. `present`: whether there is anybody to tell.
    """

    __slots__ = ("_failed", "_now", "_observers", "_tape", "present")

    def __init__(self, tape: Tape | None, failed: Callable[[object, str, Exception], None]) -> None:
        self.present = tape is not None
        self._tape = tape
        self._observers: tuple[Observer, ...] = ()
        self._failed = failed
        self._now: Callable[[], float] | None = None

    def add(self, observer: Observer) -> None:
        self._observers += (observer,)
        self.present = True

    def begin(self, source: object, now: Callable[[], float], alarm: Alarm) -> None:
        """The conversation begins, as for `Tape.begin`; raises what that raises."""
        if self._tape is not None:
            self._tape.begin(source, now, alarm)
        self._now = now

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: TurnInfo | None) -> None:
        if self._tape is not None:
            self._tape.fed(at, event, signals, message)
        self._inform("fed", at, event, signals, message)

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        if self._tape is not None:
            self._tape.woken(at, signals)
        self._inform("woken", at, signals)

    def closed(self, at: float, signals: tuple[Signal, ...]) -> None:
        if self._tape is not None:
            self._tape.closed(at, signals)
        self._inform("closed", at, signals)

    def told(self, signal: Signal | ReplyEnded) -> None:
        if self._tape is not None:
            self._tape.told(signal)
        self._inform("told", signal)

    def fact(self, name: str, fields: Mapping[str, Any]) -> None:
        """Something the machine is not told; before and after the conversation there is nobody to tell."""
        if self._tape is not None:
            self._tape.fact(name, fields)
        if self._observers and self._now is not None:
            self._inform("fact", self._now(), name, **fields)

    def took(self, message: Message) -> None:
        """A message beside the turns came; or, if whole frames are recorded, any."""
        if self._tape is not None and (type(message) is not TurnInfo or self._tape.frames):
            self._tape.took(message)

    def tick(self, now: float) -> None:
        if self._tape is not None:
            self._tape.tick(now)

    def end(self) -> None:
        if self._tape is not None:
            self._tape.end()
        self._inform("end")
        self._now = None

    def _inform(self, call: str, /, *given: Any, **fields: Any) -> None:
        for observer in self._observers:
            try:
                getattr(observer, call)(*given, **fields)
            except Exception as error:
                self._failed(observer, call, error)
