"""The same call again: to the same signals under the same settings, or to what others would have made of it."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import ConfigError, LocalProtocolError, TraceMismatch
from ..turns.events import Note, NoteKind, ReplyEnded, Signal
from ..turns.machine import TurnMachine
from .comparison import Comparison, compare
from .counterfactual import play
from .policy_text import policy_from_text, policy_to_text
from .records import Closed, Fed, Trace, Woken

_POLICIES = ("barge_in", "speculation")
_SESSIONS_OWN = frozenset(
    {
        NoteKind.MALFORMED_MESSAGE,
        NoteKind.UNKNOWN_MESSAGE,
        NoteKind.SEQUENCE_GAP,
        NoteKind.FLUX_WARNING,
        NoteKind.CONFIGURE_FAILED,
        NoteKind.CALLBACK_FAILED,
    }
)
_CONTEXT = 3  # signals before a difference


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a replay.

    Fields: `signals` of the machine; `settings` it was given; `changed` those that differ from the recorded ones, as
    texts, before and after; `verified`: the settings were the recorded ones and so were the signals, one by one;
    `turns` every turn as recorded and as replayed, side by side (with raw frames, "as recorded" is what turnkit's
    defaults make of them).
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
    """The settings under which a call was held, with those `given` in place of the recorded ones.

    Raises ConfigError for a recorded policy that is not turnkit's own and is not given.
    """
    settings = {name: value for name, value in trace.header.settings.items() if name not in given}
    for name in _POLICIES:
        if isinstance(text := settings.get(name), str):
            try:
                settings[name] = policy_from_text(text, name)
            except ConfigError as error:
                raise ConfigError(f"trace {trace.name!r}: {error}") from None
    return {**settings, **given}


def replay(trace: Trace, **settings: Any) -> Replayed:
    """Feed a machine with what was recorded, under the recorded settings or, where given, under others.

    With the recorded ones (a policy of your own must be given: a trace only has its name) the signals must be those
    that were recorded, one by one and to the last bit; raises TraceMismatch if they are not, with the first difference
    and what came before it. With others it says what would have been different, `Replayed.turns`, as far as a trace
    can tell: Flux said what it said, and the agent was heard when it was heard. Where the two part so that the agent
    would have said something else (a turn answered that was not, a reply not interrupted), what follows is a guess,
    and each later turn is marked `beyond`: a reply that talks on is taken to end before the next thing that was
    recorded, one that was never recorded to be over at once. Raises ConfigError for a setting that cannot work.
    """
    try:
        chosen = recorded_settings(trace, **settings)
        machine = TurnMachine(**chosen)
    except TypeError:
        unknown = ", ".join(sorted(set(chosen) - set(_names())))
        raise ConfigError(f"trace {trace.name!r}: {unknown}: no setting of this turnkit's machine") from None
    texts = {name: (_text(trace.header.settings.get(name, _default(name))), _text(settings[name])) for name in settings}
    changed = {name: (recorded, given) for name, (recorded, given) in texts.items() if recorded != given}
    if trace.raw or changed:
        signals = play(trace, machine)
        before = play(trace, TurnMachine()) if trace.raw else _recorded(trace)
    else:
        signals = before = _again(trace, machine)
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


def _recorded(trace: Trace) -> list[Signal]:
    """The signals that were the machine's."""
    return [
        signal
        for signal in trace.signals()
        if not isinstance(signal, ReplyEnded) and not (isinstance(signal, Note) and signal.kind in _SESSIONS_OWN)
    ]


def _again(trace: Trace, machine: TurnMachine) -> list[Signal]:
    """Exactly what was fed, at exactly the times; the signals, which are those recorded."""
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
    except LocalProtocolError as error:
        raise ConfigError(f"trace {trace.name!r}: holds what no machine takes: {error}") from None
    expected = _recorded(trace)
    told = signals
    if trace.header.redacted:
        # The reasons of a host's own policies were left out.
        told = [_without_reason(one, like) for one, like in zip(signals, expected, strict=False)]
        told += signals[len(told) :]
    if told != expected and (trace.ended or len(expected) < last or told[: len(expected)] != expected):
        raise TraceMismatch(_difference(trace, expected, told))
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
    lines += [f"    {_told(signal, began)}" for signal in expected[max(0, place - _CONTEXT) : place]]
    one = expected[place] if place < len(expected) else None
    other = got[place] if place < len(got) else None
    lines.append(f"  - {_told(one, began, other)}    (recorded)")
    lines.append(f"  + {_told(other, began, one)}    (replayed)")
    if trace.header.redacted:
        lines.append("  (its words are redacted: a policy that looks into words may decide otherwise by them)")
    if trace.skipped:
        lines.append(f"  ({trace.skipped} lines of it are not known to this version of turnkit)")
    return "\n".join(lines)


def _told(signal: Signal | None, began: float, other: Signal | None = None) -> str:
    if signal is None:
        return "nothing"
    fields = []
    for name in signal.__struct_fields__:
        value = getattr(signal, name)
        if name in ("transcript", "unanswered"):
            same = getattr(other, name, value) == value
            size = f"{len(value)} {'characters' if name == 'transcript' else 'texts'}"
            fields.append(f"{name}=<{size}{'' if same else ', others'}>")
        elif name != "at":
            fields.append(f"{name}={str(value)!r}" if isinstance(value, str) else f"{name}={value!r}")
    exact = "" if other is None or other.at == signal.at else f" (at={signal.at!r})"
    return f"{signal.at - began:9.3f} s  {type(signal).__name__}({', '.join(fields)}){exact}"
