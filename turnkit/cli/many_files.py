"""Work on many files: found by name, directory or pattern, worked on by all cores, with progress."""

from __future__ import annotations

import glob
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .output import fail
from .screen import Screen

T = TypeVar("T")
_SUFFIXES = ("*.jsonl", "*.jsonl.gz")
ALONE = 16
"""How many files are done before other processes would have begun."""


def found(arguments: Iterable[str]) -> list[str]:
    """Find the files that are meant, each once, in order; fail if there is none for an argument."""
    paths: dict[str, None] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            files = sorted(str(file) for suffix in _SUFFIXES for file in path.rglob(suffix))
        elif path.exists() or not glob.has_magic(argument):
            files = [argument]
        else:
            files = sorted(file for file in glob.glob(argument, recursive=True) if Path(file).is_file())
        if not files:
            fail(f"{argument}: no file there is called {' or '.join(_SUFFIXES)}, or matches")
        paths.update(dict.fromkeys(files))
    return list(paths)


def each(work: Callable[[str], T], paths: list[str], jobs: int | None, doing: str, *, quiet: bool) -> Iterator[T]:
    """Work on each path, in several processes if there are many.

    Args:
        work: What to do with a path; a function that can be pickled.
        paths: The files.
        jobs: Number of processes; None for one a core.
        doing: Name of the progress that is shown.
        quiet: Whether to show none.

    Yields:
        What `work` makes of each path, in order.
    """
    jobs = min(jobs or _cores(), max(1, len(paths) // 4))
    console = Screen(stderr=True)
    hidden = quiet or len(paths) < ALONE or not console.is_terminal
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=len(paths))
        for result in _all(work, paths, jobs):
            progress.advance(task)
            yield result


def _all(work: Callable[[str], T], paths: list[str], jobs: int) -> Iterator[T]:
    if jobs == 1 or len(paths) < ALONE:
        yield from map(work, paths)
        return
    # Begun anew and not forked: a fork of a process with threads may hang.
    # Ctrl-C reaches them all; what is said of it is for this process to say.
    ignore = (signal.signal, (signal.SIGINT, signal.SIG_IGN))
    with ProcessPoolExecutor(jobs, get_context("spawn"), *ignore) as pool:
        try:
            yield from pool.map(work, paths, chunksize=max(1, min(64, len(paths) // (8 * jobs))))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
