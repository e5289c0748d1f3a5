"""Whether there is room for another call: a bound on calls, and on how late the event loop is."""

from __future__ import annotations

import pytest

from turnkit import ConfigError

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")

from turnkit.interop.web.admission import Admission, Lateness, Refusal


def looked(lateness: Lateness, *late: float, now: float = 0.0) -> float:
    """Looks at the clock, each so much later than was due; gives when it is."""
    for seconds in late:
        lateness._due = now + 0.05
        now += 0.05 + seconds
        lateness.take(now)
    return now


def test_room_up_to_the_bound() -> None:
    """The last place is given, and no other; at the end of the server none is."""
    admission = Admission(2, 0.2)
    admission.calls = 1
    assert admission.ask(0.0) is None
    admission.calls = 2
    assert admission.ask(0.0) is Refusal.FULL
    admission.draining = True
    assert admission.ask(0.0) is Refusal.DRAINING
    admission.draining, admission.calls = False, 0
    assert admission.ask(0.0) is None
    assert admission.refused == {"full": 1, "late": 0, "draining": 1}


def test_a_single_pause_turns_nobody_away() -> None:
    """As of the collector; a loop that is late again and again does, and lets in again when it has come to rest."""
    admission = Admission(9, 0.2)
    now = looked(admission.lateness, *[0.0] * 50, 0.3, *[0.0] * 10)
    assert admission.refusal(now) is None
    now = looked(admission.lateness, *[0.3] * 10, now=now)
    assert admission.refusal(now) is Refusal.LATE
    now = looked(admission.lateness, *[0.0] * 110, now=now)
    assert admission.refusal(now) is None


def test_a_loop_that_was_stuck_is_late_before_it_has_looked_again() -> None:
    """What comes first after a block of ten seconds is told so."""
    lateness = Lateness()
    now = looked(lateness, *[0.0] * 50)
    lateness._due = now + 0.05
    assert lateness.seconds(now + 10.05) == pytest.approx(10.0)


def test_nothing_measured_is_not_late() -> None:
    """Where no lifespan is run, there is the bound on calls alone."""
    assert Lateness().seconds(1e6) == 0.0


@pytest.mark.parametrize(
    ("calls", "lag", "problem"),
    [
        (0, 0.2, "max_calls=0: must be a whole number, 1 or more"),
        (1.5, 0.2, "max_calls=1.5: must be a whole number"),
        ("many", 0.2, "max_calls='many': must be a whole number"),
        (5, 0.0, "max_lag=0.0: must be"),
    ],
)
def test_bounds_that_let_nobody_in(calls: object, lag: float, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Admission(calls, lag)  # type: ignore[arg-type]
