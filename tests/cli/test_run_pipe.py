"""`turnkit run -`: a WAV from a pipe, as it comes."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

COMMAND = [sys.executable, "-m", "turnkit"]
BOUND = 60  # seconds after which a command is taken to hang
MULAW = struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)


def header(size: int) -> bytes:
    """As ffmpeg writes it to a pipe where `size` is 0xFFFFFFFF."""
    return b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + MULAW + b"LIST\x03\0\0\0abc\0data" + struct.pack("<I", size)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    script = tmp_path / "short.txt"
    script.write_text("0.3  Hello there. \n")
    command = [*COMMAND, "simulate", "--script", str(script), "--port", "0", "--seed", "3", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["listening"]
        finally:
            process.kill()


def run(*arguments: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    environment = {name: value for name, value in os.environ.items() if name != "DEEPGRAM_API_KEY"}
    return subprocess.Popen(
        [*COMMAND, "run", "-", *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=environment, bufsize=0
    )


def test_a_pipe_is_heard_while_it_is_written(url: str) -> None:
    """Signals come while the writer goes on; when it ends, silence follows until the turn has its answer."""
    with run("--url", url, "--json") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # Two seconds of the caller, and the pipe stays open.
        process.stdin.write(header(0xFFFFFFFF) + b"\xff" * 16000)
        first = json.loads(process.stdout.readline())
        assert first["signal"] == "TurnStarted"
        assert first["audio_end"] < 2
        out, error = process.communicate(timeout=BOUND)
    assert json.loads(out.splitlines()[-1])["signal"] == "Commit"
    assert error == b""
    assert process.returncode == 0


def test_a_pipe_that_breaks_says_so(url: str) -> None:
    """Its header promised more; what came is heard all the same."""
    with run("--url", url, "--json") as process:
        out, error = process.communicate(header(80000) + b"\xff" * 8000, timeout=BOUND)
    assert json.loads(out.splitlines()[-1])["signal"] == "Commit"
    said = "warning: standard input: is cut off: its header says 10.0 s of sound, and there are 1.0 s"
    assert error.decode().splitlines() == [said]
    assert process.returncode == 0


def test_a_pipe_that_never_begins_keeps_nobody(url: str) -> None:
    """Ctrl-C while not even the header has come."""
    with run("--url", url) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(header(0)[:12])
        while unread(process.stdin):
            time.sleep(0.05)
        process.send_signal(2)
        assert process.wait(BOUND) == 130
        assert process.stderr.read() == b""


def unread(pipe: IO[bytes]) -> int:
    """How many bytes in the pipe its reader has not taken yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_silent_pipe_keeps_nobody(url: str) -> None:
    """Ctrl-C while the writer says nothing."""
    with run("--url", url, "--json") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(header(0xFFFFFFFF) + b"\xff" * 16000)
        process.stdout.readline()
        process.send_signal(2)
        assert process.wait(BOUND) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize("as_json", [False, True])
def test_where_it_was_recorded_is_said(url: str, tmp_path: Path, as_json: bool) -> None:
    """At the end, to people; programs have named the file themselves."""
    calls = tmp_path / "calls"
    with run("--url", url, "--record", f"{calls}/", *(["--json"] if as_json else [])) as process:
        out, _ = process.communicate(header(0xFFFFFFFF) + b"\xff" * 16000, timeout=BOUND)
    (path,) = calls.iterdir()
    assert (f"turnkit view {path}" in out.decode()) is not as_json


def test_a_call_that_never_began_was_recorded_nowhere(tmp_path: Path) -> None:
    """Nobody listens there: only that is said."""
    with run("--url", "ws://127.0.0.1:9", "--record", f"{tmp_path}/") as process:
        out, error = process.communicate(header(0xFFFFFFFF) + b"\xff" * 16000, timeout=BOUND)
    assert process.returncode == 1
    assert b"view" not in out
    assert error.startswith(b"error: ")


def test_without_a_key_the_variable_is_named() -> None:
    """And no argument of Python."""
    with run() as process:
        _, error = process.communicate(header(0xFFFFFFFF) + b"\xff" * 16000, timeout=BOUND)
    said = "DEEPGRAM_API_KEY: is not set, and api.deepgram.com needs a key; a simulator does not"
    assert error.decode() == f"error: {said}: --url ws://127.0.0.1:PORT\n"
    assert process.returncode == 1


def test_thresholds_are_named_as_they_were_typed(url: str) -> None:
    """As options, with the value."""
    with run("--url", url, "--eager-eot-threshold", "0.8") as process:
        _, error = process.communicate(header(0xFFFFFFFF) + b"\xff" * 16000, timeout=BOUND)
    said = "--eager-eot-threshold 0.8: must be at most --eot-threshold, which is 0.7"
    assert error.decode() == f"error: {said}\n"
