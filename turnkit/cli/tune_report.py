"""What `turnkit tune` says to people: the answer first, then what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console
from rich.markup import escape

from ..metrics.texts import counted
from ..tools.tuner import Comparison, Difference, Estimate, Forecast, Knowledge, PolicyScore, Setting, Tuning
from ..tools.tuner.fixed_points import FixedPoints, lines
from .layout import Column, tell, tell_table
from .metrics import tell_note, tell_problems

_ROWS = 14  # of the front
_HANG = 15  # columns before further lines


def plain(value: object) -> object:
    """The value for programs: numbers rounded, those that are not finite as null."""
    if isinstance(value, float):
        return round(value, 6) if isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value


class TuneReport:
    """Prints a tuning for people."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _print(self, text: str = "") -> None:
        tell(self._console, text, _HANG)

    def _show(
        self,
        title: str,
        columns: _Columns,
        rows: Iterable[Any],
        *,
        left: str | None = None,
        bold: object = None,
        keys: int = 1,
        gap: int = 2,
    ) -> None:
        """A row a value; the column headed `left` is the one that is not to the right, `bold` the row that is bold."""
        values = list(rows)
        tell_table(
            self._console,
            [Column(heading, right=heading != left) for heading, _ in columns],
            [[cell(one) for _, cell in columns] for one in values],
            title=title,
            styles={at: "bold" for at, one in enumerate(values) if one is bold},
            keys=keys,
            gap=gap,
        )

    def tell(
        self, tuning: Tuning, scores: list[PolicyScore], problems: list[str], html: Path | None, said: list[str]
    ) -> None:
        """Print all of it, the answer first."""
        self._print(f"{counted(tuning.utterances, 'utterance')} in {counted(tuning.calls, 'call')}")
        self._recommend(tuning)
        self._forecasts(tuning)
        if tuning.segments:
            self._show("Parts of the calls", _SEGMENT_COLUMNS, tuning.segments, left="")
        if tuning.weeks:
            self._show("By week, as it was run", _WEEK_COLUMNS, tuning.weeks, left="week")
        if tuning.calibration.bins:
            self._calibration(tuning)
        if scores and scores[0].overlaps:
            self._policies(scores)
        for caveat in (*said, *tuning.caveats):
            tell_note(self._console, caveat)
        tell_problems(self._console, problems)
        if html is not None:
            self._print(f"wrote [bold]{escape(str(html))}[/bold]")

    def tell_fixed_points(self, points: FixedPoints) -> None:
        """Print the best within budgets of latency and of cut-offs."""
        for line in lines(points):
            self._print(escape(line))

    def tell_comparison(self, comparison: Comparison, problems: list[str]) -> None:
        """Print what changed from A to B."""
        for name, calls, setting in zip("AB", comparison.calls, comparison.settings, strict=True):
            self._print(f"  {name}  {counted(calls, 'call')} at {setting}")
        tell_problems(self._console, problems)
        self._show("From A to B, a turn", _DIFFERENCE_COLUMNS, comparison.differences, left="")

    def _recommend(self, tuning: Tuning) -> None:
        advice = tuning.recommendation
        mixed = f"mixed; {tuning.calls - tuning.others} of {tuning.calls} calls had " if tuning.others else ""
        self._print(f"  running      {mixed}{tuning.current.setting}")
        if tuning.worth.currency:
            a_call = f"{tuning.worth.per_call:g} {tuning.worth.currency} a call"
            self._print(f"  prices       {escape(a_call)}, {tuning.worth.second:g} a second less of waiting")
        if advice is None:
            self._print("  recommended  nothing yet")
        elif advice.setting == advice.current:
            self._print(f"  recommended  [bold green]stay[/]: {advice.why}")
        else:
            style = "bold green" if advice.shown else "bold yellow"
            self._print(f"  recommended  [{style}]{advice.setting}[/]")
            self._print(f"               {advice.why}")
        if advice is not None and advice.min_confidence:
            self._print(
                f"               and draft from a confidence of {advice.min_confidence:.2f} on (min-confidence)"
            )
        self._print()

    def _forecasts(self, tuning: Tuning) -> None:
        advised = None if tuning.recommendation is None else tuning.recommendation.setting
        shown = _thinned(tuning)

        def mark(one: Forecast) -> str:
            return "→" if one.setting == advised else "now" if one.setting == tuning.current.setting else ""

        self._show(
            "Settings to choose from: less waiting costs LLM calls, or cuts more users off",
            (("", mark), *_FORECAST_COLUMNS),
            shown,
            bold=next((one for one in shown if one.setting == advised), None),
            keys=4,
            gap=1,
        )
        tell(self._console, _LEGEND)

    def _calibration(self, tuning: Tuning) -> None:
        calibration = tuning.calibration
        brier = "" if calibration.brier is None else f", Brier score {calibration.brier:.3f} on calls not counted"
        title = f"Eager ends that were the end: {_share(calibration.confirmed)} of {calibration.drafts}{brier}"
        self._show(title, _BIN_COLUMNS, calibration.bins, left="")

    def _policies(self, scores: list[PolicyScore]) -> None:
        overlaps, meant = scores[0].overlaps, scores[0].meant
        counted = f"{overlaps} overlap{'' if overlaps == 1 else 's'}"
        were = "was" if meant == 1 else "were"
        title = f"Barge-in, on {counted} of which {meant} {were} meant for the floor (ms: until it stops)"
        self._show(title, _POLICY_COLUMNS, scores, left="policy")


_LEGEND = (
    "A turn: its wait (mean, 95 % sure; and 95th percentile), LLM calls beyond one, share cut off, cost in your "
    "prices. ×2: at most 2 drafts."
)
"""What the figures of the first table are."""

