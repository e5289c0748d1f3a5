"""Forecasts: what a setting would bring on average a turn, with all that the calls leave open."""

from __future__ import annotations

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

Pair: TypeAlias = tuple[Numbers, Numbers]
"""What each silence adds at best and at worst."""

_ALL = slice(None)
_EXACT, _ROUGH = 0.15, 1.0  # of the reach of chance, what may be open under each label


class Forecaster:
    """Forecasts many settings from the same calls."""

    def __init__(self, columns: Columns, reply_seconds: float, worth: Worth) -> None:
        self._columns = columns
        self._predictor = Predictor(columns, reply_seconds)
        self._worth = worth
        self._recorded = set(columns.thresholds)
        self._last = columns.last
        self._doubts = doubts(columns)
        self._none = np.zeros(len(columns.call))
        self._likely_turns = self._turns(self._doubts.likely)

    @property
    def gate(self) -> SilenceGate:
        """What Flux asks for beyond the confidence."""
        return self._predictor.gate

    @property
    def turns(self) -> Numbers:
        """The likely number of utterances of each call."""
        return self._likely_turns

    def forecast(self, setting: Setting, part: Part = _ALL) -> Forecast:
        """What the setting would bring, in all calls or in a part of them."""
        predicted, none = self._predictor.of(setting), (self._none, self._none)
        most = knowledge(setting, self._recorded)
        response, response_knowledge, best = self._estimate(predicted.response, none, most, part)
        extra, extra_knowledge, _ = self._estimate(none, predicted.extra, most, part, counted=True)
        cuts, cuts_knowledge, best_cuts = self._estimate(none, predicted.cut_offs, most, part, counted=True)
        last = self._last
        if part is not _ALL:
            last = last & np.isin(self._columns.call, np.arange(self._columns.calls)[part])
        waits = predicted.response[1][last]
        saved = predicted.saved[last]
        saved = saved[~np.isnan(saved)]
        labels = response_knowledge, extra_knowledge, cuts_knowledge
        costs = self._ratios(*self._prices(predicted), part)
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
        turns = float(self._likely_turns[part].sum())
        return float(self.costs(setting)[part].sum()) / turns if turns else inf

    def costs(self, setting: Setting) -> Numbers:
        """The likely cost of each call."""
        ends, pauses = self._prices(self._predictor.of(setting))
        return self._sum(self._weighed(_middle(ends), _middle(pauses), self._doubts.likely))

    def gain(self, from_setting: Setting, to_setting: Setting, part: Part) -> Estimate:
        """What the second setting costs less a turn than the first in a part of the calls."""
        before, after = (self._prices(self._predictor.of(one)) for one in (from_setting, to_setting))
        ends, pauses = ((was[0] - will[1], was[1] - will[0]) for was, will in zip(before, after, strict=True))
        return _union(self._ratios(ends, pauses, part))

    def _prices(self, predicted: Predicted) -> tuple[Pair, Pair]:
        """The cost of each silence as an end and as a pause."""
        worth = self._worth
        low, high = (worth.second * np.where(self._last, one, 0.0) + worth.per_call for one in predicted.response)
        least, most = (
            worth.second * worth.cut_off * cuts + worth.per_call * extra
            for cuts, extra in zip(predicted.cut_offs, predicted.extra, strict=True)
        )
        return (low, high), (least, most)

    def _ratios(self, ends: Pair, pauses: Pair, part: Part, *, counted: bool = False) -> list[Estimate]:
        """The mean a turn, the likely one first, then those of all extremes of what is open.

        Args:
            ends: What each silence adds if it is an end.
            pauses: What it adds if it is a pause.
            part: The calls to look at.
            counted: Whether events are counted, see `ratio`.

        Returns:
            The likely mean, then one for each extreme.
        """
        readings = [(_middle(ends), _middle(pauses), self._doubts.likely)]
        for end, pause in zip(ends, pauses, strict=True):
            readings.append((end, pause, self._none))
            if len(self._doubts.unsure):
                more = np.where(self._last, end, 0.0) - pause
                weights = self._doubts.most, self._doubts.on_largest(more), self._doubts.on_largest(-more)
                readings += [(end, pause, one) for one in weights]
            if ends[0] is ends[1] and pauses[0] is pauses[1]:
                break
        return [
            ratio(self._sum(self._weighed(*reading))[part], self._turns(reading[2])[part], counted=counted)
            for reading in readings
        ]

    def _weighed(self, ends: Numbers, pauses: Numbers, weights: Numbers) -> Numbers:
        """What each silence adds, with this weight of pauses among those that ended a turn."""
        if weights is self._none:
            return np.where(self._last, ends, pauses)
        return np.where(self._last, (1 - weights) * np.where(self._last, ends, 0.0) + weights * pauses, pauses)

    def _turns(self, weights: Numbers) -> Numbers:
        return self._sum(np.where(self._last, 1 - weights, 0.0))

    def _sum(self, values: Numbers) -> Numbers:
        columns = self._columns
        return np.asarray(np.bincount(columns.call, weights=values, minlength=columns.calls), dtype=np.float64)

    def _estimate(
        self, ends: Pair, pauses: Pair, most: Knowledge, part: Part, *, counted: bool = False
    ) -> tuple[Estimate, Knowledge, float]:
        """The estimate with all that is open in its interval, its label, and its value at best."""
        estimates = self._ratios(ends, pauses, part, counted=counted)
        values = [one.value for one in estimates]
        best, worst = min(values), max(values)
        chance = max(one.high - one.low for one in estimates) / 2
        width = worst - best
        label = Knowledge.EXACT
        if width > _EXACT * chance:
            label = Knowledge.ROUGH
        if width > _ROUGH * chance:
            label = Knowledge.BOUNDS
        return _union(estimates), max(label, most, key=list(Knowledge).index), best


def _middle(pair: Pair) -> Numbers:
    return pair[0] if pair[0] is pair[1] else (pair[0] + pair[1]) / 2


def _union(estimates: list[Estimate]) -> Estimate:
    """The first one's value, with an interval that holds all of theirs."""
    return Estimate(estimates[0].value, min(one.low for one in estimates), max(one.high for one in estimates))
