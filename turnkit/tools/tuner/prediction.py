"""What other thresholds would have made of the same pauses, and how much of that a trace can know.

The reading of Flux behind it is the plainest one: it acts at the first report in a pause that reaches the threshold.
Flux asks for more than that (it has been seen to let a high number pass in a short pause), which `Gate` estimates from
the calls themselves: the silence that best tells what it acted on from what it let pass. What follows is

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
    """What could be run: thresholds of Flux, and how many drafts a turn may have (`drafts`, inf: any number)."""

    thresholds: FluxThresholds
    drafts: float = inf

    def __str__(self) -> str:
        eager = "off" if self.thresholds.eager is None else f"{self.thresholds.eager:.2f}"
        drafts = "" if self.drafts == inf or self.thresholds.eager is None else f", {self.drafts:.0f} a turn"
        return f"eot {self.thresholds.eot:.2f}, eager {eager}{drafts}, timeout {self.thresholds.timeout:g} s"


class Gate(msgspec.Struct, frozen=True):
    """What Flux asks for beyond the number: a silence of `seconds`. That explains this share of what it did where a
    report reached the threshold (`explained`; None: there were none)."""

    seconds: float
    explained: float | None


class PredictedTurn(msgspec.Struct, gc=False):
    """What a setting makes of one utterance.

    Fields, in seconds from the end of the last word where they are times: `response`, until the first sound of the
    reply, `response_low` the same at best (they differ where only bounds are known); `saved` of it by a draft, None
    if there was none; `extra` calls of the LLM beyond the one that was needed; `cut_offs`, and `cut_offs_low` at best.
    """

    response: float
    response_low: float
    saved: float | None
    extra: int
    cut_offs: int
    cut_offs_low: int


def gate(conversations: Iterable[CallSilences]) -> Gate:
    """Estimate the gate from what Flux did in these calls."""
    acted: list[float] = []
    reached: list[float] = []  # the first silence at which the number was there, acted on or not
    for conversation in conversations:
        level = conversation.recorded.eager
        for pause in (pause for utterance in conversation.utterances for pause in utterance):
            if level is None:
                if pause.trigger == "model":
                    acted.append(pause.known)
                continue
            if pause.eager is not None:
                acted.append(pause.eager)
            first = next((silence for silence, confidence in pause.samples if confidence >= level - _NOISE), None)
            if first is not None and (pause.eager is None or pause.eager > first + _NOISE):
                reached.append(first)
    if not acted:
        return Gate(0.0, None)
    # The silence that tells best what Flux acted on from what it let pass; times of words lie on a grid.
    acted, ignored = sorted(acted), sorted(reached)
    errors = {
        seconds: bisect_left(acted, seconds) + len(ignored) - bisect_left(ignored, seconds)
        for seconds in sorted({round(silence, 2) - 0.005 for silence in (*acted, *ignored)})
    }
    seconds = min(errors, key=lambda one: errors[one])
    return Gate(max(seconds, 0.0), 1 - errors[seconds] / (len(acted) + len(ignored)))


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
    """Answers for many settings; what does not depend on them is worked out once."""

    def __init__(self, conversations: Sequence[CallSilences], reply_seconds: float) -> None:
        self.gate = gate(conversations)
        self._reply_seconds = reply_seconds
        self._conversations = conversations
        self._crossings: dict[float, list[list[list[float]]]] = {}

    def _crossed(self, level: float) -> list[list[list[float]]]:
        """At which silence each pause reaches a level, inf if it never does as far as is known."""
        if level not in self._crossings:
            self._crossings[level] = [
                [[_crossing(pause, level, self.gate.seconds) for pause in utterance] for utterance in c.utterances]
                for c in self._conversations
            ]
        return self._crossings[level]

    def turns(self, setting: Setting) -> list[list[PredictedTurn]]:
        """What the setting makes of each utterance, conversation by conversation."""
        asked = setting.thresholds
        ends = self._crossed(asked.eot)
        eager = ends if asked.eager is None else self._crossed(asked.eager)
        drafts = 0 if asked.eager is None else setting.drafts
        return [
            [
                _turn(utterance, ends[i][j], eager[i][j], asked.timeout, drafts, self._reply_seconds)
                for j, utterance in enumerate(conversation.utterances)
            ]
            for i, conversation in enumerate(self._conversations)
        ]


def _crossing(pause: Silence, level: float, gate_seconds: float) -> float:
    for silence, confidence in pause.samples:
        if confidence >= level - _NOISE and silence >= gate_seconds - _NOISE:
            return silence
    return inf


def _turn(
    pauses: Sequence[Silence],
    ends: list[float],
    eager: list[float],
    timeout: float,
    drafts: float,
    reply_seconds: float,
) -> PredictedTurn:
    left = drafts
    extra = cut_offs = cut_offs_low = 0
    for pause, crossed, early in zip(pauses[:-1], ends, eager, strict=False):
        end = min(crossed, timeout)
        drafted = left >= 1 and early <= min(end, pause.seconds)
        if end < pause.seconds:
            cut_offs += 1
            cut_offs_low += 1
            extra += 1  # an answer to half a sentence
            left = drafts
        elif crossed == inf and pause.known < pause.seconds - _NOISE:
            # Flux ended the turn here, and a higher threshold might not have: nobody knows.
            cut_offs += 1
            extra += 1
        elif drafted:
            extra += 1
            left -= 1
    last, crossed, early = pauses[-1], ends[-1], eager[-1]
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
