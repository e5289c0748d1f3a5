"""How many calls a second are replayed, measured and tuned from, and in how much memory, as the calls grow in number.

    python -m benchmarks.scale [CALLS ...] [--only metrics] [--jobs 1 2] [--dask] [--packed]

Each row is the command itself, begun anew: files in, answer out. CPU seconds are of the command and its processes (of
Dask only the client's), memory is the resident size of the command at its most; each process or worker beside it takes
some 30 MB, whatever the number of calls. `gather` is what `tune` does before its arithmetic.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.scale_corpus import corpus

GATHER = (
    "import sys; from turnkit.cli.found_files import found; from turnkit.cli.gathering import gathered\n"
    "if __name__ == '__main__':\n"
    "    jobs = int(sys.argv[2]) if sys.argv[2] != '-' else None\n"
    "    dask = sys.argv[3] if len(sys.argv) > 3 else None\n"
    "    evidence = gathered(found(sys.argv[1:2]), jobs, dask, quiet=True, tuning=True, most=20_000)\n"
    "    print(sum(len(call.utterances) for call in evidence.silences()))\n"
)
SUBJECTS = ("replay", "metrics", "gather", "tune")


def line_of(subject: str, folder: Path, jobs: int, dask: str | None, program: Path) -> list[str]:
    """The command line of a subject."""
    if subject == "gather":
        return [sys.executable, str(program), str(folder), "-" if dask else str(jobs), *([dask] if dask else [])]
    how = ["--dask", dask] if dask else ["--jobs", str(jobs)]
    return [sys.executable, "-m", "turnkit", subject, str(folder), *how]


def run(line: list[str]) -> tuple[float, float, float]:
    """Seconds, CPU seconds and megabytes that it takes."""
    began = perf_counter()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    most = 0
    ended = os.pidfd_open(process.pid)
    while not select([ended], [], [], 0.1)[0]:
        # Not by `wait4`, whose greatest size counts that of this process, from before it became the other.
        most = max(most, _resident_kilobytes(process.pid))
    os.close(ended)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, line
    return perf_counter() - began, used.ru_utime + used.ru_stime, most / 1024


def _resident_kilobytes(pid: int) -> int:
    told = Path(f"/proc/{pid}/status").read_text()
    return next((int(row.split()[1]) for row in told.splitlines() if row.startswith("VmHWM")), 0)


@contextmanager
def cluster() -> Iterator[str]:
    """A Dask cluster of two workers on this machine; its address."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as here:
        yield str(here.scheduler_address)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", nargs="*", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=SUBJECTS)
    parser.add_argument("--jobs", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--dask", action="store_true", help="on a cluster of two workers on this machine too")
    parser.add_argument("--packed", action="store_true", help="with gzip")
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        program = Path(scratch) / "gather.py"
        program.write_text(GATHER)
        for count in given.calls:
            folder = Path(scratch) / str(count)
            size = corpus(folder, count, packed=given.packed)
            print(f"{count:,} calls of {size / 1000:.0f} kB{', packed' if given.packed else ''}", flush=True)
            for subject in given.only:
                for jobs in given.jobs:
                    show(subject, count, f"{jobs} jobs", run(line_of(subject, folder, jobs, None, program)))
                if given.dask:
                    with cluster() as address:
                        show(subject, count, "Dask, 2", run(line_of(subject, folder, 2, address, program)))


def show(subject: str, count: int, how: str, used: tuple[float, float, float]) -> None:
    """Print a row."""
    seconds, cpu, memory = used
    rate = f"{count / seconds:8.0f} calls/s {seconds:8.1f} s {cpu:8.1f} s of CPU {1000 * cpu / count:7.2f} ms a call"
    print(f"{subject:8} {count:8,} {how:8} {rate} {memory:7.0f} MB", flush=True)


if __name__ == "__main__":
    main()
