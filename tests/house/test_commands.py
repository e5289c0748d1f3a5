"""Every command of the command line, as a program of its own: its help, and one thing that it does."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.wav_file import write_wav
from turnkit.cli.commands import COMMANDS

BOUND = 60  # seconds; on a machine that does nothing else, each takes one or two


def turnkit(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "turnkit", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=BOUND)


def done(*arguments: object) -> str:
    """What it prints on standard output, nothing having gone wrong."""
    result = turnkit(*arguments)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "call.jsonl"
    assert '"signal":"Commit"' in done("demo", "--speed", 50, "--json", "--record", path)
    return path


def test_each_is_tried_here() -> None:
    """A command that is added needs a test below."""
    assert [name for name in COMMANDS if f"test_{name}" not in globals()] == []


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.sampled(6)
def test_help(command: str, option: str) -> None:
    """It says how the command is used."""
    assert f"Usage: python -m turnkit {command}".rstrip() in done(*command.split(), option)


def test_demo() -> None:
    """For people."""
    assert "Commit" in done("demo", "--speed", 50)


def test_chart() -> None:
    """As tables and as pictures."""
    assert "listening" in done("chart")
    assert "stateDiagram" in done("chart", "--mermaid")


def test_simulate() -> None:
    """The faults that there are."""
    assert "stall" in done("simulate", "--list-faults")


def test_serve() -> None:
    """A bot that does not exist; or, without the extra, what to install."""
    result = turnkit("serve", "nobody:session", "--simulate")
    assert result.returncode == 1
    assert "there is no module nobody here" in result.stderr or "pip install 'turnkit[web]'" in result.stderr


def test_play() -> None:
    """At a port that there cannot be; or, without the extra, what to install."""
    result = turnkit("play", "--no-open", "--host", "203.0.113.1", "--port", 1)
    assert result.returncode == 1
    assert "cannot listen there" in result.stderr or "pip install 'turnkit[web]'" in result.stderr


def test_replay(recording: Path) -> None:
    """As it was, and with other settings."""
    assert "same" in done("replay", recording)
    assert "of" in done("replay", recording, "--barge-in", "min-words:3")


def test_view(recording: Path) -> None:
    """As a page."""
    page = recording.with_suffix(".html")
    done("view", recording, "--out", page)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_tune(recording: Path) -> None:
    """For people and for programs."""
    assert "threshold" in done("tune", recording)
    assert json.loads(done("tune", recording, "--json").splitlines()[0])


def test_metrics(recording: Path) -> None:
    """For people and for programs."""
    assert "response gap" in done("metrics", recording)
    assert json.loads(done("metrics", recording, "--json"))["metrics"]["calls"] == 1


def test_export(recording: Path) -> None:
    """Where pyarrow is not installed, it says how to install it."""
    result = turnkit("export", recording, "-o", recording.with_suffix(".tables"))
    if find_spec("pyarrow") is None:
        assert (result.returncode, "pip install 'turnkit[parquet]'" in result.stderr) == (1, True)
    else:
        assert result.stdout == "1 calls read\n1 calls are new\n"


def test_soak() -> None:
    """One call, for a moment."""
    result = turnkit("soak", "--sessions", 1, "--seconds", 1, "--json")
    assert "Traceback" not in result.stderr
    assert json.loads(result.stdout.splitlines()[-1])


def test_check() -> None:
    """A wrong bound is told in a sentence: a whole check takes a minute."""
    result = turnkit("check", "--turns", -1)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr


def test_run(tmp_path: Path) -> None:
    """Where nobody listens."""
    wav = write_wav(tmp_path / "a.wav", frames=1600)
    result = turnkit("run", wav, "--url", "ws://127.0.0.1:9")
    assert result.returncode == 1
    assert result.stderr.startswith("error: 127.0.0.1:9 could not be reached")


def test_a_warning_is_logged() -> None:
    """As it is before an application has configured anything, and as the command line does."""
    program = (
        "from turnkit import logs; logs.logger(a=1).warning('x'); logs.log_to_stderr(); logs.logger().warning('y')"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=BOUND)
    assert [line.split()[2:] for line in result.stderr.splitlines()] == [["]", "x", "a=1"], ["]", "y"]]
