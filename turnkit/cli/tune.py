"""`turnkit tune`: which thresholds to run, from recorded calls."""

from __future__ import annotations

from functools import partial
from math import inf, isfinite
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import ConfigError
from ..tools.tuner import (
    CallSilences,
    Estimate,
    FluxThresholds,
    Forecast,
    PolicyScore,
    RecordedOverlap,
    Tuning,
    Worth,
    call_silences,
    overlaps,
    score_policies,
    tune,
)
from ..trace import read
from .app import app
from .many_files import each, found
from .output import JsonFlag, fail, say_json

_ROWS = 14  # of the front


class _Read(msgspec.Struct):
    """What one file has to say, or why it has nothing to."""

    call: CallSilences | None = None
    spoken: list[RecordedOverlap] = []
    problem: str = ""


@app.command("tune")
def tune_calls(
    traces: Annotated[list[str], typer.Argument(help="Files, directories, or patterns such as 'calls/**/*.jsonl'.")],
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
    html: Annotated[Path | None, typer.Option(help="Write the plots as one HTML file, to look at.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="How many processes; as a rule one a core.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find the thresholds to run, from your own recorded calls.

    For each setting of eot_threshold, eager_eot_threshold, eot_timeout_ms and drafts a turn: how long the user waits,
    how many more LLM calls there are, how many turns are cut off. It says which of that it knows: `exact`, `rough`,
    or `bounds` for what no recording can tell. Chosen on one half of the calls, judged on the other.
    """
    given = None if eot_threshold is None else FluxThresholds(eot_threshold, eager_eot_threshold, eot_timeout_ms / 1000)
    paths = found(traces)
    results = list(each(partial(_look, given=given), paths, jobs, "reading", quiet=as_json))
    problems = [result.problem for result in results if result.problem]
    calls = [result.call for result in results if result.call is not None and result.call.utterances]
    if not calls:
        fail(problems[0] if problems else f"none of {len(paths)} traces has a turn with words that came to its end")
    tuning = tune(calls, worth=Worth(second=second, call=call, cut_off=cut_off), reply_seconds=reply_seconds)
    judged = score_policies(result.spoken for result in results)
    if html is not None:
        _draw(tuning, judged, html)
    if as_json:
        say_json(_fields(tuning, judged, problems))
        return
    _Report(Console(emoji=False)).tell(tuning, judged, problems, html)


def _look(path: str, given: FluxThresholds | None) -> _Read:
    try:
        trace = read(path)
        return _Read(call_silences(trace, given if trace.options is None else None), overlaps(trace))
    except ConfigError as error:
        return _Read(problem=str(error))


def _draw(tuning: Tuning, judged: list[PolicyScore], path: Path) -> None:
    from ..tools.viewer.page import fill

    try:
        path.write_text(fill("tuning", _fields(tuning, judged, []), "Thresholds · turnkit"), encoding="utf-8")
    except OSError as error:
        fail(f"--html {path}: cannot be written: {error.strerror}")


def _fields(tuning: Tuning, judged: list[PolicyScore], problems: list[str]) -> dict[str, object]:
    """For programs: what is not finite is null."""

    def plain(value: object) -> object:
        if isinstance(value, float):
            return round(value, 6) if isfinite(value) else None
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value

    fields = msgspec.to_builtins({"tuning": tuning, "barge_in": judged, "unreadable": problems})
    for row, outcome in zip(fields["tuning"]["outcomes"], tuning.outcomes, strict=True):
        row["name"] = str(outcome.setting)
    fields["tuning"]["current"]["name"] = str(tuning.current.setting)
    if tuning.recommendation is not None:
        fields["tuning"]["recommendation"]["name"] = str(tuning.recommendation.setting)
    result = plain(fields)
    assert isinstance(result, dict)
    return result


class _Report:
    """For people."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _print(self, text: str = "") -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def tell(self, tuning: Tuning, judged: list[PolicyScore], problems: list[str], html: Path | None) -> None:
        """All of it, the answer first."""
        self._print(f"{tuning.utterances} utterances in {tuning.conversations} calls")
        for problem in problems[:5]:
            self._print(f"[red]left out[/] {escape(problem)}")
        self._recommend(tuning)
        self._console.print(_table(tuning))
        if tuning.calibration.bins:
            self._console.print(_calibration(tuning))
        if judged and judged[0].overlaps:
            self._console.print(_policies(judged))
        for caveat in tuning.caveats:
            self._print(f"[yellow]note[/] {escape(caveat)}")
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


def _table(tuning: Tuning) -> Table:
    table = Table(
        title="Worth running: no other waits, calls and cuts off less (ms, a turn)",
        title_justify="left",
        box=None,
        header_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in ("", "eot", "eager", "drafts", "timeout", "p50", "p95", "saved", "calls +", "cut off", "cost", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in _thinned(tuning):
        recommended = tuning.recommendation is not None and outcome.setting == tuning.recommendation.setting
        running = outcome.setting == tuning.current.setting
        asked, drafts = outcome.setting.thresholds, outcome.setting.drafts
        table.add_row(
            "→" if recommended else "·" if running else "",
            f"{asked.eot:.2f}",
            "off" if asked.eager is None else f"{asked.eager:.2f}",
            "–" if asked.eager is None else "any" if drafts == inf else f"{drafts:.0f}",
            f"{asked.timeout:g} s",
            _ms(outcome.median),
            _ms(outcome.p95),
            f"{_ms(outcome.saved_median)}/{_ms(outcome.saved_p95)}",
            _with_reach(outcome.extra),
            _with_reach(outcome.cut_offs),
            f"{outcome.cost:.4f}",
            outcome.knowledge.value,
            style="bold" if recommended else "",
        )
    return table


def _thinned(tuning: Tuning) -> list[Forecast]:
    """As many of the front as one reads, evenly, with the one that is run and the one to run."""
    front = list(tuning.front)
    step = max(1, -(-len(front) // _ROWS))
    wanted = {outcome.setting for outcome in front[::step]} | {tuning.current.setting}
    if tuning.recommendation is not None:
        wanted.add(tuning.recommendation.setting)
    chosen = [outcome for outcome in tuning.outcomes if outcome.setting in wanted]
    return sorted(chosen, key=lambda outcome: outcome.response.value)


def _calibration(tuning: Tuning) -> Table:
    calibration = tuning.calibration
    brier = "" if calibration.brier is None else f", Brier score {calibration.brier:.3f} on calls not counted"
    table = Table(
        title=f"Eager ends that were the end: {_share(calibration.confirmed)} of {calibration.drafts}{brier}",
        title_justify="left",
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    for name in ("confidence", "eager ends", "were the end", "95 % interval", ""):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for one in calibration.bins:
        bar = "█" * round(one.rising * 20)
        interval = f"{one.confirmed.low:.0%} – {one.confirmed.high:.0%}"
        table.add_row(f"{one.low:.2f}–{one.high:.2f}", str(one.drafts), f"{one.confirmed.value:.0%}", interval, bar)
    return table


def _policies(judged: list[PolicyScore]) -> Table:
    table = Table(
        title=f"Barge-in, on {judged[0].overlaps} overlaps of which {judged[0].meant} were meant for the floor",
        title_justify="left",
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    for name in ("policy", "stopped for nothing", "not stopped", "reaction ms", "paused"):
        table.add_column(name, justify="left" if name == "policy" else "right", no_wrap=True)
    for one in judged:
        stops = _share(one.false_stops) if one.overlaps > one.meant else "–"
        missed = _share(one.missed) if one.meant else "–"
        table.add_row(one.policy, stops, missed, _ms(one.reaction), str(one.pauses))
    return table


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.0%} ({estimate.low:.0%}–{estimate.high:.0%})"


def _with_reach(estimate: Estimate) -> str:
    reach = estimate.high - estimate.value
    return f"{estimate.value:.2f}" + (f"±{reach:.2f}" if reach < inf else "")


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.0f}"
