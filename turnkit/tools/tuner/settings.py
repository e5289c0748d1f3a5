"""Settings that could be run, and how much recorded calls can say about each of them at most."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from math import inf

import msgspec

from .silences import FluxThresholds

EOT = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
EAGER = (None, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
TIMEOUTS = (1.0, 1.5, 2.0, 3.0, 5.0)
DRAFTS = (1.0, 2.0, inf)

_NOISE = 1e-6


class Knowledge(StrEnum):
    """How much a set of traces can say about a setting.

    `exact` figures are off by chance alone, or nearly; `rough` ones by what the traces leave open as well, which is in
    their intervals; of `bounds`, all that is open is within them.
    """

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
    """What Flux asks for beyond the confidence, and how it reports, as far as these calls tell.

    Attributes:
        seconds: Seconds of silence below which it lets a high number pass.
        explained: Share of what Flux did, where a report reached the threshold, that this explains; None if no report
            did.
        frames: Number of frames in a row over the threshold after which it acts, 1 or 2; 0 if that cannot be told.
        reported_from: Confidence from which on it reports every frame; None if it never does.
        wander: How far the confidence moves from one report to the next, in 19 of 20 cases.
        lag: Seconds by which a timeout comes later than its setting says.
    """

    seconds: float
    explained: float | None
    frames: int = 1
    reported_from: float | None = 0.0
    wander: float = 0.0
    lag: float = 0.04


def knowledge(setting: Setting, recorded: Iterable[FluxThresholds]) -> Knowledge:
    """How much calls that were recorded with these thresholds can say about a setting, at most."""
    worst = Knowledge.EXACT
    asked = setting.thresholds
    for had in recorded:
        if asked.eot > had.eot + _NOISE or asked.timeout > had.timeout + _NOISE:
            return Knowledge.BOUNDS
        lower = asked.eager is not None and (had.eager is None or asked.eager < had.eager - _NOISE)
        if lower or asked.eot < had.eot - _NOISE:
            worst = Knowledge.ROUGH
    return worst


def grid(current: Setting) -> list[Setting]:
    """The settings worth asking about, the current one among them."""
    eots = sorted({*EOT, current.thresholds.eot})
    eagers = [None, *sorted({e for e in (*EAGER, current.thresholds.eager) if e is not None})]
    timeouts = sorted({*TIMEOUTS, current.thresholds.timeout})
    settings = []
    for eot in eots:
        for eager in eagers:
            if eager is not None and eager > eot:
                continue
            for timeout in timeouts:
                drafts = DRAFTS if eager is not None else (inf,)
                settings += [Setting(FluxThresholds(eot, eager, timeout), number) for number in drafts]
    return settings
