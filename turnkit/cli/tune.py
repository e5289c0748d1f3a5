"""`turnkit tune`: which thresholds to run, from recorded calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..tools.tuner import (
    Estimate,
    FluxThresholds,
    Forecast,
    PolicyScore,
    Setting,
    Tuning,
    Worth,
    score_verdicts,
    tune,
)
from ..tools.tuner.fixed_points import FLUX_POLICIES, FixedPoints, fixed_points, lines, operating_points, spans
from .app import app
from .gathering import gathered, notes
from .many_files import DaskOption, JobsOption, found
from .metrics import tell_problems
from .output import JsonFlag, fail, say_json, write_file
from .screen import Screen

_ROWS = 14  # of the front


@app.command("tune")
def tune_calls(
    traces: Annotated[
        list[str], typer.Argument(help="Files, directories, patterns, or URLs such as s3://bucket/calls.")
    ],
    second: Annotated[float, typer.Option(min=0, help="What a second less of waiting is worth to you, a turn.")] = 0.01,
    call: Annotated[float, typer.Option(min=0, help="What a call of the LLM costs, in the same currency.")] = 0.001,
    cut_off: Annotated[
        float, typer.Option(min=0, help="Seconds of waiting that an answer into mid-sentence is as bad as.")
    ] = 3.0,
    reply_seconds: Annotated[
        float, typer.Option(min=0, help="From the start of your LLM to the first sound; a draft saves no more.")
    ] = 0.7,
    eot_threshold: Annotated[float | None, typer.Option(help="Of recordings that do not name theirs.")] = None,
    eager_eot_threshold: Annotated[float | None, typer.Option(help="The same.")] = None,
    eot_timeout_ms: Annotated[int, typer.Option(help="The same.")] = 5000,
    eot_bench: Annotated[
        bool,
        typer.Option(help="Also cut-offs at fixed latencies, and latency at fixed cut-offs, as in eot-bench."),
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write the plots as one HTML file, to look at.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Of more calls than these, so many by chance.")] = 20_000,
    jobs: JobsOption = None,
    dask: DaskOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Find the thresholds to run, from your own recorded calls.

    For each setting of eot_threshold, eager_eot_threshold, eot_timeout_ms and drafts a turn: how long the user waits,
    how many more LLM calls there are, how many turns are cut off. It says which of that it knows: `exact`, `rough`,
    or `bounds` for what no recording can tell. Chosen on one half of the calls, judged on the other.
    """
    given = None if eot_threshold is None else FluxThresholds(eot_threshold, eager_eot_threshold, eot_timeout_ms / 1000)
    paths = found(traces)
    evidence = gathered(paths, jobs, dask, quiet=as_json, tuning=True, thresholds=given, most=most)
    problems = list(evidence.problems.values())
    if not any(call.utterances for call in evidence.silences()):
        fail(problems[0] if problems else f"none of {len(paths)} traces has a turn with words that came to its end")
    worth = Worth(second=second, call=call, cut_off=cut_off)
    tuning = tune(evidence.silences(), worth=worth, reply_seconds=reply_seconds)
    scores = score_verdicts(evidence.verdicts())
    points = fixed_points(operating_points([*map(spans, evidence.silences())], FLUX_POLICIES)) if eot_bench else None
    if html is not None:
        _draw(tuning, scores, html)
    if as_json:
        say_json({**_fields(tuning, scores, problems), **({} if points is None else _fixed(points))})
        return
    _TuneReport(Screen()).tell(tuning, scores, problems, html, list(notes(evidence, len(paths))))
    for line in [] if points is None else lines(points):
        typer.echo(line)


def _fixed(points: FixedPoints) -> dict[str, object]:
    """The fixed points as plain fields, by latency in seconds and by share of cut-offs."""
    fields = msgspec.to_builtins(points)
    return {"fixed_points": {name: {f"{at:g}": best for at, best in row.items()} for name, row in fields.items()}}


def _draw(tuning: Tuning, scores: list[PolicyScore], path: Path) -> None:
    from ..tools.viewer.tuning import tuning_page

    write_file(path, tuning_page(_fields(tuning, scores, [])).encode(), "--html")


def _fields(tuning: Tuning, scores: list[PolicyScore], problems: list[str]) -> dict[str, object]:
    """The tuning as plain fields for programs; what is not finite is null."""

    def plain(value: object) -> object:
        if isinstance(value, float):
            return round(value, 6) if isfinite(value) else None
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value

    fields = msgspec.to_builtins({"tuning": tuning, "barge_in": scores, "unreadable": problems})
    for row, forecast in zip(fields["tuning"]["outcomes"], tuning.forecasts, strict=True):
        row["name"] = str(forecast.setting)
    fields["tuning"]["current"]["name"] = str(tuning.current.setting)
    if tuning.recommendation is not None:
        fields["tuning"]["recommendation"]["name"] = str(tuning.recommendation.setting)
    result = plain(fields)
    assert isinstance(result, dict)
    return result


