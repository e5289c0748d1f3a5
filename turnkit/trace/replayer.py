"""Replay of a recorded call: the same signals under the same settings, or what other settings would have made."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import ConfigError, LocalProtocolError, TraceMismatch
from ..turns.events import (
    SPOKEN,
    BargeIn,
    Commit,
    Note,
    NoteKind,
    ReplyEnded,
    Signal,
    Speculate,
    TurnStarted,
)
from ..turns.machine import TurnMachine
from .chosen_policy import ChosenPolicy, chosen_policy
from .comparison import Comparison, compare
from .counterfactual import replay_under
from .policy_text import policy_from_text, policy_to_text
from .records import VERSION, Closed, Fact, Fed, Trace, Woken

_POLICIES = ("barge_in", "speculation")
_MACHINE_NOTES = frozenset(
    {
        NoteKind.STALE_TURN,
        NoteKind.MISSED_END,
        NoteKind.MISSING_START,
        NoteKind.DUPLICATE_START,
        NoteKind.MISSING_RESUME,
        NoteKind.STRAY_RESUME,
        NoteKind.BLANK_EAGER,
        NoteKind.LATE_WORDS,
        NoteKind.EARLY_PLAYBACK,
        NoteKind.POLICY_FAILED,
    }
)
"""All others are the session's own."""
_SINCE_VERSION_2: dict[type, dict[str, Any]] = {
    TurnStarted: {"overlaps": None},
    Speculate: {"unanswered": (), "words": (), "languages": ()},
    Commit: {"words": (), "languages": ()},
    BargeIn: {"heard": ""},
}
"""What signals did not say before, and read as then."""
_CONTEXT = 3  # signals before a difference


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a replay.

    Attributes:
        signals: Signals of the machine.
        settings: Settings that the machine was given.
        changed: Settings that differ from the recorded ones, as texts, before and after.
        verified: Whether the settings were the recorded ones, and the signals too, one by one.
        turns: Every turn as recorded and as replayed, side by side; of raw frames, "as recorded" is what turnkit's
            defaults make of them.
    """

    signals: tuple[Signal, ...]
    settings: dict[str, Any]
    changed: dict[str, tuple[str, str]]
    verified: bool
    turns: tuple[Comparison, ...]

    def __repr__(self) -> str:
        # The signals hold what was said; a repr ends up in logs.
        return f"<Replayed: {len(self.signals)} signals, {'verified' if self.verified else 'not comparable'}>"

    @property
    def differing(self) -> tuple[Comparison, ...]:
        """The turns that come out differently."""
        return tuple(turn for turn in self.turns if turn.changes)


def recorded_settings(trace: Trace, **given: Any) -> dict[str, Any]:
    """The settings under which a call was held, with others in place of the recorded ones.

    Args:
        trace: The recorded call.
        given: Settings of `TurnMachine` that replace the recorded ones.

    Returns:
        Settings to build a `TurnMachine` with.

    Raises:
        ConfigError: A recorded policy is not turnkit's own, and is not given.
    """
    settings = {name: value for name, value in trace.header.settings.items() if name not in given}
    for name in _POLICIES:
        if isinstance(text := settings.get(name), str):
            try:
                settings[name] = policy_from_text(text, name)
            except ConfigError as error:
                chosen = chosen_policy(trace) if name == "barge_in" else None
                if chosen is None:
                    option = f"--{name.replace('_', '-')}"
                    raise ConfigError(f"trace {trace.name!r}: {error} (turnkit replay {option} does)") from None
                settings[name] = chosen
    return {**settings, **given}


def replay(trace: Trace, **settings: Any) -> Replayed:
    """Feed a machine with what was recorded, under the recorded settings or, where given, under others.

    Under the recorded settings the signals must be those that were recorded, one by one and to the last bit. Under
    others the result says what would have been different (`Replayed.turns`), as far as a trace can tell: Flux said
    what it said, and the agent was heard when it was heard. Once the agent would have said something else (a turn is
    answered that was not, a reply is not interrupted), what follows is a guess, and each later turn is marked
    `beyond`. The guess: a reply that was interrupted in the recording, and now is not, ends before the next thing
    that was recorded; a reply that was never recorded is over at once.

    Args:
        trace: The recorded call.
        settings: Settings of `TurnMachine` in place of the recorded ones, seconds in those of the call. A policy of
            your own must be given, because a trace only has its name.

    Returns:
        The signals, and every turn as recorded and as replayed.

    Raises:
        TraceMismatch: The settings are the recorded ones and the signals are not; it shows the first difference and
            what came before it.
        ConfigError: A setting cannot work, or the trace holds what no machine takes.
    """
    paced = trace.in_call_time()
    before_them = {name: paced.header.settings.get(name, _default(name)) for name in settings}
    texts = {name: (_text(before_them[name]), _text(settings[name])) for name in settings}
    changed = {name: (recorded, given) for name, (recorded, given) in texts.items() if recorded != given}
    if changed:  # what is exact to the last bit is so by the clock of the recording alone
        trace = paced
    elif trace is not paced:
        settings = {name: value for name, value in settings.items() if callable(value)}
    try:
        chosen = recorded_settings(trace, **settings)
        machine = TurnMachine(**chosen)
    except TypeError:
        unknown = ", ".join(sorted(set(chosen) - set(_names())))
        raise ConfigError(f"trace {trace.name!r}: {unknown}: no setting of this turnkit's machine") from None
    policy = given if isinstance(given := chosen.get("barge_in"), ChosenPolicy) else None
    if trace.raw or changed:
        signals = replay_under(trace, machine, None if policy is None else policy.heed)
        before = replay_under(trace, TurnMachine()) if trace.raw else _recorded_signals(trace)
    else:
        signals = before = _replay_exactly(trace, machine, policy)
    return Replayed(
        signals=tuple(signals),
        settings=chosen,
        changed=changed,
        verified=not (trace.raw or changed),
        turns=compare(before, signals),
    )


def _names() -> tuple[str, ...]:
    return tuple(TurnMachine.__init__.__kwdefaults__ or ())


def _default(name: str) -> object:
    return (TurnMachine.__init__.__kwdefaults__ or {}).get(name)


def _text(value: object) -> str:
    if callable(value):
        return policy_to_text(value)
    return repr(float(value)) if isinstance(value, (int, float)) else str(value)


def _recorded_signals(trace: Trace) -> list[Signal]:
    """The recorded signals of the machine, without the session's own."""
    return [
        signal
        for signal in trace.signals()
        if not isinstance(signal, ReplyEnded) and not (isinstance(signal, Note) and signal.kind not in _MACHINE_NOTES)
    ]


