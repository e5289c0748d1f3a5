"""A mixture of "went on" and "had finished": how likely each end of a turn was a pause, and how sure that is.

Who speaks again after an end of turn had paused or had finished. How long pauses last is known from those that Flux let
pass and from those that surely went on, censored by what Flux and the agent did (survival); who had finished speaks
again at times and with words that may differ. Which of the two an end was is estimated from both by
expectation and maximisation, on a table of what the ends have in common, with whole calls left out in turn for what
chance does to it. Beyond the stretch in which it is sure, how fast pauses come to an end is not known: several ways in
which it may change are tried, each with the weight that the calls give it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from .columns import Columns, Counts, Numbers
from .silences import REACTION

GROUPS = 20
"""Groups of calls that are left out in turn."""

_EDGES = np.concatenate(
    ([0.0], np.arange(0.28, 2.4, 0.24), np.arange(2.44, 4.8, 0.48), np.arange(4.84, 10.0, 0.96), [1e3])
)
_AFTER = np.array([0.3, 0.6, 0.9, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 1e3])
# How the rate at which pauses end may change with the logarithm of the seconds, and after how many pauses those of one
# confidence may have a rate of their own.
_SLOPES, _ALIKE = (x.ravel() for x in np.meshgrid((0.5, 0.0, -0.7, -1.5), (20.0, 1e6)))
_PRIOR = np.tile((0.15, 0.35, 0.35, 0.15), 2)
_WAYS = len(_SLOPES)
_CENTRAL = 1
_MOST_TOLD = 2.0
_ROUNDS = 30
_BINS = len(_EDGES) - 1
_PULL = 3.0  # pauses by which a rate is drawn towards the one before


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
    """

    cell: Counts
    likely: Numbers
    ways: Numbers
    weights: Numbers
    without: Numbers
    group: Counts


def groups(calls: int) -> Counts:
    """The group of each call."""
    return np.arange(calls) % min(calls, GROUPS)


def mixture(columns: Columns, unsure: Counts) -> Mixture:
    """Estimate how likely each unsure end was a pause."""
    group = groups(columns.calls)
    table = _Table(columns, unsure, group)
    left_out = np.concatenate((np.full(_WAYS, -1), [-1], np.arange(table.groups)))
    way = np.concatenate((np.arange(_WAYS), np.full(1 + table.groups, _CENTRAL)))
    chance, likelihood = _fit(table, left_out, _SLOPES[way], _ALIKE[way])
    ways, without, told = chance[:_WAYS], chance[_WAYS:], likelihood[:_WAYS]
    # All ways are wrong in detail, and calls are not alike: however many calls there are, none is ruled out.
    weights = _PRIOR * np.exp((told - told.max()) / max(1.0, float(np.ptp(told)) / _MOST_TOLD))
    weights /= weights.sum()
    return Mixture(table.inverse, weights @ ways, ways, weights, without, group)


