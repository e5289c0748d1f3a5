"""`turnkit tune`: which thresholds to run, from recorded calls."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from ..errors import ConfigError
from ..evidence import Evidence
from ..metrics.texts import counted
from ..tools.tuner import (
    FluxThresholds,
    PolicyScore,
    Tuning,
    Worth,
    compare,
    score_verdicts,
    tune,
)
from ..tools.tuner.fixed_points import FLUX_POLICIES, FixedPoints, fixed_points, operating_points, spans
from ..wire import FluxOptions
from .commands import app
from .gathering import Told, gathered, notes
from .many_files import ALONE, DaskOption, JobsOption, found
from .output import JsonFlag, check_place, fail, guard, say_json, warn
from .private_file import check_spared
from .screen import Screen
from .shares import Shares, one_thread_each
from .spread_option import SpreadOption
from .time_zones import in_zone, zone_of
from .tune_page import write_page
from .tune_report import TuneReport, plain


class By(StrEnum):
    """By what calls are told apart."""

    TAG = "tag"
    LANGUAGE = "language"
    HOUR = "hour"


@app.command("tune", cls=SpreadOption)
def tune_calls(
    traces: Annotated[
        list[str], typer.Argument(help="Files, directories, patterns, or URLs such as s3://bucket/calls.")
    ],
    second: Annotated[
        float,
        typer.Option(
            "--second-worth",
            min=0,
            metavar="PRICE",
            help="What it is worth to you, per turn, that the user waits a second less.",
        ),
    ] = 0.01,
    call: Annotated[
        float,
        typer.Option("--call-cost", min=0, metavar="PRICE", help="What one LLM call costs, in the same currency."),
    ] = 0.001,
    second_too: Annotated[float | None, typer.Option("--second", min=0, hidden=True)] = None,
    call_too: Annotated[float | None, typer.Option("--call", min=0, hidden=True)] = None,
    token_cost: Annotated[
        float, typer.Option(min=0, metavar="PRICE", help="What one token costs, on top of --call-cost.")
    ] = 0.0,
    tokens: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many tokens an LLM call has, prompt and answer together.")
    ] = 1000,
    currency: Annotated[
        str, typer.Option(metavar="EUR", help="The currency of these prices, to be shown with them.")
    ] = "",
    cut_off: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How bad it is to answer in the middle of a user's sentence: as bad as so many seconds of waiting.",
        ),
    ] = 3.0,
    reply_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How long your bot takes from the start of the LLM to the first sound: a draft saves no more.",
        ),
    ] = 0.7,
    eot_threshold: Annotated[
        float | None, typer.Option(metavar="SHARE", help="The eot_threshold of calls whose recording does not tell it.")
    ] = None,
    eager_eot_threshold: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Likewise their eager_eot_threshold.")
    ] = None,
    eot_timeout_ms: Annotated[int, typer.Option(metavar="MS", help="Likewise their eot_timeout_ms.")] = 5000,
    eot_bench: Annotated[
        bool,
        typer.Option(
            "--eot-bench",
            help="Also show the cut-offs at fixed latencies and the latency at fixed cut-offs, as eot-bench does.",
        ),
    ] = False,
    no_eot_bench: Annotated[bool, typer.Option("--no-eot-bench", hidden=True)] = False,
    by: Annotated[
        By | None,
        typer.Option(metavar="PART", help="Also say what to run for each part of the calls: by tag, language or hour."),
    ] = None,
    time_zone: Annotated[
        str,
        typer.Option(
            metavar="ZONE",
            help="The time zone of hours and weeks, such as Europe/Berlin; UTC if not given, as recorded.",
        ),
    ] = "",
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CALLS",
            help="A second set of calls, as it was run: say what changed since the first. "
            "Takes all names up to the next option, or to --.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the plots as one HTML file that only you may read.")
    ] = None,
    most: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Find thresholds from at most so many calls; of more, so many are chosen at random.",
        ),
    ] = 20_000,
    jobs: JobsOption = None,
    dask: DaskOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Find the thresholds to run, from your own recorded calls.

    For each setting of eot_threshold, eager_eot_threshold, eot_timeout_ms and drafts a turn: how long the user waits,
    how many more LLM calls there are, how many turns are cut off. It says which of that it knows: `exact`, `rough`,
    or `bounds` for what no recording can tell. Chosen on one half of the calls, judged on the other. With --against, it
    says what changed between two sets of calls instead, and how many more it would take to be sure.
    """
    second, call = _either(second_too, second), _either(call_too, call)
    given = guard(lambda: _given(eot_threshold, eager_eot_threshold, eot_timeout_ms))
    zone = guard(lambda: zone_of(time_zone))
    if html is not None:
        check_place(html, "--html")
    paths = found(traces)
    if html is not None:
        check_spared(html, "--html", paths)
    try:
        worth = Worth(second=second, call=call, token=token_cost, tokens=tokens, cut_off=cut_off, currency=currency)
        evidence = _gathered(paths, given, most, jobs, dask, quiet=as_json)
        if against:
            other = _gathered(found(against), given, most, jobs, dask, quiet=as_json)
            _compare(evidence, other, reply_seconds, as_json=as_json)
            return
        one_thread_each()
        told = Told(evidence)
        tuning = tune(
            in_zone(told.silences(), zone),
            worth=worth,
            reply_seconds=reply_seconds,
            by=None if by is None else by.value,
            spread=None if jobs == 1 or len(paths) < ALONE else Shares(jobs),
        )
    except ConfigError as error:
        fail(str(error))
    problems = list(evidence.problems.values())
    scores = score_verdicts(told.verdicts)
    points = (
        fixed_points(operating_points(map(spans, evidence.silences()), FLUX_POLICIES))
        if eot_bench and not no_eot_bench
        else None
    )
    if html is not None:
        part = None if by is None else by.value
        write_page(_fields(tuning, scores, []), html, tuning.segments, part, time_zone)
    if as_json:
        say_json({**_fields(tuning, scores, problems), **({} if points is None else _fixed(points))})
        return
    report = TuneReport(Screen())
    report.tell(tuning, scores, problems, html, list(notes(evidence, len(paths), told.inferred)))
    if points is not None:
        report.tell_fixed_points(points)


