"""The machine at its edges: close, misuse, settings, snapshots, and the recorded session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.kinds import kinds
from tests.support.stepped_machine import SteppedMachine
from turnkit import wire
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.turns.events import (
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Hold,
    Signal,
    StartOfTurn,
    StreamLost,
    TurnDropped,
    TurnStarted,
    TurnUpdated,
    Update,
)
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import MinWords, Never, Verdict


def test_close_cancels_and_drops_what_is_open() -> None:
    """A draft, a pending reply, an open turn, a suspended one: each is told."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    assert stepped.machine.close(1.0) == (
        Cancel(0, 0, CancelReason.CLOSED, at=1.0),
        TurnDropped(0, "tea", DropReason.CLOSED, at=1.0),
    )
    assert SteppedMachine().committed().machine.close(1.0) == (Cancel(0, 0, CancelReason.CLOSED, at=1.0),)
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "tea"), StreamLost())
    assert stepped.machine.close(1.0) == (TurnDropped(0, "tea", DropReason.CLOSED, at=1.0),)


def test_a_closed_machine_takes_no_events() -> None:
    """An event after close() raises; waking and closing again are harmless."""
    machine = TurnMachine(idle_timeout=1.0)
    machine.close(1.0)
    with pytest.raises(LocalProtocolError, match=r"Update after close\(\)"):
        machine.feed(Update(0, "x"), 2.0)
    assert machine.deadline is None
    assert machine.wake(5.0) == machine.close(6.0) == ()


@pytest.mark.parametrize("at", [0.5, float("nan"), float("inf"), -float("inf")])
def test_time_does_not_go_back(at: float) -> None:
    """A time before the last one, or none at all, raises and changes nothing."""
    machine = TurnMachine()
    machine.feed(StartOfTurn(0, "tea"), 1.0)
    before = machine.snapshot()
    calls: list[Callable[[], object]] = [
        lambda: machine.feed(EndOfTurn(0, "tea"), at),
        lambda: machine.wake(at),
        lambda: machine.close(at),
    ]
    for call in calls:
        with pytest.raises(LocalProtocolError, match="monotonic seconds"):
            call()
    assert machine.snapshot() == before


@pytest.mark.parametrize("thing", [None, 42, "StartOfTurn", TurnStarted(0, "x", at=0.0)])
def test_only_events_are_fed(thing: Any) -> None:
    """Anything else is the caller's mistake: it raises and changes nothing."""
    machine = TurnMachine()
    before = machine.snapshot()
    with pytest.raises(LocalProtocolError, match="is not an event"):
        machine.feed(thing, 0.0)
    assert machine.snapshot() == before


def test_events_that_came_late_find_their_deadlines_dealt_with() -> None:
    """feed at a late second is wake at that second, then feed."""
    one, other = TurnMachine(), TurnMachine()
    for machine in (one, other):
        machine.feed(StartOfTurn(0, "tea"), 0.0)
        machine.wake(8.0)
    event = Update(0, "tea please")
    assert one.feed(event, 11.0) == other.wake(11.0) + other.feed(event, 11.0)
    assert kinds(list(one.feed(event, 12.0))) == []


@pytest.mark.parametrize("name", ["hold_timeout", "lost_turn_grace", "stall_timeout", "stall_grace", "idle_timeout"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "2", True])
def test_settings_are_checked_by_name(name: str, value: Any) -> None:
    """A setting that cannot work raises ConfigError with its name, value and rule."""
    with pytest.raises(ConfigError, match=rf"{name}={value!r}: must be a number of seconds"):
        TurnMachine(**{name: value})


def test_policies_are_checked() -> None:
    """A policy's class instead of an instance is the likely slip."""
    with pytest.raises(ConfigError, match=r"barge_in=.*must be a policy"):
        TurnMachine(barge_in=Never)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="speculation=None"):
        TurnMachine(speculation=None)  # type: ignore[arg-type]


def test_a_snapshot_goes_on_where_the_machine_was() -> None:
    """restore with the same settings gives the same signals; a bad snapshot is refused."""
    stepped = SteppedMachine(barge_in=MinWords(2), idle_timeout=3.0).audible()
    stepped.feed(StartOfTurn(1, "mm"))
    copy = TurnMachine.restore(stepped.machine.snapshot(), barge_in=MinWords(2), idle_timeout=3.0)
    assert copy.snapshot() == stepped.machine.snapshot()
    event = EndOfTurn(1, "mm hm")
    assert copy.feed(event, 9.0) == stepped.machine.feed(event, 9.0)
    for junk in (b"", b"junk", b"\x80", b"\x81\xa7version\x63"):
        with pytest.raises(LocalProtocolError, match="snapshot"):
            TurnMachine.restore(junk)


def test_the_recorded_session(preamble: Path) -> None:
    """One real session: a turn at 0.96, a draft at 19.84, its commit at 20.00, and nothing else is decided."""
    machine = TurnMachine()
    signals: list[Signal] = []
    for line in preamble.read_bytes().splitlines():
        event = wire.to_event(wire.decode(line))
        if event is not None:
            signals += machine.feed(event, event.audio_end)
    decided = [signal for signal in signals if not isinstance(signal, TurnUpdated)]
    assert kinds(decided) == ["TurnStarted", "Speculate", "Commit"]
    assert [signal.at for signal in decided] == [0.96, 19.84, 20.0]
    commit = decided[-1]
    assert isinstance(commit, Commit)
    assert commit.speculative
    assert commit.reply == 0


def test_hold_signal_carries_the_reason() -> None:
    """Hold says why, in the policy's words."""
    stepped = SteppedMachine(barge_in=lambda o: (Verdict.HOLD, "could be a backchannel")).audible()
    assert stepped.feed(StartOfTurn(1, "mm"))[-1] == Hold(1, 0, "could be a backchannel", at=0.4)
