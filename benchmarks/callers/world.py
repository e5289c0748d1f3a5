"""A world of calls that can be heard at any setting: what was recorded of it, and what is true.

A row is a silence. Its caller goes on after so many seconds, or waits for an answer, and Flux's confidence in each
frame of it is given; neither knows of thresholds. A setting says where turns end and which of it a recording holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from turnkit.tools.tuner import FluxThresholds
from turnkit.tools.tuner.columns import Columns

FRAME = 0.08
FRAMES = 84
UTTERANCES = 10
REPLY_SECONDS = 0.7

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Variant:
    """How Flux reports and acts, and what is recorded.

    Attributes:
        reports: `dense` is every frame, `busy` every third and those from 0.5 on, `sparse` every third.
        frames: Number of frames in a row over the threshold that end a turn.
        session: Whether a session recorded it, so that it is known when the agent was heard; else bare frames.
        latency: Seconds from the end of a turn to the first sound of the reply, in the median.
    """

    reports: str
    frames: int
    session: bool
    latency: float

    def __str__(self) -> str:
        who = "session" if self.session else "bare"
        return f"{self.reports}, {self.frames} frame{'s' * (self.frames > 1)}, {who}, agent {self.latency:g} s"


@dataclass(frozen=True)
class Truth:
    """What a setting really does, on average a turn."""

    response: float
    extra: float
    cut_offs: float


@dataclass(frozen=True)
class World:
    """Calls, one row a silence.

    Attributes:
        call: Number of the call.
        last: Whether the caller had finished.
        pause: Seconds until the caller went on; inf if they had finished.
        confidence: Flux's confidence in each frame of the silence, one column a frame.
        phase: Seconds from the last word to the first frame that ends after it.
        latency: Factor of the agent's latency.
        speech: Seconds that the reply would last.
        reaction: Seconds after it, until the caller speaks; negative if they do not let it end.
        joins: Whether the words before do not end a sentence; -1 if unknown.
    """

    call: NDArray[np.int64]
    last: Flags
    pause: Numbers
    confidence: NDArray[np.float32]
    phase: Numbers
    latency: Numbers
    speech: Numbers
    reaction: Numbers
    joins: NDArray[np.int64]

    def first(self, level: float, frames: int) -> NDArray[np.int64]:
        """The frame of each silence at which a level is reached; `FRAMES` if it is not."""
        over = self.confidence >= level
        if frames == 2:
            over = over & np.concatenate((np.zeros((len(over), 1), dtype=bool), over[:, :-1]), axis=1)
        return np.where(over.any(axis=1), over.argmax(axis=1), FRAMES)

    def ends(self, thresholds: FluxThresholds, frames: int) -> tuple[NDArray[np.int64], Flags]:
        """The frame that ends the turn if the caller does not go on before, and whether that is the timeout's."""
        model = self.first(thresholds.eot, frames)
        timeout = np.ceil((thresholds.timeout - self.phase) / FRAME - 1e-9).astype(int)
        return np.minimum(model, timeout), timeout < model

    def seconds(self, frame: NDArray[np.int64]) -> Numbers:
        """The true seconds of silence at a frame."""
        return np.where(frame >= FRAMES, inf, self.phase + frame * FRAME)

    def truth(self, thresholds: FluxThresholds, frames: int) -> Truth:
        """What the setting really does in this world."""
        end, _ = self.ends(thresholds, frames)
        at = self.seconds(end)
        cut = ~self.last & (at < self.pause)
        saved = np.zeros(len(at))
        extra = cut.copy()
        if thresholds.eager is not None:
            early = self.seconds(np.minimum(self.first(thresholds.eager, frames), FRAMES))
            drafted = early <= np.minimum(at, self.pause)
            saved = np.where(drafted, np.minimum(at - np.minimum(early, at), REPLY_SECONDS), 0.0)
            extra |= drafted & ~self.last
        turns = self.last.sum()
        response = (at + REPLY_SECONDS - saved)[self.last].mean()
        return Truth(float(response), float(extra.sum() / turns), float(cut.sum() / turns))

    def heard(self, thresholds: FluxThresholds, variant: Variant) -> Columns:
        """What the tuner reads from a recording of these calls at this setting."""
        end, timed_out = self.ends(thresholds, variant.frames)
        at = self.seconds(end)
        ended = self.last | (at < self.pause)
        # On the grid of frames, as Flux gives times of words.
        shift = (self.phase >= FRAME / 2).astype(int)
        grid = (np.arange(FRAMES)[None, :] + shift[:, None]) * FRAME
        known = (end + shift) * FRAME
        pause = np.where(self.last, inf, (np.floor((self.pause - self.phase) / FRAME + 0.5) + shift) * FRAME)
        follow = self._follow(at, variant)
        gap = np.where(self.last, (np.floor((follow - self.phase) / FRAME + 0.5) + shift) * FRAME, pause)
        heard = self.latency * variant.latency
        gap = np.where(ended, np.maximum(gap, known + 0.1), inf)
        sure = known + 0.3 + (heard if variant.session else 0.3)
        if variant.session:
            sure = np.where(~self.last & (self.pause - at < heard), inf, sure)
        sure = np.where(ended, sure, 0.0)
        spoke = np.where(self.last, follow, self.pause)
        answered = ended & variant.session & np.isfinite(spoke) & (spoke >= at + heard + self.speech)
        # A call's last words are followed by none, whatever they were.
        went_on = ended & (gap < sure) & np.isfinite(gap)
        last = ended & ~went_on
        inside = np.arange(FRAMES)[None, :] <= np.where(ended, end, FRAMES)[:, None]
        inside &= grid <= np.where(ended, inf, pause)[:, None] + 1e-6
        inside &= self._reported(variant, end, ended, thresholds)
        eager = self._eager(thresholds, variant, at, grid)
        length = np.where(ended & ~went_on, inf, np.where(ended, gap, pause))
        return Columns(
            thresholds=(thresholds,) * (int(self.call[-1]) + 1),
            call=self.call,
            last=last,
            seconds=length,
            known=np.where(ended, known, pause),
            ended=ended,
            timed_out=ended & timed_out,
            eager=eager,
            gap=gap,
            sure=sure,
            answered=answered & (gap >= sure),
            joins=np.where(ended, self.joins, -1),
            elapsed=grid[inside],
            confidence=np.asarray(np.round(self.confidence[inside].astype(np.float64), 4), dtype=np.float64),
            offsets=np.concatenate(([0], np.cumsum(inside.sum(axis=1)))),
        )

    def _follow(self, at: Numbers, variant: Variant) -> Numbers:
        """The second of silence at which a caller who had finished speaks next; inf after the last words of a call."""
        heard = at + self.latency * variant.latency
        told = np.where(
            self.reaction < 0, 0.8 + np.minimum(-self.reaction, 1.0) * self.speech, self.speech + self.reaction
        )
        over = np.concatenate((self.call[1:] != self.call[:-1], [True]))
        return np.where(over, inf, heard + told)

    def _reported(self, variant: Variant, end: NDArray[np.int64], ended: Flags, thresholds: FluxThresholds) -> Flags:
        shape = self.confidence.shape
        told: Flags
        if variant.reports == "dense":
            return np.ones(shape, dtype=bool)
        start = (np.arange(shape[0]) * 7) % 3
        told = (np.arange(FRAMES)[None, :] + start[:, None]) % 3 == 0
        if variant.reports == "busy":
            told |= self.confidence >= 0.5
        told[np.arange(shape[0])[ended], end[ended]] = True
        if thresholds.eager is not None:
            early = self.first(thresholds.eager, variant.frames)
            some = early < FRAMES
            told[np.arange(shape[0])[some], early[some]] = True
        return told

    def _eager(self, thresholds: FluxThresholds, variant: Variant, at: Numbers, grid: Numbers) -> Numbers:
        if thresholds.eager is None:
            return np.full(len(at), np.nan)
        early = self.first(thresholds.eager, variant.frames)
        there = self.seconds(early) <= np.minimum(at, self.pause)
        return np.where(there, grid[np.arange(len(at)), np.minimum(early, FRAMES - 1)], np.nan)
