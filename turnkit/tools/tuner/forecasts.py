"""Forecasts: what a setting would bring on average a turn, with all that the calls leave open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from math import hypot, inf
from typing import TypeAlias

import msgspec
import numpy as np
from scipy import sparse

from .columns import Columns, Counts, Numbers
from .doubts import doubts
from .prediction import Predicted, Predictor
from .settings import Knowledge, Setting, SilenceGate, knowledge
from .shares import Spread
from .statistics import Estimate, beyond, quantiles, ratio
from .survival import survivals
from .tuning import Forecast, Survival
from .worth import Worth

Part: TypeAlias = slice | Counts
"""Some of the calls, by their numbers."""

Pair: TypeAlias = tuple[Numbers, Numbers]
"""What each silence adds at best and at worst."""

CHOICE, TEST = slice(0, None, 2), slice(1, None, 2)
"""The calls that have a say in what is recommended, and those by which it is judged."""

ALL = slice(None)
_EXACT, _ROUGH = 0.7, 2.0  # of the reach of chance, what may be open under each label
_KEPT = 8  # figures of cut-offs: those of one threshold, with all timeouts
_NOTHING = 1e-9  # of a figure


@dataclass(frozen=True)
class _Figure:
    """A figure, at best and at worst.

    Attributes:
        sums: Its sum in each call, if all that is unsure were ends.
        likely: Its sum in each call, with as many pauses among what is unsure as are likely.
        turned: How much more each unsure silence would add, were it a pause.
    """

    sums: Pair
    likely: Pair
    turned: Pair

    @property
    def differs(self) -> bool:
        """Whether best and worst are not the same."""
        return self.sums[0] is not self.sums[1]

    def times(self, factor: float) -> _Figure:
        """So many times this figure."""
        return _Figure(*(_each(one, lambda part: factor * part) for one in (self.sums, self.likely, self.turned)))

    def plus(self, other: _Figure, times: float = 1.0) -> _Figure:
        """This figure and so many times the other; at best with the other's worst where that is negative."""
        return _Figure(
            _plus(self.sums, other.sums, times),
            _plus(self.likely, other.likely, times),
            _plus(self.turned, other.turned, times),
        )


@dataclass
class _CutOffs:
    """Figures that settings with the same ends of turns share, and what was made of them."""

    counted: Pair
    figure: _Figure
    estimates: dict[Knowledge, tuple[Estimate, Knowledge, float]] = field(default_factory=dict)


