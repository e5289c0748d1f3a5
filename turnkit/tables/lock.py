"""One export at a time into a directory: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ..errors import ConfigError

if sys.platform == "win32":
    import msvcrt

    _BEYOND = 1 << 30  # what is locked there cannot be read, so it lies behind what the file tells

    def _lock(file: int) -> None:
        os.lseek(file, _BEYOND, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    from fcntl import LOCK_EX, LOCK_NB, flock

    def _lock(file: int) -> None:
        flock(file, LOCK_EX | LOCK_NB)


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file, which is made, says whose it is, and is taken away in the end.

    The system releases it with its process: a file that a killed one has left keeps nobody out.

    Args:
        path: The file.
        what: What it is a lock of, for the error.

    Raises:
        ConfigError: Another process holds it; the message says which, and since when.
        OSError: It cannot be written.
    """
    file = _held(path, what)
    try:
        os.ftruncate(file, 0)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}, since {now}\n".encode())
        yield
    finally:
        # Taken away before it is released: whoever opened it meanwhile finds that it is no longer the one there.
        with suppress(PermissionError):  # of systems on which no open file can be taken away
            path.unlink(missing_ok=True)
        os.close(file)


def _held(path: Path, what: str) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file)
            if _is_there(path, file):
                return file
        except OSError:
            owner = os.read(file, 200).decode(errors="replace").strip() or "another process"
            os.close(file)
            raise ConfigError(f"{what}: is written to by another export, {owner}: wait until it has ended") from None
        os.close(file)


def _is_there(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False
