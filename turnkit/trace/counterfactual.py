"""A recorded call under other settings: Flux as it was, the agent's voice as far as it is known."""

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
"""What a reply is for: the turn that it answers, or the agent's nth own initiative; ids are another machine's."""

_OF_REPLIES = (PlaybackStarted, PlaybackAdvanced, PlaybackFinished, Protect, DraftDiscarded)


def play(trace: Trace, machine: TurnMachine) -> list[Signal]:
    """What this machine makes of the call; it is woken when it wants to be. See `replay` for what is a guess."""
    player = _Player(trace, machine)
    try:
        for place, record in enumerate(trace.records):
            if isinstance(record, Fed):
                if isinstance(record.event, _OF_REPLIES):
                    player.foresee(record.event.reply, islice(trace.records, place + 1, None))
                player.feed(record.event, record.at)
            elif isinstance(record, Woken):
                player.wait(record.at)
                player.told(machine.wake(record.at))
            elif isinstance(record, Closed):
                player.wait(record.at)
                player.told(machine.close(record.at))
            else:
                player.recorded(record)
    except LocalProtocolError as error:
        raise ConfigError(f"trace {trace.name!r}: holds what no machine takes: {error}") from None
    return player.signals


def _purpose(signal: Speculate | Commit, initiatives: int, dropped: int) -> _Purpose:
    if signal.turn is not None:
        return "turn", signal.turn
    # What a turn of nothing had kept from being answered comes right after that turn was dropped.
    owed = isinstance(signal, Commit) and signal.trigger == "unanswered"
    return ("owed", dropped) if owed else ("initiative", initiatives)


def _answered(trace: Trace) -> frozenset[_Purpose]:
    """For what there was a reply that got the floor, in the recorded call."""
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


class _Player:
    """Feeds the machine, and keeps apart which reply is which in the two calls."""

    def __init__(self, trace: Trace, machine: TurnMachine) -> None:
        self.signals: list[Signal] = []
        self._machine = machine
        self._known = _answered(trace)
        # As far as both calls have come: what each reply is for, and the latest for each purpose.
        self._theirs: dict[int, _Purpose] = {}
        self._their_latest: dict[_Purpose, int] = {}
        self._ours: dict[int, _Purpose] = {}
        self._our_latest: dict[_Purpose, int] = {}
        self._cut: set[_Purpose] = set()  # recorded to have been stopped: how they would have ended is not known
        self._initiatives = 0
        self._their_dropped = self._our_dropped = -1  # the latest turn that was

    def foresee(self, reply: int, following: Iterable[object]) -> None:
        """A report may come at the very second at which its reply gets the floor: that is what follows in the trace."""
        if reply not in self._theirs:
            step = takewhile(lambda record: not isinstance(record, (Fed, Woken, Closed)), following)
            for record in step:
                if isinstance(record, Commit) and record.reply == reply:
                    self.recorded(record)

    def wait(self, at: float) -> None:
        """Time passes, up to but not including `at`."""
        while (deadline := self._machine.deadline) is not None and deadline < at:
            self.told(self._machine.wake(deadline))

    def feed(self, event: Event, at: float) -> None:
        self.wait(at)
        if isinstance(event, Initiate):
            self._initiatives += 1
        if isinstance(event, (StartOfTurn, PlaybackStarted, Initiate)):
            self._end_of_talking_on(event, at)
        if isinstance(event, _OF_REPLIES):
            # The time at which it was reported has come, also if there is no such reply here.
            self.told(self._machine.wake(at))
            own = self._our_own(event.reply)
            if own is None:
                return
            changed: Any = msgspec.structs.replace(event, reply=own)
            event = changed
        self.told(self._machine.feed(event, at))

    def recorded(self, record: object) -> None:
        """What happened in the recorded call just now."""
        if isinstance(record, (Speculate, Commit)):
            purpose = _purpose(record, self._initiatives, self._their_dropped)
            self._theirs[record.reply] = purpose
            self._their_latest[purpose] = record.reply
            self._cut.discard(purpose)
        elif isinstance(record, TurnDropped):
            self._their_dropped = record.turn
        elif isinstance(record, (BargeIn, Cancel)) and record.reply in self._theirs:
            self._cut.add(self._theirs[record.reply])

    def _our_own(self, reply: int) -> int | None:
        """The reply that is here for what `reply` is for in the recorded call."""
        purpose = self._theirs.get(reply)
        if purpose is None or self._their_latest[purpose] != reply:
            return None
        return self._our_latest.get(purpose)

    def told(self, signals: tuple[Signal, ...]) -> None:
        """Carry on what follows from the signals."""
        self.signals += signals
        for signal in signals:
            if isinstance(signal, TurnDropped):
                self._our_dropped = signal.turn
            if isinstance(signal, (Speculate, Commit)):
                purpose = _purpose(signal, self._initiatives, self._our_dropped)
                self._ours[signal.reply] = purpose
                self._our_latest[purpose] = signal.reply
                if isinstance(signal, Commit) and purpose not in self._known:
                    # Nobody knows how it would have sounded: it is over at once.
                    self.told(self._machine.feed(PlaybackStarted(signal.reply), signal.at))
                    self.told(self._machine.feed(PlaybackFinished(signal.reply), signal.at))

    def _end_of_talking_on(self, event: Event, at: float) -> None:
        """A reply that was recorded to be stopped, and here was not, has ended before this, whatever it is."""
        floor = self._machine.floor
        if floor is None or self._ours.get(floor[0]) not in self._cut:
            return
        of_itself = isinstance(event, PlaybackStarted) and self._our_own(event.reply) == floor[0]
        overlapping = isinstance(event, StartOfTurn) and self._machine.turn is not None
        if not of_itself and not overlapping:
            self.told(self._machine.feed(PlaybackFinished(floor[0]), at))
