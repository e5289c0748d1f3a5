"""Scores of barge-in policies: every time the user spoke while the agent was heard, decided again by each policy.

The real machine decides, fed with nothing but that overlap. Whether the user wanted the floor is read off what
they said in the end: nothing at all, a backchannel, or the agent's own words come back are no reason to stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, get_args

import msgspec

from ...trace import Fed, Trace
from ...trace.timed import KINDS, event_of
from ...turns.events import (
    BargeIn,
    Commit,
    EndOfTurn,
    Event,
    Hold,
    Initiate,
    Interrupt,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Signal,
    StartOfTurn,
    TurnEvent,
    Update,
)
from ...turns.machine import TurnMachine
from ...turns.policy import (
    BARGE_IN_POLICIES,
    BargeInPolicy,
    EchoGuard,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    Overlap,
    Verdict,
)
from ...turns.policy.asking import ask_barge_in
from ...turns.policy.composition import AllOf, all_of
from ...turns.words import has_words
from .statistics import Estimate, quantile, share

POLICIES: Mapping[str, BargeInPolicy] = {
    name: policy for built_in in BARGE_IN_POLICIES for name, policy in built_in.compared.items()
}
_OVERLAPPING = frozenset({*get_args(TurnEvent), PlaybackAdvanced, PlaybackFinished})


class Intent(StrEnum):
    """What the user wanted, as far as their words tell."""

    FLOOR = "floor"
    NOTHING = "nothing"
    BACKCHANNEL = "backchannel"
    ECHO = "echo"


_MEANINGS: tuple[tuple[BargeInPolicy, Intent], ...] = (
    (EchoGuard(), Intent.ECHO),
    (IgnoreBackchannels(), Intent.BACKCHANNEL),
)


class RecordedOverlap(msgspec.Struct):
    """An overlap in a recorded call.

    Attributes:
        events: Events with their seconds: the first sound of the reply, what was heard of it when the user began, and
            all from there on.
        began: Second at which the user's turn began.
        meant: What the user wanted.
        final: Final words of the turn.
    """

    events: list[tuple[float, Event]]
    began: float
    meant: Intent
    final: str


class Verdicts(msgspec.Struct, frozen=True, array_like=True):
    """What each policy makes of one overlap, without what was said in it.

    Attributes:
        meant: What the user wanted.
        stops: Seconds from the start of the user's turn to the stop of the agent, by policy; None where it is not
            stopped.
        held: Policies by which the agent is held for a while.
    """

    meant: Intent
    stops: dict[str, float | None]
    held: frozenset[str] = frozenset()


class PolicyScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy makes of the overlaps.

    Attributes:
        policy: Name of the policy.
        overlaps: Number of overlaps.
        meant: Number of those in which the user wanted the floor.
        false_stops: Share of the others in which the agent was stopped.
        missed: Share of those meant for the floor in which it was not stopped, or only after the turn.
        reaction: Median seconds from the start of the turn to a right stop; None if there was none.
        pauses: Number of overlaps in which the agent was held for a while.
    """

    policy: str
    overlaps: int
    meant: int
    false_stops: Estimate
    missed: Estimate
    reaction: float | None
    pauses: int


def overlaps(trace: Trace) -> list[RecordedOverlap]:
    """Find the overlaps of a trace; raw frames of Flux have none.

    Those without an end are left out, and those into which the host interrupted.
    """
    found: list[RecordedOverlap] = []
    playing: list[Any] = []  # what has been heard of the reply that is
    heard = ""
    current: RecordedOverlap | None = None
    records: Iterable[Any] = () if trace.raw else trace.records  # of a trace of timed events, these too
    for record in records:
        kind: type[Any] = type(record)
        if kind in KINDS:
            event, kind = record, KINDS[kind]
            if current is None and kind is Update:
                continue  # most of a call
        elif kind is Fed:
            event, kind = record.event, type(record.event)
        else:
            if kind is BargeIn:
                playing = []
            continue
        if kind is PlaybackAdvanced:
            if playing:
                playing[1:] = [record]  # what had been heard before says nothing more
                heard = event.heard
        elif kind is PlaybackStarted:
            playing, heard = [record], ""
        elif kind is Interrupt:
            current = None  # it was not the user's speech that was judged
        elif kind is StartOfTurn and playing and current is None:
            current = RecordedOverlap([*map(_with_time, playing)], record.at, Intent.FLOOR, "")
        if current is not None and kind in _OVERLAPPING:
            current.events.append(_with_time(record))
            if kind is EndOfTurn:
                current.meant, current.final = intent_of(event.transcript, heard), event.transcript
                found.append(current)
                current = None
        if kind is PlaybackFinished:
            playing = []
    return found


