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
from numpy.typing import NDArray

from .columns import Columns, Counts, Flags, Numbers
from .silences import REACTION
from .statistics import student

GROUPS = 20
"""Groups of calls that are left out in turn."""

_EDGES = np.concatenate(([0.0], np.arange(0.28, 2.4, 0.24), np.arange(2.44, 4.8, 0.48), np.arange(4.84, 10.0, 0.96), [1e3]))
_AFTER = np.array([0.3, 0.6, 0.9, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 1e3])
# What may be otherwise than it seems: how the rate at which pauses end changes with the logarithm of the seconds where
# it is not seen; after how many pauses those of one confidence have a rate of their own; and after how many the words
# before late pauses are words of their own.
_SLOPES, _ALIKE, _WORDS = (one.ravel() for one in np.meshgrid((0.5, -0.5, -1.5), (20.0, 1e6), (2.0, 1e6), indexing="ij"))
_PRIOR = np.repeat((0.3, 0.45, 0.25), 4)
_WAYS = len(_SLOPES)
_CENTRAL = 5  # slope -0.5, confidences with rates of their own, words alike
# Ends that Flux's model gave as late, and those that a timeout gave at as much confidence, are as likely pauses.
_LATE = np.array([0.0, 0.36, 0.6, 0.92, 1.4, 2.2, 1e3])
_SURE = np.array([-2.0, 0.3, 0.45, 0.6, 0.75, 2.0])
_STAGES = len(_LATE) + len(_SURE) - 2
_NONE = 1e-4  # a chance that is none
_MOST_TOLD = 4.0  # by so much at most, in logarithms, the calls tell a way from the best
_ROUNDS = 25
_BINS = len(_EDGES) - 1
_FEW = 2.0  # ends by which the share of pauses is drawn towards that of all
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

    def doubt(
        self, sums: Numbers, turns: Numbers, turned: Numbers, calls: Counts, inside: Flags | None = None
    ) -> tuple[float, float]:
        """What not knowing the chances does to a mean a turn.

        Args:
            sums: Sum over the turns of each call, if all that is unsure were ends.
            turns: Number of these turns.
            turned: How much more each unsure end would add, were it a pause.
            calls: The call of each unsure end.
            inside: Which calls the mean is of; None for all.

        Returns:
            By how much chance moves the mean through the chances, and by how much the ways do, each as half of a 95 %
            interval.
        """
        count, cells = len(self.without) - 1, len(self.likely)
        place = self.group[calls] * cells + self.cell
        some = np.ones(len(turned)) if inside is None else inside[calls].astype(np.float64)
        more, fewer = (
            np.bincount(place, weights=one, minlength=count * cells).reshape(count, cells)
            for one in (turned * some, some)
        )
        sums, turns = (np.bincount(self.group, weights=one, minlength=count) for one in (sums, turns))
        found = (sums.sum() + self.ways @ more.sum(axis=0)) / (turns.sum() - self.ways @ fewer.sum(axis=0))
        apart = float(self.weights @ (found - self.weights @ found) ** 2) ** 0.5
        # As many ways as count are few to tell how far they may be apart.
        reach = student(max(1, round(1 / float((self.weights**2).sum())) - 1))
        if count < 2:
            return 0.0, reach * apart
        left, rest = more.sum(axis=0) - more, fewer.sum(axis=0) - fewer
        sums, turns = sums.sum() - sums, turns.sum() - turns
        known = (sums + left @ self.without[0]) / np.maximum(turns - rest @ self.without[0], 1e-9)
        moved = (sums + (left * self.without[1:]).sum(axis=1)) / np.maximum(
            turns - (rest * self.without[1:]).sum(axis=1), 1e-9
        )
        fixed, free = float(known.var()), float(moved.var())
        return student(count - 1) * ((count - 1) * max(0.0, free - fixed)) ** 0.5, reach * apart


