"""Output in an encoding that lacks what is to be shown: something like it stands there, and nothing is raised."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from turnkit.cli.saying import takes_any_text


def turnkit(encoding: str, *arguments: str, folder: Path) -> str:
    """What the command prints, read as that encoding; it ends well, and shows nothing of Python's."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    line = [sys.executable, "-m", "turnkit", *arguments]
    done = subprocess.run(line, capture_output=True, check=False, timeout=300, env=environment, cwd=folder)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    return done.stdout.decode(encoding)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a recording in it, of another name than ASCII has."""
    folder = tmp_path_factory.mktemp("encodings")
    turnkit("utf-8", "demo", "--speed", "50", "--record", "anruf-ä→.jsonl", folder=folder)
    return folder


COMMANDS = [
    "demo --speed 50",
    "chart",
    "chart --mermaid",
    "simulate --list-faults",
    "check --quick --only idle",
    "soak --sessions 1 --seconds 1",
    "replay anruf-ä→.jsonl --barge-in min-words:3",
    "metrics anruf-ä→.jsonl",
    "tune anruf-ä→.jsonl",
    "view anruf-ä→.jsonl",
    "--help",
]


@pytest.mark.parametrize(
    ("encoding", "command"),
    [*(("ascii", command) for command in COMMANDS), ("cp1252", "tune anruf-ä→.jsonl"), ("cp1252", "chart")],
)
@pytest.mark.sampled(4)
def test_every_command_says_what_it_can(encoding: str, command: str, folder: Path) -> None:
    """In an encoding of one byte a character, with all that it writes in tables."""
    assert turnkit(encoding, *command.split(), folder=folder)


def test_what_there_is_something_like_is_shown_by_it(folder: Path) -> None:
    """The dash and the arrow of the charts."""
    said = turnkit("ascii", "chart", folder=folder)
    assert "> speaking" in said
    assert "?" not in said


def test_programs_lose_nothing(folder: Path) -> None:
    """JSON has a way to say every character in ASCII."""
    (folder / "broken-ä.jsonl").write_text("{}\n")
    line = turnkit("ascii", "metrics", "anruf-ä→.jsonl", "broken-ä.jsonl", "--json", folder=folder)
    (told,) = json.loads(line)["unreadable"]
    assert "broken-ä.jsonl" in told


def test_a_stream_is_told_once_and_only_if_it_would_raise() -> None:
    """One that says how it wants to have it, or that is none of the process, is left alone."""
    ours, theirs = (io.TextIOWrapper(io.BytesIO(), "ascii", errors=errors) for errors in ("strict", "backslashreplace"))
    takes_any_text(ours, theirs, None, io.StringIO())
    takes_any_text(ours)
    for stream in (ours, theirs):
        stream.write("a – b… 日")
        stream.flush()
    assert ours.buffer.getvalue() == b"a - b... ?"
    assert theirs.buffer.getvalue() == b"a \\u2013 b\\u2026 \\u65e5"
