"""Doubts: which ends of turns may have been pauses in which the user was cut off.

A user who speaks again before anything of the reply was heard, or faster than anyone reacts to it, had only paused.
Later, they may have paused or have had finished: the recording does not say. One who let the reply come to its end had
likely finished; but a pause may outlast a short reply, and the bounds allow for it.

How often users go on in the stretch in which it is sure, and how fast pauses come to an end, bound how many of the
others are pauses: no more to the second than at the end of that stretch, and ever fewer, by at least half the rate at
which pauses ended before. Where the words before most sure pauses do not end a sentence, those after which they do can
be only so many.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from .columns import Columns, Counts, Flags, Numbers
from .mixture import Mixture, mixture

_BIN = 0.5  # seconds
_RATES = (0.2, 3.0)  # at which pauses may come to an end, a second
_FEW = 10
_SAMPLED = 16
_ALIKE = 1e-12  # values that come to the same


@dataclass(frozen=True)
class Doubts:
    """For each silence the weight with which it counts as a pause, though it may have been an end.

    Attributes:
        likely: The likely weights.
        most: The most that the weights may be, one by one; and together, whichever silences they are on.
        unsure: Numbers of the silences that may be either.
        mixture: How sure the likely weights are; None if nothing is unsure.
    """

    likely: Numbers
    most: Numbers
    unsure: Counts
    mixture: Mixture | None

    @cached_property
    def total(self) -> float:
        """How many of them may be pauses at most."""
        return float(self.most.sum())

    def on_largest(self, values: Numbers) -> tuple[Counts, Numbers]:
        """As much weight as there may be, on the unsure silences of the largest values above 0; equals share.

        Returns:
            Their places among the unsure, and the weight of each.
        """
        positive = values > 0
        some = int(np.count_nonzero(positive))
        total = min(self.total, float(some))
        count = int(total)
        if count >= some:
            return np.flatnonzero(positive), np.ones(some)
        places, edge = _largest(values, count + 1)
        # Equal but for the last bits: these must not say which call is moved.
        equal = values[places] <= edge + _ALIKE
        return places, np.where(equal, (total - (len(places) - equal.sum())) / equal.sum(), 1.0)


def _largest(values: Numbers, count: int) -> tuple[Counts, float]:
    """The places of so many largest values, and of those that equal the least of them; and that one."""
    top = float(values.max())
    if np.count_nonzero(values >= top - _ALIKE) >= count:  # as where all are 0 or 1
        return np.flatnonzero(values >= top - _ALIKE), top
    # By a sample of them, most are told to be less than that, and need not be put into order.
    sample = values[::_SAMPLED]
    likely = count * 3 // (2 * _SAMPLED) + 8
    places = np.arange(len(values))
    if likely < len(sample):
        least = np.partition(sample, len(sample) - likely)[len(sample) - likely] - _ALIKE
        above = np.flatnonzero(values >= least)
        if np.count_nonzero(values[above] >= least + _ALIKE) >= count:
            places = above
    found = values[places]
    edge = float(np.partition(found, len(found) - count)[len(found) - count])
    return np.asarray(places[found >= edge - _ALIKE], dtype=np.int64), edge


def doubts(columns: Columns) -> Doubts:
    """Weigh each end of a turn after which the user spoke again."""
    likely, most = np.zeros(len(columns.call)), np.zeros(len(columns.call))
    unsure = columns.last & columns.ended & np.isfinite(columns.gap)
    rows = np.flatnonzero(unsure)
    if not len(rows):
        return Doubts(likely, most, rows, None)
    found = mixture(columns, rows)
    likely[rows] = found.likely[found.cell]
    limit = _limit(columns, unsure)
    limit *= _by_words(columns, unsure, float(limit.sum()))
    most[rows] = np.maximum(limit, likely[rows])
    return Doubts(likely, most, rows, found)


def _limit(columns: Columns, unsure: Flags) -> Numbers:
    """Of the unsure ends, the most that the chance of each to have been a pause may be."""
    ended, known = columns.ended, columns.known
    ends = int(ended.sum())
    sure = ended & ~columns.last
    after = columns.gap - known
    window = np.where(np.isfinite(columns.sure), columns.sure, columns.gap) - known
    edge = float(np.median(window[ended & columns.last]))
    # The rate at which users went on in the second half of the sure stretch, an end and second.
    count = int((sure & (after > edge / 2) & (after <= edge)).sum())
    exposure = float(np.clip(np.minimum(window[ended], edge) - edge / 2, 0.0, None).sum())
    rate, most = count / exposure, float(special.gammaincinv(count + 1, 0.975)) / exposure
    ending = _ending_rate(columns, float(np.median(known[ended])) + edge, rate * ends)
    late = after[unsure]
    beyond = np.clip(late - edge, 0.0, None)
    return np.minimum(1.0, most * np.exp(-ending / 2 * beyond) / _density(late, ends))


def _density(late: Numbers, ends: int) -> Numbers:
    """How many of them came around the second at which each did, an end and second."""
    bins = (late / _BIN).astype(int)
    counted = np.bincount(bins)
    return np.asarray(counted[bins] / _BIN / ends, dtype=np.float64)


def _ending_rate(columns: Columns, edge: float, density: float) -> float:
    """The rate at which pauses came to an end before the edge, those that outlast it counted in."""
    pauses = columns.seconds[~columns.last]
    if len(pauses) < _FEW:
        return _RATES[0]
    begin = min(float(np.median(pauses)), edge - _BIN)
    came = int(((pauses > begin) & (pauses <= edge)).sum())
    exposure = float(np.clip(np.minimum(pauses, edge) - begin, 0.0, None).sum())
    rate = (came - density * (edge - begin)) / exposure if exposure > 0 else 0.0
    return min(max(rate, _RATES[0]), _RATES[1])


def _by_words(columns: Columns, unsure: Flags, most: float) -> float:
    """The share of so many pauses that the words before them leave room for."""
    sure = columns.ended & ~columns.last & (columns.joins >= 0)
    told = unsure & (columns.joins >= 0)
    if sure.sum() < _FEW or told.sum() < unsure.sum() or most <= 0:
        return 1.0
    joined = int((columns.joins[sure] == 1).sum())
    least = float(special.betaincinv(joined + 0.5, int(sure.sum()) - joined + 0.5, 0.025))
    room = float((columns.joins[told] == 1).sum()) / max(least, 1e-6)
    return min(1.0, room / most)
