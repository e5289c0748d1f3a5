"""The observers of a session: the protocol, and the list that is told; a recording is the first in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..turns.events import Event, ReplyEnded, Signal
from ..wire import TurnInfo
from .failures import Failed, must_pass
from .loop_thread import LoopThread


class Observer(Protocol):
    """An observer is told what happens in a session, in the order in which it is decided, and before any callback."""

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: TurnInfo | None = None) -> object:
        """The machine was fed an event.

        Args:
            at: when, in seconds of the machine's clock.
            event: what it was told.
            signals: what it answered; often nothing.
            message: the message of Flux that the event was read from; None for what Flux did not say.
        """

    def woken(self, at: float, signals: tuple[Signal, ...]) -> object:
        """Time passed for the machine.

        Args:
            at: when, in seconds of the machine's clock.
            signals: what it answered; often nothing.
        """

    def closed(self, at: float, signals: tuple[Signal, ...]) -> object:
        """The machine was closed: the conversation is over.

        Args:
            at: when, in seconds of the machine's clock.
            signals: what it answered.
        """

    def told(self, signal: Signal | ReplyEnded) -> object:
        """The session itself reported a signal: ReplyEnded, or a Note."""

    def fact(self, at: float, name: str, /, **fields: Any) -> object:
        """Something happened that the machine is not told, such as the first words of an answer.

        Args:
            at: when, in seconds of the machine's clock.
            name: what it is called, such as `FirstChunk`.
            fields: what there is to know of it, such as `reply=3`.
        """

    def end(self) -> object:
        """Nothing more will be told: the replies that the close cut off have ended too."""


class Observable(Protocol):
    """A session, as far as one who observes it needs to know it.

    Attributes:
        id: its name, as recordings and logs have it.
    """

    id: str

    def observe(self, observer: Observer) -> object:
        """Tell `observer` from now on what happens."""


class Observers:
    """All observers of one session, told in order: its recording first, then the others as they were added.

    What an observer raises goes to `failed`, and the next one is told all the same. Only what the recording raises
    gets through: a disk that fails it reports itself, so what is left is a fact that nobody can record, and that is
    the caller's mistake.

    Attributes:
        present: whether there is any observer; asked at every message.
    """

    __slots__ = ("_failed", "_now", "_observers", "_recording", "_thread", "present")

    def __init__(self, recording: Observer | None, failed: Failed, thread: LoopThread) -> None:
        self._thread = thread
        self._recording = recording
        self._observers: tuple[Observer, ...] = () if recording is None else (recording,)
        self._failed = failed
        self._now: Callable[[], float] | None = None
        self.present = recording is not None

    def add(self, observer: Observer) -> None:
        """Tell this one too, from now on."""
        self._observers += (observer,)
        self.present = True

    def begin(self, now: Callable[[], float]) -> None:
        """The conversation begins, by this clock."""
        self._now = now

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: TurnInfo | None) -> None:
        """The machine was fed."""
        # Told at every message, so without the detour by name.
        self._thread.deciding = True
        try:
            for observer in self._observers:
                try:
                    observer.fed(at, event, signals, message)
                except BaseException as error:
                    self._raised(observer, "fed", error)
        finally:
            self._thread.deciding = False

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        """Time passed for the machine."""
        self._tell("woken", at, signals)

    def closed(self, at: float, signals: tuple[Signal, ...]) -> None:
        """The machine was closed."""
        self._tell("closed", at, signals)

    def told(self, signal: Signal | ReplyEnded) -> None:
        """The session itself reported a signal."""
        self._tell("told", signal)

    def fact(self, name: str, fields: Mapping[str, Any]) -> None:
        """Something happened that the machine is not told; before and after the conversation nobody else is either."""
        if self.present and self._now is not None:
            self._tell("fact", self._now(), name, **fields)

    def end(self) -> None:
        """The conversation is over."""
        self._tell("end")
        self._now = None

    def _tell(self, verb: str, /, *given: Any, **fields: Any) -> None:
        before, self._thread.deciding = self._thread.deciding, True  # a fact may be told in the midst of others
        try:
            for observer in self._observers:
                try:
                    getattr(observer, verb)(*given, **fields)
                except BaseException as error:
                    self._raised(observer, verb, error)
        finally:
            self._thread.deciding = before

    def _raised(self, observer: Observer, verb: str, error: BaseException) -> None:
        if observer is self._recording or must_pass(error):
            raise error
        self._failed(observer, verb, error, noted=False)
