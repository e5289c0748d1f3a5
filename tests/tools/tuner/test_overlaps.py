"""Overlaps are judged by one machine for all policies that answer alike: as if each had one of its own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.many_calls import bodies
from turnkit.evidence import evidence_of
from turnkit.tools.tuner import POLICIES, Intent, RecordedOverlap, judge, overlaps
from turnkit.tools.tuner.overlaps import _sharing
from turnkit.trace import parse
from turnkit.trace.reader import _Reader
from turnkit.turns.events import (
    BargeIn,
    EndOfTurn,
    Event,
    Hold,
    Initiate,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
    Update,
)
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import BargeInPolicy, HoldThenDecide, MinDuration, Overlap, Verdict

HEARD = "we open at nine on Monday and at ten on Sunday"
SAID = ("", "mm", "mm-hm", "I", "I see", "open at nine", "we open at nine on", "no", "no wait", "at four", "on Monday?")


def literally(overlap: RecordedOverlap, policy: BargeInPolicy) -> tuple[float | None, bool]:
    """When this policy stops the agent, and whether it held it before: a machine for it alone."""
    machine = TurnMachine(barge_in=policy)
    machine.feed(Initiate(), overlap.events[0][0])
    held = False
    for at, event in overlap.events:
        due = machine.deadline
        for signal in (*(machine.wake(due) if due is not None and due < at else ()), *machine.feed(event, at)):
            held = held or type(signal) is Hold
            if type(signal) is BargeIn:
                return signal.at - overlap.began, held
    return None, held


@st.composite
def spoken(draw: st.DrawFn) -> RecordedOverlap:
    """Somebody speaks while a reply is heard: words come and change, the reply goes on, or ends in the middle."""
    words = HEARD.split()
    events: list[tuple[float, Event]] = [(1.0, PlaybackStarted(0)), (1.5, PlaybackAdvanced(0, " ".join(words[:5])))]
    at = 2.0
    events.append((at, StartOfTurn(3, draw(st.sampled_from(SAID)))))
    for number in range(draw(st.integers(0, 8))):
        at += draw(st.sampled_from((0.08, 0.24, 0.5, 2.5, 9.0)))
        advanced = PlaybackAdvanced(0, " ".join(words[: 6 + number]))
        text = draw(st.sampled_from(SAID))
        kinds: tuple[Event, ...] = (Update(3, text), Update(3, text), advanced, PlaybackFinished(0))
        events.append((at, draw(st.sampled_from(kinds))))
    events.append((at + 0.3, EndOfTurn(3, draw(st.sampled_from(SAID)))))
    return RecordedOverlap(events, 2.0, Intent.FLOOR, "")


def failing(overlap: Overlap) -> Verdict:
    """Waits, and then fails."""
    if len(overlap.transcript) > 3:
        raise ValueError("too long")
    return Verdict.WAIT


MORE: dict[str, BargeInPolicy] = {
    **POLICIES,
    "failing": failing,
    "keep": lambda overlap: Verdict.KEEP if overlap.transcript else Verdict.WAIT,
    "hold": HoldThenDecide(MinDuration(2.0), 0.3),
}


@settings(deadline=None, max_examples=200)
@given(spoken())
def test_each_policy_is_judged_as_if_it_were_alone(overlap: RecordedOverlap) -> None:
    """Those that answer, those that fail, those that hold."""
    (verdicts,) = judge([overlap], MORE)
    alone = {name: literally(overlap, policy) for name, policy in MORE.items()}
    assert verdicts.stops == {name: stop for name, (stop, _) in alone.items()}
    assert verdicts.held == {name for name, (_, held) in alone.items() if held}
    assert list(verdicts.stops) == list(MORE)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.builds(
            Overlap,
            st.sampled_from(SAID),
            st.floats(0, 5),
            st.floats(0, 5),
            st.sampled_from(("", HEARD, HEARD[:20])),
            st.booleans(),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_what_policies_share_is_what_each_would_answer(asked: list[Overlap]) -> None:
    """Also about the same words at another time, or while the agent is held."""
    shared = _sharing(POLICIES)
    for overlap in asked:
        assert {name: one(overlap) for name, one in shared.items()} == {n: one(overlap) for n, one in POLICIES.items()}


@pytest.mark.parametrize("number", range(4))
def test_timed_events_tell_the_same(number: int) -> None:
    """Overlaps, silences, drafts and languages."""
    reader = _Reader("", timed=True)
    reader.take(bodies()[number], 1, whole=True)
    plain, timed = parse(bodies()[number]), reader.trace()
    assert timed.records != plain.records
    assert overlaps(timed) == overlaps(plain) != []
    for figures in (False, True):
        assert evidence_of(timed, figures=figures) == evidence_of(plain, figures=figures)
