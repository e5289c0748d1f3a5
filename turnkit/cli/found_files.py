"""Files that an argument means: a file, a directory as a tree, a pattern, or the same in a store that fsspec knows."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..checks import is_url, os_problem, shown_path
from ..trace.opening import store_of, store_problem
from .output import fail, guard, warn

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
"""How the names of recordings end, where a tree of files is meant."""


def found(arguments: Iterable[str]) -> list[str]:
    """Find the files that are meant, each once, in order; fail if there is none for an argument.

    Symbolic links are followed, and a file or a directory that is reached in several ways counts once.
    """
    paths: dict[str, str] = {}  # as they are named, by where they are
    for argument in arguments:
        before = len(paths)
        any_found = False
        for place, path in _found_in_store(argument) if is_url(argument) else _found_here(argument):
            any_found = True
            paths.setdefault(place, path)
        if not any_found and len(paths) == before:
            where = "called" if glob.has_magic(argument) else "in"
            *most, last = (f"*{suffix}" for suffix in SUFFIXES)
            fail(f"there are no recordings {where} {shown_path(argument)} ({', '.join(most)} or {last})")
    return list(paths.values())


def last_name(url: str) -> str:
    """The last name of a URL, which is that of the page made of it; `calls` if it has none."""
    return shown_path(url).rstrip("/").rpartition("/")[2] or "calls"


def _found_here(argument: str) -> Iterator[tuple[str, str]]:
    """Where each file is, and how it is named."""
    if os.path.isdir(argument):
        yield from _tree(argument)
    elif os.path.exists(argument) or not glob.has_magic(argument):
        yield os.path.realpath(argument), argument
    else:
        for file in sorted(glob.glob(argument, recursive=True)):
            if Path(file).is_file():
                yield os.path.realpath(file), file


def _tree(root: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()

    def refuse(error: OSError) -> None:
        warn(f"{shown_path(error.filename)}: cannot be listed: {os_problem(error)}")

    for folder, folders, files in os.walk(root, followlinks=True, onerror=refuse):
        place = os.path.realpath(folder)
        if place in seen:
            folders.clear()  # a link leads here a second time, or round in a circle
            continue
        seen.add(place)
        folders.sort()
        for name in sorted(files):
            if name.endswith(SUFFIXES):
                path = os.path.join(folder, name)
                yield os.path.realpath(path) if os.path.islink(path) else os.path.join(place, name), path


def _found_in_store(url: str) -> Iterator[tuple[str, str]]:
    store, path = guard(lambda: store_of(url))
    names: list[str] = []
    try:
        if "*" in path:
            names = sorted(store.glob(path))
        elif path.endswith(SUFFIXES):
            yield url, url  # whether it is there is for whoever reads it to say
            return
        elif store.isdir(path):
            names = sorted(name for name in store.find(path) if name.endswith(SUFFIXES))
        elif store.exists(path):
            yield url, url
            return
        else:
            raise FileNotFoundError
    except Exception as error:  # of whatever library stands behind the scheme
        fail(f"{shown_path(url)}: cannot be listed: {store_problem(error)}")
    for name in names:
        full = store.unstrip_protocol(name)
        yield full, full
