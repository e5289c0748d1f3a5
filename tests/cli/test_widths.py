"""Every command on terminals of several widths: no line is wider, unless a word is, and no word is broken."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.support.command_files import prepare

CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
COMMANDS = [
    "chart",
    "simulate --list-faults",
    "metrics call.jsonl call.jsonl",
    "tune call.jsonl",
    "replay call.jsonl --barge-in min-words:3",
    "view call.jsonl --no-open",
    "export call.jsonl --out tables",
    "check --quick",
]
LISTENING = ["play --port 0 --no-open", "serve bot_of_tests:session --simulate --port 0", "simulate --port 0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("widths")
    prepare(folder)
    return folder


def shown(command: str, width: int, folder: Path, *, until: str = "", **environment: str) -> str:
    """What a terminal of that width is sent; until a text has come, if one is given, and then Ctrl-C."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "DEEPGRAM_API_KEY")}
    line = [sys.executable, "-m", "turnkit", *command.split()]
    with subprocess.Popen(
        line,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**kept, "TERM": "xterm", "PYTHONPATH": str(folder), **environment},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        sent = b""
        try:
            while True:
                try:
                    piece = os.read(ours, 1 << 16)
                except OSError:  # the other end is closed
                    break
                if not piece:
                    break
                sent += piece
                if until and until.encode() in CONTROL.sub("", sent.decode(errors="replace")).encode():
                    process.send_signal(signal.SIGINT)
                    until = ""
        finally:
            process.kill()
            os.close(ours)
    return sent.decode()


def too_wide(text: str, width: int) -> list[str]:
    """The lines that are wider, though they could have been broken between words."""
    lines = re.split("[\r\n]+", CONTROL.sub("", text))  # a progress bar is drawn anew on its line
    return [line for line in lines if len(line) > width and any(len(word) < width - 20 for word in line.split()[1:])]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.sampled(6)
def test_no_line_is_broken_by_the_terminal(command: str, width: int, folder: Path) -> None:
    """Which would be in mid-word."""
    text = shown(command, width, folder)
    assert "Traceback" not in text
    assert too_wide(text, width) == []


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("command", LISTENING)
def test_nor_of_those_that_listen(command: str, width: int, folder: Path) -> None:
    """What they say before they wait."""
    if not command.startswith("simulate"):
        pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")
    text = shown(command, width, folder, until="By keys" if command.startswith("play") else "Ctrl-C")
    assert "Traceback" not in text
    assert too_wide(text, width) == []


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
@pytest.mark.parametrize("command", ["demo --speed 50", "tune call.jsonl"])
def test_nothing_is_coloured_where_none_is_wanted(command: str, environment: dict[str, str], folder: Path) -> None:
    """Nor moved about, where the terminal cannot."""
    text = shown(command, 80, folder, **environment)
    assert re.findall(r"\x1b\[[0-9;]*3[0-9][0-9;]*m", text) == []
    assert "TERM" not in environment or "\x1b" not in text
