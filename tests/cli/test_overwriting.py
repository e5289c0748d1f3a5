"""A command never writes over what it reads, and what it writes to standard output is that alone."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.many_calls import calls
from turnkit.cli import app

COMMANDS = (
    ["view", "{folder}/call.jsonl", "--no-open", "--out"],
    ["view", "{folder}/call.jsonl", "--no-open", "--perfetto"],
    ["view", "{folder}/call.jsonl", "--no-open", "--png"],
    ["view", "{folder}", "--no-open", "--out"],
    ["tune", "{folder}", "--html"],
)


@pytest.fixture
def call(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    call = folder / "call.jsonl"
    [made] = calls(folder, 1)
    os.rename(made, call)
    return call


@pytest.mark.parametrize("name", ["itself", "a symbolic link", "a hard link"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join((command[0], *command[-1:])))
def test_a_recording_is_not_written_over(call: Path, tmp_path: Path, command: list[str], name: str) -> None:
    """By whatever name it goes, and whatever is to be written."""
    target = call if name == "itself" else tmp_path / "other"
    if name == "a symbolic link":
        target.symlink_to(call)
    elif name == "a hard link":
        os.link(call, target)
    before = call.read_bytes()
    arguments = [part.format(folder=call.parent) for part in command]
    refused = CliRunner().invoke(app, [*arguments, str(target)])
    assert call.read_bytes() == before
    assert refused.exit_code == 1
    assert f"{command[-1]} {target}: is a trace that is read, and would be overwritten" in refused.stderr


@pytest.mark.parametrize("arguments", [["call.jsonl"], ["call.jsonl", "--audio", "call.wav"], ["."]], ids=" ".join)
def test_a_link_to_itself_is_no_place(
    call: Path, tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as any other file that cannot be written."""
    monkeypatch.chdir(call.parent)
    with wave.open("call.wav", "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(3200))
    loop = tmp_path / "loop.html"
    loop.symlink_to(loop)
    refused = CliRunner().invoke(app, ["view", *arguments, "--no-open", "--out", str(loop)])
    assert refused.exit_code == 1
    assert f"--out {loop}: cannot be written: " in refused.stderr


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="files have no modes here")
def test_what_cannot_be_kept_private_is_left_as_it_was(
    call: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as another's file that anybody may write to: it is refused, and not emptied before."""
    theirs = tmp_path / "theirs.html"
    theirs.write_text("theirs")

    def refuse(_file: int, _mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    refused = CliRunner().invoke(app, ["view", str(call), "--no-open", "--out", str(theirs)])
    assert refused.exit_code == 1
    assert f"--out {theirs}: cannot be written: Operation not permitted" in refused.stderr
    assert theirs.read_text() == "theirs"


def test_a_shorter_page_leaves_nothing_of_what_was_there(call: Path, tmp_path: Path) -> None:
    """All of a file is written anew."""
    page = tmp_path / "page.html"
    page.write_bytes(b"x" * 10**6)
    assert CliRunner().invoke(app, ["view", str(call), "--no-open", "--out", str(page)]).exit_code == 0
    assert page.read_text().endswith("</html>\n")


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="standard output has no name here")
@pytest.mark.slow("process")
def test_a_page_to_standard_output_is_that_alone(call: Path, tmp_path: Path) -> None:
    """Of a pipe, and of a file, in which what is said would stand over the page."""
    command = [sys.executable, "-m", "turnkit", "view", str(call), "--no-open", "--out", "/dev/stdout"]
    piped = subprocess.run(command, capture_output=True, check=True)
    page = tmp_path / "page.html"
    with open(page, "wb") as file:
        subprocess.run(command, stdout=file, stderr=subprocess.DEVNULL, check=True)
    assert piped.stdout == page.read_bytes()
    assert page.read_text().startswith("<!doctype html>")
    assert page.read_text().endswith("</html>\n")
    assert b"wrote /dev/stdout" in piped.stderr
