"""Forecasts: what a setting would bring on average a turn, with all that the calls leave open."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TypeAlias

import numpy as np

from .columns import Columns, Counts, Numbers
from .doubts import doubts
from .prediction import Predicted, Predictor
from .settings import Knowledge, Setting, SilenceGate, knowledge
from .statistics import Estimate, quantile, ratio
from .tuning import Forecast
from .worth import Worth

Part: TypeAlias = slice | Counts
"""Some of the calls, by their numbers."""

_ALL = slice(None)
_EXACT, _ROUGH = 0.15, 1.0  # of the reach of chance, what may be open under each label


class Forecaster:
    """Forecasts many settings from the same calls."""

    def __init__(self, columns: Columns, reply_seconds: float, worth: Worth) -> None:
        self._columns = columns
        self._predictor = Predictor(columns, reply_seconds)
        self._worth = worth
        self._recorded = set(columns.thresholds)
        found = doubts(columns)
        self._likely = _Assignment(columns, found.likely)
        self._assignments = [_Assignment(columns, weights) for weights in found.assignments]

    @property
    def gate(self) -> SilenceGate:
        """What Flux asks for beyond the confidence."""
        return self._predictor.gate

    @property
    def turns(self) -> Numbers:
        """The likely number of utterances of each call."""
        return self._likely.turns

    def forecast(self, setting: Setting, part: Part = _ALL) -> Forecast:
        """What the setting would bring, in all calls or in a part of them."""
        predicted = self._predictor.of(setting)
        most = knowledge(setting, self._recorded)
        response, response_knowledge, best = self._estimate(list(self._responses(predicted)), most, part)
        extra, extra_knowledge, _ = self._estimate(list(self._pauses(predicted.extra)), most, part, counted=True)
        cuts, cuts_knowledge, best_cuts = self._estimate(
            list(self._pauses(predicted.cut_offs)), most, part, counted=True
        )
        last = self._columns.last
        if part is not _ALL:
            last = last & np.isin(self._columns.call, np.arange(self._columns.calls)[part])
        waits = predicted.response[1][last]
        saved = predicted.saved[last]
        saved = saved[~np.isnan(saved)]
        labels = response_knowledge, extra_knowledge, cuts_knowledge
        costs = list(self._costs(predicted, part))
        return Forecast(
            setting=setting,
            knowledge=max(labels, key=list(Knowledge).index),
            response_knowledge=response_knowledge,
            extra_knowledge=extra_knowledge,
            cut_offs_knowledge=cuts_knowledge,
            response=response,
            median=quantile(waits, 0.5) or 0.0,
            p95=quantile(waits, 0.95) or 0.0,
            best_response=best,
            saved_median=quantile(saved, 0.5),
            saved_p95=quantile(saved, 0.95),
            hits=len(saved) / max(len(waits), 1),
            extra=extra,
            cut_offs=cuts,
            best_cut_offs=best_cuts,
            cost=costs[0].value,
            cost_low=min(one.low for one in costs),
            cost_high=max(one.high for one in costs),
        )

    def cost(self, setting: Setting, part: Part) -> float:
        """The likely cost of a turn in a part of the calls."""
        sums = self.costs(setting)
        turns = float(self._likely.turns[part].sum())
        return float(sums[part].sum()) / turns if turns else inf

    def costs(self, setting: Setting) -> Numbers:
        """The likely cost of each call."""
        return self._likely.costs(self._predictor.of(setting), None, self._worth)

    def gain(self, from_setting: Setting, to_setting: Setting, part: Part) -> Estimate:
        """What the second setting costs less a turn than the first in a part of the calls."""
        return _union(list(self._gains(from_setting, to_setting, part)))

    def _gains(self, one: Setting, other: Setting, part: Part) -> Iterator[Estimate]:
        before, after = self._predictor.of(one), self._predictor.of(other)
        for assignment, side in ((self._likely, None), *((a, s) for a in self._assignments for s in (0, 1))):
            back = None if side is None else 1 - side
            sums = assignment.costs(before, side, self._worth) - assignment.costs(after, back, self._worth)
            yield ratio(sums[part], assignment.turns[part])

    def _costs(self, predicted: Predicted, part: Part) -> Iterator[Estimate]:
        for assignment, side in ((self._likely, None), *((a, s) for a in self._assignments for s in (0, 1))):
            sums = assignment.costs(predicted, side, self._worth)
            yield ratio(sums[part], assignment.turns[part])

    def _responses(self, predicted: Predicted) -> Iterator[tuple[Numbers, Numbers]]:
        yield self._likely.ends(_middle(predicted.response)), self._likely.turns
        for assignment in self._assignments:
            for side in _sides(predicted.response):
                yield assignment.ends(side), assignment.turns

    def _pauses(self, values: tuple[Numbers, Numbers]) -> Iterator[tuple[Numbers, Numbers]]:
        yield self._likely.pauses(_middle(values)), self._likely.turns
        for assignment in self._assignments:
            for side in _sides(values):
                yield assignment.pauses(side), assignment.turns

    def _estimate(
        self, sums: list[tuple[Numbers, Numbers]], most: Knowledge, part: Part, *, counted: bool = False
    ) -> tuple[Estimate, Knowledge, float]:
        """The estimate from its likely sums and those at all extremes, its label, and its value at best."""
        estimates = [ratio(one[part], turns[part], counted=counted) for one, turns in sums]
        values = [one.value for one in estimates]
        best, worst = min(values), max(values)
        chance = max(one.high - one.low for one in estimates) / 2
        width = worst - best
        label = Knowledge.EXACT
        if width > _EXACT * chance or most is not Knowledge.EXACT:
            label = Knowledge.ROUGH
        if width > _ROUGH * chance:
            label = Knowledge.BOUNDS
        return _union(estimates), max(label, most, key=list(Knowledge).index), best


class _Assignment:
    """One reading of which ends were pauses."""

    def __init__(self, columns: Columns, weights: Numbers) -> None:
        self._call, self._calls = columns.call, columns.calls
        self._last = columns.last
        self._paused = np.where(columns.last, weights, 1.0)
        self._ended = np.where(columns.last, 1.0 - weights, 0.0)
        self.turns = self._sum(self._ended)

    def _sum(self, values: Numbers) -> Numbers:
        return np.asarray(np.bincount(self._call, weights=values, minlength=self._calls), dtype=np.float64)

    def ends(self, values: Numbers) -> Numbers:
        """The sum over the ends of each call."""
        return self._sum(np.where(self._last, values, 0.0) * self._ended)

    def pauses(self, values: Numbers) -> Numbers:
        """The sum over the pauses of each call."""
        return self._sum(values * self._paused)

    def costs(self, predicted: Predicted, side: int | None, worth: Worth) -> Numbers:
        """The cost of each call, at best (0), at worst (1), or in the middle (None)."""
        response, cuts, extra = (
            _middle(pair) if side is None else pair[side]
            for pair in (predicted.response, predicted.cut_offs, predicted.extra)
        )
        paused = worth.second * worth.cut_off * cuts + worth.per_call * extra
        return self.ends(worth.second * response + worth.per_call) + self._sum(self._paused * paused)


def _middle(pair: tuple[Numbers, Numbers]) -> Numbers:
    return pair[0] if pair[0] is pair[1] else (pair[0] + pair[1]) / 2


def _sides(pair: tuple[Numbers, Numbers]) -> tuple[Numbers, ...]:
    return pair[:1] if pair[0] is pair[1] or np.array_equal(pair[0], pair[1]) else pair


def _union(estimates: list[Estimate]) -> Estimate:
    """The first one's value, with an interval that holds all of theirs."""
    return Estimate(estimates[0].value, min(one.low for one in estimates), max(one.high for one in estimates))