def groups(calls: int) -> Counts:
    """The group of each call."""
    return np.arange(calls) % min(calls, GROUPS)


def mixture(columns: Columns, unsure: Counts) -> Mixture:
    """Estimate how likely each unsure end was a pause."""
    group = groups(columns.calls)
    table = _Table(columns, unsure, group)
    left_out = np.concatenate((np.full(_WAYS, -1), [-1], np.arange(table.groups)))
    way = np.concatenate((np.arange(_WAYS), np.full(1 + table.groups, _CENTRAL)))
    chance, likelihood = _fit(table, left_out, way)
    chance[chance < _NONE] = 0.0
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
        stage = _stages(columns, unsure)
        for part in (stage, _place(_EDGES, known), _place(_EDGES, gap), place_end, joins + 1):
            code = code * 64 + part
        _, first, self.inverse = np.unique(code, return_index=True, return_inverse=True)
        cells = len(first)
        self.counts = self._by_group(mine, self.inverse, cells)
        many = np.bincount(self.inverse, minlength=cells)
        means = [np.bincount(self.inverse, weights=one, minlength=cells) / many for one in (known, gap, sure, after)]
        self.kind, self.joins, self.end = kind[first], joins[first], place_end[first]
        self.stage = stage[first]
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
        self.passed = self._exposure(mine[~cut], lengths[~cut]).sum(axis=0)
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
                _stages(columns, rows) * 3 + columns.joins[rows] + 1,
                3 * _STAGES,
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


def _stages(columns: Columns, rows: Counts) -> Counts:
    begin, end = columns.offsets[rows], columns.offsets[rows + 1]
    some = end > begin
    confidence = np.full(len(rows), -1.0)
    confidence[some] = columns.confidence[end[some] - 1]
    by_timeout = len(_LATE) - 1 + _place(_SURE, confidence)
    return np.asarray(np.where(columns.timed_out[rows], by_timeout, _place(_LATE, columns.known[rows])), dtype=np.int64)


def _place(edges: Numbers, values: Numbers) -> Counts:
    return np.asarray(np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2), dtype=np.int64)


def _overlap(until: Numbers) -> Numbers:
    return np.clip(until[:, None] - _EDGES[None, :-1], 0.0, np.diff(_EDGES)[None, :])


def _hot(places: Counts, size: int) -> Numbers:
    return np.asarray(places[:, None] == np.arange(size), dtype=np.float64)


