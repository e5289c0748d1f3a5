"""A mixture of "went on" and "had finished": how likely each end of a turn was a pause, and how sure that is.

Who speaks again after an end of turn had paused or had finished. How long pauses last is known from those that Flux let
pass and from those that surely went on, censored by what Flux and the agent did; who had finished speaks again at times
and with words of their own. Which of the two an end was is estimated from both by expectation and maximisation, and
with whole calls left out in turn, for what chance does to it.

Beyond the stretch in which it is sure, how fast pauses come to an end is not seen, and other things may be otherwise
than they seem. Several ways are tried, each with the weight that the calls give it: how far they are apart is what the
calls leave open.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .columns import Columns, Counts, Flags, Numbers
from .continuations import AFTER, BINS, BY_TIMEOUT, EDGES, STAGES, Continuations, groups
from .statistics import student

# How the rate at which pauses end changes with the logarithm of the seconds, where it is not seen; after how many
# pauses those that the model ended, or the timeout, have a rate of their own; and after how many the words before late
# pauses are words of their own.
_SLOPES, _ALIKE, _WORDS = (
    one.ravel() for one in np.meshgrid((0.5, -0.5, -1.5), (20.0, 1e6), (2.0, 1e6), indexing="ij")
)
_PRIOR = np.repeat((0.3, 0.45, 0.25), 4)
_WAYS = len(_SLOPES)
_CENTRAL = 5  # slope -0.5, rates of their own, words alike
_MOST_TOLD = 4.0  # by so much at most, in logarithms, the calls tell a way from the best
_ROUNDS = 25
_NONE = 1e-4  # a chance that is none
_FEW = 2.0  # ends by which the share of pauses among those of a stage is drawn towards that of all
_PULL = 3.0  # pauses by which a rate is drawn towards the one before
_WORD, _STAGE = np.arange(3 * STAGES) % 3, np.arange(3 * STAGES) // 3


@dataclass(frozen=True)
class Mixture:
    """How likely each unsure end was a pause.

    Attributes:
        cell: The cell of each unsure end.
        likely: The chance of each cell, averaged over all ways.
        ways: The chance of each cell, one row a way.
        weights: The weight of each way.
        without: The chance of each cell without each group of calls, the one with all of them first.
        group: The group of each call.
        calls: The call of each unsure end.
    """

    cell: Counts
    likely: Numbers
    ways: Numbers
    weights: Numbers
    without: Numbers
    group: Counts
    calls: Counts

    def doubt(self, sums: Numbers, turns: Numbers, turned: Numbers, inside: Flags | None = None) -> tuple[float, float]:
        """What not knowing the chances does to a mean a turn.

        Args:
            sums: Sum over the turns of each call, if all that is unsure were ends.
            turns: Number of these turns.
            turned: How much more each unsure end would add, were it a pause.
            inside: Which calls the mean is of; None for all.

        Returns:
            By how much chance moves the mean through the chances, and by how much the ways do, each as half of a 95 %
            interval.
        """
        count, cells = len(self.without) - 1, len(self.likely)
        some, fewer, lost = self._turns_lost if inside is None else self._lost(inside)
        counted = np.bincount(some[0], weights=turned[some[1]], minlength=count * cells)
        more = np.asarray(counted.reshape(count, cells), dtype=np.float64)
        total = more.sum(axis=0)
        sums, turns = (
            np.asarray(np.bincount(self.group, weights=one, minlength=count), dtype=np.float64) for one in (sums, turns)
        )
        found = (sums.sum() + self.ways @ total) / (turns.sum() - fewer)
        apart = float(self.weights @ (found - self.weights @ found) ** 2) ** 0.5
        # As many ways as count are few to tell how far they may be apart.
        reach = student(max(1, round(1 / float((self.weights**2).sum())) - 1))
        if count < 2:
            return 0.0, reach * apart
        left = total - more
        sums, turns = sums.sum() - sums, turns.sum() - turns
        known = (sums + left @ self.without[0]) / np.maximum(turns - lost[0], 1e-9)
        moved = (sums + (left * self.without[1:]).sum(axis=1)) / np.maximum(turns - lost[1], 1e-9)
        fixed, free = float(known.var()), float(moved.var())
        return student(count - 1) * ((count - 1) * max(0.0, free - fixed)) ** 0.5, reach * apart

    @cached_property
    def _turns_lost(self) -> tuple[tuple[Counts, slice | Counts], Numbers, tuple[Numbers, Numbers]]:
        return self._lost(None)

    def _lost(self, inside: Flags | None) -> tuple[tuple[Counts, slice | Counts], Numbers, tuple[Numbers, Numbers]]:
        """Which unsure ends there are, by group and cell, and how many turns fewer there are if they are pauses."""
        count, cells = len(self.without) - 1, len(self.likely)
        rows: slice | Counts = slice(None) if inside is None else np.flatnonzero(inside[self.calls])
        place = (self.group[self.calls] * cells + self.cell)[rows]
        fewer = np.bincount(place, minlength=count * cells).reshape(count, cells).astype(np.float64)
        total = fewer.sum(axis=0)
        rest = total - fewer
        return (place, rows), self.ways @ total, (rest @ self.without[0], (rest * self.without[1:]).sum(axis=1))


def mixture(columns: Columns, unsure: Counts) -> Mixture:
    """Estimate how likely each unsure end was a pause."""
    group = groups(columns.calls)
    table = Continuations(columns, unsure, group)
    left_out = np.concatenate((np.full(_WAYS, -1), [-1], np.arange(table.groups)))
    way = np.concatenate((np.arange(_WAYS), np.full(1 + table.groups, _CENTRAL)))
    chance, likelihood = _Estimation(table, left_out, way).run()
    chance[chance < _NONE] = 0.0
    ways, without, told = chance[:_WAYS], chance[_WAYS:], likelihood[:_WAYS]
    # All ways are wrong in detail, and calls are not alike: however many calls there are, none is ruled out.
    weights = _PRIOR * np.exp((told - told.max()) / max(1.0, float(np.ptp(told)) / _MOST_TOLD))
    weights /= weights.sum()
    return Mixture(table.inverse, weights @ ways, ways, weights, without, group, columns.call[unsure])


class _Estimation:
    """Many estimates at once, one row each: without a group of calls (-1 for none), in one of the ways."""

    def __init__(self, table: Continuations, left_out: Counts, way: Counts) -> None:
        def of(counted: Numbers) -> Numbers:
            return np.asarray(counted.sum(axis=0) - np.vstack((counted, np.zeros(counted.shape[1])))[left_out])

        self._table = table
        self._slopes, self._alike, self._loyal = _SLOPES[way], _ALIKE[way], _WORDS[way, None]
        self._counts, self._events, self._exposure = of(table.counts), of(table.events), of(table.exposure)
        self._cut = [(of(came), of(seconds)) for came, seconds in table.cut]
        pauses, ends = of(table.pauses), of(table.ends)
        self._ends = ends.sum(axis=1)
        self._to_kind, self._to_stage = _hot(table.kind, 2), _hot(table.stage, STAGES)
        self._to_end, self._to_word = _hot(table.end, 2 * len(AFTER) - 2), _hot(table.joins + 1, 3)
        self._sure_stage = [one @ _hot(_STAGE, STAGES) for one in (pauses, ends)]
        self._sure_word = pauses @ _hot(_WORD, 3)
        timeout = _STAGE >= BY_TIMEOUT
        self._end_word = [(ends * some) @ _hot(_WORD, 3) for some in (~timeout, timeout)]
        self._among = self._counts @ self._to_stage + self._sure_stage[0] + self._sure_stage[1]
        self._faster = np.ones((len(way), 2))

    def run(self) -> tuple[Numbers, Numbers]:
        """The chance of each cell to be pauses, and the likelihood."""
        chance = np.full(self._counts.shape, 0.1)
        for _ in range(_ROUNDS):
            pauses, ends = self._counts * chance, self._counts * (1 - chance)
            rate = self._rate(pauses)
            prior, words = self._prior(pauses), self._words(pauses, ends)
            yes = prior[:, self._table.stage] * self._density(rate) * words[0]
            no = (1 - prior[:, self._table.stage]) * self._spoke(ends) * words[1]
            chance = yes / (yes + no + 1e-300)
        likelihood = (self._counts * np.log(yes + no + 1e-300)).sum(axis=1)
        likelihood += (self._sure_stage[0] * np.log(prior) + self._sure_stage[1] * np.log(1 - prior)).sum(axis=1)
        likelihood += sum((one * np.log(two)).sum(axis=1) for one, two in zip(*self._of_words, strict=True))
        for (came, seconds), faster in zip(self._cut, self._faster.T, strict=True):
            likelihood += (came * np.log(faster[:, None] * rate) - seconds * faster[:, None] * rate).sum(axis=1)
        return chance, likelihood

    def _rate(self, pauses: Numbers) -> Numbers:
        """The rate at which pauses end in each stretch."""
        table = self._table
        at_risk = [
            seconds + pauses @ (kind[:, None] * table.watched)
            for (_, seconds), kind in zip(self._cut, self._to_kind.T, strict=True)
        ]
        seconds = self._exposure + pauses @ table.before
        seconds = seconds + sum(one[:, None] * two for one, two in zip(self._faster.T, at_risk, strict=True))
        # What is seen of those that Flux let pass is sure; where there are few, others are drawn to what came before.
        unseen = np.clip(1 - table.passed / np.maximum(seconds, 1e-9), 0, 1)
        rate = _rates(self._events, seconds, _PULL + self._events * unseen**2, self._slopes)
        for kind, ((came, _), theirs) in enumerate(zip(self._cut, at_risk, strict=True)):
            expected = (rate * theirs).sum(axis=1)
            self._faster[:, kind] = (came.sum(axis=1) + self._alike) / (expected + self._alike)
        return rate

    def _density(self, rate: Numbers) -> Numbers:
        """How likely a pause that outlasted the end of the turn came to its end when it did, a second."""
        table, faster = self._table, self._faster[:, self._table.kind]
        return np.asarray(faster * rate[:, table.to] * np.exp(-faster * (rate @ table.held.T)) * table.finished)

    def _spoke(self, ends: Numbers) -> Numbers:
        """How likely one who had finished spoke again when they did, a second."""
        counted = ends @ self._to_end + 0.02
        counted /= counted.sum(axis=1, keepdims=True) * np.tile(np.diff(AFTER), 2)
        total = ends.sum(axis=1)
        followed = total / (total + self._ends + 1e-9)
        return np.asarray(followed[:, None] * counted[:, self._table.end])

    def _prior(self, pauses: Numbers) -> Numbers:
        """The share of pauses among the ends of each stage."""
        went_on = pauses @ self._to_stage + self._sure_stage[0]
        usual = (went_on.sum(axis=1, keepdims=True) + 0.05) / (self._among.sum(axis=1, keepdims=True) + 0.5)
        return np.asarray((went_on + _FEW * usual) / (self._among + _FEW))

    def _words(self, pauses: Numbers, ends: Numbers) -> tuple[Numbers, Numbers]:
        """How likely the words before are as they are: before pauses, and before ends."""
        table, told = self._table, pauses @ self._to_word
        usual = _shares(told + self._sure_word)
        # Who trails off does not end a sentence: the words before ends by timeout are words of their own.
        last = [
            _shares(ends @ (self._to_word * kind[:, None]) + known)
            for kind, known in zip(self._to_kind.T, self._end_word, strict=True)
        ]
        late = (told + self._loyal * usual) / (told[:, 1:].sum(axis=1, keepdims=True) + self._loyal)
        late[:, 0] = 1.0
        self._of_words = [self._sure_word, *self._end_word], [usual, *last]
        word = table.joins + 1
        return late[:, word], np.where(table.kind == 0, last[0][:, word], last[1][:, word])


def _hot(places: Counts, size: int) -> Numbers:
    return np.asarray(places[:, None] == np.arange(size), dtype=np.float64)


def _shares(weights: Numbers) -> Numbers:
    """The chance that words join what follows, or do not; that it is not known says nothing."""
    shares = np.ones_like(weights)
    shares[:, 1:] = (weights[:, 1:] + 0.5) / (weights[:, 1:].sum(axis=1, keepdims=True) + 1.0)
    return shares


def _rates(events: Numbers, exposure: Numbers, pull: Numbers, slopes: Numbers) -> Numbers:
    """The rate in each stretch; where little is known, the one before, changed as the slope says."""
    middle = np.sqrt(np.maximum(EDGES[:-1], 0.05) * np.minimum(EDGES[1:], 15.0))
    change = np.diff(np.log(middle), prepend=np.log(middle[0]))
    rate = np.empty_like(events)
    before = np.full(len(events), 1.0)
    for stretch in range(BINS):
        expected = before * np.exp(slopes * change[stretch])
        drawn = pull[:, stretch]
        rate[:, stretch] = before = (events[:, stretch] + drawn) / (exposure[:, stretch] + drawn / expected)
    return rate