def _with_time(record: Any) -> tuple[float, Event]:
    return record.at, record.event if type(record) is Fed else event_of(record)


def intent_of(text: str, heard: str) -> Intent:
    """What the user wanted with words said over the agent.

    Args:
        text: the final words.
        heard: what of the agent's reply was heard by then.
    """
    if not has_words(text):
        return Intent.NOTHING
    whole = Overlap(text, 10.0, 10.0, heard, False, True)
    for policy, meaning in _MEANINGS:
        verdict = policy(whole)
        if (verdict[0] if isinstance(verdict, tuple) else verdict) is Verdict.KEEP:
            return meaning
    return Intent.FLOOR


def score_policies(
    calls: Iterable[list[RecordedOverlap]], policies: Mapping[str, BargeInPolicy] = POLICIES
) -> list[PolicyScore]:
    """Score each policy on the overlaps.

    Args:
        calls: The overlaps of each call.
        policies: Policies by name; by default those of `POLICIES`.

    Returns:
        A score for each policy.
    """
    return score_verdicts((judge(call, policies) for call in calls), tuple(policies))


def judge(call: Iterable[RecordedOverlap], policies: Mapping[str, BargeInPolicy] = POLICIES) -> list[Verdicts]:
    """Have each policy decide about the overlaps of one call.

    Args:
        call: its overlaps.
        policies: by name; by default those of `POLICIES`.
    """
    shared = _sharing(policies)
    return [_verdicts(overlap, shared) for overlap in call]


def score_verdicts(calls: Iterable[list[Verdicts]], policies: Sequence[str] = tuple(POLICIES)) -> list[PolicyScore]:
    """Score each policy on overlaps that were judged already.

    Args:
        calls: The verdicts of each call.
        policies: Names of the policies that were asked.

    Returns:
        A score for each policy.
    """
    known = [call for call in calls if call]
    scores = []
    for name in policies:
        right = [[one.stops[name] for one in call if one.meant is Intent.FLOOR] for call in known]
        wrong = [[one.stops[name] for one in call if one.meant is not Intent.FLOOR] for call in known]
        scores.append(
            PolicyScore(
                policy=name,
                overlaps=sum(map(len, known)),
                meant=sum(map(len, right)),
                false_stops=share((len(call) - call.count(None), len(call)) for call in wrong),
                missed=share((call.count(None), len(call)) for call in right),
                reaction=quantile([at for call in right for at in call if at is not None], 0.5),
                pauses=sum(name in one.held for call in known for one in call),
            )
        )
    return scores


class _ByWords:
    """A policy that goes by nothing but what is said and heard: asked once for the same words."""

    def __init__(self, policy: BargeInPolicy) -> None:
        self._policy = policy
        self._answers: dict[tuple[str, str, bool], tuple[Verdict, str]] = {}

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        words = overlap.transcript, overlap.heard, overlap.final
        if words not in self._answers:
            self._answers[words] = ask_barge_in(self._policy, overlap)
        return self._answers[words]