def _replay_exactly(trace: Trace, machine: TurnMachine, chosen: ChosenPolicy | None) -> list[Signal]:
    """Feed exactly what was recorded, at exactly the times; return the signals, which are those recorded."""
    signals: list[Signal] = []
    last = 0  # the signals before the last step
    feed = machine.feed
    try:
        for record in trace.records:
            kind = type(record)
            if kind is Fed:
                last = len(signals)
                signals += feed(record.event, record.at)  # type: ignore[union-attr]
            elif kind is Woken:
                last = len(signals)
                signals += machine.wake(record.at)
            elif kind is Closed:
                last = len(signals)
                signals += machine.close(record.at)
            elif kind is Fact and chosen is not None:
                chosen.heed(record)  # type: ignore[arg-type]
    except LocalProtocolError as error:
        raise ConfigError(f"trace {trace.name!r}: holds what no machine takes: {error}") from None
    expected = _recorded_signals(trace)
    got = signals
    if trace.header.trace < VERSION:
        got = [msgspec.structs.replace(one, **_SINCE_VERSION_2.get(type(one), {})) for one in got]
    if trace.header.redacted:
        # The reasons of a host's own policies were left out.
        got = [
            *(_without_reason(one, like) for one, like in zip(got, expected, strict=False)),
            *got[len(expected) :],
        ]
    if got != expected and (trace.ended or len(expected) < last or got[: len(expected)] != expected):
        raise TraceMismatch(_difference(trace, expected, got))
    return signals


def _without_reason(signal: Signal, recorded: Signal) -> Signal:
    if getattr(signal, "why", "") and getattr(recorded, "why", None) == "":
        return msgspec.structs.replace(signal, why="")
    return signal


def _difference(trace: Trace, expected: list[Signal], got: list[Signal]) -> str:
    """The first difference, and what came before it; what was said is not quoted."""
    place = next(
        (place for place, (one, other) in enumerate(zip(expected, got, strict=False)) if one != other),
        min(len(expected), len(got)),
    )
    began = trace.began_at
    lines = [f"trace {trace.name!r}: signal {place + 1} of {len(expected)} comes out differently"]
    lines += [f"    {_described(signal, began)}" for signal in expected[max(0, place - _CONTEXT) : place]]
    one = expected[place] if place < len(expected) else None
    other = got[place] if place < len(got) else None
    lines.append(f"  - {_described(one, began, other)}    (recorded)")
    lines.append(f"  + {_described(other, began, one)}    (replayed)")
    if trace.header.redacted:
        lines.append("  (its words are redacted: a policy that looks into words may decide otherwise by them)")
    if trace.skipped:
        lines.append(f"  ({trace.skipped} lines of it are not known to this version of turnkit)")
    return "\n".join(lines)


def _described(signal: Signal | None, began: float, other: Signal | None = None) -> str:
    if signal is None:
        return "nothing"
    fields = []
    for name in signal.__struct_fields__:
        value = getattr(signal, name)
        if name in SPOKEN:
            same = getattr(other, name, value) == value
            size = f"{len(value)} {'characters' if isinstance(value, str) else 'texts'}"
            fields.append(f"{name}=<{size}{'' if same else ', others'}>")
        elif name != "at":
            fields.append(f"{name}={str(value)!r}" if isinstance(value, str) else f"{name}={value!r}")
    exact = "" if other is None or other.at == signal.at else f" (at={signal.at!r})"
    return f"{signal.at - began:9.3f} s  {type(signal).__name__}({', '.join(fields)}){exact}"
