"""Recommendation of a setting: a forecast for each that is worth asking about, and the one to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Literal

import msgspec

from ...checks import check_seconds
from ...errors import ConfigError
from .calibration import Calibration, calibrate, start_from
from .settings import Knowledge, Setting, SilenceGate, grid, knowledge
from .shares import Spread
from .silences import CallSilences, FluxThresholds
from .tuning import Forecast, Recommendation, Segment, Tuning, Week
from .worth import Worth

if TYPE_CHECKING:
    from .forecasts import Forecaster

_ENOUGH = 20  # utterances below which nothing is recommended


class Reading:
    """Calls as they go by, of which only what is small is kept.

    Attributes:
        calls: The calls that had an utterance, without these.
        utterances: Number of utterances.
    """

    def __init__(self, calls: Iterable[CallSilences]) -> None:
        self._calls = calls
        self.calls: list[CallSilences] = []
        self.utterances = 0

    def __iter__(self) -> Iterator[CallSilences]:
        for call in self._calls:
            if call.utterances:
                self.utterances += len(call.utterances)
                self.calls.append(msgspec.structs.replace(call, utterances=[]))
                yield call

    def usual(self) -> Setting:
        """The setting that most of the calls were recorded with."""
        counted = Counter(call.recorded for call in self.calls)
        return Setting(counted.most_common(1)[0][0] if counted else FluxThresholds(0.7, None, 5.0))


def forecaster(calls: Iterable[CallSilences], worth: Worth, reply_seconds: float) -> Forecaster:
    """Read the calls, each once, into what forecasts are made from.

    Raises:
        ConfigError: numpy or scipy is not installed, or `reply_seconds` is no number of seconds.
    """
    check_seconds("reply_seconds", reply_seconds)
    try:
        from .columns import Columns
        from .forecasts import Forecaster
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed, and tuning needs it: pip install 'turnkit[tune]'") from error
    return Forecaster(Columns.of(calls), reply_seconds, worth)


def tune(
    calls: Iterable[CallSilences],
    *,
    worth: Worth | None = None,
    reply_seconds: float = 0.7,
    settings: Sequence[Setting] | None = None,
    by: Literal["tag", "language", "hour"] | None = None,
    spread: Spread | None = None,
) -> Tuning:
    """Forecast what each setting would have made of recorded calls, and recommend one.

    Args:
        calls: What the traces tell, see `call_silences`; each is read once, and its silences are not kept.
        worth: What things are worth; by default as in `Worth`.
        reply_seconds: Seconds from the start of the LLM to the first sound; a draft saves no more.
        settings: Settings to ask about; by default those of `grid`.
        by: By what parts of the calls are told apart; None for none.
        spread: Processes that share the arithmetic; None for this one alone. The answer is the same to the last bit.

    Returns:
        The forecasts, and the recommendation if there are enough utterances.

    Raises:
        ConfigError: numpy or scipy is not installed, or `reply_seconds` is no number of seconds.
    """
    worth = worth or Worth()
    reading = Reading(calls)
    made = forecaster(reading, worth, reply_seconds)
    current = reading.usual()
    asked = list(dict.fromkeys([current, *(grid(current) if settings is None else settings)]))
    pauses = made.pauses()
    made = made.only(asked)  # what is known of each moment of silence is let go
    forecasts = made.forecasts(asked, spread)
    forecasts[0] = running = msgspec.structs.replace(forecasts[0], running=True)
    recorded = {call.recorded for call in reading.calls}
    known = [one for one in asked if knowledge(one, recorded) is not Knowledge.BOUNDS]
    calibration = calibrate(reading.calls)
    enough = reading.utterances >= _ENOUGH
    advice = recommend(made, forecasts, known, calibration, worth) if enough else None
    parts, drift = _parts(made, reading, by, current if advice is None or not advice.shown else advice.setting, known)
    return Tuning(
        calls=len(reading.calls),
        utterances=reading.utterances,
        worth=worth,
        reply_seconds=reply_seconds,
        gate=made.gate,
        forecasts=tuple(sorted(_with_front(forecasts, known), key=lambda forecast: forecast.cost)),
        current=running,
        others=sum(call.recorded != current.thresholds for call in reading.calls),
        recommendation=advice,
        calibration=calibration,
        caveats=tuple(_caveats(reading, made.gate, running)),
        segments=parts,
        weeks=drift,
        pauses=pauses,
    )


def _parts(
    made: Forecaster, reading: Reading, by: str | None, whole: Setting, known: list[Setting]
) -> tuple[tuple[Segment, ...], tuple[Week, ...]]:
    from .segments import By, segments, weeks

    parts = () if by is None else segments(made, reading.calls, By(by), whole, known)
    return parts, weeks(made, reading.calls, reading.usual())


def _with_front(forecasts: list[Forecast], known: list[Setting]) -> list[Forecast]:
    """Mark those that no other one beats, among those that the calls can tell about."""
    among = set(known)
    points = sorted({_point(forecast) for forecast in forecasts if forecast.setting in among})
    best: list[tuple[float, float, float]] = []
    for point in points:
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in best):
            best.append(point)
    front = set(best)
    marked: list[Forecast] = []
    for forecast in forecasts:
        unique = forecast.setting in among and _point(forecast) in front
        if unique:
            front.discard(_point(forecast))  # of several that come to the same, the first
        marked.append(msgspec.structs.replace(forecast, on_front=unique))
    return marked


def _point(forecast: Forecast) -> tuple[float, float, float]:
    return round(forecast.response.value, 3), round(forecast.extra.value, 3), round(forecast.cut_offs.value, 3)


def recommend(
    made: Forecaster, forecasts: list[Forecast], known: list[Setting], calibration: Calibration, worth: Worth
) -> Recommendation:
    """Choose the cheapest on the calls of even number, and test it on those of odd number."""
    from .forecasts import TEST

    current = forecasts[0].setting
    best = min(known or [current], key=lambda setting: (round(made.chosen_cost(setting), 6), setting != current))
    gain = made.gain(current, best, TEST)
    shown = best != current and gain.low > 0
    if best == current:
        why = "no setting that these calls can tell about costs less than the current one"
    elif shown:
        why = f"on calls that had no say in the choice it costs {gain.value:.4f} less a turn ({gain.low:.4f} at least)"
    elif not isfinite(gain.low + gain.high):
        why = f"it looks cheaper by {gain.value:.4f} a turn, but these calls are too few to be sure of that"
    else:
        why = (
            f"it looks cheaper by {gain.value:.4f} a turn, but that may be anything from {gain.low:.4f} to "
            f"{gain.high:.4f}: these calls cannot tell"
        )
    saved = next((one.saved_median for one in forecasts if one.setting == best), None)
    return Recommendation(
        setting=best,
        current=current,
        gain=gain,
        shown=shown,
        min_confidence=start_from(calibration, worth.per_call, worth.second, saved) if saved else None,
        why=why,
    )


def _caveats(reading: Reading, gate: SilenceGate, running: Forecast) -> Iterable[str]:
    calls = reading.calls
    if reading.utterances < _ENOUGH:
        yield f"{reading.utterances} utterances are too few to recommend anything: record at least {_ENOUGH}"
    elif len(calls) < 8:
        yield f"{len(calls)} calls only: callers differ, and the intervals are as wide as that makes them"
    if any(call.inferred for call in calls):
        yield "some traces do not name the thresholds they were recorded with: these were read off their events"
    if not all(call.measured for call in calls):
        yield "some traces have no times of words: their silences begin when the words were reported, up to 0.24 s late"
    if gate.explained is not None and gate.explained < 0.95:
        yield f"confidence and silence explain only {gate.explained:.0%} of what Flux did here: read `rough` as rougher"
    if running.cut_offs_knowledge is Knowledge.BOUNDS:
        yield (
            "some users spoke again when they might have heard the reply: whether they had been cut off or had "
            "finished is not in the recording, so cut-offs are bounds"
        )
    eots = {call.recorded.eot for call in calls}
    if eots:
        yield (
            f"what Flux would have made of thresholds above {min(eots):g} is in none of these calls, only bounds are; "
            "record some with a higher one to know"
        )
    if all(call.recorded.eager is None for call in calls):
        yield "eager ends were off: what lower thresholds would have brought is read off the confidence of Updates"
