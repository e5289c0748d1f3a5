"""`turnkit export`: recorded calls as tables."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ..checks import is_url, os_problem, shown_path
from ..errors import ConfigError
from .commands import app
from .layout import tell
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
        str,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR/|FILE",
            help="A directory of tables by day, or its URL such as s3://bucket/tables; or calls.parquet for few calls.",
        ),
    ],
    words: Annotated[bool, typer.Option("--words", help="Also write what was said, in columns of its own.")] = False,
    jobs: JobsOption = None,
    dask: DaskOption = None,
) -> None:
    """Write recorded calls as Parquet tables: a row a turn, a row a draft, a row a signal.

    Into a directory, partitioned by day, or into three files: calls.parquet with the turns, and calls-drafts.parquet
    and calls-signals.parquet beside it. Calls that are there already are left as they are, so the same command adds
    what is new. One export at a time writes to a directory or a file of this machine; to a store, several may. Files
    that cannot be read are named at the end; the exit code is 1 if nothing could be read.
    """
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        fail("to write tables, pip install 'turnkit[parquet]'")
    paths = found(traces)
    try:
        say(f"{guard(lambda: _exported(out, paths, words, jobs, dask))} calls are new")
    except OSError as error:
        fail(f"--out {shown_path(out)}: cannot be written: {os_problem(error)}")


def _exported(out: str, paths: list[str], words: bool, jobs: int | None, dask: str | None) -> int:
    """Write the tables; how many calls are new in them."""
    from ..tables import Dataset, Folder, OneFile, place_of

    if out.endswith(".parquet") and is_url(out):
        raise ConfigError(f"--out {shown_path(out)}: tables in a store are a directory, as nothing locks a file there")
    if out.endswith(".parquet") and not Path(out).is_dir():
        files = OneFile(Path(out), words=words)
        with files.reserved(), TemporaryDirectory(dir=Path(out).parent, prefix=f".{Path(out).stem}-") as scratch:
            _fill(Dataset(scratch, words=words), paths, words, jobs, dask)
            return files.take(Path(scratch))
    place = place_of(out)
    with place.reserved() if isinstance(place, Folder) else nullcontext():
        dataset = Dataset(place, words=words)
        _fill(dataset, paths, words, jobs, dask)
        return dataset.added


def _fill(dataset: Dataset, paths: list[str], words: bool, jobs: int | None, dask: str | None) -> None:
    from ..tables import part_of

    calls, raw = 0, 0
    problems: dict[str, str] = {}
    work = partial(part_of, words=words)
    for part in parts(work, paths, jobs, "exporting", quiet=False, lost=_lost, dask=dask):
        dataset.add(part)
        calls, raw = calls + len(part.calls), raw + part.raw
        problems |= part.problems
    dataset.flush()
    if problems and not calls:
        fail(next(iter(problems.values())))
    left = f"; {raw} recordings of raw frames hold no decisions, and have no rows" if raw else ""
    tell(Screen(), f"{calls} calls read{left}")
    tell_problems(Screen(stderr=True), list(problems.values()))


def _lost(path: str, problem: str) -> Part:
    from ..tables import Part

    return Part(problems={shown_path(path): f"trace {shown_path(path)!r}: {problem}"})
