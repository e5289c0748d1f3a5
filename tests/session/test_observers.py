"""The list of observers: who is told first, and what becomes of an error."""

from __future__ import annotations

from typing import Any

import pytest

from turnkit.errors import LocalProtocolError
from turnkit.session.loop_thread import LoopThread
from turnkit.session.observers import Observers
from turnkit.turns.events import Note, NoteKind, Update

NOTE = Note(NoteKind.SEQUENCE_GAP, "x", at=1.0)


class Witness:
    """Writes down what it is told, and raises what it was given."""

    def __init__(self, name: str, told: list[tuple[Any, ...]], error: BaseException | None = None) -> None:
        self.name = name
        self._told = told
        self._error = error

    def _note(self, *what: Any) -> None:
        self._told.append((self.name, *what))
        if self._error is not None:
            raise self._error

    def fed(self, at: float, event: Any, signals: Any, message: Any = None) -> None:
        self._note("fed", at, event, signals, message)

    def woken(self, at: float, signals: Any) -> None:
        self._note("woken", at, signals)

    def closed(self, at: float, signals: Any) -> None:
        self._note("closed", at, signals)

    def told(self, signal: Any) -> None:
        self._note("told", signal)

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        self._note("fact", at, name, fields)

    def end(self) -> None:
        self._note("end")


def ignore(function: object, at: str, error: BaseException, *, reply: int | None = None, noted: bool = True) -> None:
    """Nobody wants to know."""


def tell_all(observers: Observers) -> None:
    """One call of each kind."""
    observers.begin(lambda: 7.0)
    observers.fed(1.0, Update(0, "x"), (), None)
    observers.woken(2.0, ())
    observers.told(NOTE)
    observers.fact("Paid", {"at": 3, "name": "x"})
    observers.closed(3.0, ())
    observers.end()


WHAT = [
    ("fed", 1.0, Update(0, "x"), (), None),
    ("woken", 2.0, ()),
    ("told", NOTE),
    ("fact", 7.0, "Paid", {"at": 3, "name": "x"}),
    ("closed", 3.0, ()),
    ("end",),
]


def test_the_recording_is_told_first() -> None:
    """Then the others, in the order in which they came; all of them everything."""
    told: list[tuple[Any, ...]] = []
    observers = Observers(Witness("recording", told), ignore, LoopThread())
    observers.add(Witness("a", told))
    observers.add(Witness("b", told))
    tell_all(observers)
    assert told == [(name, *what) for what in WHAT for name in ("recording", "a", "b")]


def test_what_one_raises_the_next_is_spared() -> None:
    """It is reported, with the observer and the call."""
    told: list[tuple[Any, ...]] = []
    failures: list[tuple[Any, ...]] = []
    error = LocalProtocolError("no")
    failing = Witness("a", told, error)

    def failed(
        function: object, at: str, error: BaseException, *, reply: int | None = None, noted: bool = True
    ) -> None:
        failures.append((function, at, error, noted))

    observers = Observers(None, failed, LoopThread())
    observers.add(failing)
    observers.add(Witness("b", told))
    tell_all(observers)
    assert told == [(name, *what) for what in WHAT for name in ("a", "b")]
    assert failures == [(failing, what[0], error, False) for what in WHAT]


def test_what_the_recording_raises_is_the_callers() -> None:
    """A fact that cannot be recorded is refused, and nobody is told of it."""
    told: list[tuple[Any, ...]] = []
    observers = Observers(Witness("recording", told, LocalProtocolError("no")), ignore, LoopThread())
    observers.add(Witness("a", told))
    observers.begin(lambda: 7.0)
    with pytest.raises(LocalProtocolError, match=r"^no$"):
        observers.fact("Paid", {})
    assert told == [("recording", "fact", 7.0, "Paid", {})]


def test_facts_outside_of_the_conversation_are_nobodys() -> None:
    """Before its beginning and after its end; and it is asked for no time where nobody is there."""
    told: list[tuple[Any, ...]] = []
    observers = Observers(None, ignore, LoopThread())
    assert not observers.present
    observers.begin(lambda: pytest.fail("nobody wants to know the time"))
    observers.fact("Paid", {})
    observers = Observers(None, ignore, LoopThread())
    observers.add(Witness("a", told))
    assert observers.present
    observers.fact("Paid", {})
    observers.begin(lambda: 7.0)
    observers.end()
    observers.fact("Paid", {})
    assert told == [("a", "end")]
