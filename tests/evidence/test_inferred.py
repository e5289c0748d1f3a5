"""Thresholds that a recording does not name: the ranges in which its events say that they lie."""

from __future__ import annotations

from turnkit import EagerEndOfTurn, EndOfTurn, StartOfTurn, TimedWord, TurnEvent, Update
from turnkit.evidence import InferredThresholds, Range, infer_thresholds
from turnkit.evidence.inferred import together
from turnkit.trace import Fed, Header, Trace

WORDS = (TimedWord("tea", 0.5, 1.0, 0.9),)


def inferred(*events: TurnEvent) -> InferredThresholds:
    records = tuple(Fed(event.audio_end, event) for event in events)
    return infer_thresholds(Trace(header=Header(), records=records))


def end(turn: int, confidence: float, at: float, trigger: str = "model") -> EndOfTurn:
    return EndOfTurn(turn, "tea", confidence, at, trigger, WORDS)


def test_an_end_is_at_or_above_the_threshold() -> None:
    """The least of them bounds it; one by hand or by timeout says nothing of that."""
    found = inferred(end(0, 0.9, 1.4), end(1, 0.8, 1.6), end(2, 0.3, 1.2, "manual"))
    assert (found.eot, found.eager, found.ends) == (Range(0.5, 0.8), None, 3)
    assert found.timeout.high == 60.0


def test_a_timeout_tells_how_long_it_is_and_what_was_not_enough() -> None:
    """After a second of silence; a number in a shorter one may have been let pass."""
    found = inferred(
        StartOfTurn(0, "tea", 0.1, 0.9),
        Update(0, "tea", 0.95, 1.3),
        Update(0, "tea", 0.62, 2.5),
        end(0, 0.6, 4.1, "timeout"),
    )
    assert found.eot == Range(0.62, 1.0)
    assert 2.8 < found.timeout.low < 2.9
    assert found.timeout.high == 4.1 - 1.0


def test_an_eager_end_is_at_or_above_its_threshold() -> None:
    """Which is 0.3 at least."""
    found = inferred(EagerEndOfTurn(0, "tea", 0.45, 1.2), EagerEndOfTurn(1, "tea", 0.5, 1.2))
    assert found.eager == Range(0.3, 0.45)


def test_nothing_is_known_of_nothing() -> None:
    """All that Flux takes."""
    found = inferred(StartOfTurn(0, "tea", 0.1, 0.9))
    assert found == InferredThresholds(Range(0.5, 1.0), None, Range(0.5, 60.0), 0)


def test_what_contradicts_itself_is_a_point() -> None:
    """A threshold that was changed in mid-call."""
    found = inferred(
        StartOfTurn(0, "tea", 0.1, 0.9), Update(0, "tea", 0.8, 3.0), end(0, 0.8, 6.0, "timeout"), end(1, 0.6, 1.5)
    )
    assert found.eot == Range(0.6, 0.6)
    assert str(found.eot) == "0.60"


def test_several_are_told_together() -> None:
    """As the range around all of them."""
    one, other = inferred(end(0, 0.9, 1.4)), inferred(end(0, 0.8, 1.4), EagerEndOfTurn(1, "tea", 0.45, 1.2))
    both = together([one, other])
    assert both is not None
    assert (both.eot, both.eager, both.ends) == (Range(0.5, 0.9), Range(0.3, 0.45), 2)
    assert str(both.eot) == "0.50 to 0.90"
    assert together([]) is None
