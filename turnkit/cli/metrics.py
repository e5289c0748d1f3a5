"""`turnkit metrics`: the figures of recorded calls, one or a million."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..evidence import Evidence
from .commands import app
from .gathering import gathered, notes
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
    table = Table(box=None, show_header=False, pad_edge=False)
    for label, text in evidence.metrics().rows():
        table.add_row(label, escape(text))
    console.print(table)
    for note in said:
        console.print(f"[yellow]note[/] {escape(note)}", highlight=False, soft_wrap=True)
    tell_problems(console, problems)


def tell_problems(console: Console, problems: list[str]) -> None:
    """Say which files were left out, and why; of many the first ones."""
    for problem in problems[:SHOWN]:
        console.print(f"[red]left out[/] {escape(problem)}", highlight=False, soft_wrap=True)
    if len(problems) > SHOWN:
        console.print(f"[red]left out[/] {len(problems) - SHOWN} more", highlight=False)
