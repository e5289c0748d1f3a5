"""Recorded calls by the dozen, small ones, each with an id of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.scale_corpus import record

DIFFERENT = 4


@cache
def bodies() -> tuple[bytes, ...]:
    """A few different calls, as files hold them."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{seed}.jsonl" for seed in range(DIFFERENT)]
        for seed, path in enumerate(paths):
            record(path, seed)
        return tuple(path.read_bytes() for path in paths)


def call(number: int) -> bytes:
    """The recording of a call of that number."""
    seed = number % DIFFERENT
    return bodies()[seed].replace(f'"session":"call {seed}"'.encode(), f'"session":"call {number}"'.encode(), 1)


def calls(folder: Path, count: int) -> list[str]:
    """Write so many; their paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f"{number:04}.jsonl"
        path.write_bytes(call(number))
        paths.append(str(path))
    return paths
