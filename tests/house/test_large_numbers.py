"""Numbers larger than any float, wherever a number of seconds is taken: refused in turnkit's own words."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from turnkit import (
    Budget,
    FluxOptions,
    Grace,
    HoldThenDecide,
    MinDuration,
    Session,
    StartOfTurn,
    Timeline,
    TurnMachine,
    Update,
)
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.flux import connect
from turnkit.metrics import Metrics, Samples
from turnkit.simulator.script import SpokenWord
from turnkit.testing.pace import Pace
from turnkit.tools.soak.plan import Plan

LARGE = [
    pytest.param(10**400, id="large"),
    pytest.param(-(10**400), id="low"),
    pytest.param(10**5000, id="too large for Python to print"),
]


def seconds_of(function: Callable[..., Any]) -> list[str]:
    """The parameters of a function that are seconds, by the type they are given."""
    names = inspect.signature(function).parameters
    return [name for name, one in names.items() if "float" in str(one.annotation) and not name.startswith("_")]


SETTINGS: list[tuple[Callable[..., Any], str, dict[str, Any]]] = [
    *((connect, name, {"url": "ws://127.0.0.1:9"}) for name in seconds_of(connect)),
    *((TurnMachine, name, {}) for name in seconds_of(TurnMachine)),
    *((Session, name, {}) for name in seconds_of(Session)),
    (Grace, "seconds", {}),
    (MinDuration, "seconds", {}),
    (HoldThenDecide, "seconds", {}),
    (Budget, "turn_seconds", {}),
    (Pace, "first", {}),
    (Pace, "between", {}),
    (Plan, "seconds", {}),
    (Plan, "call_seconds", {}),
    (Plan, "growth", {}),
    (SpokenWord, "end", {"text": "yes", "start": 0.0}),
    (Timeline, "rate", {}),
    *((FluxOptions, name, {}) for name in ("sample_rate", "eot_threshold", "eager_eot_threshold", "eot_timeout_ms")),
    (FluxOptions, "numerals", {}),
    (Plan, "sessions", {}),
]


def test_the_settings_found_are_the_ones_there_are() -> None:
    """The list of seconds is read out of signatures: an empty one would test nothing."""
    assert seconds_of(connect)[0] == "connect_timeout"
    assert len(seconds_of(connect)) == 10
    assert len(seconds_of(TurnMachine)) == 5
    assert "drain_timeout" in seconds_of(Session)


@pytest.mark.parametrize("value", LARGE)
@pytest.mark.parametrize(("made", "name", "beside"), SETTINGS)
def test_a_setting_that_no_float_holds_is_refused(
    made: Callable[..., Any], name: str, beside: dict[str, Any], value: int
) -> None:
    """As a ConfigError that names the setting, before anything is started."""
    with pytest.raises(ConfigError, match=name if made is not SpokenWord else "word 'yes'"):
        made(**{name: value}, **beside)


@pytest.mark.parametrize("value", LARGE)
@pytest.mark.parametrize("events", [[], [StartOfTurn(0, "hello")], [StartOfTurn(0, "hello"), Update(0, "hello you")]])
def test_a_time_that_no_float_holds_is_refused(events: list[Any], value: int) -> None:
    """Whatever the machine was doing, also with no deadline set: nothing is changed, and the call goes on."""
    machine = TurnMachine()
    for event in events:
        machine.feed(event, at=1.0)
    before = machine.snapshot()
    uses: list[Callable[[], object]] = [lambda: machine.feed(Update(0, ""), at=value)]
    uses += [lambda: machine.wake(value), lambda: machine.close(value)]
    for use in uses:
        with pytest.raises(LocalProtocolError, match=r"at=.*nothing was changed"):
            use()
    assert machine.snapshot() == before
    machine.feed(StartOfTurn(1, "again"), at=2.0)


@pytest.mark.parametrize("value", LARGE)
def test_figures_take_no_number_that_no_float_holds(value: int) -> None:
    """Neither as a duration nor as a time."""
    with pytest.raises(LocalProtocolError, match="must be a finite number"):
        Samples().add(value)
    with pytest.raises(LocalProtocolError, match="must be a finite number"):
        Metrics().take(StartOfTurn(0, "hello"), at=value)


@pytest.mark.parametrize("value", LARGE)
def test_a_timeline_takes_no_number_that_no_float_holds(value: int) -> None:
    """A TTS reports what it likes."""
    timeline = Timeline()
    timeline.add("hello", 1.0)
    uses: list[Callable[[], object]] = [lambda: timeline.add("you", value)]
    uses += [lambda: timeline.heard(value), lambda: timeline.next_end(value)]
    for use in uses:
        with pytest.raises(LocalProtocolError, match="seconds are"):
            use()
    with pytest.raises(LocalProtocolError, match="word 0 is timed"):
        timeline.add("you", None, [("you", 0, abs(value))])