class _Table:
    """Unsure ends by what they have in common, how many of each in each group of calls, and what is sure beside."""

    def __init__(self, columns: Columns, unsure: Counts, group: Counts) -> None:
        self.groups = int(group.max()) + 1
        mine = group[columns.call[unsure]]
        known, gap, sure = columns.known[unsure], np.minimum(columns.gap[unsure], 500.0), columns.sure[unsure]
        after = gap - sure + REACTION
        answered = columns.answered[unsure].astype(np.int64)
        kind, joins = columns.timed_out[unsure].astype(np.int64), columns.joins[unsure]
        place_end = answered * (len(_AFTER) - 1) + _place(_AFTER, after)
        code = np.zeros(len(unsure), dtype=np.int64)
        for part in (kind, _place(_EDGES, known), _place(_EDGES, gap), place_end, joins + 1):
            code = code * 64 + part
        _, first, self.inverse = np.unique(code, return_index=True, return_inverse=True)
        cells = len(first)
        self.counts = self._by_group(mine, self.inverse, cells)
        many = np.bincount(self.inverse, minlength=cells)
        means = [np.bincount(self.inverse, weights=one, minlength=cells) / many for one in (known, gap, sure, after)]
        self.kind, self.joins, self.end = kind[first], joins[first], place_end[first]
        self.to = _place(_EDGES, means[1])
        # Seconds at risk in each stretch: from the end of the turn to the next words, and as far as it is sure.
        self.before = _overlap(means[0])
        self.held, self.watched = _overlap(means[1]) - self.before, _overlap(means[2]) - self.before
        finished = np.sort(after[answered == 1])
        done = np.searchsorted(finished, means[3] + REACTION) / max(len(finished), 1)
        self.finished = np.where(answered[first] == 1, done, 1 - done) if len(finished) else np.ones(cells)
        self._sure(columns, group)

    def _sure(self, columns: Columns, group: Counts) -> None:
        """Pauses and ends of which it is sure that they are."""
        pauses = np.flatnonzero(~columns.last & np.isfinite(columns.seconds))
        mine, lengths = group[columns.call[pauses]], columns.seconds[pauses]
        cut, timed_out = columns.ended[pauses], columns.timed_out[pauses]
        places, known = _place(_EDGES, lengths), np.minimum(np.where(cut, columns.known[pauses], inf), lengths)
        self.events, self.exposure = self._by_group(mine, places, _BINS), self._exposure(mine, known)
        # And of those that were cut off, from there on, ended by the model or by the timeout.
        self.after = []
        for rows in (cut & ~timed_out, cut & timed_out):
            group_of = mine[rows]
            seconds = self._exposure(group_of, lengths[rows]) - self._exposure(group_of, known[rows])
            self.after += [self._by_group(group_of, places[rows], _BINS), seconds]
        ends = np.flatnonzero(columns.last & columns.ended & ~np.isfinite(columns.gap))
        self.pauses, self.ends = (
            self._by_group(
                group[columns.call[rows]],
                columns.timed_out[rows].astype(np.int64) * 3 + columns.joins[rows] + 1,
                6,
            )
            for rows in (pauses[cut], ends)
        )

    def _by_group(self, group: Counts, places: Counts, size: int) -> Numbers:
        found = np.bincount(group * size + places, minlength=self.groups * size)
        return np.asarray(found.reshape(self.groups, size), dtype=np.float64)

    def _exposure(self, group: Counts, lengths: Numbers) -> Numbers:
        """Seconds in each stretch, of silences of these lengths, by group."""
        places = _place(_EDGES, lengths)
        many = self._by_group(group, places, _BINS)
        more = np.cumsum(many[:, ::-1], axis=1)[:, ::-1] - many
        inside = np.bincount(
            group * _BINS + places, weights=lengths - _EDGES[places], minlength=self.groups * _BINS
        ).reshape(self.groups, _BINS)
        return np.asarray(more * np.diff(_EDGES) + inside, dtype=np.float64)


def _place(edges: Numbers, values: Numbers) -> Counts:
    return np.asarray(np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2), dtype=np.int64)


def _overlap(until: Numbers) -> Numbers:
    return np.clip(until[:, None] - _EDGES[None, :-1], 0.0, np.diff(_EDGES)[None, :])


def _hot(places: Counts, size: int) -> Numbers:
    return np.asarray(places[:, None] == np.arange(size), dtype=np.float64)


