"""The rules of the turn machine under every ordering of events, with whatever policies it is given.

A Hypothesis machine deals any event with any words at any time, and a `Referee` checks the rules after every step.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .requirements import need

need("hypothesis", "turnkit.testing.MachineRules")

from hypothesis import HealthCheck, Phase, settings  # noqa: E402  (after it is known to be there)
from hypothesis import strategies as st  # noqa: E402
from hypothesis.stateful import (  # noqa: E402
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ..tools.proof import Referee  # noqa: E402
from ..turns.chart import ReplyState  # noqa: E402
from ..turns.events import (  # noqa: E402
    Busy,
    DraftDiscarded,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Initiate,
    Interrupt,
    Note,
    NoteKind,
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
from ..turns.machine import TurnMachine  # noqa: E402
from .strategies import machine_settings  # noqa: E402

texts = st.sampled_from(["", " ", "?!", "tea", "Tea.", "tea for two", "stop", "mm-hm", "3.5", "35", "हाँ", "はい。"])
turn_events = st.sampled_from([StartOfTurn, Update, Update, EagerEndOfTurn, TurnResumed, EndOfTurn])
lapses = st.sampled_from([0.0, 0.0, 0.08, 0.24, 1.0])


class MachineRules:
    """The machine under test, a twin and a copy of it, and the referee.

    Subclass it, for pytest, to test a policy of yours:

        class TestPolite(MachineRules):
            machine_settings = strategies.machine_settings(barge_in=polite)

    Attributes:
        machine_settings: A strategy for the settings of a TurnMachine. Default `strategies.machine_settings()`.
        policies_may_fail: Whether a policy may raise, or give no verdict; in live use it is replaced by the default
            then. Default False: it fails the test.
        examples: How many conversations to hold. Default 200.
        steps: How many steps each has at most. Default 60.
    """

    machine_settings: ClassVar[st.SearchStrategy[dict[str, Any]]] = machine_settings()
    policies_may_fail: ClassVar[bool] = False
    examples: ClassVar[int] = 200
    steps: ClassVar[int] = 60

    def test_the_rules_hold_in_any_order_of_events(self) -> None:
        """Whatever comes when, the machine keeps the rules, answers the same twice, and comes to rest."""
        kind = type(self)
        # Hypothesis runs a state machine, which pytest would not collect: it has an `__init__`.
        run_state_machine_as_test(
            type(kind.__name__, (kind, RuleBasedStateMachine), {"__module__": kind.__module__}),
            settings=settings(
                max_examples=self.examples,
                stateful_step_count=self.steps,
                deadline=None,
                report_multiple_bugs=False,
                suppress_health_check=[HealthCheck.too_slow],
                phases=[phase for phase in settings().phases if phase is not Phase.explain],
            ),
        )

    @initialize(data=st.data(), start=st.sampled_from([0.0, 123456.7]))
    def begin(self, data: st.DataObject, start: float) -> None:
        """A conversation begins, at any time on the clock."""
        self.drawn = data.draw(self.machine_settings, label="settings")
        self.at = start
        self.machine = TurnMachine(**self.drawn)
        self.twin = TurnMachine(**self.drawn)
        self.referee = Referee(self.machine, start)
        self.index = 0

    def feed(self, event: Event, lapse: float) -> None:
        """Let time pass, then feed the event; the twin, fed the same, and a copy cut off here answer the same.

        Args:
            event: what the machine is told.
            lapse: seconds since the event before it.
        """
        self.pass_time(self.at + lapse)
        copy = TurnMachine.restore(self.machine.snapshot(), **self.drawn)
        signals = self.machine.feed(event, self.at)
        assert signals == self.twin.feed(event, self.at) == copy.feed(event, self.at), "same events, same signals"
        assert self.machine.snapshot() == self.twin.snapshot() == copy.snapshot()
        self.check(event, signals)

    def pass_time(self, at: float) -> None:
        """Let nothing happen until second `at`."""
        self.at = at
        signals = self.machine.wake(at)
        assert signals == self.twin.wake(at), "same events, same signals"
        self.check(None, signals)

    def check(self, event: Event | None, signals: tuple[Signal, ...]) -> None:
        """Assert that the step was by the rules; extend it by those of your own.

        Args:
            event: what the machine was told; None if only time passed.
            signals: what it answered.
        """
        # The referee first: it goes on to watch the close, also after a policy that failed.
        self.referee.check(event, signals, self.at)
        for signal in signals:
            if isinstance(signal, Note) and signal.kind is NoteKind.POLICY_FAILED:
                assert self.policies_may_fail, f"a policy failed: {signal.detail}"

    @rule(kind=turn_events, text=texts, ahead=st.integers(-1, 2), confidence=st.floats(0, 1), lapse=lapses)
    def flux_says(self, kind: type[Any], text: str, ahead: int, confidence: float, lapse: float) -> None:
        """Any turn event, of this turn, the last or a later one."""
        index = max(-1, self.index + (ahead if ahead != 2 else 0))
        if kind is EndOfTurn:
            self.index = max(self.index, index + 1)
        self.feed(kind(index, text, confidence, self.at), lapse)

    @rule(text=texts, lapse=lapses)
    def flux_takes_a_turn(self, text: str, lapse: float) -> None:
        """The usual course, so that the deeper states are reached often."""
        index, self.index = self.index, self.index + 1
        self.feed(StartOfTurn(index, text), lapse)
        self.feed(EagerEndOfTurn(index, text, 0.6), lapse)
        self.feed(EndOfTurn(index, text, 0.8), lapse)

    @precondition(lambda self: self.machine.floor is not None)
    @rule(data=st.data(), lapse=lapses, heard=texts)
    def the_reply_is_played(self, data: st.DataObject, lapse: float, heard: str) -> None:
        """The reply that has the floor is heard, or heard out."""
        assert self.machine.floor is not None
        reply, state = self.machine.floor
        usual = [PlaybackStarted(reply)] if state is ReplyState.PENDING else [PlaybackAdvanced(reply, heard)]
        ends = [PlaybackFinished(reply), PlaybackFinished(reply, failed=True)]
        self.feed(data.draw(st.sampled_from([*usual, *usual, *usual, *ends])), lapse)

    @rule(reply=st.integers(-1, 12), heard=texts, on=st.booleans(), data=st.data(), lapse=lapses)
    def the_host_says_anything(self, reply: int, heard: str, on: bool, data: st.DataObject, lapse: float) -> None:
        """Any report or request, of any reply."""
        events: list[Event] = [
            PlaybackStarted(reply),
            PlaybackAdvanced(reply, heard),
            PlaybackFinished(reply, failed=on),
            Protect(reply, on),
            Initiate(on),
            Initiate(on, wait=True),
            Interrupt(heard),
            DraftDiscarded(reply, "failed"),
            Busy(on),
            StreamLost("gone"),
            StreamRestored("back"),
        ]
        self.feed(data.draw(st.sampled_from(events)), lapse)

    @precondition(lambda self: self.machine.draft is not None or self.machine.floor is not None)
    @rule(on=st.booleans(), reason=st.sampled_from(["failed", "context_changed", "?"]), lapse=lapses)
    def the_host_changes_its_mind(self, on: bool, reason: str, lapse: float) -> None:
        """The draft is no good, or the reply may not, or may again, be interrupted."""
        if self.machine.draft is not None:
            self.feed(DraftDiscarded(self.machine.draft, reason), lapse)
        elif self.machine.floor is not None:
            self.feed(Protect(self.machine.floor[0], on), lapse)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 60.0]))
    def silence(self, seconds: float) -> None:
        """Nothing happens for a while."""
        self.pass_time(self.at + seconds)

    @precondition(lambda self: self.machine.deadline is not None)
    @rule()
    def the_alarm_rings(self) -> None:
        """Nothing happens until the machine's own deadline."""
        assert self.machine.deadline is not None
        self.pass_time(self.machine.deadline)

    def teardown(self) -> None:
        """Silence alone brings any machine to rest, and close() leaves nothing open."""
        if not hasattr(self, "machine"):
            return
        copy = TurnMachine.restore(self.machine.snapshot(), **self.drawn)
        for _ in range(8):
            held = copy.floor is not None and copy.floor[1] is ReplyState.HELD
            waits = copy.suspended is not None and copy.floor is None
            if copy.turn is None and not held and not waits:
                break
            assert copy.deadline is not None, "a turn, a hold or a lost turn has a deadline"
            copy.wake(copy.deadline)
        else:
            raise AssertionError("silence does not bring the machine to rest")
        signals: tuple[Signal, ...] = self.machine.close(self.at)
        assert signals == self.twin.close(self.at)
        self.check(None, signals)
        self.referee.over()
