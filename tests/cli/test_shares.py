"""Shares of the arithmetic, on processes: the same to the last bit, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.support.many_calls import call
from turnkit.cli.shares import Shares, one_thread_each
from turnkit.tools.tuner import CallSilences, FluxThresholds, Setting, call_silences, tune
from turnkit.trace import parse


@pytest.fixture(autouse=True)
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three processes, however few cores there are."""
    monkeypatch.setattr("turnkit.cli.shares.cores", lambda: 3)


@pytest.fixture(scope="module")
def calls() -> list[CallSilences]:
    return [call_silences(parse(call(number))) for number in range(24)]


def where(number: int) -> tuple[int, int]:
    return number, os.getpid()


def die(mark: Path, here: int, number: int) -> int:
    """Ends the process of the third share in the middle, but not the one that asks."""
    if number == 2 and os.getpid() != here:
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse(number: int) -> int:
    if number == 1:
        raise ValueError("no such share")
    return number


def test_each_share_is_done_in_a_process_of_its_own() -> None:
    """The first one here, and what comes of them comes in order."""
    answers = Shares(None)(where)
    assert [number for number, _ in answers] == [0, 1, 2]
    assert answers[0][1] == os.getpid()
    assert len({process for _, process in answers}) == 3


def test_jobs_bound_them() -> None:
    """And so do the cores: beyond these, processes wait for each other."""
    assert (Shares(1).processes, Shares(2).processes, Shares(64).processes) == (1, 2, 3)


def test_a_share_whose_process_was_killed_is_done_here(tmp_path: Path) -> None:
    """Once more, and the others are as they were."""
    assert Shares(None)(partial(die, tmp_path / "mark", os.getpid())) == [0, 1, 2]
    assert (tmp_path / "mark").exists()


def test_what_a_share_raises_is_raised(capfd: pytest.CaptureFixture[str]) -> None:
    """Here, where it can be caught; and only here."""
    with pytest.raises(ValueError, match="no such share"):
        Shares(None)(refuse)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("jobs", [2, 3])
def test_a_tuning_in_shares_is_the_same_to_the_last_bit(calls: list[CallSilences], jobs: int) -> None:
    """Forecasts, recommendation and all."""
    settings = [
        Setting(FluxThresholds(eot, eager, timeout))
        for eot in (0.6, 0.7, 0.8)
        for eager in (None, 0.4, 0.55)
        for timeout in (1.5, 5.0)
    ]
    alone = tune(iter(calls), settings=settings, by="hour")
    assert alone.recommendation is not None
    assert tune(iter(calls), settings=settings, by="hour", spread=Shares(jobs)) == alone
    one = [alone.current.setting]
    assert tune(calls[:1], settings=one, spread=Shares(jobs)) == tune(calls[:1], settings=one)


def threads(number: int) -> tuple[str | None, str | None]:
    return os.environ.get("OPENBLAS_NUM_THREADS"), os.environ.get("MKL_NUM_THREADS")


def test_each_process_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """This one, and those that it begins; whoever has said another number has it."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    one_thread_each()
    assert Shares(None)(threads) == [("1", "4")] * 3


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not say how many threads there are")
def test_the_linear_algebra_heeds_it() -> None:
    """Where it is loaded after it was said, as the commands do: no more threads than the one that asks."""
    program = (
        "from turnkit.cli.shares import one_thread_each\none_thread_each()\n"
        "import numpy\nnumpy.ones((600, 600)) @ numpy.ones((600, 600))\n"
        "import os\nprint(len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
