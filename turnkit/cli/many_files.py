"""Work on many files: in parts, by all cores or a cluster, with progress; what comes of them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from .cluster import on_cluster
from .found_files import found
from .processes import on_processes
from .screen import Screen

__all__ = ["ALONE", "DaskOption", "JobsOption", "each", "found", "parts"]

T = TypeVar("T")
ALONE = 16
"""How many files are done before other processes would have begun."""
LARGEST = 32  # files of a part: a moment of work, so that little is done again when a worker is lost

JobsOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="How many processes; as a rule one a core.")]
DaskOption = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="Have a Dask cluster do it, such as tcp://scheduler:8786."),
]


def parts(
    work: Callable[[list[str]], T],
    paths: list[str],
    jobs: int | None,
    doing: str,
    *,
    quiet: bool,
    lost: Callable[[str, str], T],
    dask: str | None = None,
) -> Iterator[T]:
    """Work on the files, some at a time, in several processes or on a cluster if there are many.

    At most a few parts are under way or wait to be taken, however many there are. A process that dies in the middle
    costs nothing: its part is done again.

    Args:
        work: What to do with some paths; a function that can be pickled.
        paths: The files.
        jobs: Number of processes; None for one a core.
        doing: Name of the progress that is shown.
        quiet: Whether to show none.
        lost: What to make of a path that ended each process that worked on it; it is told the path, and that.
        dask: Address of a Dask scheduler, to work on its cluster.

    Yields:
        What `work` makes of each part, in order.
    """
    with _progress(doing, len(paths), quiet) as advance:
        if dask is not None:
            results = on_cluster(work, paths, dask, LARGEST, lost)
        elif jobs == 1 or len(paths) < ALONE:
            results = ((1, work([path])) for path in paths)
        else:
            results = on_processes(work, paths, jobs, LARGEST, lost)
        for count, result in results:
            advance(count)
            yield result


@contextmanager
def _progress(doing: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show progress while files are worked on, if there are many and a terminal is there; what tells it of some."""
    console = Screen(stderr=True)
    if quiet or total < ALONE or not console.is_terminal:
        yield lambda count: None  # rich before 14.3 writes an empty line at the end of a progress that is disabled
        return
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield partial(progress.advance, progress.add_task("", total=total))


def each(
    work: Callable[[str], T],
    paths: list[str],
    jobs: int | None,
    doing: str,
    *,
    quiet: bool,
    lost: Callable[[str, str], T],
    dask: str | None = None,
) -> Iterator[T]:
    """Work on each file, as `parts` does; what `work` makes of each path, in order."""

    def lost_one(path: str, problem: str) -> list[T]:
        return [lost(path, problem)]

    one_by_one = partial(_each_of, work)
    for results in parts(one_by_one, paths, jobs, doing, quiet=quiet, lost=lost_one, dask=dask):
        yield from results


def _each_of(work: Callable[[str], T], paths: list[str]) -> list[T]:
    return [work(path) for path in paths]


class _Rate(ProgressColumn):
    """Files a second."""

    def render(self, task: Task) -> Text:
        """As text; blank until it is known."""
        return Text("" if not task.speed else f"{task.speed:,.0f}/s", style="progress.data.speed")