def _either(by_other_name: float | None, value: float) -> float:
    """The value of an option that has a shorter name besides, which the help leaves out."""
    return value if by_other_name is None else by_other_name


def _given(eot: float | None, eager: float | None, timeout_ms: int) -> FluxThresholds | None:
    """The thresholds that were said; such as Flux takes, or nothing was recorded with them."""
    if eot is None:
        if eager is not None:
            raise ConfigError(f"--eager-eot-threshold {eager:g}: --eot-threshold must be said too")
        return None
    FluxOptions(eot_threshold=eot, eager_eot_threshold=eager, eot_timeout_ms=timeout_ms)
    return FluxThresholds(eot, eager, timeout_ms / 1000)


def _gathered(
    paths: list[str], given: FluxThresholds | None, most: int, jobs: int | None, dask: str | None, *, quiet: bool
) -> Evidence:
    """What the files tell; fail if none has an utterance."""
    evidence = gathered(paths, jobs, dask, quiet=quiet, tuning=True, thresholds=given, most=most)
    if not any(call.utterances for call in evidence.silences()):
        problems = list(evidence.problems.values())
        fail(problems[0] if problems else f"none of {len(paths)} traces has a turn with words that came to its end")
    return evidence


def _compare(one: Evidence, other: Evidence, reply_seconds: float, *, as_json: bool) -> None:
    if both := len(one.calls.keys() & other.calls.keys()):
        warn(f"--against: {both} of {counted(len(one.calls), 'call')} are in both sets, which look more alike by it")
    comparison = compare(list(one.silences()), list(other.silences()), reply_seconds=reply_seconds)
    problems = [*one.problems.values(), *other.problems.values()]
    if as_json:
        fields = plain({"comparison": msgspec.to_builtins(comparison), "unreadable": problems})
        assert isinstance(fields, dict)
        say_json(fields)
        return
    TuneReport(Screen()).tell_comparison(comparison, problems)


def _fixed(points: FixedPoints) -> dict[str, object]:
    """The fixed points as plain fields, by latency in seconds and by share of cut-offs."""
    fields = msgspec.to_builtins(points)
    return {"fixed_points": {name: {f"{at:g}": best for at, best in row.items()} for name, row in fields.items()}}


def _fields(tuning: Tuning, scores: list[PolicyScore], problems: list[str]) -> dict[str, Any]:
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
