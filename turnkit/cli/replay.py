"""`turnkit replay`: recorded calls again, one or thousands."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from ..checks import shown_path
from ..trace import Comparison, TurnHistory
from ..trace.summary import ReplayFinding, ReplaySummary, summarize
from .commands import app
from .layout import Column, room, tell, tell_table
from .many_files import DaskOption, JobsOption, each, found
from .output import JsonFlag, fail, guard, say_json
from .policy_options import BARGE_IN_HELP, SPECULATION_HELP, barge_in_policy, speculation_policy
from .screen import Screen

_SHOWN = 10  # problems told in full
_ROWS = 60  # of a table on a terminal

Seconds = Annotated[
    float | None,
    typer.Option(min=0, metavar="SECONDS", help="Decide anew with so many seconds, not the recorded ones."),
]


@app.command()
def replay(
    traces: Annotated[
        list[str], typer.Argument(help="Files, directories, patterns, or URLs such as s3://bucket/calls.")
    ],
    barge_in: Annotated[
        str | None, typer.Option(metavar="POLICY", help=f"Decide anew with this policy: {BARGE_IN_HELP}.")
    ] = None,
    speculation: Annotated[
        str | None, typer.Option(metavar="POLICY", help=f"Decide anew with this policy: {SPECULATION_HELP}.")
    ] = None,
    hold_timeout: Seconds = None,
    lost_turn_grace: Seconds = None,
    stall_timeout: Seconds = None,
    stall_grace: Seconds = None,
    idle_timeout: Seconds = None,
    jobs: JobsOption = None,
    dask: DaskOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Replay recorded calls: the same decisions again, or what other settings would have made of them.

    Without settings, every signal must come out as it was recorded: the exit code is 1 if one does not, or if a file
    is no trace. With settings, you see turn by turn what would have been different; `?` marks turns beyond what a
    recording can tell. Raw recordings of Flux frames, one JSON object a line, are read too.
    """
    settings: dict[str, Any] = {
        "barge_in": None if barge_in is None else guard(lambda: barge_in_policy(barge_in)),
        "speculation": None if speculation is None else guard(lambda: speculation_policy(speculation)),
        "hold_timeout": hold_timeout,
        "lost_turn_grace": lost_turn_grace,
        "stall_timeout": stall_timeout,
        "stall_grace": stall_grace,
        "idle_timeout": idle_timeout,
    }
    settings = {name: value for name, value in settings.items() if value is not None}
    paths = found(traces)
    report = _ReplayJson() if as_json else _ReplayReport(Screen(), alone=len(paths) == 1)
    work = partial(summarize, settings=settings)
    for summary in each(work, paths, jobs, "replaying", quiet=as_json, lost=_lost, dask=dask):
        report.take(summary)
    report.end()
    if report.failed:
        raise typer.Exit(1)


def _lost(path: str, problem: str) -> ReplaySummary:
    return ReplaySummary(
        name=shown_path(path), finding=ReplayFinding.UNREADABLE, problem=f"trace {shown_path(path)!r}: {problem}"
    )


class _ReplayJson:
    """Prints a JSON object a trace, for programs."""

    failed = False

    def take(self, summary: ReplaySummary) -> None:
        self.failed = self.failed or summary.finding in (ReplayFinding.MISMATCH, ReplayFinding.UNREADABLE)
        fields = msgspec.to_builtins(summary)
        say_json({"trace": fields.pop("name"), **fields})

    def end(self) -> None:
        pass


