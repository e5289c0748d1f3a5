"""A call of many minutes, decided by the machine without a session, so that it is there at once."""

from __future__ import annotations

from typing import Any

from turnkit import HoldThenDecide, IgnoreBackchannels, TurnMachine
from turnkit.trace import Closed, Fed, Header, Trace
from turnkit.turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
    TimedWord,
    Update,
)

_SAID = (
    "I'd like to book a table for two please",
    "Do you have anything by the window",
    "What time do you close on Sundays",
    "Stop wait make that nine",
    "My sister is allergic to nuts is that a problem",
)
_ANSWER = [
    "There",
    "is",
    "a",
    "table",
    "by",
    "the",
    "window",
    "or",
    "one",
    "on",
    "the",
    "terrace",
    "which",
    "is",
    "heated",
    "for",
    "the",
    "whole",
    "evening",
]
_WORD = 0.33


class _LongCall:
    """The call as it grows: what was fed, and what the machine made of it."""

    def __init__(self) -> None:
        self.machine = TurnMachine(barge_in=HoldThenDecide(IgnoreBackchannels(), 0.5))
        self.records: list[Any] = []
        self.reply: int | None = None

    def feed(self, at: float, event: Event) -> None:
        """Feed an event; the reply that has the floor is kept."""
        signals = self.machine.feed(event, at)
        self.records += [Fed(at, event), *signals]
        if self.machine.floor is not None:
            self.reply = self.machine.floor[0]

    def turn(self, index: int, at: float, words: list[str]) -> float:
        """The user says these words from `at` on; the second at which the turn is over."""
        timed = tuple(TimedWord(word, at + i * _WORD, at + i * _WORD + 0.3) for i, word in enumerate(words))
        self.feed(at + 0.35, StartOfTurn(index, words[0], 0.1, at + 0.3))
        for count in range(2, len(words)):
            end = at + count * _WORD
            self.feed(end + 0.05, Update(index, " ".join(words[:count]), 0.2, end))
        end = at + len(words) * _WORD
        self.feed(end + 0.25, EagerEndOfTurn(index, " ".join(words), 0.55, end + 0.2))
        self.feed(end + 0.5, EndOfTurn(index, " ".join(words), 0.8, end + 0.45, "model", timed))
        return end + 0.5

    def answer(self, at: float, count: int, *, whole: bool) -> float:
        """The agent says so many words; the second at which it has, or is still at it if not `whole`."""
        assert self.reply is not None
        self.feed(at, PlaybackStarted(self.reply))
        for said in range(1, count + 1):
            self.feed(at + said * 0.28, PlaybackAdvanced(self.reply, " ".join(_ANSWER[:said])))
        at += count * 0.28 + 0.05
        if whole:
            self.feed(at, PlaybackFinished(self.reply))
        return at


def long_call(minutes: float) -> Trace:
    """A trace of so many minutes: every fourth answer is interrupted, every ninth fails before a sound."""
    call, at, index = _LongCall(), 1.0, 0
    while at < minutes * 60:
        at = call.turn(index, at, _SAID[index % len(_SAID)].split()) + 0.4 + (index % 7) * 0.25
        index += 1
        if index % 9 == 0:
            assert call.reply is not None
            call.feed(at, PlaybackFinished(call.reply, failed=True))
            at += 2.0
        elif index % 4 == 0:
            at = call.answer(at, 6, whole=False)  # the next turn begins while it is heard
        else:
            at = call.answer(at, len(_ANSWER), whole=True) + 1.5
    call.records += [Closed(at), *call.machine.close(at)]
    options = {"eot_threshold": 0.7, "eager_eot_threshold": 0.4}
    header = Header(session="forty minutes", began="2026-11-20T18:00:00+00:00", began_at=0.5, options=options)
    return Trace(header=header, records=tuple(call.records), name="long.jsonl", ended="closed")
