"""Calibration: how often an eager end of turn was the end, by the confidence that came with it.

`end_of_turn_confidence` is not a probability: idle silence reads 0.45 and more. What it is worth is counted, from
each EagerEndOfTurn to the EndOfTurn or TurnResumed that followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import msgspec

from .silences import CallSilences, Draft
from .statistics import Estimate, share

_WIDTH = 0.05


class Bin(msgspec.Struct, frozen=True):
    """Drafts whose confidence lies in one range.

    Attributes:
        low: Least confidence of the range.
        high: Confidence below which the range ends.
        drafts: Number of drafts.
        confirmed: Share of them that was confirmed, as counted.
        rising: The share to reckon with: few drafts claim little, and it does not fall as the confidence rises.
    """

    low: float
    high: float
    drafts: int
    confirmed: Estimate
    rising: float


class Calibration(msgspec.Struct, frozen=True):
    """How often drafts were confirmed, by confidence.

    Attributes:
        bins: Ranges of confidence, in order.
        drafts: Number of drafts in all of them.
        confirmed: Share of them that was confirmed.
        brier: Mean squared error of predicting the second half of the calls from the first one: 0 is perfect, 0.25 a
            coin. None if a half is empty.
    """

    bins: tuple[Bin, ...]
    drafts: int
    confirmed: Estimate
    brier: float | None


def calibrate(calls: Sequence[CallSilences]) -> Calibration:
    """Count what became of every eager end of turn, call by call."""
    halves = calls[0::2], calls[1::2]
    learnt = _bins(halves[0])
    tested = [draft for call in halves[1] for draft in call.drafts]
    return Calibration(
        bins=_bins(calls),
        drafts=sum(len(call.drafts) for call in calls),
        confirmed=share((sum(d.confirmed for d in c.drafts), len(c.drafts)) for c in calls),
        brier=_brier(learnt, tested) if learnt and tested else None,
    )


def start_from(calibration: Calibration, call_cost: float, second_value: float, saved: float) -> float | None:
    """The confidence from which a draft pays: its chance p is above c / (c + v·S).

    Args:
        calibration: How often drafts were confirmed, by confidence.
        call_cost: Cost c of a call of the LLM.
        second_value: Value v of a second, in the same currency.
        saved: Seconds S that a kept draft saves.

    Returns:
        The confidence: 0 if every recorded draft pays, None if none does.
    """
    gain = second_value * saved
    needed = call_cost / (call_cost + gain) if call_cost + gain > 0 else inf
    paying = [one for one in calibration.bins if one.rising >= needed]
    if not paying:
        return None
    return 0.0 if paying[0] is calibration.bins[0] else paying[0].low


def _bins(calls: Sequence[CallSilences]) -> tuple[Bin, ...]:
    counted: dict[int, list[tuple[int, int]]] = {}
    for call in calls:
        mine: dict[int, tuple[int, int]] = {}
        for draft in call.drafts:
            place = _place(draft)
            hits, tries = mine.get(place, (0, 0))
            mine[place] = hits + draft.confirmed, tries + 1
        for place, found in mine.items():
            counted.setdefault(place, []).append(found)
    rows = [(place, sum(tries for _, tries in counted[place]), share(counted[place])) for place in sorted(counted)]
    # Reckoned with, as by one hit and one miss more: two of two are no certainty.
    rising = _rising([((sum(h for h, _ in counted[place]) + 1) / (drafts + 2), drafts) for place, drafts, _ in rows])
    return tuple(
        Bin(round(place * _WIDTH, 2), round((place + 1) * _WIDTH, 2), drafts, estimate, level)
        for (place, drafts, estimate), level in zip(rows, rising, strict=True)
    )


def _place(draft: Draft) -> int:
    return int(draft.confidence / _WIDTH + 1e-9)


def _rising(rows: list[tuple[float, int]]) -> list[float]:
    """The closest row of values that does not fall: neighbours that do are pooled."""
    pools: list[tuple[float, int, int]] = []  # mean, weight, how many rows
    for value, weight in rows:
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (high, n, i), (low, m, j) = pools[-2:]
            pools[-2:] = [((high * n + low * m) / (n + m), n + m, i + j)]
    return [mean for mean, _, count in pools for _ in range(count)]


def _brier(bins: tuple[Bin, ...], drafts: list[Draft]) -> float:
    nearest: dict[int, float] = {}
    total = 0.0
    for draft in drafts:
        place = _place(draft)
        if place not in nearest:
            nearest[place] = min(bins, key=lambda one: abs(one.low - place * _WIDTH)).rising
        total += (nearest[place] - draft.confirmed) ** 2
    return total / len(drafts)
