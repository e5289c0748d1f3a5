"""Prediction of what other thresholds would have made of the same silences, and how much of it a recording can know.

The reading of Flux behind it is the plainest one: it ends a turn once its confidence has reached the threshold, for
one report or for two, and not before a certain silence (`SilenceGate`, estimated from the calls themselves). So it is

- exact (but for the grid of its reports, 0.08 to 0.24 s) for a higher `eager_eot_threshold` than the recorded one, for
  a budget of drafts, and for a shorter timeout;
- rough for lower thresholds than the recorded ones: the numbers are there, the gate is an estimate;
- bounds only for a higher `eot_threshold` or a longer timeout: how sure Flux would have become after it had ended the
  turn was never said. Record some calls with a high threshold and a long timeout, and all below becomes answerable.

Whether it really knows as much as that depends on what is unsure in these calls (`doubts`) as well: a forecast is no
better than the width of what they leave open.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np

from .columns import Columns, Counts, Flags, Numbers
from .crossings import FRAME, NOISE, Crossings, FoundCrossings
from .settings import Setting, SilenceGate
from .silences import FluxThresholds

_Sides: TypeAlias = tuple[Numbers, Numbers]
_Either: TypeAlias = tuple[Flags, Flags]
_KEPT = 8  # ends that are not worked out again: those of one threshold, with all timeouts


@dataclass(frozen=True)
class Predicted:
    """What a setting makes of each silence, at best and at worst, one row a silence.

    Attributes:
        response: Seconds from the last word to the first sound, were it an end.
        saved: Seconds of it that a draft saved; nan if there was none.
        cut_offs: Whether the user is cut off, were it a pause.
        extra: Whether a call of the LLM is lost, were it a pause.
    """

    response: tuple[Numbers, Numbers]
    saved: Numbers
    cut_offs: tuple[Numbers, Numbers]
    extra: tuple[Numbers, Numbers]


@dataclass(frozen=True)
class _Ends:
    """Where turns end, with some end-of-turn threshold and timeout: all that the drafts have no say in.

    Attributes:
        at: The second of each silence, at the earliest and at the latest.
        cut: Whether the user is cut off, were it a pause; at the latest end first.
        counted: The same as numbers.
    """

    at: _Sides
    cut: _Either
    counted: _Sides


@dataclass(frozen=True)
class _Drafts:
    """What becomes of drafts with some thresholds, if there is no bound to them.

    Attributes:
        thresholds: The thresholds.
        wasted: Whether one is wasted in each silence, at best and at worst.
        drafted: Whether one is begun before the end, at the earliest and at the latest.
        saved: Seconds that it saves, likewise.
        used: How many were wasted before it in its turn, at best and at worst.
        unbounded: What comes of them all.
    """

    thresholds: FluxThresholds
    wasted: _Either
    drafted: _Either
    saved: _Sides
    used: tuple[Counts, Counts]
    unbounded: Predicted


class Predictor:
    """Predicts silences for many settings; what does not depend on them is worked out once."""

    def __init__(self, columns: Columns, reply_seconds: float) -> None:
        self._reply_seconds = reply_seconds
        self._crossings: Crossings | FoundCrossings = Crossings(columns)
        self._eot, self._eager, self._timeout = columns.recorded()
        self._length = np.where(columns.last, columns.gap, columns.seconds)
        filled = np.diff(columns.offsets) > 0
        self._at_end = np.full(len(columns.call), -1.0)
        self._at_end[filled] = columns.confidence[columns.offsets[1:][filled] - 1]
        self._begins = np.concatenate(([True], columns.last[:-1])) if len(columns.call) else columns.last
        self._columns = columns.without_samples()
        self._ends: dict[tuple[float, float], _Ends] = {}
        self._earlies: dict[float, _Sides] = {}
        self._drafts: _Drafts | None = None

    @property
    def gate(self) -> SilenceGate:
        """What Flux asks for beyond the confidence."""
        return self._crossings.gate

    def only(self, settings: Iterable[Setting]) -> Predictor:
        """One that predicts these settings alone, as this one does: without the samples, so that it is small."""
        asked = [setting.thresholds for setting in settings]
        levels = {one.eot for one in asked} | {one.eager for one in asked if one.eager is not None}
        other = copy(self)
        other._crossings = self._crossings.found(levels)
        other._ends, other._earlies, other._drafts = {}, {}, None
        return other

    def of(self, setting: Setting) -> Predicted:
        """What the setting makes of each silence; of settings that differ in nothing that matters, the same object."""
        asked = setting.thresholds
        ends = self._end(asked.eot, asked.timeout)
        if asked.eager is None or setting.drafts < 1:
            waits = ends.at[0] + self._reply_seconds, ends.at[1] + self._reply_seconds
            return Predicted(waits, np.full(len(self._length), np.nan), ends.counted, ends.counted)
        if self._drafts is None or self._drafts.thresholds != asked:
            self._drafts = self._drafts_of(asked, ends, self._early(asked.eager))
        drafts = self._drafts
        if setting.drafts < inf:
            left = drafts.used[0] < setting.drafts, drafts.used[1] < setting.drafts
            wasted = drafts.wasted[0] & left[1], drafts.wasted[1] & left[0]
            drafted = drafts.drafted[0] & left[0], drafts.drafted[1] & left[1]
            # A budget that is never used up is none.
            if not all(map(np.array_equal, (*wasted, *drafted), (*drafts.wasted, *drafts.drafted))):
                saved = np.where(left[0], drafts.saved[0], 0.0), np.where(left[1], drafts.saved[1], 0.0)
                return self._predicted(ends, wasted, drafted[1], saved)
        return drafts.unbounded

    def _drafts_of(self, asked: FluxThresholds, ends: _Ends, early: _Sides) -> _Drafts:
        end, cut, length = ends.at, ends.cut, self._length
        wasted = (
            (early[1] <= np.minimum(end[1], length)) & ~cut[1],
            (early[0] <= np.minimum(end[0], length)) & ~cut[0],
        )
        drafted = (early[0] <= end[0]) & np.isfinite(early[0]), (early[1] <= end[1]) & np.isfinite(early[1])
        with np.errstate(invalid="ignore"):  # neither ever comes: there is no draft, and nothing saved
            # A draft that would begin after the end saves nothing either.
            first, second = (
                np.minimum(np.fmax(at - begun, 0.0), self._reply_seconds) for at, begun in zip(end, early, strict=True)
            )
        used = self._used(wasted[0], cut[0]), self._used(wasted[1], cut[1])
        saved = first, second
        return _Drafts(asked, wasted, drafted, saved, used, self._predicted(ends, wasted, drafted[1], saved))

    def _end(self, eot: float, timeout: float) -> _Ends:
        if (eot, timeout) not in self._ends:
            if len(self._ends) >= _KEPT:
                del self._ends[next(iter(self._ends))]
            at, length = self._end_of(eot, timeout), self._length
            cut = at[1] < length - NOISE, at[0] < length - NOISE
            self._ends[eot, timeout] = _Ends(at, cut, (cut[0].astype(np.float64), cut[1].astype(np.float64)))
        return self._ends[eot, timeout]

    def _end_of(self, eot: float, timeout: float) -> _Sides:
        """The second of each silence at which the turn ends, at the earliest and at the latest."""
        columns, known = self._columns, self._columns.known
        by_model = columns.ended & ~columns.timed_out
        early, late = self._crossings.at(eot)
        lower, higher = eot < self._eot - NOISE, eot > self._eot + NOISE
        # The recorded end is one of a lower threshold too, at the latest.
        early = np.where(by_model, np.minimum(early, known), early)
        late = np.where(by_model, np.minimum(late, known), late)
        same = np.where(by_model, known, inf)
        single = self._crossings.gate.frames == 1
        sure = by_model & (self._at_end >= eot - NOISE) & single
        at_once = self._at_end >= eot - NOISE  # and for one frame at least
        above_early = np.where(columns.ended, np.where(at_once, known, known + FRAME), inf)
        above_late = np.where(sure, known, inf)
        early = np.where(lower, early, np.where(higher, above_early, same))
        late = np.where(lower, late, np.where(higher, above_late, same))
        # Beyond a timeout that ended the turn, a confidence that would have is not known.
        early = np.where(columns.timed_out, np.minimum(early, known + FRAME), early)
        shorter = timeout < self._timeout - NOISE
        longer = timeout > self._timeout + NOISE
        lag = self._crossings.gate.lag
        limit = np.where(
            shorter | longer,
            timeout + lag,
            np.where(columns.timed_out, known, np.where(columns.ended, self._timeout + lag, inf)),
        )
        limit = np.where(longer & ~columns.ended, inf, limit)
        return np.minimum(early, limit), np.minimum(late, limit)

    def _early(self, eager: float) -> tuple[Numbers, Numbers]:
        """The second of each silence at which a draft begins, at the earliest and at the latest."""
        if eager not in self._earlies:
            early, late = self._crossings.at(eager)
            recorded = np.abs(eager - self._eager) < NOISE
            did = np.where(np.isnan(self._columns.eager), inf, self._columns.eager)
            unknown = self._columns.ended & (self._columns.timed_out | (eager > self._eot + NOISE))
            early = np.where(unknown, np.minimum(early, self._columns.known + FRAME), early)
            by_model = self._columns.ended & ~self._columns.timed_out & (eager <= self._eot + NOISE)
            early, late = (np.where(by_model, np.minimum(one, self._columns.known), one) for one in (early, late))
            recorded_early = np.where(unknown, np.minimum(did, self._columns.known + FRAME), did)
            self._earlies[eager] = np.where(recorded, recorded_early, early), np.where(recorded, did, late)
        return self._earlies[eager]

    def _used(self, wasted: Flags, cut: Flags) -> Counts:
        """How many drafts were wasted before each silence, in its turn."""
        total: Counts = np.cumsum(wasted) - wasted
        anew = self._begins | np.concatenate(([False], cut[:-1]))
        return np.asarray(total - np.maximum.accumulate(np.where(anew, total, 0)), dtype=np.int64)

    def _predicted(self, ends: _Ends, wasted: _Either, drafted: Flags, saved: _Sides) -> Predicted:
        reply = self._reply_seconds
        return Predicted(
            (ends.at[0] + reply - saved[0], ends.at[1] + reply - saved[1]),
            np.where(drafted, saved[1], np.nan),
            ends.counted,
            ((ends.cut[0] | wasted[0]).astype(np.float64), (ends.cut[1] | wasted[1]).astype(np.float64)),
        )
