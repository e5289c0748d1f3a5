"""Parts of the calls: by tag, language or hour, with a threshold of their own where the data carries it; by week."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import numpy as np
from scipy import special

from .columns import Counts, Numbers
from .forecasts import Forecaster
from .settings import Setting
from .silences import CallSilences
from .statistics import difference, ratio
from .tuning import Segment, Week

_ENOUGH = 8  # calls, below which a part is given no setting of its own


class By(StrEnum):
    """By what calls are told apart."""

    TAG = "tag"
    LANGUAGE = "language"
    HOUR = "hour"


def segments(
    made: Forecaster, calls: Sequence[CallSilences], by: By, whole: Setting, known: Sequence[Setting]
) -> tuple[Segment, ...]:
    """Forecast each part of the calls, and give it a setting of its own where that is sure to cost less there.

    What a part saves by another setting is shrunk towards what all of them save, the more the fewer calls it has and
    the less the parts differ. It is chosen on every other call of the part and tested on the rest. Of many parts, one
    would seem to save by chance: the more are tested, the surer each must be.
    """
    parts = _parts(calls, _KEYS[by])
    like = [one for one in known if (one.thresholds.eager, one.drafts) == (whole.thresholds.eager, whole.drafts)]
    candidates = list(dict.fromkeys([whole, *like]))
    large = [name for name, places in parts.items() if len(places) >= _ENOUGH]
    chosen = _chosen(made, [parts[name] for name in large], candidates)
    settings = dict(zip(large, chosen, strict=True))
    stretch = _stretch(max(1, sum(own != whole for own in chosen)))
    found = []
    for name, places in parts.items():
        own = settings.get(name, whole)
        gain = made.gain(whole, own, places[1::2]) if own != whole else None
        shown = gain is not None and gain.value - stretch * (gain.value - gain.low) > 0
        setting = own if shown else whole
        forecast = made.forecast(setting, places)
        found.append(
            Segment(
                name=name,
                calls=len(places),
                setting=setting,
                gain=gain,
                shown=shown,
                knowledge=forecast.knowledge,
                response=forecast.response,
                extra=forecast.extra,
                cut_offs=forecast.cut_offs,
            )
        )
    return tuple(found)


def weeks(made: Forecaster, calls: Sequence[CallSilences], current: Setting) -> tuple[Week, ...]:
    """What the setting that is run brought week by week, and whether a week differs from all the others.

    With many weeks one of them would seem to by chance: the intervals of the differences are as much wider.
    """
    parts = _parts(calls, _week)
    parts.pop("", None)
    if len(parts) < 2:
        return ()
    stretch = _stretch(len(parts))
    found = []
    for name, places in parts.items():
        rest = np.setdiff1d(np.concatenate(list(parts.values())), places)
        mine, theirs = made.forecast(current, places), made.forecast(current, rest)
        apart = [difference(getattr(mine, one), getattr(theirs, one), stretch) for one in ("response", "cut_offs")]
        found.append(
            Week(
                name=name,
                calls=len(places),
                response=mine.response,
                cut_offs=mine.cut_offs,
                extra=mine.extra,
                differs=any(one.low > 0 or one.high < 0 for one in apart),
            )
        )
    return tuple(found)


def _stretch(tried: int) -> float:
    """How much wider an interval must be, for all of so many to hold as often as one of them would."""
    return float(special.ndtri(1 - 0.025 / tried) / special.ndtri(0.975))


def _chosen(made: Forecaster, parts: list[Counts], candidates: list[Setting]) -> list[Setting]:
    """For each part, the candidate that saves most against the first one, shrunk towards what all parts save."""
    best = [(0.0, candidates[0])] * len(parts)
    base = made.costs(candidates[0])
    for setting in candidates[1:]:
        saving = base - made.costs(setting)
        for number, value in enumerate(_shrunk(saving, made.turns, [places[0::2] for places in parts])):
            if value > best[number][0]:
                best[number] = value, setting
    return [setting for _, setting in best]


def _shrunk(sums: Numbers, turns: Numbers, parts: list[Counts]) -> Numbers:
    """The mean of each part, drawn towards that of all by as much as its own chance is of what they differ by."""
    estimates = [ratio(sums[places], turns[places]) for places in parts]
    values = np.array([one.value for one in estimates])
    chance = np.array([max((one.high - one.low) / 3.92, 1e-12) ** 2 for one in estimates])
    weights = 1 / chance
    centre = float((weights * values).sum() / weights.sum()) if len(values) else 0.0
    freedom = len(values) - 1
    spread = float((weights * (values - centre) ** 2).sum()) - freedom
    scale = float(weights.sum() - (weights**2).sum() / weights.sum()) if len(values) else 0.0
    among = max(0.0, spread / scale) if scale > 0 else 0.0
    kept = among / (among + chance)
    shrunk: Numbers = kept * values + (1 - kept) * centre
    return shrunk


def _parts(calls: Sequence[CallSilences], key: Callable[[CallSilences], str]) -> dict[str, Counts]:
    places: dict[str, list[int]] = {}
    for number, call in enumerate(calls):
        places.setdefault(key(call), []).append(number)
    return {name: np.array(places[name], dtype=np.int64) for name in sorted(places)}


def _began(call: CallSilences) -> datetime | None:
    try:
        return datetime.fromisoformat(call.began)
    except ValueError:
        return None


def _hour(call: CallSilences) -> str:
    began = _began(call)
    return "" if began is None else f"{began.hour:02d}"


def _week(call: CallSilences) -> str:
    began = _began(call)
    return "" if began is None else "{}-W{:02d}".format(*began.isocalendar()[:2])


_KEYS: Mapping[By, Callable[[CallSilences], str]] = {
    By.TAG: lambda call: call.tag,
    By.LANGUAGE: lambda call: call.language,
    By.HOUR: _hour,
}