class Forecaster:
    """Forecasts many settings from the same calls."""

    def __init__(self, columns: Columns, reply_seconds: float, worth: Worth) -> None:
        self._columns = columns
        self._predictor = Predictor(columns, reply_seconds)
        self._worth = worth
        self._recorded = set(columns.thresholds)
        self._doubts = doubts(columns)
        self._ends = np.flatnonzero(columns.last)
        unsure = self._doubts.unsure
        self._unsure_calls = columns.call[unsure]
        self._in_calls = _InCalls(columns, self._doubts.likely)
        turns = self._in_calls.ends(np.ones(len(columns.call)))
        self._turns = _Figure(*((one, one) for one in (*turns, np.full(1, -1.0))))  # alike for all that is unsure
        self._likely_turns = turns[1]
        self._chosen: dict[Setting, float] = {}
        self._cut_offs: dict[int, _CutOffs] = {}
        self._latest: tuple[Predicted, Forecast] | None = None

    def only(self, settings: Sequence[Setting]) -> Forecaster:
        """One that forecasts these settings alone, as this one does: small, for another process."""
        other = copy(self)
        other._columns, other._predictor = self._columns.without_samples(), self._predictor.only(settings)
        other._chosen, other._cut_offs, other._latest = {}, {}, None
        return other

    @property
    def gate(self) -> SilenceGate:
        """What Flux asks for beyond the confidence."""
        return self._predictor.gate

    @property
    def turns(self) -> Numbers:
        """The likely number of utterances of each call."""
        return self._likely_turns

    def pauses(self) -> tuple[Survival, ...]:
        """How long users pause, by how sure Flux was that they had finished."""
        return survivals(self._columns, self._doubts.likely)

    def forecast(self, setting: Setting, part: Part = ALL) -> Forecast:
        """What the setting would bring, in all calls or in a part of them."""
        predicted = self._predictor.of(setting)
        if part is ALL and self._latest is not None and predicted is self._latest[0]:
            same = self._latest[1]
            self._chosen[setting] = self._chosen[same.setting]
            return msgspec.structs.replace(same, setting=setting)
        forecast = self._forecast(setting, predicted, part)
        if part is ALL:
            self._latest = predicted, forecast
        return forecast

    def _forecast(self, setting: Setting, predicted: Predicted, part: Part) -> Forecast:
        most = knowledge(setting, self._recorded)
        response, extra, cut_offs = self._figures(predicted)
        price = self._price(response, extra, cut_offs.figure)
        costs = self._ratios(price, part)
        if part is ALL:
            self._chosen[setting] = self._likely_mean(price, CHOICE)
        estimates = [self._estimate(response, most, part), self._estimate(extra, most, part, counted=True)]
        if part is not ALL:
            estimates.append(self._estimate(cut_offs.figure, most, part, counted=True))
        else:
            if most not in cut_offs.estimates:
                cut_offs.estimates[most] = self._estimate(cut_offs.figure, most, part, counted=True)
            estimates.append(cut_offs.estimates[most])
        median, p95, saved = self._waits(predicted, part)
        kept = quantiles(saved, 0.5, 0.95) if len(saved) else (None, None)
        labels = [label for _, label, _ in estimates]
        return Forecast(
            setting=setting,
            knowledge=max(labels, key=list(Knowledge).index),
            response_knowledge=labels[0],
            extra_knowledge=labels[1],
            cut_offs_knowledge=labels[2],
            response=estimates[0][0],
            median=median,
            p95=p95,
            best_response=estimates[0][2],
            saved_median=kept[0],
            saved_p95=kept[1],
            hits=len(saved) / max(len(self._in(part)), 1),
            extra=estimates[1][0],
            cut_offs=estimates[2][0],
            best_cut_offs=estimates[2][2],
            cost=costs[0].value,
            cost_low=max(0.0, min(one.low for one in costs)),
            cost_high=max(one.high for one in costs),
        )

    def forecasts(self, settings: Sequence[Setting], spread: Spread | None = None) -> list[Forecast]:
        """What each setting would bring in all calls; worked out in shares, the same comes of it."""
        if spread is None or spread.processes < 2:
            return [self.forecast(setting) for setting in settings]
        found = dict(
            pair for share in spread(partial(_share, self.only(settings), settings, spread.processes)) for pair in share
        )
        self._chosen.update((setting, cost) for setting, (_, cost) in found.items())
        return [found[setting][0] for setting in settings]

    def chosen_cost(self, setting: Setting) -> float:
        """The likely cost of a turn in those calls that have a say in what is recommended."""
        if setting not in self._chosen:
            self._chosen[setting] = self._likely_mean(self._cost(setting), CHOICE)
        return self._chosen[setting]

    def costs(self, setting: Setting) -> Numbers:
        """The likely cost of each call."""
        return _middle(self._cost(setting).likely)

    def gain(self, from_setting: Setting, to_setting: Setting, part: Part) -> Estimate:
        """What the second setting costs less a turn than the first in a part of the calls."""
        return _union(self._ratios(self._cost(from_setting).plus(self._cost(to_setting), -1.0), part))

    def _figures(self, predicted: Predicted) -> tuple[_Figure, _Figure, _CutOffs]:
        """Response, extra calls and cut-offs."""
        response = _Figure(*self._sums(predicted.response, self._in_calls.ends))
        response = replace(response, turned=_each(response.turned, lambda one: -one))
        known = self._cut_offs.get(id(predicted.cut_offs))
        if known is None:
            if len(self._cut_offs) >= _KEPT:
                del self._cut_offs[next(iter(self._cut_offs))]
            figure = _Figure(*self._sums(predicted.cut_offs, self._in_calls.pauses))
            known = self._cut_offs[id(predicted.cut_offs)] = _CutOffs(predicted.cut_offs, figure)
        if predicted.extra is predicted.cut_offs:
            return response, known.figure, known
        return response, _Figure(*self._sums(predicted.extra, self._in_calls.pauses)), known

    def _price(self, response: _Figure, extra: _Figure, cuts: _Figure) -> _Figure:
        worth = self._worth
        figure = response.times(worth.second).plus(self._turns, worth.per_call)
        return figure.plus(cuts, worth.second * worth.cut_off).plus(extra, worth.per_call)

    def _cost(self, setting: Setting) -> _Figure:
        response, extra, cut_offs = self._figures(self._predictor.of(setting))
        return self._price(response, extra, cut_offs.figure)

    def _likely_mean(self, figure: _Figure, part: Part) -> float:
        turns = float(self._likely_turns[part].sum())
        return float(_middle(figure.likely)[part].sum()) / turns if turns else inf

    def _ratios(self, figure: _Figure, part: Part, *, counted: bool = False) -> list[Estimate]:
        """The mean a turn, the likely one first, then those of all extremes of what is open."""
        found = ratio(_middle(figure.likely)[part], self._likely_turns[part], counted=counted)
        return [found, *self._extremes(figure, part, found.value, counted=counted)]

    def _extremes(self, figure: _Figure, part: Part, mean: float, *, counted: bool) -> list[Estimate]:
        """The means of all extremes of what is open, where the likely one is this."""
        found: list[Estimate] = []
        turns = self._turns.sums[0]
        plain = [ratio(one[part], turns[part], counted=counted) for one in figure.sums[: 1 + figure.differs]]
        for side, at in ((-1, 0), (1, -1)):
            if side < 0 or figure.differs:
                found.append(plain[at])
            turned = figure.turned[at]
            if len(turned):
                # A silence that turns from an end into a pause moves the mean by what it adds and by a turn less.
                rows, weights = self._doubts.on_largest(side * (turned + mean))
                if not len(rows):
                    found.append(plain[at])
                    continue
                calls = self._unsure_calls[rows]
                more, fewer = (
                    np.bincount(calls, weights=one, minlength=len(turns)) for one in (weights * turned[rows], weights)
                )
                found.append(ratio((figure.sums[at] + more)[part], (turns - fewer)[part], counted=counted))
        return found

    def _sums(self, pair: Pair, of: Callable[[Numbers], Pair]) -> tuple[Pair, Pair, Pair]:
        """Of a figure, what `_Figure` holds."""
        unsure = self._doubts.unsure
        sums = [of(one) for one in (pair if pair[0] is not pair[1] else pair[:1])]
        turned = _each(pair, lambda one: one[unsure])
        return (sums[0][0], sums[-1][0]), (sums[0][1], sums[-1][1]), turned

    def _in(self, part: Part) -> Counts:
        """The silences that are ends, in a part of the calls."""
        if part is ALL:
            return self._ends
        columns = self._columns
        return self._ends[np.isin(columns.call[self._ends], np.arange(columns.calls)[part])]

    def _waits(self, predicted: Predicted, part: Part) -> tuple[float, float, Numbers]:
        ends = self._in(part)
        waits, saved = predicted.response[1][ends], predicted.saved[ends]
        median, p95 = quantiles(waits, 0.5, 0.95) if len(waits) else (0.0, 0.0)
        kept = np.flatnonzero(saved == saved)  # not nan
        return median, p95, saved[kept]

    def _estimate(
        self, figure: _Figure, most: Knowledge, part: Part, *, counted: bool = False
    ) -> tuple[Estimate, Knowledge, float]:
        """The estimate with all that is open in its interval, its label, and its value at best.

        What the doubts leave open is added to chance as errors are; where reports leave a figure between two ends, its
        interval reaches beyond both by as much as 95 % need.
        """
        sides = [self._side(figure, side, part, counted=counted) for side in (0, 1)[: 1 + figure.differs]]
        low, high = sides[0], sides[-1]
        doubt = self._doubt(figure, part)
        down, up, width = low.value - low.low, high.high - high.value, high.value - low.value
        opened, chance = hypot(doubt, width / 2), max((down + up) / 2, _NOTHING)
        label = Knowledge.EXACT
        if opened > _EXACT * chance:
            label = Knowledge.ROUGH
        if opened > _ROUGH * chance:
            label = Knowledge.BOUNDS
        label = max(label, most, key=list(Knowledge).index)
        down, up = hypot(down, doubt), hypot(up, doubt)
        share = beyond(width / max((down + up) / 2, _NOTHING))
        found = Estimate((low.value + high.value) / 2, low.value - share * down, high.value + share * up)
        best = low.value
        if label is Knowledge.BOUNDS:
            estimates = [found, *self._extremes(figure, part, found.value, counted=counted)]
            found = _union(estimates)
            best = min(one.value for one in estimates)
        return msgspec.structs.replace(found, low=max(0.0, found.low)), label, best  # no figure of these is negative

    def _side(self, figure: _Figure, side: int, part: Part, *, counted: bool) -> Estimate:
        return ratio(figure.likely[side][part], self._likely_turns[part], counted=counted)

    def _doubt(self, figure: _Figure, part: Part) -> float:
        mixture = self._doubts.mixture
        if mixture is None:
            return 0.0
        sums, turned = _middle(figure.sums), _middle(figure.turned)
        turns = self._turns.sums[0]
        if part is not ALL:
            inside = np.zeros(len(sums), dtype=bool)
            inside[part] = True
            sums, turns = np.where(inside, sums, 0.0), np.where(inside, turns, 0.0)
            return hypot(*mixture.doubt(sums, turns, turned, inside))
        return hypot(*mixture.doubt(sums, turns, turned))


