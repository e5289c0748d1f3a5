"""Work of a Dask cluster: the same parts as on one machine, and the same in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..checks import shown_path
from .output import fail
from .processes import DIED

T = TypeVar("T")
_AHEAD = 4  # parts a thread of the cluster that are under way or done, and not taken yet
_WAIT_SECONDS = 30  # for a scheduler that answers, and for its first worker


def on_cluster(
    work: Callable[[list[str]], T], paths: list[str], address: str, largest: int, lost: Callable[[str, str], T]
) -> Iterator[tuple[int, T]]:
    """What `work` makes of parts of the paths, in order, and how many paths each has; see `many_files.parts`.

    The workers must have turnkit, and see the files by the same names. A worker that dies costs what it was doing:
    Dask has it done elsewhere. A part that took several workers with it is done file by file.
    """
    with _connected(address) as client:
        threads = sum(client.nthreads().values())
        size = max(1, min(largest, len(paths) // (4 * threads)))
        waiting = iter([paths[place : place + size] for place in range(0, len(paths), size)])
        running: deque[tuple[list[str], Any]] = deque()
        while True:
            while len(running) < _AHEAD * threads and (part := next(waiting, None)) is not None:
                running.append((part, _submitted(client, work, part)))
            if not running:
                return
            part, future = running.popleft()
            yield from _results(client, work, part, future, lost)


def _connected(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        fail("--dask: to use a Dask cluster, pip install 'turnkit[dask]'")
    try:
        client = Client(address, timeout=_WAIT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        fail(f"--dask {shown_path(address)}: no scheduler answers there: {type(error).__name__}")
    try:
        client.wait_for_workers(1, timeout=_WAIT_SECONDS)
    except TimeoutError:
        client.close()
        fail(f"--dask {shown_path(address)}: the scheduler has no worker")
    return client


def _submitted(client: Any, work: Callable[[list[str]], T], part: list[str]) -> Any:
    # Not pure: the files may have changed since a task of the same name was done.
    return client.submit(work, part, pure=False)


def _results(
    client: Any, work: Callable[[list[str]], T], part: list[str], future: Any, lost: Callable[[str, str], T]
) -> Iterator[tuple[int, T]]:
    from distributed.scheduler import KilledWorker

    try:
        yield len(part), future.result()
    except KilledWorker:
        if len(part) == 1:
            yield 1, lost(part[0], DIED)
            return
        for path in part:
            yield from _results(client, work, [path], _submitted(client, work, [path]), lost)
    except ImportError as error:
        fail(f"--dask: the workers lack a package: {error.name}")
