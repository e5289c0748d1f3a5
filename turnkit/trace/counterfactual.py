"""Replay of a recorded call under other settings: Flux as it was, the agent's voice as far as it is known."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, takewhile
from typing import Any, TypeAlias

import msgspec

from ..errors import ConfigError, LocalProtocolError
from ..turns.events import (
    BargeIn,
    Cancel,
    Commit,
    DraftDiscarded,
    Event,
    Initiate,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    Signal,
    Speculate,
    StartOfTurn,
    TurnDropped,
)
from ..turns.machine import TurnMachine
from .records import Closed, Fed, Trace, Woken

_Purpose: TypeAlias = tuple[str, int]
"""What a reply is for: the turn that it answers, or the agent's nth initiative; ids differ between machines."""

_REPLY_EVENTS = (PlaybackStarted, PlaybackAdvanced, PlaybackFinished, Protect, DraftDiscarded)


def replay_under(trace: Trace, machine: TurnMachine) -> list[Signal]:
    """The signals that this machine answers to the call, woken at its own deadlines; `replay` says what is a guess."""
    call = _Counterfactual(trace, machine)
    try:
        for place, record in enumerate(trace.records):
            if isinstance(record, Fed):
                if isinstance(record.event, _REPLY_EVENTS):
                    call.look_ahead(record.event.reply, islice(trace.records, place + 1, None))
                call.feed(record.event, record.at)
            elif isinstance(record, Woken):
                call.wait(record.at)
                call.follow(machine.wake(record.at))
            elif isinstance(record, Closed):
                call.wait(record.at)
                call.follow(machine.close(record.at))
            else:
                call.note_recorded(record)
    except LocalProtocolError as error:
        raise ConfigError(f"trace {trace.name!r}: holds what no machine takes: {error}") from None
    return call.signals


def _purpose(signal: Speculate | Commit, initiatives: int, dropped: int) -> _Purpose:
    if signal.turn is not None:
        return "turn", signal.turn
    # What a turn of nothing had kept from being answered comes right after that turn was dropped.
    owed = isinstance(signal, Commit) and signal.trigger == "unanswered"
    return ("owed", dropped) if owed else ("initiative", initiatives)


def _purposes_with_floor(trace: Trace) -> frozenset[_Purpose]:
    """The purposes for which a reply got the floor in the recorded call."""
    answered = set()
    initiatives, dropped = 0, -1
    for record in trace.records:
        if isinstance(record, Fed):
            initiatives += isinstance(record.event, Initiate)
        elif isinstance(record, TurnDropped):
            dropped = record.turn
        elif isinstance(record, Commit):
            answered.add(_purpose(record, initiatives, dropped))
    return frozenset(answered)


class _Counterfactual:
    """Feeds the machine, and keeps track of which reply is which in the recorded call and in this one."""

    def __init__(self, trace: Trace, machine: TurnMachine) -> None:
        self.signals: list[Signal] = []
        self._machine = machine
        self._with_floor = _purposes_with_floor(trace)
        # Of the recorded call and of this one, so far: what each reply is for, and the latest reply for each purpose.
        self._recorded_purposes: dict[int, _Purpose] = {}
        self._latest_recorded: dict[_Purpose, int] = {}
        self._purposes: dict[int, _Purpose] = {}
        self._latest: dict[_Purpose, int] = {}
        self._interrupted: set[_Purpose] = set()  # in the recorded call: how they would have ended is not known
        self._initiatives = 0
        self._last_recorded_drop = self._last_drop = -1  # the latest turn that was dropped

    def look_ahead(self, reply: int, following: Iterable[object]) -> None:
        """Note a Commit that only follows in the trace: a report may come in the same step as its Commit."""
        if reply not in self._recorded_purposes:
            step = takewhile(lambda record: not isinstance(record, (Fed, Woken, Closed)), following)
            for record in step:
                if isinstance(record, Commit) and record.reply == reply:
                    self.note_recorded(record)

    def wait(self, at: float) -> None:
        """Let time pass, up to but not including `at`."""
        while (deadline := self._machine.deadline) is not None and deadline < at:
            self.follow(self._machine.wake(deadline))

    def feed(self, event: Event, at: float) -> None:
        self.wait(at)
        if isinstance(event, Initiate):
            self._initiatives += 1
        if isinstance(event, (StartOfTurn, PlaybackStarted, Initiate)):
            self._end_overrun(event, at)
        if isinstance(event, _REPLY_EVENTS):
            # The time of the report has come, also if there is no such reply here.
            self.follow(self._machine.wake(at))
            own = self._counterpart(event.reply)
            if own is None:
                return
            changed: Any = msgspec.structs.replace(event, reply=own)
            event = changed
        self.follow(self._machine.feed(event, at))

    def note_recorded(self, record: object) -> None:
        """Note what happened in the recorded call just now."""
        if isinstance(record, (Speculate, Commit)):
            purpose = _purpose(record, self._initiatives, self._last_recorded_drop)
            self._recorded_purposes[record.reply] = purpose
            self._latest_recorded[purpose] = record.reply
            self._interrupted.discard(purpose)
        elif isinstance(record, TurnDropped):
            self._last_recorded_drop = record.turn
        elif isinstance(record, (BargeIn, Cancel)) and record.reply in self._recorded_purposes:
            self._interrupted.add(self._recorded_purposes[record.reply])

    def _counterpart(self, reply: int) -> int | None:
        """The reply of this call for the purpose that `reply` has in the recorded one; None if there is none."""
        purpose = self._recorded_purposes.get(reply)
        if purpose is None or self._latest_recorded[purpose] != reply:
            return None
        return self._latest.get(purpose)

    def follow(self, signals: tuple[Signal, ...]) -> None:
        """Keep the signals, and feed what follows from them."""
        self.signals += signals
        for signal in signals:
            if isinstance(signal, TurnDropped):
                self._last_drop = signal.turn
            if isinstance(signal, (Speculate, Commit)):
                purpose = _purpose(signal, self._initiatives, self._last_drop)
                self._purposes[signal.reply] = purpose
                self._latest[purpose] = signal.reply
                if isinstance(signal, Commit) and purpose not in self._with_floor:
                    # How it would have sounded is not known: it is over at once.
                    self.follow(self._machine.feed(PlaybackStarted(signal.reply), signal.at))
                    self.follow(self._machine.feed(PlaybackFinished(signal.reply), signal.at))

    def _end_overrun(self, event: Event, at: float) -> None:
        """End a reply that was interrupted in the recorded call and is not in this one, before `event` happens."""
        floor = self._machine.floor
        if floor is None or self._purposes.get(floor[0]) not in self._interrupted:
            return
        starts_again = isinstance(event, PlaybackStarted) and self._counterpart(event.reply) == floor[0]
        overlapping = isinstance(event, StartOfTurn) and self._machine.turn is not None
        if not starts_again and not overlapping:
            self.follow(self._machine.feed(PlaybackFinished(floor[0]), at))
