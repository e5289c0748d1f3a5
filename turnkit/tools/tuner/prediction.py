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

from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np

from .columns import Columns, Counts, Flags, Numbers
from .crossings import FRAME, NOISE, Crossings
from .settings import Setting, SilenceGate
from .silences import FluxThresholds

_Sides: TypeAlias = tuple[Numbers, Numbers]
_Either: TypeAlias = tuple[Flags, Flags]
_KEPT = 16  # ends that are not worked out again: those of one threshold, with all timeouts


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


class Predictor:
    """Predicts silences for many settings; what does not depend on them is worked out once."""

    def __init__(self, columns: Columns, reply_seconds: float) -> None:
        self._columns = columns
        self._reply_seconds = reply_seconds
        self._crossings = Crossings(columns)
        self._eot, self._eager, self._timeout = columns.recorded()
        self._length = np.where(columns.last, columns.gap, columns.seconds)
        filled = np.diff(columns.offsets) > 0
        self._at_end = np.full(len(columns.call), -1.0)
        self._at_end[filled] = columns.confidence[columns.offsets[1:][filled] - 1]
        self._begins = np.concatenate(([True], columns.last[:-1])) if len(columns.call) else columns.last
        self._ends: dict[tuple[float, float], tuple[Numbers, Numbers]] = {}
        self._earlies: dict[float, tuple[Numbers, Numbers]] = {}
        self._unbounded: tuple[FluxThresholds, Predicted] | None = None

    @property
    def gate(self) -> SilenceGate:
        """What Flux asks for beyond the confidence."""
        return self._crossings.gate

    def of(self, setting: Setting) -> Predicted:
        """What the setting makes of each silence; of settings that differ in nothing that matters, the same object."""
        asked, reply, length = setting.thresholds, self._reply_seconds, self._length
        end = self._end(asked.eot, asked.timeout)
        cut = end[1] < length - NOISE, end[0] < length - NOISE
        if asked.eager is None or setting.drafts < 1:
            response = end[0] + reply, end[1] + reply
            extra = cut[0].astype(float), cut[1].astype(float)
            return Predicted(response, np.full(len(length), np.nan), extra, extra)
        early = self._early(asked.eager)
        wasted = (
            (early[1] <= np.minimum(end[1], length)) & ~cut[1],
            (early[0] <= np.minimum(end[0], length)) & ~cut[0],
        )
        drafted = (early[0] <= end[0]) & np.isfinite(early[0]), (early[1] <= end[1]) & np.isfinite(early[1])
        if setting.drafts < inf:
            left = self._left(wasted[0], cut[0], setting.drafts), self._left(wasted[1], cut[1], setting.drafts)
            bounded = wasted[0] & left[1], wasted[1] & left[0], drafted[0] & left[0], drafted[1] & left[1]
            if not all(map(np.array_equal, bounded, (*wasted, *drafted))):
                return self._drafted(end, early, cut, bounded[:2], bounded[2:])
        # A budget that is never used up is none.
        if self._unbounded is None or self._unbounded[0] != asked:
            self._unbounded = asked, self._drafted(end, early, cut, wasted, drafted)
        return self._unbounded[1]

    def _drafted(self, end: _Sides, early: _Sides, cut: _Either, wasted: _Either, drafted: _Either) -> Predicted:
        reply = self._reply_seconds
        saved = [
            np.where(d, np.minimum(e - np.where(d, s, 0.0), reply), 0.0)
            for d, e, s in zip(drafted, end, early, strict=True)
        ]
        return Predicted(
            (end[0] + reply - saved[0], end[1] + reply - saved[1]),
            np.where(drafted[1], saved[1], np.nan),
            (cut[0].astype(float), cut[1].astype(float)),
            ((cut[0] | wasted[0]).astype(float), (cut[1] | wasted[1]).astype(float)),
        )

    def _end(self, eot: float, timeout: float) -> tuple[Numbers, Numbers]:
        """The second of each silence at which the turn ends, at the earliest and at the latest."""
        if (eot, timeout) not in self._ends:
            if len(self._ends) >= _KEPT:
                self._ends.clear()
            self._ends[eot, timeout] = self._end_of(eot, timeout)
        return self._ends[eot, timeout]

    def _end_of(self, eot: float, timeout: float) -> tuple[Numbers, Numbers]:
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

    def _left(self, wasted: Flags, cut: Flags, drafts: float) -> Flags:
        """Whether a draft is left in each silence after those that were wasted before, in its turn."""
        total: Counts = np.cumsum(wasted) - wasted
        anew = self._begins | np.concatenate(([False], cut[:-1]))
        return total - np.maximum.accumulate(np.where(anew, total, 0)) < drafts