class _TuneReport:
    """Prints a tuning for people."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _print(self, text: str = "") -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def tell(
        self, tuning: Tuning, scores: list[PolicyScore], problems: list[str], html: Path | None, said: list[str]
    ) -> None:
        """Print all of it, the answer first."""
        self._print(f"{tuning.utterances} utterances in {tuning.calls} calls")
        self._recommend(tuning)
        self._console.print(_forecasts(tuning))
        if tuning.calibration.bins:
            self._console.print(_calibration(tuning))
        if scores and scores[0].overlaps:
            self._console.print(_policies(scores))
        for caveat in (*said, *tuning.caveats):
            self._print(f"[yellow]note[/] {escape(caveat)}")
        tell_problems(self._console, problems)
        if html is not None:
            self._print(f"wrote [bold]{escape(str(html))}[/bold]")

    def _recommend(self, tuning: Tuning) -> None:
        advice = tuning.recommendation
        self._print(f"  running      {tuning.current.setting}")
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


_Columns: TypeAlias = Sequence[tuple[str, Callable[[Any], str]]]
"""Of a table: the heading of each column, and how to get its cell from the row's value."""

_FORECAST_COLUMNS: _Columns = (
    ("eot", lambda one: f"{one.setting.thresholds.eot:.2f}"),
    ("eager", lambda one: "off" if one.setting.thresholds.eager is None else f"{one.setting.thresholds.eager:.2f}"),
    ("drafts", lambda one: _drafts(one.setting)),
    ("timeout", lambda one: f"{one.setting.thresholds.timeout:g} s"),
    ("p50", lambda one: _ms(one.median)),
    ("p95", lambda one: _ms(one.p95)),
    ("saved", lambda one: f"{_ms(one.saved_median)}/{_ms(one.saved_p95)}"),
    ("calls +", lambda one: _with_reach(one.extra)),
    ("cut off", lambda one: _with_reach(one.cut_offs)),
    ("cost", lambda one: f"{one.cost:.4f}"),
    ("", lambda one: one.knowledge.value),
)
_BIN_COLUMNS: _Columns = (
    ("confidence", lambda one: f"{one.low:.2f}–{one.high:.2f}"),
    ("eager ends", lambda one: str(one.drafts)),
    ("were the end", lambda one: f"{one.confirmed.value:.0%}"),
    ("95 % interval", lambda one: f"{one.confirmed.low:.0%} – {one.confirmed.high:.0%}"),
    ("", lambda one: "█" * round(one.rising * 20)),
)
_POLICY_COLUMNS: _Columns = (
    ("policy", lambda one: one.policy),
    ("stopped for nothing", lambda one: _share(one.false_stops) if one.overlaps > one.meant else "–"),
    ("not stopped", lambda one: _share(one.missed) if one.meant else "–"),
    ("reaction ms", lambda one: _ms(one.reaction)),
    ("paused", lambda one: str(one.pauses)),
)


def _table(title: str, columns: _Columns, rows: Iterable[Any], *, left: str | None = None, bold: Any = None) -> Table:
    """A row a value; the column headed `left` is the one that is not aligned to the right, `bold` the row that is."""
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for heading, _ in columns:
        table.add_column(heading, justify="left" if heading == left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(cell(row) for _, cell in columns), style="bold" if row is bold else "")
    return table


def _forecasts(tuning: Tuning) -> Table:
    advised = None if tuning.recommendation is None else tuning.recommendation.setting
    shown = _thinned(tuning)

    def mark(one: Forecast) -> str:
        return "→" if one.setting == advised else "·" if one.setting == tuning.current.setting else ""

    table = _table(
        "Worth running: no other waits, calls and cuts off less (ms, a turn)",
        (("", mark), *_FORECAST_COLUMNS),
        shown,
        bold=next((one for one in shown if one.setting == advised), None),
    )
    table.padding = (0, 1, 0, 0)
    return table


def _thinned(tuning: Tuning) -> list[Forecast]:
    """As many forecasts of the front as one reads, evenly, with those of the running and the recommended setting."""
    front = list(tuning.front)
    step = max(1, -(-len(front) // _ROWS))
    wanted = {forecast.setting for forecast in front[::step]} | {tuning.current.setting}
    if tuning.recommendation is not None:
        wanted.add(tuning.recommendation.setting)
    chosen = [forecast for forecast in tuning.forecasts if forecast.setting in wanted]
    return sorted(chosen, key=lambda forecast: forecast.response.value)


def _calibration(tuning: Tuning) -> Table:
    calibration = tuning.calibration
    brier = "" if calibration.brier is None else f", Brier score {calibration.brier:.3f} on calls not counted"
    title = f"Eager ends that were the end: {_share(calibration.confirmed)} of {calibration.drafts}{brier}"
    return _table(title, _BIN_COLUMNS, calibration.bins, left="")


def _policies(scores: list[PolicyScore]) -> Table:
    title = f"Barge-in, on {scores[0].overlaps} overlaps of which {scores[0].meant} were meant for the floor"
    return _table(title, _POLICY_COLUMNS, scores, left="policy")


def _drafts(setting: Setting) -> str:
    if setting.thresholds.eager is None:
        return "–"
    return "any" if setting.drafts == inf else f"{setting.drafts:.0f}"


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.0%} ({estimate.low:.0%}–{estimate.high:.0%})"


def _with_reach(estimate: Estimate) -> str:
    reach = estimate.high - estimate.value
    return f"{estimate.value:.2f}" + (f"±{reach:.2f}" if reach < inf else "")


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.0f}"