def _fit(table: _Table, left_out: Counts, way: Counts) -> tuple[Numbers, Numbers]:
    """The chance of each cell to be pauses, and the likelihood, one row for each group left out and slope."""

    slopes, alike, loyal = _SLOPES[way], _ALIKE[way], _WORDS[way, None]

    def of(counted: Numbers) -> Numbers:
        return np.asarray(counted.sum(axis=0) - np.vstack((counted, np.zeros(counted.shape[1])))[left_out])

    counts, events, exposure, pauses, ends = map(
        of, (table.counts, table.events, table.exposure, table.pauses, table.ends)
    )
    cut_events, cut_exposure = [of(one) for one in table.after[0::2]], [of(one) for one in table.after[1::2]]
    to_kind, to_end, to_word = _hot(table.kind, 2), _hot(table.end, 2 * len(_AFTER) - 2), _hot(table.joins + 1, 3)
    widths = np.tile(np.diff(_AFTER), 2)
    to_stage = _hot(table.stage, _STAGES)
    by_stage, by_word = np.divmod(np.arange(3 * _STAGES), 3)
    sure_stage = [one @ _hot(by_stage, _STAGES) for one in (pauses, ends)]
    sure_word, by_timeout = pauses @ _hot(by_word, 3), by_stage >= len(_LATE) - 1
    end_word = [(ends * some) @ _hot(by_word, 3) for some in (~by_timeout, by_timeout)]
    among = counts @ to_stage + sure_stage[0] + sure_stage[1]
    chance, faster = np.full(counts.shape, 0.1), np.ones((len(counts), 2))
    for _ in range(_ROUNDS):
        w, v = counts * chance, counts * (1 - chance)
        at_risk = [one + w @ (hot[:, None] * table.watched) for one, hot in zip(cut_exposure, to_kind.T, strict=True)]
        seconds = exposure + w @ table.before + sum(f[:, None] * e for f, e in zip(faster.T, at_risk, strict=True))
        rate = _rates(events, seconds, _PULL + events * np.clip(1 - table.passed / np.maximum(seconds, 1e-9), 0, 1) ** 2, slopes)
        for kind, (came, seconds) in enumerate(zip(cut_events, at_risk, strict=True)):
            faster[:, kind] = (came.sum(axis=1) + alike) / ((rate * seconds).sum(axis=1) + alike)
        pace = faster[:, table.kind]
        density = pace * rate[:, table.to] * np.exp(-pace * (rate @ table.held.T)) * table.finished
        went_on = w @ to_stage + sure_stage[0]
        usual = (went_on.sum(axis=1, keepdims=True) + 0.05) / (among.sum(axis=1, keepdims=True) + 0.5)
        prior = (went_on + _FEW * usual) / (among + _FEW)
        spoke = v @ to_end + 0.02
        spoke /= spoke.sum(axis=1, keepdims=True) * widths
        followed = v.sum(axis=1) / (v.sum(axis=1) + ends.sum(axis=1) + 1e-9)
        told = w @ to_word
        words = _words(told + sure_word)
        # Who trails off does not end a sentence: the words before ends by timeout are words of their own.
        last_words = [_words(v @ (to_word * hot[:, None]) + known) for hot, known in zip(to_kind.T, end_word, strict=True)]
        spoken = np.where(table.kind == 0, last_words[0][:, table.joins + 1], last_words[1][:, table.joins + 1])
        late = np.where(np.arange(3) == 0, 1.0, (told + loyal * words) / (told[:, 1:].sum(axis=1, keepdims=True) + loyal))
        yes = prior[:, table.stage] * density * late[:, table.joins + 1]
        no = (1 - prior[:, table.stage]) * followed[:, None] * spoke[:, table.end] * spoken
        chance = yes / (yes + no + 1e-300)
    likelihood = (counts * np.log(yes + no + 1e-300)).sum(axis=1)
    likelihood += (sure_stage[0] * np.log(prior) + sure_stage[1] * np.log(1 - prior)).sum(axis=1)
    likelihood += (sure_word * np.log(words)).sum(axis=1)
    likelihood += sum((one * np.log(two)).sum(axis=1) for one, two in zip(end_word, last_words, strict=True))
    for came, seconds, pace in zip(cut_events, cut_exposure, faster.T, strict=True):
        likelihood += (came * np.log(pace[:, None] * rate) - seconds * pace[:, None] * rate).sum(axis=1)
    return chance, likelihood


def _words(weights: Numbers) -> Numbers:
    """The chance that the words before join what follows, do not, or that it is not known, which says nothing."""
    shares = np.ones_like(weights)
    shares[:, 1:] = (weights[:, 1:] + 0.5) / (weights[:, 1:].sum(axis=1, keepdims=True) + 1.0)
    return shares


def _rates(events: Numbers, exposure: Numbers, pull: Numbers, slopes: Numbers) -> Numbers:
    """The rate at which pauses end in each stretch; where little is known, as before, or as the slope says."""
    middle = np.sqrt(np.maximum(_EDGES[:-1], 0.05) * np.minimum(_EDGES[1:], 15.0))
    change = np.diff(np.log(middle), prepend=np.log(middle[0]))
    rate = np.empty_like(events)
    before = np.full(len(events), 1.0)
    for place in range(_BINS):
        expected = before * np.exp(slopes * change[place])
        rate[:, place] = before = (events[:, place] + pull[:, place]) / (
            exposure[:, place] + pull[:, place] / expected
        )
    return rate
