"""Work that other processes do on files in tests: it reads, and dies where it is told to."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def die_once(paths: list[str]) -> list[str]:
    """The paths; where `die here once` stands in a file, the process is killed the first time."""
    for path in paths:
        file = Path(path)
        if file.read_text() == "die here once":
            file.write_text("died")
            os.kill(os.getpid(), signal.SIGKILL)
    return paths


def die_always(paths: list[str]) -> list[str]:
    """The paths; where `die here` stands in a file, the process is killed each time."""
    for path in paths:
        if Path(path).read_text() == "die here":
            os.kill(os.getpid(), signal.SIGKILL)
    return paths


def texts(folder: Path, count: int, **at: str) -> list[str]:
    """Write so many files, of which that of number N holds what `nN` says; their paths."""
    paths = [folder / f"{number:03}.txt" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(at.get(f"n{number}", "text"))
    return [str(path) for path in paths]


def lost(path: str, problem: str) -> list[str]:
    """What is made of a path that nobody could work on."""
    return [f"lost {path}: {problem}"]
