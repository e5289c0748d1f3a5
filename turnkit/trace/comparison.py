"""Two versions of one call compared turn by turn: as recorded, and as replayed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ..turns.events import Signal
from .turn_history import TurnHistory, turn_histories

SAME = 0.01
"""Seconds below which two times count as the same: timers ring late on a loaded machine."""


class Comparison(msgspec.Struct, frozen=True):
    """One turn in both versions of a call.

    Attributes:
        turn: Id of the turn.
        before: Its history in the first version; None if there is no such turn.
        after: Its history in the second version; None if there is no such turn.
        changes: What is different, in words; empty if nothing is.
        beyond: Whether the comparison goes beyond what a trace can tell (see `replay`).
    """

    turn: int
    before: TurnHistory | None
    after: TurnHistory | None
    changes: tuple[str, ...]
    beyond: bool = False


def compare(before: Iterable[Signal], after: Iterable[Signal]) -> tuple[Comparison, ...]:
    """Compare every turn of either version, in order.

    Args:
        before: the signals of one version, such as those recorded.
        after: the signals of the other, such as those of a replay.
    """
    first, second = turn_histories(before), turn_histories(after)
    compared = []
    diverged = False
    for turn in sorted({*first, *second}):
        one, other = first.get(turn), second.get(turn)
        compared.append(Comparison(turn, one, other, tuple(_changes(one, other)), diverged))
        diverged = diverged or _diverges(one, other)
    return tuple(compared)


def _diverges(one: TurnHistory | None, other: TurnHistory | None) -> bool:
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