def _sharing(policies: Mapping[str, BargeInPolicy]) -> dict[str, BargeInPolicy]:
    """These policies, of which those that are made of the same parts share what the parts answer."""
    parts: dict[BargeInPolicy, BargeInPolicy] = {}

    def shared(policy: BargeInPolicy) -> BargeInPolicy:
        if isinstance(policy, AllOf):
            return all_of(*map(shared, policy.policies))
        if isinstance(policy, HoldThenDecide):
            return HoldThenDecide(shared(policy.then), policy.seconds)
        if isinstance(policy, (EchoGuard, IgnoreBackchannels)) and isinstance(policy.then, Immediate):
            return parts.setdefault(policy, _ByWords(policy))
        return policy

    return {name: shared(policy) for name, policy in policies.items()}


class _Asked:
    """Several policies asked as one, as long as they answer alike: what the machine does then is the same for all.

    Attributes:
        alike: Those that have answered alike so far, by name.
        answers: What they have answered at the present event.
        parted: Others that have answered alike until now, each with their answers at this event, the last one theirs.
    """

    def __init__(self) -> None:
        self.alike: dict[str, BargeInPolicy] = {}
        self.answers: list[Verdict | Exception] = []
        self.parted: list[tuple[dict[str, BargeInPolicy], list[Verdict | Exception]]] = []
        self._place = 0

    def about(self, policies: dict[str, BargeInPolicy], answers: list[Verdict | Exception]) -> None:
        """Be these policies from now on, which have answered so at the present event, when they were asked before."""
        self.alike, self.answers, self._place = policies, answers, 0

    def __call__(self, overlap: Overlap) -> Verdict:
        self._place += 1
        if self._place > len(self.answers):
            self._ask(overlap)
        answer = self.answers[self._place - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _ask(self, overlap: Overlap) -> None:
        by_answer: dict[Verdict | None, tuple[dict[str, BargeInPolicy], Verdict | Exception]] = {}
        for name, policy in self.alike.items():
            answer: Verdict | Exception
            try:
                answer = ask_barge_in(policy, overlap)[0]
            except Exception as error:  # whatever it is, the machine does the same
                answer = error
            key = answer if isinstance(answer, Verdict) else None
            by_answer.setdefault(key, ({}, answer))[0][name] = policy
        (self.alike, first), *others = by_answer.values()
        self.parted += [(group, [*self.answers, answer]) for group, answer in others]
        self.answers = [*self.answers, first]


def _verdicts(overlap: RecordedOverlap, policies: Mapping[str, BargeInPolicy]) -> Verdicts:
    """What each policy makes of an overlap: one machine for all that answer alike, another from where they part."""
    asked = _Asked()
    machine = TurnMachine(barge_in=asked)
    commit = machine.feed(Initiate(), overlap.events[0][0])[0]
    assert isinstance(commit, Commit)
    stops: dict[str, float | None] = dict.fromkeys(policies)
    held: set[str] = set()
    ways = [(dict(policies), machine.state)]
    for at, event in overlap.events:
        renamed = _renamed(event)
        onward = []
        for group, state in ways:
            asked.parted.append((group, []))
            while asked.parted:
                asked.about(*asked.parted.pop())
                machine.state = state if len(asked.alike) == 1 and not asked.parted else state.copy()
                stopped = False
                for signal in _fed(machine, renamed, at):
                    if type(signal) is Hold:
                        held.update(asked.alike)
                    elif type(signal) is BargeIn:
                        stops.update(dict.fromkeys(asked.alike, signal.at - overlap.began))
                        stopped = True
                        break
                if not stopped:
                    onward.append((asked.alike, machine.state))
        ways = onward
    return Verdicts(overlap.meant, stops, frozenset(held))


def _fed(machine: TurnMachine, event: Event, at: float) -> tuple[Signal, ...]:
    """The signals of an event; the deadline first, where one falls before it, as a live session would."""
    due = machine.deadline
    return machine.feed(event, at) if due is None or due >= at else (*machine.wake(due), *machine.feed(event, at))


def _renamed(event: Event) -> Event:
    """The event as about reply 0, the only one there is."""
    if isinstance(event, (PlaybackStarted, PlaybackAdvanced, PlaybackFinished)):
        return msgspec.structs.replace(event, reply=0)
    return event