class _ReplayReport:
    """Prints what there is to see of a trace, or the totals of many, for people."""

    def __init__(self, console: Console, *, alone: bool) -> None:
        self._console = console
        self._alone = alone
        self._counts: Counter[ReplayFinding] = Counter()
        self._totals: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()
        self._problems_told = 0

    @property
    def failed(self) -> bool:
        return bool(self._counts[ReplayFinding.MISMATCH] + self._counts[ReplayFinding.UNREADABLE])

    def take(self, summary: ReplaySummary) -> None:
        self._counts[summary.finding] += 1
        self._totals.update(
            events=summary.events,
            signals=summary.signals,
            turns=summary.turns,
            differing=sum(not turn.beyond for turn in summary.differing),
            beyond=sum(turn.beyond for turn in summary.differing),
            seconds=round(summary.seconds),
        )
        for turn in summary.differing:
            if not turn.beyond:
                self._changes.update(_kind(change) for change in turn.changes)
        if self._alone and summary.finding is ReplayFinding.UNREADABLE:
            fail(summary.problem)
        if summary.problem:
            self._problems_told += 1
            if self._problems_told <= _SHOWN:
                style = "bold red" if summary.finding is ReplayFinding.MISMATCH else "red"
                self._print(f"[{style}]{summary.finding}[/] {escape(summary.problem)}")
        elif self._alone:
            self._tell_one(summary)

    def _print(self, text: str) -> None:
        for line in text.split("\n"):
            tell(self._console, line, 4)

    def _tell_one(self, summary: ReplaySummary) -> None:
        how = {"": ", cut off", "full": ", up to the bound of the file"}.get(summary.ended, "")
        length = f"{summary.turns} turns in {summary.seconds:.1f} s{how}"
        if summary.finding is ReplayFinding.SAME:
            self._print(f"[bold green]same[/] all {summary.signals} signals as recorded; {length}")
            return
        what = "than turnkit's defaults decide" if summary.raw else "than recorded"
        self._print(f"[bold]{len(summary.differing)}[/] of {length} come out differently {what}")
        if summary.differing:
            _tell_turns(self._console, summary.differing)

    def end(self) -> None:
        if self._problems_told > _SHOWN:
            self._print(f"... and {self._problems_told - _SHOWN} more")
        if self._alone:
            return
        counts, totals = self._counts, self._totals
        parts = [f"[bold]{counts[finding]}[/] {finding}" for finding in ReplayFinding if counts[finding]]
        self._print(f"{counts.total()} traces: {', '.join(parts)}")
        self._print(
            f"{totals['turns']} turns, {totals['events']} events, {totals['signals']} signals in "
            f"{_length(totals['seconds'])} of talk"
        )
        if counts[ReplayFinding.COMPARED]:
            self._print(
                f"[bold]{totals['differing']}[/] turns come out differently"
                + (f", and {totals['beyond']} more beyond what a recording can tell" if totals["beyond"] else "")
            )
            for change, count in self._changes.most_common():
                self._print(f"  {count:>6}  {change}")


def _length(seconds: int) -> str:
    """In the unit that suits it."""
    if seconds < 120:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{seconds / 60:.0f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"


def _kind(change: str) -> str:
    """A change without its amount."""
    words = change.split()
    if words[0].isdigit():
        return f"{words[1].removesuffix('s')}s {words[2]}"
    return " ".join(word for word in words if word != "s" and not word[0].isdigit())


_COLUMNS = (
    Column("turn"),
    Column("words", flows=True),
    Column("before", flows=True),
    Column("after", flows=True),
    Column("different", flows=True),
)


def _tell_turns(console: Console, turns: tuple[Comparison, ...]) -> None:
    told = turns if room(console) is None else turns[:_ROWS]
    rows = []
    for turn in told:
        history = turn.after or turn.before
        words = "" if history is None else history.transcript
        mark = " ?" if turn.beyond else ""
        rows.append((f"{turn.turn}{mark}", words, _cell(turn.before), _cell(turn.after), "; ".join(turn.changes)))
    tell_table(console, _COLUMNS, rows, styles={at: "dim" for at, turn in enumerate(told) if turn.beyond})
    if len(turns) > len(told):
        tell(console, f"and {len(turns) - len(told)} turns more: a pipe or a file gets them all")


def _cell(history: TurnHistory | None) -> str:
    if history is None:
        return "no turn"
    parts = [history.outcome]
    if history.lead is not None:
        parts.append(f"{history.lead * 1000:.0f} ms ahead")
    if history.drafts:
        parts.append(f"{history.drafts} draft{'' if history.drafts == 1 else 's'}")
    if history.barged_in is not None:
        parts.append("barge-in")
    return ", ".join(parts)
