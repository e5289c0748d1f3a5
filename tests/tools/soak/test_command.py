"""`turnkit soak`: its report for people, its exit code, real sockets, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus
from typer.testing import CliRunner, Result

import turnkit.cli.soak as command
from tests.support.soak_faults import BREAKS
from turnkit.cli import app, output
from turnkit.flux.audio_buffer import AudioBuffer
from turnkit.testing import virtual_time


@pytest.fixture
def virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs on virtual time, with the simulator inside."""
    run = anyio.run

    def on_virtual_time(work: Any, backend: Any) -> Any:
        name, options = virtual_time(backend)
        return run(work, backend=name, backend_options=options)

    monkeypatch.setattr(anyio, "run", on_virtual_time)

    async def undisturbed(_stop: anyio.Event, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep_forever()

    monkeypatch.setattr(command, "_heed_interrupts", undisturbed)  # signals live on the real clock


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["soak", "--processes", "0", *map(str, arguments)])


@pytest.mark.usefixtures("virtual")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.sampled(2)
def test_the_command_for_people(backend: str, tmp_path: Path) -> None:
    """A line a slice, what it came to, the faults, the verdict; the same in a file."""
    to = tmp_path / "report.md"
    faults = [part for fault in BREAKS for part in ("--fault", fault)]
    result = invoke("--sessions", 2, "--seconds", 40, "--slices", 2, "--backend", backend, "--report", to, *faults)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("2 sessions for 40 s, calls of 20 s, faults: stall@turn2.mid/1")
    assert lines[1].split()[:3] == ["seconds", "calls", "MB"]
    assert [line.split()[0] for line in lines[2:4]] == ["0–20", "20–40"]
    assert "0 lost, 0 withheld by Flux" in result.stdout
    assert "holds       no turn is lost: 0 of" in result.stdout
    assert "Traceback" not in result.output
    text = to.read_text()
    assert f"soak --sessions 2 --seconds 40 --faults 0 --seed 0`, {backend}" in text
    assert "| stall | " in text
    assert "- holds: no turn is lost" in text


@pytest.mark.usefixtures("virtual")
@pytest.mark.slow("soak")
def test_the_command_fails_if_a_turn_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, each lost word with its second and the faults near it, for people and for programs."""
    monkeypatch.setattr(AudioBuffer, "rewind", lambda self, covered: 0.0)
    arguments = ("--sessions", 2, "--seconds", 30, "--fault", "stall@turn1.mid/1")
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert "which Flux never said, near stall" in result.stdout
    assert "broken      no turn is lost" in result.stdout
    result = invoke(*arguments, "--json")
    assert result.exit_code == 1
    *slices, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(slices) == 10
    assert slices[0]["slice"]["begin"] == 0
    assert last["holds"] is False
    assert last["report"]["counts"]["turns_lost"] > 0
    assert last["report"]["verdict"][0]["holds"] is False


@pytest.mark.usefixtures("virtual")
def test_the_command_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that goes on and is there at the end, with the state of things below it."""
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "150"}.items():
        monkeypatch.setenv(name, value)
    result = invoke("--sessions", 2, "--seconds", 20, "--slices", 2)
    assert result.exit_code == 0, result.output
    assert "10 of 20 s" in result.stdout
    assert "the last answers are waited for" in result.stdout
    assert result.stdout.count("0–10") > 2


def test_the_command_says_what_is_wrong_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transport that it has not, a loop that is not installed: one sentence, exit code 1."""
    result = invoke("--transport", "picows", "--backend", "trio")
    assert result.exit_code == 1
    assert "error: transport='picows': works on asyncio only" in result.stderr
    monkeypatch.setattr(output, "find_spec", lambda name: None)
    result = invoke("--backend", "uvloop")
    assert (result.exit_code, result.stderr) == (1, "error: --backend uvloop: is not installed; pip install uvloop\n")


def test_the_command_says_what_is_wrong() -> None:
    """A fault that does not exist: one sentence, exit code 1, nothing started."""
    result = invoke("--fault", "stal")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: fault 'stal': no such fault")


def start(*arguments: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "turnkit", "soak", "--json", *arguments]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow("process")
def test_real_sockets_real_time_and_a_simulator_of_its_own() -> None:
    """Some seconds of three sessions, for once on the real clock: their cost is told apart from the simulator's."""
    running = start(
        "--sessions",
        "3",
        "--seconds",
        "2",
        "--slices",
        "2",
        "--fault",
        "drop@1s/1",
        "--seed",
        "7",
        "--transport",
        "websockets",
        "--tuned",
    )
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors + output
    assert errors == ""
    *slices, last = [json.loads(line) for line in output.splitlines()]
    assert len(slices) == 2
    assert last["report"]["transport"] == "websockets"
    assert last["report"]["plan"]["tuned"] is True
    assert last["report"]["counts"]["reconnects"] >= 3
    assert last["report"]["faults"] == {"drop": 3}
    part = slices[1]["slice"]
    assert part["live"] == 3
    assert part["cpu"] > 0
    assert part["flux_cpu"] > 0
    assert part["resident"] > 10e6
    assert part["descriptors"] >= 3


@pytest.mark.slow("process")
def test_ctrl_c_ends_it_with_the_report() -> None:
    """The first interrupt ends the calls; what was seen until then is told."""
    running = start("--sessions", "2", "--seconds", "600", "--slices", "1200", "--no-audio")
    assert running.stdout is not None
    assert "slice" in json.loads(running.stdout.readline())
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors
    report = json.loads(output.splitlines()[-1])["report"]
    assert report["early"] is True
    assert report["seconds"] < 60


@pytest.mark.skipif(not Path("/proc").exists(), reason="the simulator's process is found under /proc")
@pytest.mark.slow("process")
def test_a_simulator_that_dies_is_told() -> None:
    """The soak cannot be held without it: one sentence, exit code 1."""
    running = start("--sessions", "2", "--seconds", "600", "--slices", "1200", "--no-audio")
    assert running.stdout is not None
    assert "slice" in json.loads(running.stdout.readline())
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGKILL)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "error: the simulator ended before the calls did" in errors
