"""A session under test: scripts and whole turns as its source, and lists of what it decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine

import anyio

from turnkit.session import Session
from turnkit.turns.events import SIGNALS, EagerEndOfTurn, EndOfTurn, Event, ReplyEnded, Signal, StartOfTurn

TURN: list[Event] = [StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea", 0.6), EndOfTurn(0, "tea", 0.8, trigger="model")]
"""A turn that is drafted for and then committed, in no time."""
EAGER = TURN[:2]
"""The same turn up to its draft."""
OVER: list[Event] = [StartOfTurn(1, "stop")]
"""The next turn, which begins over the reply."""


async def script(*steps: object) -> AsyncIterator[object]:
    """A source: events and messages are yielded, numbers are seconds to wait, callables are called, errors raised.

    What a callable gives is waited for, if it can be.
    """
    for step in steps:
        if isinstance(step, (int, float)):
            await anyio.sleep(step)
        elif isinstance(step, Exception):
            raise step
        elif callable(step):
            given = step()
            if isinstance(given, Coroutine):
                await given
        else:
            yield step


def turn(index: int, text: str, *, eager: bool = True) -> list[Event]:
    """A whole turn, from its start to its end, in no time."""
    drafted: list[Event] = [EagerEndOfTurn(index, text, 0.6)] if eager else []
    return [StartOfTurn(index, text), *drafted, EndOfTurn(index, text, 0.9, trigger="model")]


def listen(session: Session) -> list[Signal]:
    """All signals of a session, as they come."""
    signals: list[Signal] = []
    for kind in SIGNALS:
        session.on(kind, signals.append)
    return signals


def outcomes(session: Session) -> list[tuple[int, str, str]]:
    """(reply, outcome, heard) of every reply, as they end."""
    ends: list[tuple[int, str, str]] = []
    session.on(ReplyEnded, lambda end: ends.append((end.reply, end.outcome.value, end.heard)))
    return ends
