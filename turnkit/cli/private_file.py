"""Files that hold what was said: only their owner may read them, as with recordings.

Every command writes such files with `write_private`, and none with `output.write_file`, which is for reports without.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ..checks import os_problem, shown_path
from .output import fail

_PRIVATE = 0o600


def check_spared(path: Path, option: str, traces: Iterable[str]) -> None:
    """End the command if a file that it is to write is one that it reads, under whatever name."""
    for trace in traces:
        try:
            same = path.is_file() and os.path.samefile(path, trace)
        except (OSError, ValueError):  # one of them is not there, or in a store
            continue
        if same:
            fail(f"{option} {shown_path(path)}: is a trace that is read, and would be overwritten")


def write_private(path: Path, data: bytes, option: str = "") -> None:
    """Write a file that only its owner may read, also if it was there and others could.

    If it cannot be written, that is said, and the command is over.

    Args:
        path: The file.
        data: What it is to hold.
        option: Option that named it, for the error.
    """
    try:
        keep_private(path, data)
    except OSError as error:
        fail(f"{option} {shown_path(path)}: cannot be written: {os_problem(error)}".lstrip())


def keep_private(path: Path, data: bytes) -> None:
    """Write such a file; raises OSError if it cannot be written."""
    with open(path, "wb", opener=_private) as file:
        file.write(data)


def _private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags & ~os.O_TRUNC, _PRIVATE)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, _PRIVATE)
            os.ftruncate(descriptor, 0)  # no sooner, as what cannot be private is not written
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
