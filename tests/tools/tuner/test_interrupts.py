"""What the host did in a recorded call says nothing about silences, nor about what the user meant."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from turnkit import TurnMachine
from turnkit.tools.tuner import call_silences, overlaps
from turnkit.trace import Fed, Header, Trace
from turnkit.turns.events import (
    Cancel,
    CancelReason,
    Commit,
    EndOfTurn,
    Event,
    Interrupt,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
    TimedWord,
)
from turnkit.turns.policy import MinWords


def recorded(*steps: tuple[float, Event], **settings: Any) -> Trace:
    """The call of these events, whose audio is as far as the clock."""
    machine, records = TurnMachine(**settings), []
    for at, event in steps:
        records += [Fed(at, event), *machine.feed(event, at)]
    return Trace(header=Header(), records=tuple(records), name="call", ended="closed")


def said(index: int, text: str, begin: float, end: float) -> tuple[tuple[float, Event], ...]:
    """A turn of one word, final half a second after it."""
    words = (TimedWord(text, begin, end, 0.9),)
    return (
        (begin + 0.3, StartOfTurn(index, text, 0.1, begin + 0.3)),
        (end + 0.5, EndOfTurn(index, text, 0.8, end + 0.5, "model", words)),
    )


def triggers(trace: Trace) -> list[str]:
    return [signal.trigger for signal in trace.signals() if isinstance(signal, Commit)]


def test_a_typed_text_does_not_make_the_turn_before_it_end_too_soon() -> None:
    """It cancels an answer that was not heard yet, and yet nobody went on speaking."""
    trace = recorded(*said(0, "tea", 0.0, 0.5), (1.2, Interrupt("with milk")), *said(1, "please", 4.0, 4.5))
    assert triggers(trace) == ["model", "typed", "model"]
    assert CancelReason.NEW_TURN in [one.reason for one in trace.signals() if isinstance(one, Cancel)]
    assert [[silence.seconds for silence in one] for one in call_silences(trace).utterances] == [[inf], [inf]]


def test_speech_over_the_answer_to_a_typed_text_does_not_either() -> None:
    """The answer that was cancelled was not to what was spoken before."""
    spoken = (*said(0, "tea", 0.0, 0.5), (1.2, PlaybackStarted(0)), (1.8, PlaybackFinished(0)))
    trace = recorded(*spoken, (3.0, Interrupt("with milk")), *said(1, "please", 4.0, 4.5))
    assert triggers(trace) == ["model", "typed", "model"]
    assert [[silence.seconds for silence in one] for one in call_silences(trace).utterances] == [[inf], [inf]]


def test_speech_over_the_answer_to_speech_still_does() -> None:
    """That is what a turn that was ended too soon looks like."""
    trace = recorded(*said(0, "tea", 0.0, 0.5), *said(1, "please", 4.0, 4.5))
    assert [[silence.seconds for silence in one] for one in call_silences(trace).utterances] == [
        [pytest.approx(3.5), inf]
    ]


def test_an_overlap_that_the_host_interrupted_is_left_out() -> None:
    """The agent was stopped by a key: what the user was about to mean is not for a policy to be judged by."""
    talk = (*said(0, "tea", 0.0, 0.5), (1.2, PlaybackStarted(0)))
    for pressed in ((), ((2.6, Interrupt()),)):
        steps = sorted([*talk, *said(1, "er", 2.0, 3.0), *pressed], key=lambda step: step[0])
        assert len(overlaps(recorded(*steps, barge_in=MinWords(2)))) == (0 if pressed else 1)
