"""What must hold for every ordering of events: legal or not, duplicated, reordered, dropped, cut off.

A Hypothesis machine deals any event with any words at any time, and a `Referee` checks the rules after every step.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from referee import Referee

from turnkit.chart import Reply
from turnkit.events import (
    Busy,
    DraftDiscarded,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Initiate,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    Signal,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnResumed,
    Update,
)
from turnkit.machine import TurnMachine
from turnkit.policy import (
    Budget,
    Grace,
    Immediate,
    MinConfidence,
    MinDuration,
    MinWords,
    Never,
    NoSpeculation,
    OnEager,
    Overlap,
    Pause,
    Verdict,
)


def moody(overlap: Overlap) -> tuple[Verdict, str]:
    """Every verdict there is, by what the overlap looks like."""
    mood = len(overlap.transcript) + int(overlap.elapsed * 10) + 2 * overlap.held + overlap.final
    return list(Verdict)[mood % len(Verdict)], "a mood"


def broken_barge_in(overlap: Overlap) -> Verdict:
    raise RuntimeError(overlap.transcript)


def broken_speculation(pause: Pause) -> bool:
    raise RuntimeError(pause.transcript)


def hold_then_keep(overlap: Overlap) -> Verdict:
    return Verdict.KEEP if overlap.final else Verdict.HOLD


BARGE_IN = [
    Immediate(),
    Never(),
    MinWords(2),
    MinDuration(0.5),
    Grace(1.0),
    moody,
    hold_then_keep,
    broken_barge_in,
]
SPECULATION = [OnEager(), NoSpeculation(), MinConfidence(0.5), Budget(1, 2.0), broken_speculation]

machine_settings = st.fixed_dictionaries(
    {
        "barge_in": st.sampled_from(BARGE_IN),
        "speculation": st.sampled_from(SPECULATION),
        "hold_timeout": st.sampled_from([0.5, 2.0]),
        "lost_turn_grace": st.sampled_from([0.0, 2.0]),
        "stall_timeout": st.sampled_from([1.0, 8.0]),
        "stall_grace": st.sampled_from([0.0, 2.0]),
        "idle_timeout": st.sampled_from([None, 0.7, 3.0]),
    }
)
texts = st.sampled_from(["", " ", "?!", "tea", "Tea.", "tea for two", "stop", "mm-hm", "3.5", "35", "हाँ", "はい。"])
turn_events = st.sampled_from([StartOfTurn, Update, Update, EagerEndOfTurn, TurnResumed, EndOfTurn])
lapses = st.sampled_from([0.0, 0.0, 0.08, 0.24, 1.0])


class AnyOrdering(RuleBasedStateMachine):
    """The machine under test, two shadows of it, and the referee."""

    @initialize(settings=machine_settings, start=st.sampled_from([0.0, 123456.7]))
    def begin(self, settings: dict[str, Any], start: float) -> None:
        self.settings = settings
        self.at = start
        self.machine = TurnMachine(**settings)
        self.twin = TurnMachine(**settings)
        self.referee = Referee(self.machine, start)
        self.index = 0

    def deal(self, event: Event, lapse: float) -> None:
        """Time passes, then the event; the twin, fed the same, and a copy cut off here answer the same."""
        self.pass_time(self.at + lapse)
        copy = TurnMachine.restore(self.machine.snapshot(), **self.settings)
        signals = self.machine.feed(event, self.at)
        assert signals == self.twin.feed(event, self.at) == copy.feed(event, self.at)
        assert self.machine.snapshot() == self.twin.snapshot() == copy.snapshot()
        self.referee.check(event, signals, self.at)

    def pass_time(self, at: float) -> None:
        self.at = at
        signals = self.machine.wake(at)
        assert signals == self.twin.wake(at)
        self.referee.check(None, signals, at)

    @rule(kind=turn_events, text=texts, ahead=st.integers(-1, 2), confidence=st.floats(0, 1), lapse=lapses)
    def flux_says(self, kind: type[Any], text: str, ahead: int, confidence: float, lapse: float) -> None:
        index = max(-1, self.index + (ahead if ahead != 2 else 0))
        if kind is EndOfTurn:
            self.index = max(self.index, index + 1)
        self.deal(kind(index, text, confidence, self.at), lapse)

    @rule(text=texts, lapse=lapses)
    def flux_takes_a_turn(self, text: str, lapse: float) -> None:
        """The usual course, so that the deeper states are reached often."""
        index, self.index = self.index, self.index + 1
        self.deal(StartOfTurn(index, text), lapse)
        self.deal(EagerEndOfTurn(index, text, 0.6), lapse)
        self.deal(EndOfTurn(index, text, 0.8), lapse)

    @precondition(lambda self: self.machine.floor is not None)
    @rule(data=st.data(), lapse=lapses, heard=texts)
    def the_reply_is_played(self, data: st.DataObject, lapse: float, heard: str) -> None:
        assert self.machine.floor is not None
        reply, state = self.machine.floor
        usual = [PlaybackStarted(reply)] if state is Reply.PENDING else [PlaybackAdvanced(reply, heard)]
        self.deal(data.draw(st.sampled_from([*usual, *usual, PlaybackFinished(reply)])), lapse)

    @rule(reply=st.integers(-1, 12), heard=texts, on=st.booleans(), data=st.data(), lapse=lapses)
    def the_host_says_anything(self, reply: int, heard: str, on: bool, data: st.DataObject, lapse: float) -> None:
        events: list[Event] = [
            PlaybackStarted(reply),
            PlaybackAdvanced(reply, heard),
            PlaybackFinished(reply),
            Protect(reply, on),
            Initiate(on),
            DraftDiscarded(reply, "failed"),
            Busy(on),
            StreamLost("gone"),
            StreamRestored("back"),
        ]
        self.deal(data.draw(st.sampled_from(events)), lapse)

    @precondition(lambda self: self.machine.draft is not None or self.machine.floor is not None)
    @rule(on=st.booleans(), reason=st.sampled_from(["failed", "context_changed", "?"]), lapse=lapses)
    def the_host_changes_its_mind(self, on: bool, reason: str, lapse: float) -> None:
        if self.machine.draft is not None:
            self.deal(DraftDiscarded(self.machine.draft, reason), lapse)
        elif self.machine.floor is not None:
            self.deal(Protect(self.machine.floor[0], on), lapse)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 60.0]))
    def silence(self, seconds: float) -> None:
        self.pass_time(self.at + seconds)

    @precondition(lambda self: self.machine.deadline is not None)
    @rule()
    def the_alarm_rings(self) -> None:
        assert self.machine.deadline is not None
        self.pass_time(self.machine.deadline)

    def teardown(self) -> None:
        """Silence alone brings any machine to rest, and close() leaves nothing open."""
        if not hasattr(self, "machine"):
            return
        copy = TurnMachine.restore(self.machine.snapshot(), **self.settings)
        for _ in range(8):
            held = copy.floor is not None and copy.floor[1] is Reply.HELD
            waits = copy.suspended is not None and copy.floor is None
            if copy.turn is None and not held and not waits:
                break
            assert copy.deadline is not None, "a turn, a hold or a lost turn has a deadline"
            copy.wake(copy.deadline)
        else:
            raise AssertionError("silence does not bring the machine to rest")
        signals: tuple[Signal, ...] = self.machine.close(self.at)
        assert signals == self.twin.close(self.at)
        self.referee.check(None, signals, self.at)
        self.referee.over()


AnyOrdering.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAnyOrdering = AnyOrdering.TestCase
