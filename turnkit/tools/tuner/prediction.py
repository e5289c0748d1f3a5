"""Prediction of what other thresholds would have made of the same silences, and how much of it a trace can know.

The reading of Flux behind it is the plainest one: it acts at the first report in a silence that reaches the threshold.
Flux asks for more than that: it has been seen to let a high number pass in a short silence. `SilenceGate` estimates
this from the calls themselves, as the seconds of silence that best tell what it acted on from what it let pass. What
follows is

- exact (but for the grid of its reports, 0.08 to 0.24 s) for a higher `eager_eot_threshold` than the recorded one, for
  a budget of drafts, and for a shorter timeout;
- rough for lower thresholds than the recorded ones: the numbers are there, the gate is an estimate;
- bounds only for a higher `eot_threshold` or a longer timeout: how sure Flux would have become after it had ended the
  turn was never said. Record some calls with a high threshold and a long timeout, and all below becomes answerable.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import StrEnum
from math import inf

import msgspec

from .silences import CallSilences, FluxThresholds, Silence

_NOISE = 1e-6


class Knowledge(StrEnum):
    """How much a set of traces can say about a setting."""

    EXACT = "exact"
    ROUGH = "rough"
    BOUNDS = "bounds"


class Setting(msgspec.Struct, frozen=True):
    """A setting that could be run.

    Attributes:
        thresholds: Thresholds of Flux.
        drafts: Number of drafts that a turn may have; inf for any number.
    """

    thresholds: FluxThresholds
    drafts: float = inf

    def __str__(self) -> str:
        eager = "off" if self.thresholds.eager is None else f"{self.thresholds.eager:.2f}"
        drafts = "" if self.drafts == inf or self.thresholds.eager is None else f", {self.drafts:.0f} a turn"
        return f"eot {self.thresholds.eot:.2f}, eager {eager}{drafts}, timeout {self.thresholds.timeout:g} s"


class SilenceGate(msgspec.Struct, frozen=True):
    """The silence that Flux asks for beyond the confidence.

    Attributes:
        seconds: Seconds of silence.
        explained: Share of what Flux did, where a report reached the threshold, that this explains; None if no report
            did.
    """

    seconds: float
    explained: float | None


class PredictedTurn(msgspec.Struct, gc=False):
    """What a setting makes of one utterance.

    Attributes:
        response: Seconds from the end of the last word to the first sound of the reply.
        response_low: The same at best; it differs where only bounds are known.
        saved: Seconds of it that a draft saved; None if there was none.
        extra: Number of calls of the LLM beyond the one that was needed.
        cut_offs: Number of times that the utterance was cut off.
        cut_offs_low: The same at best.
    """

    response: float
    response_low: float
    saved: float | None
    extra: int
    cut_offs: int
    cut_offs_low: int


def gate(calls: Iterable[CallSilences]) -> SilenceGate:
    """Estimate the gate from what Flux did in these calls."""
    acted: list[float] = []
    reached: list[float] = []  # the silence at which the number was there first, acted on or not
    for call in calls:
        level = call.recorded.eager
        for silence in (silence for utterance in call.utterances for silence in utterance):
            if level is None:
                if silence.trigger == "model":
                    acted.append(silence.known)
                continue
            if silence.eager is not None:
                acted.append(silence.eager)
            first = next((elapsed for elapsed, confidence in silence.samples if confidence >= level - _NOISE), None)
            if first is not None and (silence.eager is None or silence.eager > first + _NOISE):
                reached.append(first)
    if not acted:
        return SilenceGate(0.0, None)
    # The silence that tells best what Flux acted on from what it let pass; times of words lie on a grid.
    acted, ignored = sorted(acted), sorted(reached)
    errors = {
        seconds: bisect_left(acted, seconds) + len(ignored) - bisect_left(ignored, seconds)
        for seconds in sorted({round(elapsed, 2) - 0.005 for elapsed in (*acted, *ignored)})
    }
    seconds = min(errors, key=lambda one: errors[one])
    return SilenceGate(max(seconds, 0.0), 1 - errors[seconds] / (len(acted) + len(ignored)))


def knowledge(setting: Setting, recorded: Iterable[FluxThresholds]) -> Knowledge:
    """How much calls that were recorded with these thresholds can say about a setting, at worst."""
    worst = Knowledge.EXACT
    asked = setting.thresholds
    for had in recorded:
        if asked.eot > had.eot + _NOISE or asked.timeout > had.timeout + _NOISE:
            return Knowledge.BOUNDS
        lower = asked.eager is not None and (had.eager is None or asked.eager < had.eager - _NOISE)
        if lower or asked.eot < had.eot - _NOISE:
            worst = Knowledge.ROUGH
    return worst


class Predictor:
    """Predicts turns for many settings; what does not depend on them is worked out once."""

    def __init__(self, calls: Sequence[CallSilences], reply_seconds: float) -> None:
        self.gate = gate(calls)
        self._reply_seconds = reply_seconds
        self._calls = calls
        self._crossings: dict[float, list[list[list[float]]]] = {}

    def _crossed(self, level: float) -> list[list[list[float]]]:
        """The second at which each silence reaches a level; inf if it never does, as far as is known."""
        if level not in self._crossings:
            self._crossings[level] = [
                [[_crossing(silence, level, self.gate.seconds) for silence in utterance] for utterance in c.utterances]
                for c in self._calls
            ]
        return self._crossings[level]

    def turns(self, setting: Setting) -> list[list[PredictedTurn]]:
        """What the setting makes of each utterance, call by call."""
        asked = setting.thresholds
        ends = self._crossed(asked.eot)
        eager = ends if asked.eager is None else self._crossed(asked.eager)
        drafts = 0 if asked.eager is None else setting.drafts
        return [
            [
                _turn(utterance, ends[i][j], eager[i][j], asked.timeout, drafts, self._reply_seconds)
                for j, utterance in enumerate(call.utterances)
            ]
            for i, call in enumerate(self._calls)
        ]


def _crossing(silence: Silence, level: float, gate_seconds: float) -> float:
    for elapsed, confidence in silence.samples:
        if confidence >= level - _NOISE and elapsed >= gate_seconds - _NOISE:
            return elapsed
    return inf


def _turn(
    silences: Sequence[Silence],
    ends: list[float],
    eager: list[float],
    timeout: float,
    drafts: float,
    reply_seconds: float,
) -> PredictedTurn:
    left = drafts
    extra = cut_offs = cut_offs_low = 0
    for silence, crossed, early in zip(silences[:-1], ends, eager, strict=False):
        end = min(crossed, timeout)
        drafted = left >= 1 and early <= min(end, silence.seconds)
        if end < silence.seconds:
            cut_offs += 1
            cut_offs_low += 1
            extra += 1  # an answer to half a sentence
            left = drafts
        elif crossed == inf and silence.known < silence.seconds - _NOISE:
            # Flux ended the turn here, and a higher threshold might not have: nobody knows.
            cut_offs += 1
            extra += 1
        elif drafted:
            extra += 1
            left -= 1
    last, crossed, early = silences[-1], ends[-1], eager[-1]
    end = min(crossed, timeout)
    low = end if crossed < inf else min(max(last.known, 0.0), timeout)
    saved = None
    if left >= 1 and early <= end:
        saved = min(end - early, reply_seconds)
    return PredictedTurn(
        end + reply_seconds - (saved or 0.0),
        low + reply_seconds - (0.0 if saved is None else min(max(low - early, 0.0), reply_seconds)),
        saved,
        extra,
        cut_offs,
        cut_offs_low,
    )
