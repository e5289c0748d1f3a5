"""Hints name the command as it was called."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from turnkit.cli.called_as import called_as


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One in an environment that is not on the PATH, from beside it."""
    command = tmp_path / ".venv" / "bin" / "turnkit"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [".venv/bin/turnkit", "demo"])
    return command


@pytest.mark.usefixtures("command")
def test_by_its_path() -> None:
    """The shell knows no turnkit."""
    assert called_as() == ".venv/bin/turnkit"


def test_by_its_name(command: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell finds this very one."""
    monkeypatch.setenv("PATH", str(command.parent))
    assert called_as() == "turnkit"


def test_where_the_shell_finds_another(command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That may be of another version."""
    other = tmp_path / "turnkit"
    other.write_bytes(command.read_bytes())
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert called_as() == ".venv/bin/turnkit"


@pytest.mark.usefixtures("command")
def test_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the Python that was named."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/turnkit/__main__.py", "demo"])
    monkeypatch.setattr(sys, "orig_argv", ["my python", "-m", "turnkit", "demo"])
    assert called_as() == "'my python' -m turnkit"
