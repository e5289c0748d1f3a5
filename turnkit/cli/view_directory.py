"""A page for every call of a directory, and the index that leads to them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from urllib.parse import quote

import msgspec

from ..checks import is_url, os_problem, shown_path
from ..errors import ConfigError
from ..tools.viewer import page, scene
from ..tools.viewer.index import IndexedCall, index_page, indexed
from ..tools.viewer.page import Theme
from ..trace import read
from .call_sound import sound_of
from .found_files import last_name
from .many_files import each
from .output import fail
from .private_file import keep_private, write_private

_SUFFIXES = (".gz", ".zst", ".jsonl")


class _Finding(msgspec.Struct):
    """The row of one file, or the problem with it."""

    call: IndexedCall | None = None
    problem: str = ""


def view_directory(
    directory: str, paths: list[str], index: Path, theme: Theme | None, jobs: int | None
) -> tuple[int, int]:
    """Write the index, and the pages beside it in a folder of their own.

    Args:
        directory: Where the recordings are, at any depth; a directory, or a URL.
        paths: The recordings.
        index: The HTML file of the index; the folder is called after it.
        theme: The colours.
        jobs: Number of processes; None for one a core.

    Returns:
        Number of pages besides the index, and of recordings that it names as left out.
    """
    pages = index.with_name(f"{index.stem}-pages")
    work = partial(_page_of, directory=directory, index=index, pages=pages, theme=theme)
    findings = list(each(work, paths, jobs, "drawing", quiet=False, lost=lambda _, problem: _Finding(problem=problem)))
    calls = [finding.call for finding in findings if finding.call is not None]
    problems = [finding.problem for finding in findings if finding.problem]
    if not calls:
        fail(problems[0])
    title = last_name(directory) if is_url(directory) else Path(directory).resolve().name
    write_private(index, index_page(title or "calls", calls, problems, theme).encode(), "--out")
    return len(calls), len(problems)


def within(path: str, directory: str) -> str:
    """The name of a recording within its directory, or behind the part of a URL that is no pattern."""
    if not is_url(path):
        return Path(path).relative_to(directory).as_posix()
    names, above = (shown_path(one).partition("://")[2].strip("/").split("/") for one in (path, directory))
    known = next((place for place, name in enumerate(above) if "*" in name), len(above))
    # A key may be called anything; the page of it stays with the others.
    return "/".join(name for name in names[known:] if name not in ("", ".", "..")) or names[-1]


def _page_of(path: str, *, directory: str, index: Path, pages: Path, theme: Theme | None) -> _Finding:
    name = within(path, directory)
    # What is told apart by its suffix only gets its own page all the same.
    target = pages / f"{name}.html"
    try:
        seen = scene(read(path))
        seen.sound = None if is_url(path) else sound_of(Path(path), target)
        seen.up = quote(
            Path(os.path.relpath(os.path.realpath(index), os.path.dirname(os.path.realpath(target)))).as_posix()
        )
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keep_private(target, page(seen, theme).encode())
    except ConfigError as error:
        return _Finding(problem=str(error))
    except OSError as error:
        return _Finding(problem=f"{shown_path(target)}: cannot be written: {os_problem(error)}")
    shown = name
    for suffix in _SUFFIXES:
        shown = shown.removesuffix(suffix)
    return _Finding(indexed(seen, shown, quote(target.relative_to(index.parent).as_posix())))
