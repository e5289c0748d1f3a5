"""`turnkit export`: recorded calls as tables."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from .commands import app
from .many_files import DaskOption, JobsOption, found, parts
from .metrics import tell_problems
from .output import fail, guard
from .saying import say
from .screen import Screen

if TYPE_CHECKING:
    from ..tables import Dataset, Part


@app.command()
def export(
    traces: Annotated[
        list[str], typer.Argument(help="Files, directories, patterns, or URLs such as s3://bucket/calls.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="A directory of tables by day, or a file calls.parquet for few calls.")
    ],
    words: Annotated[bool, typer.Option("--words", help="With what was said, in columns of their own.")] = False,
    jobs: JobsOption = None,
    dask: DaskOption = None,
) -> None:
    """Write recorded calls as Parquet tables: a row a turn, a row a draft, a row a signal.

    Into a directory, partitioned by day, or into three files: calls.parquet with the turns, and calls-drafts.parquet
    and calls-signals.parquet beside it. Calls that are there already are left as they are, so the same command adds
    what is new. Files that cannot be read are named at the end; the exit code is 1 if nothing could be read.
    """
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        fail("to write tables, pip install 'turnkit[parquet]'")
    paths = found(traces)
    try:
        if out.suffix == ".parquet" and not out.is_dir():
            with TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-") as scratch:
                dataset = _filled(paths, Path(scratch), words, jobs, dask)
                added = guard(lambda: dataset.into(out))
        else:
            added = _filled(paths, out, words, jobs, dask).added
        say(f"{added} calls are new")
    except OSError as error:
        fail(f"--out {out}: cannot be written: {error.strerror}")


def _filled(paths: list[str], folder: Path, words: bool, jobs: int | None, dask: str | None) -> Dataset:
    from ..tables import Dataset, part_of

    dataset = guard(lambda: Dataset(folder, words=words))
    calls, raw = 0, 0
    problems: dict[str, str] = {}
    work = partial(part_of, words=words)
    for part in parts(work, paths, jobs, "exporting", quiet=False, lost=_lost, dask=dask):
        dataset.add(part)
        calls, raw = calls + len(part.calls), raw + part.raw
        problems |= part.problems
    dataset.flush()
    left = f"; {raw} recordings of raw frames hold no decisions, and have no rows" if raw else ""
    say(f"{calls} calls read{left}")
    tell_problems(Screen(stderr=True), list(problems.values()))
    if problems and not calls:
        raise typer.Exit(1)
    return dataset


def _lost(path: str, problem: str) -> Part:
    from ..tables import Part

    return Part(problems={path: f"trace {path!r}: {problem}"})