def _share(
    made: Forecaster, settings: Sequence[Setting], shares: int, number: int
) -> list[tuple[Setting, tuple[Forecast, float]]]:
    """The forecasts of one process's share of the settings, with what they cost in the calls that have a say."""
    # Those of the same thresholds together, as what is worked out for one may do for the next.
    place = {asked: at for at, asked in enumerate(dict.fromkeys(setting.thresholds for setting in settings))}
    mine = [setting for setting in settings if place[setting.thresholds] % shares == number]
    return [(setting, (made.forecast(setting), made.chosen_cost(setting))) for setting in mine]


class _InCalls:
    """Adds up what silences come to, in each call: as they seem, and with as many pauses as are likely."""

    def __init__(self, columns: Columns, likely: Numbers) -> None:
        rows, calls, last = np.arange(len(columns.call)), columns.call, columns.last
        self._calls = columns.calls
        self._ends, self._pauses = (
            sparse.vstack(
                [
                    sparse.csr_array((weights[some], (calls[some], rows[some])), shape=(columns.calls, len(rows)))
                    for weights, some in ((np.ones(len(rows)), seeming), (chance, chance > 0))
                ],
                format="csr",
            )
            for seeming, chance in ((last, np.where(last, 1 - likely, 0.0)), (~last, np.where(last, likely, 1.0)))
        )

    def ends(self, values: Numbers) -> Pair:
        """The sums over the ends of each call; at first all that is unsure is one."""
        return self._halves(self._ends @ values)

    def pauses(self, values: Numbers) -> Pair:
        """The sums over the pauses of each call; at first nothing that is unsure is one."""
        return self._halves(self._pauses @ values)

    def _halves(self, sums: Numbers) -> Pair:
        return sums[: self._calls], sums[self._calls :]


def _plus(one: Pair, other: Pair, times: float) -> Pair:
    low, high = (0, 1) if times >= 0 else (1, 0)
    first = one[0] + times * other[low]
    if one[0] is one[1] and other[0] is other[1]:
        return first, first
    return first, one[1] + times * other[high]


def _each(pair: Pair, work: Callable[[Numbers], Numbers]) -> Pair:
    low = work(pair[0])
    return (low, low) if pair[0] is pair[1] else (low, work(pair[1]))


def _middle(pair: Pair) -> Numbers:
    return pair[0] if pair[0] is pair[1] else (pair[0] + pair[1]) / 2


def _union(estimates: list[Estimate]) -> Estimate:
    """The first one's value, with an interval that holds all of theirs."""
    return Estimate(estimates[0].value, min(one.low for one in estimates), max(one.high for one in estimates))
