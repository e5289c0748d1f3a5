"""Replay of a recorded call under other settings: Flux as it was, the agent's voice as far as it is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from ..errors import ConfigError, LocalProtocolError
from ..turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    Event,
    Initiate,
    Interrupt,
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
from .records import Closed, Fact, Fed, Trace, Woken

_Purpose: TypeAlias = tuple[str, int]
"""What a reply is for: the turn that it answers, or the agent's nth initiative; ids differ between machines."""

_REPLY_EVENTS = (PlaybackStarted, PlaybackAdvanced, PlaybackFinished, Protect, DraftDiscarded)
_INPUTS = (Fed, Woken, Closed)


def replay_under(trace: Trace, machine: TurnMachine, heed: Callable[[Fact], object] | None = None) -> list[Signal]:
    """The signals that this machine answers to the call, woken at its own deadlines; `replay` says what is a guess.

    Args:
        trace: The call.
        machine: The machine.
        heed: Told of each fact as its time comes, if somebody goes by them.

    Returns:
        The signals.

    Raises:
        ConfigError: The trace holds what no machine takes.
    """
    call = _Counterfactual(trace, machine)
    try:
        for place, record in enumerate(trace.records):
            if isinstance(record, Fed):
                call.feed(record.event, record.at, place)
            elif isinstance(record, Woken):
                call.wait(record.at)
                call.follow(machine.wake(record.at))
            elif isinstance(record, Closed):
                call.wait(record.at)
                call.follow(machine.close(record.at))
            elif isinstance(record, Fact):
                if heed is not None:
                    heed(record)
            else:
                call.note_recorded(record)
    except LocalProtocolError as error:
        raise ConfigError(f"trace {trace.name!r}: holds what no machine takes: {error}") from None
    return call.signals


class _Purposes:
    """What the replies of one call are for, learnt from its initiatives and its signals, each noted once and in order.

    Attributes:
        of: the purpose of each reply.
        latest: the latest reply for each purpose.
    """

    def __init__(self) -> None:
        self.of: dict[int, _Purpose] = {}
        self.latest: dict[_Purpose, int] = {}
        self._initiatives = 0
        self._waiting: list[int] = []  # the initiatives that have no reply, in the order in which they get one
        self._offered_again: set[int] = set()  # those that wait once more if a turn cancels them
        self._last_drop = -1  # the latest turn that was dropped

    def note(self, item: object) -> None:
        """Note what happened."""
        if isinstance(item, Initiate):
            self._initiatives += 1
            self._waiting.append(self._initiatives)
            if item.wait:
                self._offered_again.add(self._initiatives)
        elif isinstance(item, TurnDropped):
            self._last_drop = item.turn
        elif isinstance(item, Cancel):
            self._cancelled(item)
        elif isinstance(item, (Speculate, Commit)):
            purpose = self.of.get(item.reply)
            if purpose is None:
                purpose = self.of[item.reply] = self._purpose(item)
            self.latest[purpose] = item.reply

    def _cancelled(self, cancel: Cancel) -> None:
        kind, number = self.of.get(cancel.reply, ("", 0))
        if cancel.reason is CancelReason.FLOOR_TAKEN and self._waiting:
            self._waiting.pop()
        elif cancel.reason is CancelReason.NEW_TURN and kind == "initiative" and number in self._offered_again:
            self._waiting.insert(0, number)

    def _purpose(self, signal: Speculate | Commit) -> _Purpose:
        if signal.turn is not None:
            return "turn", signal.turn
        if isinstance(signal, Commit) and signal.trigger == "unanswered":
            # What a turn of nothing had kept from being answered comes right after that turn was dropped.
            return "owed", self._last_drop
        return "initiative", self._waiting.pop(0) if self._waiting else self._initiatives


class _Counterfactual:
    """Feeds the machine, and keeps track of which reply is which in the recorded call and in this one."""

    def __init__(self, trace: Trace, machine: TurnMachine) -> None:
        self.signals: list[Signal] = []
        self._machine = machine
        self._recorded = _Purposes()  # of the whole call
        self._answers_to: dict[int, int] = {}  # the place of what each recorded reply was first an answer to
        self._with_floor: set[_Purpose] = set()  # for which a reply got the floor in the recorded call
        self._read(trace)
        self._latest_recorded: dict[_Purpose, int] = {}  # so far
        self._own = _Purposes()
        self._interrupted: set[_Purpose] = set()  # in the recorded call: how they would have ended is not known

    def _read(self, trace: Trace) -> None:
        step = 0
        for place, record in enumerate(trace.records):
            if isinstance(record, _INPUTS):
                step = place
            self._recorded.note(record.event if isinstance(record, Fed) else record)
            if isinstance(record, (Speculate, Commit)):
                self._answers_to.setdefault(record.reply, step)
            if isinstance(record, Commit):
                self._with_floor.add(self._recorded.of[record.reply])

    def wait(self, at: float) -> None:
        """Let time pass, up to but not including `at`."""
        while (deadline := self._machine.deadline) is not None and deadline < at:
            self.follow(self._machine.wake(deadline))

    def feed(self, event: Event, at: float, place: int) -> None:
        """Feed an event, which stands at that place in the trace."""
        self.wait(at)
        if isinstance(event, (StartOfTurn, PlaybackStarted, Initiate, Interrupt)):
            self._end_overrun(event, at, place)
        if isinstance(event, _REPLY_EVENTS):
            # The time of the report has come, also if there is no such reply here.
            self.follow(self._machine.wake(at))
            own = self._counterpart(event.reply, place)
            if own is None:
                return
            changed: Any = msgspec.structs.replace(event, reply=own)
            event = changed
        self._own.note(event)
        self.follow(self._machine.feed(event, at))

    def note_recorded(self, record: object) -> None:
        """Note what happened in the recorded call just now."""
        if isinstance(record, (Speculate, Commit)):
            purpose = self._recorded.of[record.reply]
            self._latest_recorded[purpose] = record.reply
            self._interrupted.discard(purpose)
        elif isinstance(record, (BargeIn, Cancel)) and record.reply in self._recorded.of:
            self._interrupted.add(self._recorded.of[record.reply])

    def _counterpart(self, reply: int, place: int) -> int | None:
        """The reply of this call for the purpose that `reply` has in the recorded one; None if there is none.

        A report may come in the same step as its Commit, which then only follows in the trace.
        """
        purpose = self._recorded.of.get(reply)
        if purpose is None or self._answers_to[reply] > place or self._latest_recorded.get(purpose, reply) > reply:
            return None
        return self._own.latest.get(purpose)

    def follow(self, signals: tuple[Signal, ...]) -> None:
        """Keep the signals, and feed what follows from them."""
        self.signals += signals
        for signal in signals:
            self._own.note(signal)
            if isinstance(signal, Commit) and self._own.of[signal.reply] not in self._with_floor:
                # How it would have sounded is not known: it is over at once.
                self.follow(self._machine.feed(PlaybackStarted(signal.reply), signal.at))
                self.follow(self._machine.feed(PlaybackFinished(signal.reply), signal.at))

    def _end_overrun(self, event: Event, at: float, place: int) -> None:
        """End a reply that was interrupted in the recorded call and is not in this one, before `event` happens."""
        floor = self._machine.floor
        if floor is None or self._own.of.get(floor[0]) not in self._interrupted:
            return
        starts_again = isinstance(event, PlaybackStarted) and self._counterpart(event.reply, place) == floor[0]
        overlapping = isinstance(event, StartOfTurn) and self._machine.turn is not None
        if not starts_again and not overlapping:
            self.follow(self._machine.feed(PlaybackFinished(floor[0]), at))
