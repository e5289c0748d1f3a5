"""The demo, when its own code goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from turnkit.cli import app
from turnkit.cli.output import JsonLines
from turnkit.tools import demo as conversation
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


def test_one_that_is_interrupted_says_where_it_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one does that was heard to its end; the exit code is that of Ctrl-C."""
    hold = conversation.hold_conversation

    async def interrupted(*shown: Any, **settings: Any) -> None:
        await hold(*shown, **settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(conversation, "hold_conversation", interrupted)
    path = tmp_path / "call.jsonl"
    done = CliRunner().invoke(app, ["demo", "--speed", "50", "--record", str(path)])
    assert done.exit_code == 130
    assert f"view {path}" in done.stdout.splitlines()[-2]


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        *((option, "does nothing without --mic") for option in ("--bot", "--ear", "--voice", "--device", "--model")),
        ("--mic --speed", "does nothing with --mic"),
        ("--mic --tts", "does nothing with --mic"),
    ],
)
def test_what_would_be_ignored_is_refused(option: str, rule: str) -> None:
    """Instead of a conversation that has nothing to do with it."""
    done = CliRunner().invoke(app, ["demo", *option.split(), "5"])
    assert done.exit_code == 2
    assert f"Invalid value for {option.split()[-1]}: {rule}" in " ".join(done.stderr.split())
