"""Recommendation of a setting: those worth asking about, a forecast for each, and the one to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import inf

import msgspec

from .calibration import Calibration, calibrate, start_from
from .prediction import Knowledge, PredictedTurn, Predictor, Setting, SilenceGate, knowledge
from .silences import CallSilences, FluxThresholds
from .statistics import Estimate, mean, quantile

EOT = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
EAGER = (None, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
TIMEOUTS = (1.0, 1.5, 2.0, 3.0, 5.0)
DRAFTS = (1.0, 2.0, inf)

_ENOUGH = 20  # utterances below which nothing is recommended


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What things are worth to you; `second` and `call` are in one currency.

    Attributes:
        second: Value of a second less of waiting for an answer.
        call: Cost of a call of the LLM.
        cut_off: Seconds of waiting that an answer into the middle of a sentence is as bad as.
    """

    second: float = 0.01
    call: float = 0.001
    cut_off: float = 3.0


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a setting would bring, on average a turn.

    Attributes:
        setting: The setting.
        knowledge: How much the calls can say about it.
        response: Seconds from the last word to the first sound of the reply.
        median: Median of these seconds.
        p95: 95th percentile of these seconds.
        best_response: These seconds at best; they differ where only bounds are known.
        saved_median: Median of the seconds that kept drafts save; None if none was kept.
        saved_p95: 95th percentile of these; None if none was kept.
        hits: Share of turns answered by a draft.
        extra: Calls of the LLM beyond the one that was needed.
        cut_offs: Times that the user was cut off.
        best_cut_offs: The same at best.
        cost: Cost in the currency of `Worth`.
        on_front: Whether no other setting beats it in waiting, calls and cut-offs alike.
    """

    setting: Setting
    knowledge: Knowledge
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

    @property
    def front(self) -> tuple[Forecast, ...]:
        """The settings that no other one beats in waiting, calls and cut-offs alike, quickest first."""
        return tuple(sorted((one for one in self.forecasts if one.on_front), key=lambda one: one.response.value))


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


def tune(
    calls: Iterable[CallSilences],
    *,
    worth: Worth | None = None,
    reply_seconds: float = 0.7,
    settings: Sequence[Setting] | None = None,
) -> Tuning:
    """Forecast what each setting would have made of recorded calls, and recommend one.

    Args:
        calls: What the traces tell, see `call_silences`.
        worth: What things are worth; by default as in `Worth`.
        reply_seconds: Seconds from the start of the LLM to the first sound; a draft saves no more.
        settings: Settings to ask about; by default those of `grid`.

    Returns:
        The forecasts, and the recommendation if there are enough utterances.
    """
    calls = [call for call in calls if call.utterances]
    worth = worth or Worth()
    current = Setting(_usual(calls))
    predictor = Predictor(calls, reply_seconds)
    recorded = {call.recorded for call in calls}
    asked = list(dict.fromkeys([current, *(grid(current) if settings is None else settings)]))
    turns = {setting: predictor.turns(setting) for setting in asked}
    forecasts = [_forecast(setting, turns[setting], knowledge(setting, recorded), worth) for setting in asked]
    running = forecasts[0]
    forecasts = sorted(_with_front(forecasts), key=lambda forecast: forecast.cost)
    calibration = calibrate(calls)
    utterances = sum(len(call.utterances) for call in calls)
    return Tuning(
        calls=len(calls),
        utterances=utterances,
        worth=worth,
        reply_seconds=reply_seconds,
        gate=predictor.gate,
        forecasts=tuple(forecasts),
        current=running,
        recommendation=_recommend(turns, forecasts, current, calibration, worth) if utterances >= _ENOUGH else None,
        calibration=calibration,
        caveats=tuple(_caveats(calls, utterances, predictor.gate)),
    )


def _usual(calls: Sequence[CallSilences]) -> FluxThresholds:
    counted = Counter(call.recorded for call in calls)
    return counted.most_common(1)[0][0] if counted else FluxThresholds(0.7, None, 5.0)


def _cost(turn: PredictedTurn, worth: Worth) -> float:
    return worth.second * (turn.response + worth.cut_off * turn.cut_offs) + worth.call * (1 + turn.extra)


def _forecast(setting: Setting, calls: list[list[PredictedTurn]], known: Knowledge, worth: Worth) -> Forecast:
    turns = [turn for call in calls for turn in call]
    responses = [turn.response for turn in turns]
    saved = [turn.saved for turn in turns if turn.saved is not None]
    count = max(len(turns), 1)
    return Forecast(
        setting=setting,
        knowledge=known,
        response=mean([[turn.response for turn in call] for call in calls]),
        median=quantile(responses, 0.5) or 0.0,
        p95=quantile(responses, 0.95) or 0.0,
        best_response=sum(turn.response_low for turn in turns) / count,
        saved_median=quantile(saved, 0.5),
        saved_p95=quantile(saved, 0.95),
        hits=len(saved) / count,
        extra=mean([[turn.extra for turn in call] for call in calls]),
        cut_offs=mean([[turn.cut_offs for turn in call] for call in calls]),
        best_cut_offs=sum(turn.cut_offs_low for turn in turns) / count,
        cost=sum(_cost(turn, worth) for turn in turns) / count,
    )


def _with_front(forecasts: list[Forecast]) -> list[Forecast]:
    """Mark those that no other one beats, among those that the calls can tell about."""
    known = [forecast for forecast in forecasts if forecast.knowledge is not Knowledge.BOUNDS]
    points = sorted({_point(forecast) for forecast in known})
    best: list[tuple[float, float, float]] = []
    for point in points:
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in best):
            best.append(point)
    front = set(best)
    marked: list[Forecast] = []
    for forecast in forecasts:
        unique = forecast.knowledge is not Knowledge.BOUNDS and _point(forecast) in front
        if unique:
            front.discard(_point(forecast))  # of several that come to the same, the first
        marked.append(msgspec.structs.replace(forecast, on_front=unique))
    return marked


def _point(forecast: Forecast) -> tuple[float, float, float]:
    return round(forecast.response.value, 3), round(forecast.extra.value, 3), round(forecast.cut_offs.value, 3)


def _recommend(
    turns: dict[Setting, list[list[PredictedTurn]]],
    forecasts: list[Forecast],
    current: Setting,
    calibration: Calibration,
    worth: Worth,
) -> Recommendation:
    """Choose the cheapest on the calls of even number, and test it on those of odd number."""
    known = [forecast.setting for forecast in forecasts if forecast.knowledge is not Knowledge.BOUNDS]

    def cost(setting: Setting, part: int) -> float:
        chosen = [_cost(turn, worth) for call in turns[setting][part::2] for turn in call]
        return sum(chosen) / max(len(chosen), 1)

    best = min(known, key=lambda setting: (round(cost(setting, 0), 6), setting != current))
    pairs = zip(turns[current][1::2], turns[best][1::2], strict=True)
    gain = mean([[_cost(a, worth) - _cost(b, worth) for a, b in zip(one, two, strict=True)] for one, two in pairs])
    shown = gain.low > 0
    if best == current:
        why = "no setting that these calls can tell about costs less than the current one"
    elif shown:
        why = f"on calls that had no say in the choice it costs {gain.value:.4f} less a turn ({gain.low:.4f} at least)"
    else:
        why = f"it looks cheaper by {gain.value:.4f} a turn, but these calls are too few to be sure of that"
    saved = next((one.saved_median for one in forecasts if one.setting == best), None)
    return Recommendation(
        setting=best,
        current=current,
        gain=gain,
        shown=shown,
        min_confidence=start_from(calibration, worth.call, worth.second, saved) if saved else None,
        why=why,
    )


def _caveats(calls: Sequence[CallSilences], utterances: int, gate: SilenceGate) -> Iterable[str]:
    if utterances < _ENOUGH:
        yield f"{utterances} utterances are too few to recommend anything: record at least {_ENOUGH}"
    elif len(calls) < 8:
        yield f"{len(calls)} calls only: callers differ, and the intervals are as wide as that makes them"
    if any(call.inferred for call in calls):
        yield "some traces do not name the thresholds they were recorded with: these were read off their events"
    if not all(call.measured for call in calls):
        yield "some traces have no times of words: their silences begin when the words were reported, up to 0.24 s late"
    if gate.explained is not None and gate.explained < 0.95:
        yield f"number and silence explain only {gate.explained:.0%} of what Flux did here: read `rough` as rougher"
    eots = {call.recorded.eot for call in calls}
    if eots:
        yield (
            f"what Flux would have made of thresholds above {min(eots):g} is in none of these calls, only bounds are; "
            "record some with a higher one to know"
        )
    if all(call.recorded.eager is None for call in calls):
        yield "eager ends were off: what lower thresholds would have brought is read off the confidence of Updates"