def _fit(table: _Table, left_out: Counts, slopes: Numbers, alike: Numbers) -> tuple[Numbers, Numbers]:
    """The chance of each cell to be pauses, and the likelihood, one row for each group left out and slope."""

    def of(counted: Numbers) -> Numbers:
        return np.asarray(counted.sum(axis=0) - np.vstack((counted, np.zeros(counted.shape[1])))[left_out])

    counts, events, exposure, pauses, ends = map(
        of, (table.counts, table.events, table.exposure, table.pauses, table.ends)
    )
    cut_events, cut_exposure = [of(one) for one in table.after[0::2]], [of(one) for one in table.after[1::2]]
    to_kind, to_end, to_word = _hot(table.kind, 2), _hot(table.end, 2 * len(_AFTER) - 2), _hot(table.joins + 1, 3)
    widths = np.tile(np.diff(_AFTER), 2)
    by_kind, by_word = np.arange(6) // 3, np.arange(6) % 3
    sure_kind = [one @ _hot(by_kind, 2) for one in (pauses, ends)]
    sure_word = [one @ _hot(by_word, 3) for one in (pauses, ends)]
    all_kind = counts @ to_kind + sure_kind[0] + sure_kind[1]
    chance, faster = np.full(counts.shape, 0.1), np.ones((len(counts), 2))
    for _ in range(_ROUNDS):
        w, v = counts * chance, counts * (1 - chance)
        at_risk = [one + w @ (hot[:, None] * table.watched) for one, hot in zip(cut_exposure, to_kind.T, strict=True)]
        rate = _rates(
            events,
            exposure + w @ table.before + sum(f[:, None] * e for f, e in zip(faster.T, at_risk, strict=True)),
            slopes,
        )
        for kind, (came, seconds) in enumerate(zip(cut_events, at_risk, strict=True)):
            faster[:, kind] = (came.sum(axis=1) + alike) / ((rate * seconds).sum(axis=1) + alike)
        pace = faster[:, table.kind]
        density = pace * rate[:, table.to] * np.exp(-pace * (rate @ table.held.T)) * table.finished
        prior = (w @ to_kind + sure_kind[0] + 0.05) / (all_kind + 0.5)
        spoke = v @ to_end + 0.02
        spoke /= spoke.sum(axis=1, keepdims=True) * widths
        followed = v.sum(axis=1) / (v.sum(axis=1) + ends.sum(axis=1) + 1e-9)
        words = [_words(one @ to_word + known) for one, known in zip((w, v), sure_word, strict=True)]
        yes = prior[:, table.kind] * density * words[0][:, table.joins + 1]
        no = (1 - prior[:, table.kind]) * followed[:, None] * spoke[:, table.end] * words[1][:, table.joins + 1]
        chance = yes / (yes + no + 1e-300)
    likelihood = (counts * np.log(yes + no + 1e-300)).sum(axis=1)
    likelihood += (sure_kind[0] * np.log(prior) + sure_kind[1] * np.log(1 - prior)).sum(axis=1)
    likelihood += sum((one * np.log(two)).sum(axis=1) for one, two in zip(sure_word, words, strict=True))
    for came, seconds, pace in zip(cut_events, cut_exposure, faster.T, strict=True):
        likelihood += (came * np.log(pace[:, None] * rate) - seconds * pace[:, None] * rate).sum(axis=1)
    return chance, likelihood


def _words(weights: Numbers) -> Numbers:
    """The chance that the words before join what follows, do not, or that it is not known, which says nothing."""
    shares = np.ones_like(weights)
    shares[:, 1:] = (weights[:, 1:] + 0.5) / (weights[:, 1:].sum(axis=1, keepdims=True) + 1.0)
    return shares


def _rates(events: Numbers, exposure: Numbers, slopes: Numbers) -> Numbers:
    """The rate at which pauses end in each stretch; where little is known, as before, or as the slope says."""
    middle = np.sqrt(np.maximum(_EDGES[:-1], 0.05) * np.minimum(_EDGES[1:], 15.0))
    change = np.diff(np.log(middle), prepend=np.log(middle[0]))
    rate = np.empty_like(events)
    before = np.full(len(events), 1.0)
    for place in range(_BINS):
        expected = before * np.exp(slopes * change[place])
        rate[:, place] = before = (events[:, place] + _PULL) / (exposure[:, place] + _PULL / expected)
    return rate
