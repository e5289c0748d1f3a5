"""`turnkit tune`: which thresholds to run, from recorded calls."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ..errors import ConfigError
from ..tools.tuner import (
    CallSilences,
    FluxThresholds,
    PolicyScore,
    RecordedOverlap,
    Tuning,
    Worth,
    call_silences,
    compare,
    overlaps,
    score_policies,
    tune,
)
from ..trace import read
from .app import app
from .many_files import each, found
from .output import JsonFlag, fail, say_json, write_file
from .screen import Screen
from .tune_report import TuneReport, plain


class By(StrEnum):
    """By what calls are told apart."""

    TAG = "tag"
    LANGUAGE = "language"
    HOUR = "hour"


class _FileFindings(msgspec.Struct):
    """The silences and overlaps of one file, or the problem with it."""

    call: CallSilences | None = None
    overlaps: list[RecordedOverlap] = []
    problem: str = ""


@app.command("tune")
def tune_calls(
    traces: Annotated[list[str], typer.Argument(help="Files, directories, or patterns such as 'calls/**/*.jsonl'.")],
    second: Annotated[
        float,
        typer.Option(
            "--second-worth", "--second", min=0, help="What a second less of waiting is worth to you, a turn."
        ),
    ] = 0.01,
    call: Annotated[
        float, typer.Option("--call-cost", "--call", min=0, help="What a call of the LLM costs, in the same currency.")
    ] = 0.001,
    token_cost: Annotated[float, typer.Option(min=0, help="What a token costs, on top of that.")] = 0.0,
    tokens: Annotated[int, typer.Option(min=0, help="How many tokens a call has, prompt and answer.")] = 1000,
    currency: Annotated[str, typer.Option(help="What these prices are in, such as EUR.")] = "",
    cut_off: Annotated[
        float, typer.Option(min=0, help="Seconds of waiting that an answer into mid-sentence is as bad as.")
    ] = 3.0,
    reply_seconds: Annotated[
        float, typer.Option(min=0, help="From the start of your LLM to the first sound; a draft saves no more.")
    ] = 0.7,
    eot_threshold: Annotated[float | None, typer.Option(help="Of recordings that do not name theirs.")] = None,
    eager_eot_threshold: Annotated[float | None, typer.Option(help="The same.")] = None,
    eot_timeout_ms: Annotated[int, typer.Option(help="The same.")] = 5000,
    by: Annotated[By | None, typer.Option(help="Tell parts of the calls apart, and what to run for each.")] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="Other recordings, B: compare both as they were run. May be repeated.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the plots as one HTML file, to look at.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="How many processes; as a rule one a core.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find the thresholds to run, from your own recorded calls.

    For each setting of eot_threshold, eager_eot_threshold, eot_timeout_ms and drafts a turn: how long the user waits,
    how many more LLM calls there are, how many turns are cut off. It says which of that it knows: `exact`, `rough`,
    or `bounds` for what no recording can tell. Chosen on one half of the calls, judged on the other. With --against, it
    says what changed between two sets of calls instead, and how many more it would take to be sure.
    """
    given = None if eot_threshold is None else FluxThresholds(eot_threshold, eager_eot_threshold, eot_timeout_ms / 1000)
    try:
        if against:
            _compare(traces, against, given, reply_seconds, jobs, as_json=as_json)
            return
        results, problems = _read_all(traces, given, jobs, quiet=as_json)
        tuning = tune(
            (result.call for result in results if result.call is not None),
            worth=Worth(second=second, call=call, token=token_cost, tokens=tokens, cut_off=cut_off, currency=currency),
            reply_seconds=reply_seconds,
            by=None if by is None else by.value,
        )
    except ConfigError as error:
        fail(str(error))
    scores = score_policies(result.overlaps for result in results)
    if html is not None:
        _draw(tuning, scores, html)
    if as_json:
        say_json(_fields(tuning, scores, problems))
        return
    TuneReport(Screen()).tell(tuning, scores, problems, html)


def _compare(
    traces: list[str],
    against: list[str],
    given: FluxThresholds | None,
    reply_seconds: float,
    jobs: int | None,
    *,
    as_json: bool,
) -> None:
    sets = [_read_all(paths, given, jobs, quiet=as_json) for paths in (traces, against)]
    one, other = ([result.call for result in results if result.call is not None] for results, _ in sets)
    comparison = compare(one, other, reply_seconds=reply_seconds)
    problems = [problem for _, found_problems in sets for problem in found_problems]
    if as_json:
        fields = plain({"comparison": msgspec.to_builtins(comparison), "unreadable": problems})
        assert isinstance(fields, dict)
        say_json(fields)
        return
    TuneReport(Screen()).tell_comparison(comparison, problems)


def _read_all(
    traces: list[str], given: FluxThresholds | None, jobs: int | None, *, quiet: bool
) -> tuple[list[_FileFindings], list[str]]:
    """What the files tell, and what is wrong with those that tell nothing; fail if none has an utterance."""
    paths = found(traces)
    results = list(each(partial(_read_file, given=given), paths, jobs, "reading", quiet=quiet))
    problems = [result.problem for result in results if result.problem]
    if not any(result.call is not None and result.call.utterances for result in results):
        fail(problems[0] if problems else f"none of {len(paths)} traces has a turn with words that came to its end")
    return results, problems


def _read_file(path: str, given: FluxThresholds | None) -> _FileFindings:
    try:
        trace = read(path)
        return _FileFindings(call_silences(trace, given if trace.options is None else None), overlaps(trace))
    except ConfigError as error:
        return _FileFindings(problem=str(error))


def _draw(tuning: Tuning, scores: list[PolicyScore], path: Path) -> None:
    from ..tools.viewer.page import fill

    page = fill("tuning", _fields(tuning, scores, []), "Thresholds · turnkit")
    write_file(path, page.encode(), "--html")


def _fields(tuning: Tuning, scores: list[PolicyScore], problems: list[str]) -> dict[str, object]:
    """The tuning as plain fields for programs; what is not finite is null."""
    fields = msgspec.to_builtins({"tuning": tuning, "barge_in": scores, "unreadable": problems})
    for row, forecast in zip(fields["tuning"]["outcomes"], tuning.forecasts, strict=True):
        row["name"] = str(forecast.setting)
    fields["tuning"]["current"]["name"] = str(tuning.current.setting)
    if tuning.recommendation is not None:
        fields["tuning"]["recommendation"]["name"] = str(tuning.recommendation.setting)
    result = plain(fields)
    assert isinstance(result, dict)
    return result
