"""The examples in the help of each command run, as they stand there, one after the other in one folder."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.wav_file import write_wav
from turnkit.cli import app
from turnkit.cli.commands import COMMANDS
from turnkit.cli.examples import EXAMPLES

BOUND = 120  # seconds after which a command is taken to hang
MISSING = "pip install 'turnkit["
UNTIL_INTERRUPTED = {"simulate": 130, "play": 130, "serve": 130, "soak": 0}
"""Commands that go on until Ctrl-C, and their exit code then."""
BOT = "from turnkit import Session\n\n\ndef session():\n    return Session()\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With what the examples name and do not make themselves."""
    folder = tmp_path_factory.mktemp("examples")
    write_wav(folder / "call.wav", frames=16000)
    (folder / "mybot.py").write_text(BOT)
    return folder


@contextmanager
def begun(example: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The example as a process of its own, at ports that are free here, and without opening a browser."""
    command, *arguments = shlex.split(example)
    assert command == "turnkit"
    if "--port" in arguments:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            arguments[arguments.index("--port") + 1] = str(free.getsockname()[1])
    environment = {**os.environ, "BROWSER": "true", "PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1"}
    environment.pop("DISPLAY", None)
    line = [sys.executable, "-m", "turnkit", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(line, text=True, cwd=folder, env=environment, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def ran(process: subprocess.Popen[str], interrupted: int | None = None) -> None:
    """Whether it came to its end as it should, or said what it wants to have installed."""
    if interrupted is not None:
        assert process.stdout is not None
        if process.stdout.readline():
            process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=BOUND)
    assert "Traceback" not in errors
    if MISSING in errors:
        assert process.returncode == 1
    else:
        assert process.returncode == (interrupted or 0), errors or out


def test_every_command_has_one() -> None:
    """Which its help shows whole."""
    assert set(EXAMPLES) == set(COMMANDS)
    for command, examples in EXAMPLES.items():
        shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, [command, "--help"]).output
        assert examples
        for example in examples:
            assert example.split()[1] == command
            assert re.search(rf" {re.escape(example)}\s", shown)


@pytest.mark.parametrize(
    ("command", "example"), [(command, example) for command, examples in EXAMPLES.items() for example in examples]
)
def test_it_runs(command: str, example: str, folder: Path) -> None:
    """On the recordings that the demo makes; against the simulator, where it names one."""
    if command != "demo" and not (folder / "calls").exists():  # whoever runs this test alone
        with begun(EXAMPLES["demo"][0], folder) as process:
            ran(process)
    if command == "run":
        simulated, url = EXAMPLES["simulate"][0], "ws://127.0.0.1:8765"
        assert url in example
        with begun(simulated.partition(" --fault")[0], folder) as simulator:
            assert simulator.stdout is not None
            where = simulator.stdout.readline().split()[5]
            with begun(example.replace(url, where), folder) as process:
                ran(process)
        return
    with begun(example, folder) as process:
        ran(process, UNTIL_INTERRUPTED.get(command))
