"""Shares of one piece of arithmetic, each in a process of its own, the first in this one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pickle import UnpicklingError
from typing import TypeVar

from .processes import cores

T = TypeVar("T")


def one_thread_each() -> None:
    """Have the linear algebra of numpy, if it is yet to be loaded, use one thread in this process and those it begins.

    Its products are small here: more threads would wait for each other, and for those of the other processes.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


class Shares:
    """Processes that share work, see `turnkit.tools.tuner.Spread`. One that dies costs time: its share is done here.

    Args:
        jobs: How many processes at most; None for one a core. More than there are cores would wait for each other.
    """

    def __init__(self, jobs: int | None) -> None:
        self.processes = min(jobs or cores(), cores())

    def __call__(self, work: Callable[[int], T]) -> list[T]:
        """What `work` makes of each share, in order."""
        others: list[tuple[BaseProcess, Connection]] = []
        try:
            for number in range(1, self.processes):
                others += [_begun(work, number)]  # one by one, so that each that was begun is ended
            answers = [work(0)]
            for number, (_, answer) in enumerate(others, 1):
                answers.append(_received(answer, work, number))
        finally:
            for process, answer in others:
                process.kill()  # it is done, or nobody waits for it any more
                process.join()
                answer.close()
        return answers


def _begun(work: Callable[[int], T], number: int) -> tuple[BaseProcess, Connection]:
    # Begun anew and not forked: a fork of a process with threads may hang.
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, work, number), daemon=True)
    with suppress(BrokenPipeError):  # it died as it was begun
        process.start()
    there.close()  # so that its end is seen
    return process, here


def _work(answer: Connection, work: Callable[[int], T], number: int) -> None:
    # Ctrl-C reaches this process too; what is said of it is for the one that began it to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What it raises is raised where the share is done again; and that nobody waits any more is nobody's fault.
    with suppress(Exception):
        answer.send(work(number))


def _received(answer: Connection, work: Callable[[int], T], number: int) -> T:
    try:
        found: T = answer.recv()
    except (EOFError, OSError, UnpicklingError):
        return work(number)
    return found
