"""When Flux's confidence reached a level in each silence, as far as its reports tell.

Flux need not report every frame, nor act on the first one over a threshold. How it does both is read off the calls
themselves, and where they cannot tell, a crossing has an earliest and a latest moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import msgspec
import numpy as np

from .columns import Columns, Counts, Flags, Numbers
from .settings import SilenceGate

FRAME = 0.08
"""Seconds of audio that Flux takes at a time."""

NOISE = 1e-6
_NEXT = 1.12 * FRAME  # as far apart as two reports of neighbouring frames may seem
_LEVELS = (0.0, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
_FEW = 20


class FoundCrossings:
    """When each silence reached some levels."""

    def __init__(self, gate: SilenceGate, found: dict[float, tuple[Numbers, Numbers]]) -> None:
        self.gate = gate
        self._found = found

    def at(self, level: float) -> tuple[Numbers, Numbers]:
        """See `Crossings.at`; KeyError for a level that is not among them."""
        return self._found[level]

    def found(self, levels: Iterable[float]) -> FoundCrossings:
        """Some of them."""
        return FoundCrossings(self.gate, {level: self.at(level) for level in levels})


class Crossings:
    """Finds when each silence reached a level; what does not depend on the level is worked out once."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        elapsed, confidence, offsets = columns.elapsed, columns.confidence, columns.offsets
        self._of: Counts = np.repeat(np.arange(len(columns.call)), np.diff(offsets))
        first = np.zeros(len(elapsed) + 1, dtype=bool)
        first[offsets] = True
        self._first: Flags = first[:-1]
        self._final: Flags = first[1:]
        self._before: Numbers = np.where(self._first, 0.0, np.concatenate(([0.0], elapsed[:-1])))
        self._was: Numbers = np.where(self._first, -1.0, np.concatenate(([-1.0], confidence[:-1])))
        self._skipped: Flags = elapsed - self._before > _NEXT
        # The silence after the last report, in which a frame may have gone unreported.
        rest = np.minimum(columns.seconds, columns.known)[self._of] - elapsed
        self._trailing: Flags = self._final & (rest > _NEXT)
        self._found: dict[float, tuple[Numbers, Numbers]] = {}
        self.gate = SilenceGate(0.0, None)
        self.gate = self._read_gate()

    def at(self, level: float) -> tuple[Numbers, Numbers]:
        """The earliest and the latest second of each silence at which the level was reached; inf if it was not."""
        if level not in self._found:
            self._found[level] = self._reached(level)
        return self._found[level]

    def found(self, levels: Iterable[float]) -> FoundCrossings:
        """These levels alone, without the samples that they are found from."""
        return FoundCrossings(self.gate, {level: self.at(level) for level in sorted(levels)})

    def _reached(self, level: float) -> tuple[Numbers, Numbers]:
        elapsed, confidence, gate = self._columns.elapsed, self._columns.confidence, self.gate
        over = confidence >= level - NOISE
        again = over & (self._was >= level - NOISE)
        late = self._earliest((over if gate.frames == 1 else again) & (elapsed >= gate.seconds - NOISE), elapsed)
        if gate.reported_from is not None and level >= gate.reported_from - NOISE and gate.frames:
            if gate.seconds == 0:
                return late, late
            return self._earliest(over if gate.frames == 1 else again, elapsed), late
        near = np.maximum(confidence, self._was) >= level - gate.wander - NOISE
        hidden = self._skipped & near
        early = self._earliest(over | hidden, np.where(self._skipped, self._before + FRAME, elapsed))
        after = self._trailing & (confidence >= level - gate.wander - NOISE)
        return np.minimum(early, self._earliest(after, elapsed + FRAME)), late

    def _earliest(self, flags: Flags, seconds: Numbers) -> Numbers:
        """The seconds at the first flag of each silence."""
        result = np.full(len(self._columns.call), inf)
        (flagged,) = np.nonzero(flags)
        if len(flagged):
            owners = self._of[flagged]
            leading = np.concatenate(([True], owners[1:] != owners[:-1]))
            result[owners[leading]] = seconds[flagged[leading]]
        return result

    def _read_gate(self) -> SilenceGate:
        columns = self._columns
        pair = ~self._first
        low = np.minimum(columns.confidence, self._was)[pair]
        tight = ~self._skipped[pair]
        reported_from: float | None = None
        for level, above in zip(reversed(_LEVELS), (2.0, *reversed(_LEVELS)), strict=False):
            band = (low >= level) & (low < above)
            if band.sum() >= _FEW and tight[band].mean() < 0.9:
                break
            if (low >= level).sum() >= _FEW:
                reported_from = level
        moved = np.abs(columns.confidence - self._was)[pair]
        timeouts = columns.recorded()[2]
        beyond = (columns.known - timeouts)[columns.timed_out]
        habits = SilenceGate(
            seconds=0.0,
            explained=None,
            frames=self._read_frames(),
            reported_from=reported_from,
            wander=float(np.quantile(moved, 0.95)) if len(moved) else 1.0,
            lag=float(np.mean(beyond)) if len(beyond) else FRAME / 2,
        )
        self.gate = habits
        seconds, explained = self._read_seconds()
        return msgspec.structs.replace(habits, seconds=seconds, explained=explained)

    def _read_frames(self) -> int:
        """How many frames over the threshold made Flux end a turn: told by what the frame before the end was."""
        columns = self._columns
        eot, _, _ = columns.recorded()
        ends = columns.ended & ~columns.timed_out & (np.diff(columns.offsets) > 0)
        final = columns.offsets[1:][ends] - 1
        reported = ~self._skipped[final] & ~self._first[final]
        if reported.sum() < 5:
            return 0
        over = (self._was[final] >= eot[ends] - NOISE)[reported].mean()
        return 1 if over <= 0.1 else 2 if over >= 0.9 else 0

    def _read_seconds(self) -> tuple[float, float | None]:
        """The silence that tells best what Flux acted on from what it let pass; times of words lie on a grid."""
        columns = self._columns
        eot, eager, _ = columns.recorded()
        acted: list[float] = []
        passed: list[float] = []
        for level in sorted({*eot, *eager} - {inf}):
            mine = np.where(np.isfinite(eager), eager, eot) == level
            if not mine.any():
                continue
            did = np.where(
                np.isfinite(eager), columns.eager, np.where(columns.ended & ~columns.timed_out, columns.known, np.nan)
            )
            acted += did[mine & np.isfinite(did)].tolist()
            slack = NOISE
            reached = self._reached(level)[1]
            if not self.gate.frames:  # one frame or two: a report that was acted on right after it was not let pass
                slack = 2 * FRAME + NOISE
                reached = self._earliest(columns.confidence >= level - NOISE, columns.elapsed)
            passed += reached[mine & np.isfinite(reached) & ~(did <= reached + slack)].tolist()
        if not acted:
            return 0.0, None
        did_act, let_pass = np.sort(acted), np.sort(passed)
        candidates = np.unique(np.concatenate(([0.0], np.round(let_pass, 2) + 0.005)))
        errors = np.searchsorted(did_act, candidates) + len(passed) - np.searchsorted(let_pass, candidates)
        best = int(np.argmin(errors))
        return float(candidates[best]), 1 - float(errors[best]) / (len(acted) + len(passed))
