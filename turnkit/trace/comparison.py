"""Two courses of one call, turn by turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ..turns.events import Signal
from .turn_history import TurnHistory, turn_histories

SAME = 0.01
"""Seconds: timers ring late, and a recorded deadline was kept as well as a loaded machine could."""


class Comparison(msgspec.Struct, frozen=True):
    """One turn in both courses; None where there is no such turn. `beyond`: more than a trace can tell, see `replay`.

    `changes` says in words what is different, empty if nothing is.
    """

    turn: int
    before: TurnHistory | None
    after: TurnHistory | None
    changes: tuple[str, ...]
    beyond: bool = False


def compare(before: Iterable[Signal], after: Iterable[Signal]) -> tuple[Comparison, ...]:
    """Every turn of either course, in order."""
    ours, theirs = turn_histories(before), turn_histories(after)
    compared = []
    parted = False
    for turn in sorted({*ours, *theirs}):
        one, other = ours.get(turn), theirs.get(turn)
        compared.append(Comparison(turn, one, other, tuple(_changes(one, other)), parted))
        parted = parted or _parts(one, other)
    return tuple(compared)


def _parts(one: TurnHistory | None, other: TurnHistory | None) -> bool:
    """Whether the user would have heard something else from here on."""
    if one is None or other is None:
        return True
    return one.outcome != other.outcome or (one.barged_in is None) != (other.barged_in is None)


def _changes(one: TurnHistory | None, other: TurnHistory | None) -> Iterator[str]:
    if one is None or other is None:
        yield "would not have been a turn" if other is None else "would have been a turn"
        return
    if one.outcome != other.outcome:
        yield f"{other.outcome}, not {one.outcome}"
    elif one.committed is not None and other.committed is not None:
        yield from _moved("answered", other.committed - one.committed)
    if (one.barged_in is None) != (other.barged_in is None):
        yield "no barge-in" if other.barged_in is None else "a barge-in"
    elif one.barged_in is not None and other.barged_in is not None:
        yield from _moved("barge-in", other.barged_in - one.barged_in)
    for what, count in (("draft", other.drafts - one.drafts), ("pause", other.holds - one.holds)):
        if count:
            yield f"{abs(count)} {what}{'' if abs(count) == 1 else 's'} {'more' if count > 0 else 'fewer'}"
    if one.committed is not None and other.committed is not None:
        if one.speculative != other.speculative:
            yield "answered from a draft" if other.speculative else "answered without a draft"
        elif one.lead is not None and other.lead is not None:
            yield from _moved("draft begun", one.lead - other.lead)


def _moved(what: str, seconds: float) -> Iterator[str]:
    if abs(seconds) >= SAME:
        yield f"{what} {abs(seconds):.2f} s {'later' if seconds > 0 else 'earlier'}"
