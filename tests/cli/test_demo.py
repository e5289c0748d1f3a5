"""The demo, when its own code goes wrong."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from turnkit.cli import app
from turnkit.cli.output import JsonLines
from turnkit.turns.events import Commit, ReplyEnded, Signal


def test_a_display_that_fails_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call goes on, and is shown; at its end it is said what failed first, and how often: exit code 1."""
    show = JsonLines.show

    def fails_at_commits(self: JsonLines, signal: Signal | ReplyEnded, seconds: float) -> None:
        show(self, signal, seconds)
        if isinstance(signal, Commit):
            raise OSError("no room to show it")

    monkeypatch.setattr(JsonLines, "show", fails_at_commits)
    done = CliRunner().invoke(app, ["demo", "--speed", "50", "--json"])
    shown = [json.loads(line)["signal"] for line in done.stdout.splitlines()]
    commits = shown.count("Commit")
    assert commits > 1
    assert done.exit_code == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: the demo's own code failed at Commit, and {commits - 1} times after it")


def test_one_that_does_not_is_one() -> None:
    """Nothing is said, and the exit code is 0."""
    done = CliRunner().invoke(app, ["demo", "--speed", "50", "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
