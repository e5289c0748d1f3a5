"""`turnkit metrics`: the figures of recorded calls, one or a million."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ..evidence import Evidence
from .commands import app
from .gathering import gathered, notes
from .layout import Column, tell, tell_table
from .many_files import DaskOption, JobsOption, found
from .output import JsonFlag, fail, say_json
from .screen import Screen

SHOWN = 10  # problems told in full


@app.command()
def metrics(
    traces: Annotated[
        list[str], typer.Argument(help="Files, directories, patterns, or URLs such as s3://bucket/calls.")
    ],
    jobs: JobsOption = None,
    dask: DaskOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Figures of recorded calls: how fast they answer, what drafts save and waste, whom they interrupt.

    A call that stands in several files counts once. Files that cannot be read are named at the end, and the exit code
    is 1 if there is nothing else.
    """
    paths = found(traces)
    evidence = gathered(paths, jobs, dask, quiet=as_json, figures=True)
    problems = list(evidence.problems.values())
    if not evidence.calls:
        fail(problems[0])
    said = list(notes(evidence, len(paths)))
    if as_json:
        say_json({"metrics": evidence.metrics().figures(), "unreadable": problems, "notes": said})
    else:
        _tell(Screen(), evidence, said, problems)


def _tell(console: Console, evidence: Evidence, said: list[str], problems: list[str]) -> None:
    tell_table(console, (Column(), Column(flows=True)), evidence.metrics().rows())
    for note in said:
        tell_note(console, note)
    tell_problems(console, problems)


def tell_note(console: Console, note: str) -> None:
    """Say what one should know of the figures."""
    tell(console, f"[yellow]note[/] {escape(note)}", 5)


def tell_problems(console: Console, problems: list[str]) -> None:
    """Say which files were left out, and why; of many the first ones."""
    for problem in problems[:SHOWN]:
        tell(console, f"[red]left out[/] {escape(problem)}", 9)
    if len(problems) > SHOWN:
        tell(console, f"[red]left out[/] {len(problems) - SHOWN} more")
