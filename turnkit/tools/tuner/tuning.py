"""What `tune` answers, as values: forecasts, the recommendation, and what limits them."""

from __future__ import annotations

import msgspec

from .calibration import Calibration
from .settings import Knowledge, Setting, SilenceGate
from .statistics import Estimate
from .worth import Worth


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a setting would bring, on average a turn.

    Intervals hold what chance and what the recording leaves open. Where the label is `bounds`, the value is no more
    than the middle of what is likely.

    Attributes:
        setting: The setting.
        knowledge: How much the calls can say about it: the least of the three below.
        response_knowledge: How much they can say about the response.
        extra_knowledge: How much they can say about extra calls.
        cut_offs_knowledge: How much they can say about cut-offs.
        response: Seconds from the last word to the first sound of the reply.
        median: Median of these seconds, at worst.
        p95: 95th percentile of these seconds, at worst.
        best_response: These seconds at best; they differ where something is open.
        saved_median: Median of the seconds that kept drafts save; None if none was kept.
        saved_p95: 95th percentile of these; None if none was kept.
        hits: Share of turns answered by a draft.
        extra: Calls of the LLM beyond the one that was needed.
        cut_offs: Times that the user was cut off.
        best_cut_offs: The same at best.
        cost: Cost in the currency of `Worth`.
        cost_low: The same at best, chance included.
        cost_high: The same at worst, chance included.
        running: Whether it is the setting that is run.
        on_front: Whether no other setting beats it in waiting, calls and cut-offs alike.
    """

    setting: Setting
    knowledge: Knowledge
    response_knowledge: Knowledge
    extra_knowledge: Knowledge
    cut_offs_knowledge: Knowledge
    response: Estimate
    median: float
    p95: float
    best_response: float
    saved_median: float | None
    saved_p95: float | None
    hits: float
    extra: Estimate
    cut_offs: Estimate
    best_cut_offs: float
    cost: float
    cost_low: float
    cost_high: float
    running: bool = False
    on_front: bool = False


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """The setting that costs least of those the calls can tell about, chosen on one half of them, tested on the other.

    Attributes:
        setting: The setting to run.
        current: The setting that is run.
        gain: What it costs less a turn than the current one, on calls that had no say in the choice.
        shown: Whether the interval of the gain is above 0.
        min_confidence: Confidence from which a draft pays (see `start_from`); None if none does.
        why: The reason, in plain words.
    """

    setting: Setting
    current: Setting
    gain: Estimate
    shown: bool
    min_confidence: float | None
    why: str


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the calls: those with one tag, language or hour.

    Attributes:
        name: The tag, the language or the hour of the day; empty if the calls do not tell.
        calls: Number of calls.
        setting: The setting to run there: that for all calls, or one of its own where that is sure to cost less.
        gain: What the part's own choice costs less a turn there, on calls that had no say in it; None if there is none.
        shown: Whether the interval of the gain is above 0, were it as much wider as many parts are tested.
        knowledge: How much these calls can say about the setting.
        response: See `Forecast`.
        extra: See `Forecast`.
        cut_offs: See `Forecast`.
    """

    name: str
    calls: int
    setting: Setting
    gain: Estimate | None
    shown: bool
    knowledge: Knowledge
    response: Estimate
    extra: Estimate
    cut_offs: Estimate


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one week, at the setting that is run.

    Attributes:
        name: The week, such as 2026-W03.
        calls: Number of calls.
        response: See `Forecast`.
        cut_offs: See `Forecast`.
        extra: See `Forecast`.
        differs: Whether response or cut-offs are surely not those of the other weeks.
    """

    name: str
    calls: int
    response: Estimate
    cut_offs: Estimate
    extra: Estimate
    differs: bool


class Survival(msgspec.Struct, frozen=True, kw_only=True):
    """How long pauses last in which Flux's confidence came so far and no farther.

    Attributes:
        low: The least that the highest confidence of these pauses was.
        high: What it was below; inf for any.
        pauses: Number of pauses; those that may have been ends count for as much as they are likely pauses.
        seconds: Seconds of silence, as far as any of them is seen.
        lasting: Share of the pauses that last longer than each of these seconds.
        lasting_low: The same, at the lower end of its 95 % interval.
        lasting_high: The same, at the upper end.
    """

    low: float
    high: float
    pauses: float
    seconds: tuple[float, ...]
    lasting: tuple[float, ...]
    lasting_low: tuple[float, ...]
    lasting_high: tuple[float, ...]


class Tuning(msgspec.Struct, frozen=True, kw_only=True, rename={"calls": "conversations", "forecasts": "outcomes"}):
    """All that a set of calls tells about settings.

    Attributes:
        calls: Number of calls.
        utterances: Number of utterances.
        worth: What things are worth.
        reply_seconds: Seconds from the start of the LLM to the first sound.
        gate: Silence that Flux asks for beyond the confidence.
        forecasts: What each setting would bring, cheapest first.
        current: What the setting that is run would bring.
        recommendation: Setting to run; None if there are too few utterances.
        calibration: How often drafts were confirmed, by confidence.
        caveats: What limits these answers, in plain words.
        segments: Parts of the calls, where they were asked for.
        weeks: The calls by week, if they are of more than one.
        pauses: How long users pause, by how sure Flux was that they had finished.
        others: Number of calls that were recorded with other thresholds than those of `current`, which most had.
    """

    calls: int
    utterances: int
    worth: Worth
    reply_seconds: float
    gate: SilenceGate
    forecasts: tuple[Forecast, ...]
    current: Forecast
    recommendation: Recommendation | None
    calibration: Calibration
    caveats: tuple[str, ...]
    segments: tuple[Segment, ...] = ()
    weeks: tuple[Week, ...] = ()
    pauses: tuple[Survival, ...] = ()
    others: int = 0

    @property
    def front(self) -> tuple[Forecast, ...]:
        """The settings that no other one beats in waiting, calls and cut-offs alike, quickest first."""
        return tuple(sorted((one for one in self.forecasts if one.on_front), key=lambda one: one.response.value))
