"""Ends of turns and pauses, counted by what they have in common and by group of calls: what the mixture needs."""

from __future__ import annotations

from math import inf

import numpy as np

from .columns import Columns, Counts, Numbers
from .silences import REACTION

GROUPS = 20
"""Groups of calls that are left out in turn."""

# Silences on the grid of frames lie between these, so that none is on the edge.
EDGES = np.concatenate(
    ([0.0], np.arange(0.28, 2.4, 0.24), np.arange(2.44, 4.8, 0.48), np.arange(4.84, 10.0, 0.96), [1e3])
)
"""Seconds of silence at which one stretch ends and the next begins."""

BINS = len(EDGES) - 1
"""Number of stretches."""

AFTER = np.array([0.3, 0.6, 0.9, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 1e3])
"""Seconds from the first sound of the reply to the user's next words, from one range to the next."""

# Ends that Flux's model gave as late, and those that a timeout gave at as much confidence, are as likely pauses.
_LATE = np.array([0.0, 0.36, 0.6, 0.92, 1.4, 2.2, 1e3])
_SURE = np.array([-2.0, 0.3, 0.45, 0.6, 0.75, 2.0])

BY_TIMEOUT = len(_LATE) - 1
"""The first stage of ends that a timeout gave."""

STAGES = BY_TIMEOUT + len(_SURE) - 1
"""Number of stages of an end: by how late the model gave it, or at how much confidence the timeout."""

_LONGEST = 500.0


class Continuations:
    """Unsure ends in cells of those that are alike, and what is sure beside; all counts one row a group of calls.

    Attributes:
        groups: Number of groups.
        counts: Unsure ends of each cell.
        inverse: The cell of each unsure end.
        kind: Of a cell, whether a timeout gave its ends.
        stage: Of a cell, the stage of its ends.
        joins: Of a cell, what the words before are: 1, 0, or -1 if it is not known.
        end: Of a cell, when the user spoke next, were they ends: the range of `AFTER`, answered ones behind the others.
        to: Of a cell, in which stretch its pauses ended, were they pauses.
        before: Seconds in each stretch until the end of the turn.
        held: Seconds in each stretch from there to the user's next words.
        watched: Seconds in each stretch from there as far as who speaks has surely only paused.
        finished: Of a cell, the chance that so much of a reply had been heard by then.
        events: Sure pauses that ended in each stretch.
        exposure: Seconds in each stretch of the silence of sure pauses, until Flux ended the turn if it did.
        passed: The same, of those in which Flux did not, in all groups.
        cut: For ends by the model and by the timeout, sure pauses that ended in each stretch after, and the seconds.
        pauses: Sure pauses that were cut off, by stage and words.
        ends: Sure ends, by stage and words.
    """

    def __init__(self, columns: Columns, unsure: Counts, group: Counts) -> None:
        self.groups = int(group.max()) + 1
        known, gap, sure = columns.known[unsure], np.minimum(columns.gap[unsure], _LONGEST), columns.sure[unsure]
        after = gap - sure + REACTION
        answered = columns.answered[unsure].astype(np.int64)
        kind, joins = columns.timed_out[unsure].astype(np.int64), columns.joins[unsure]
        stage, end = _stages(columns, unsure), answered * (len(AFTER) - 1) + place(AFTER, after)
        code = np.zeros(len(unsure), dtype=np.int64)
        for part in (stage, place(EDGES, known), place(EDGES, gap), end, joins + 1):
            code = code * 64 + part
        _, first, self.inverse = np.unique(code, return_index=True, return_inverse=True)
        cells = len(first)
        self.counts = self._by_group(group[columns.call[unsure]], self.inverse, cells)
        many = np.bincount(self.inverse, minlength=cells)
        means = [np.bincount(self.inverse, weights=one, minlength=cells) / many for one in (known, gap, sure, after)]
        self.kind, self.stage, self.joins, self.end = kind[first], stage[first], joins[first], end[first]
        self.to = place(EDGES, means[1])
        self.before = _overlap(means[0])
        self.held, self.watched = _overlap(means[1]) - self.before, _overlap(means[2]) - self.before
        # Of those who had finished, those who let the reply end did so a reaction before they spoke.
        over = np.sort(after[answered == 1])
        done = np.searchsorted(over, means[3] + REACTION) / max(len(over), 1)
        self.finished = np.where(answered[first] == 1, done, 1 - done) if len(over) else np.ones(cells)
        self._count_sure(columns, group)

    def _count_sure(self, columns: Columns, group: Counts) -> None:
        pauses = np.flatnonzero(~columns.last & np.isfinite(columns.seconds))
        mine, lengths = group[columns.call[pauses]], columns.seconds[pauses]
        cut, timed_out = columns.ended[pauses], columns.timed_out[pauses]
        places, known = place(EDGES, lengths), np.minimum(np.where(cut, columns.known[pauses], inf), lengths)
        self.events, self.exposure = self._by_group(mine, places, BINS), self._exposure(mine, known)
        self.passed = self._exposure(mine[~cut], lengths[~cut]).sum(axis=0)
        self.cut = []
        for rows in (cut & ~timed_out, cut & timed_out):
            theirs = mine[rows]
            seconds = self._exposure(theirs, lengths[rows]) - self._exposure(theirs, known[rows])
            self.cut.append((self._by_group(theirs, places[rows], BINS), seconds))
        ends = np.flatnonzero(columns.last & columns.ended & ~np.isfinite(columns.gap))
        self.pauses, self.ends = (
            self._by_group(group[columns.call[rows]], _stages(columns, rows) * 3 + columns.joins[rows] + 1, 3 * STAGES)
            for rows in (pauses[cut], ends)
        )

    def _by_group(self, group: Counts, places: Counts, size: int) -> Numbers:
        found = np.bincount(group * size + places, minlength=self.groups * size)
        return np.asarray(found.reshape(self.groups, size), dtype=np.float64)

    def _exposure(self, group: Counts, lengths: Numbers) -> Numbers:
        """Seconds in each stretch, of silences of these lengths, by group."""
        places = place(EDGES, lengths)
        many = self._by_group(group, places, BINS)
        more = np.cumsum(many[:, ::-1], axis=1)[:, ::-1] - many
        inside = np.bincount(group * BINS + places, weights=lengths - EDGES[places], minlength=self.groups * BINS)
        return np.asarray(more * np.diff(EDGES) + inside.reshape(self.groups, BINS), dtype=np.float64)


def groups(calls: int) -> Counts:
    """The group of each call."""
    return np.arange(calls) % min(calls, GROUPS)


def place(edges: Numbers, values: Numbers) -> Counts:
    """Between which edges each value lies."""
    return np.asarray(np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2), dtype=np.int64)


def _overlap(until: Numbers) -> Numbers:
    return np.clip(until[:, None] - EDGES[None, :-1], 0.0, np.diff(EDGES)[None, :])


def _stages(columns: Columns, rows: Counts) -> Counts:
    begin, end = columns.offsets[rows], columns.offsets[rows + 1]
    some = end > begin
    confidence = np.full(len(rows), -1.0)
    confidence[some] = columns.confidence[end[some] - 1]
    by_timeout = BY_TIMEOUT + place(_SURE, confidence)
    return np.asarray(np.where(columns.timed_out[rows], by_timeout, place(_LATE, columns.known[rows])), dtype=np.int64)