_Columns: TypeAlias = Sequence[tuple[str, Callable[[Any], str]]]
"""Of a table: the heading of each column, and how to get its cell from the row's value."""

_FORECAST_COLUMNS: _Columns = (
    ("eot", lambda one: f"{one.setting.thresholds.eot:.2f}"),
    ("eager", lambda one: _eager(one.setting)),
    ("timeout", lambda one: f"{one.setting.thresholds.timeout:g} s"),
    ("wait, ms", lambda one: _ms_range(one.response)),
    ("p95", lambda one: _ms(one.p95)),
    ("extra LLM", lambda one: _range(one.extra)),
    ("cut off", lambda one: _range(one.cut_offs)),
    ("cost", lambda one: f"{one.cost:.4f}"),
    ("known", lambda one: one.knowledge.value),
)
_BIN_COLUMNS: _Columns = (
    ("confidence", lambda one: f"{one.low:.2f}–{one.high:.2f}"),
    ("eager ends", lambda one: str(one.drafts)),
    ("were the end", lambda one: _counted(one.confirmed)),
    ("95 % interval", lambda one: f"{one.confirmed.low:.0%} – {one.confirmed.high:.0%}"),
    ("", lambda one: "█" * round(one.rising * 20)),
)
_SEGMENT_COLUMNS: _Columns = (
    ("", lambda one: one.name or "not known"),
    ("calls", lambda one: str(one.calls)),
    ("eot", lambda one: f"{one.setting.thresholds.eot:.2f}"),
    ("eager", lambda one: _eager(one.setting)),
    ("timeout", lambda one: f"{one.setting.thresholds.timeout:g} s"),
    ("wait, ms", lambda one: _ms_range(one.response)),
    ("cut off", lambda one: _range(one.cut_offs)),
    ("saves", lambda one: f"{one.gain.low:.4f} at least" if one.shown else "as all"),
    ("known", lambda one: one.knowledge.value),
)
_WEEK_COLUMNS: _Columns = (
    ("week", lambda one: one.name),
    ("calls", lambda one: str(one.calls)),
    ("wait, ms", lambda one: _ms_range(one.response)),
    ("extra LLM", lambda one: _range(one.extra)),
    ("cut off", lambda one: _range(one.cut_offs)),
    ("", lambda one: "differs" if one.differs else ""),
)
_DIFFERENCE_COLUMNS: _Columns = (
    ("", lambda one: {"response": "wait, s", "extra": "extra LLM", "cut_offs": "cut off"}[one.name]),
    ("A", lambda one: _interval(one.before, one.knowledge)),
    ("B", lambda one: _interval(one.after, one.knowledge)),
    ("change", lambda one: f"{one.change.value:+.3f} ({one.change.low:+.3f} to {one.change.high:+.3f})"),
    ("known", lambda one: one.knowledge.value),
    ("to tell", lambda one: _to_tell(one)),
)
_POLICY_COLUMNS: _Columns = (
    ("policy", lambda one: one.policy),
    ("false stops", lambda one: _share(one.false_stops) if one.overlaps > one.meant else "–"),
    ("not stopped", lambda one: _share(one.missed) if one.meant else "–"),
    ("ms", lambda one: _ms(one.reaction)),
    ("paused", lambda one: str(one.pauses)),
)


def _thinned(tuning: Tuning) -> list[Forecast]:
    """As many forecasts of the front as one reads, evenly, with those of the running and the recommended setting."""
    front = list(tuning.front)
    step = max(1, -(-len(front) // _ROWS))
    wanted = {forecast.setting for forecast in front[::step]} | {tuning.current.setting}
    if tuning.recommendation is not None:
        wanted.add(tuning.recommendation.setting)
    chosen = [forecast for forecast in tuning.forecasts if forecast.setting in wanted]
    return sorted(chosen, key=lambda forecast: forecast.response.value)


def _eager(setting: Setting) -> str:
    """The eager threshold, and how many drafts a turn may have if that is bounded."""
    if setting.thresholds.eager is None:
        return "off"
    drafts = "" if setting.drafts == inf else f"×{setting.drafts:.0f}"
    return f"{setting.thresholds.eager:.2f}{drafts}"


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.0%} ({estimate.low:.0%}–{estimate.high:.0%})"


def _counted(estimate: Estimate) -> str:
    if not estimate.tries:
        return "–"
    return f"{estimate.value:.0%} ({estimate.hits} of {estimate.tries})"


def _interval(estimate: Estimate, knowledge: Knowledge) -> str:
    """A figure with its interval; where only bounds are known, these alone."""
    if not isfinite(estimate.low) or not isfinite(estimate.high):
        return f"{estimate.value:.2f}"
    both = f"{estimate.low:.2f}–{estimate.high:.2f}"
    return both if knowledge is Knowledge.BOUNDS else f"{estimate.value:.2f} ({both})"


def _range(estimate: Estimate) -> str:
    return f"{estimate.low:.2f}–{estimate.high:.2f}" if isfinite(estimate.high) else f"{estimate.value:.2f}"


def _ms_range(estimate: Estimate) -> str:
    """The interval in milliseconds, as `_range`."""
    if not isfinite(estimate.high):
        return _ms(estimate.value)
    return f"{_ms(estimate.low)}–{_ms(estimate.high)}"


def _to_tell(one: Difference) -> str:
    if one.told:
        return "told"
    return "no number" if one.more_calls is None else f"{one.more_calls} more calls each"


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None or not isfinite(seconds) else f"{seconds * 1000:.0f}"
