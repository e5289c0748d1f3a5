"""The help of every command on a screen of 80 columns, and of 100: every name and every word of it is whole."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from turnkit.cli import app
from turnkit.cli.commands import COMMANDS


def helped(command: str, columns: int) -> str:
    told = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [*command.split(), "-h"])
    assert told.exit_code == 0, told.output
    return told.output


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_nothing_is_cut(command: str, columns: int) -> None:
    """No ellipsis stands for a part of a name, of a value or of an address."""
    shown = helped(command, columns)
    assert "…" not in shown.replace("wss://…", "")
    assert max(map(len, shown.splitlines())) <= columns


@pytest.mark.parametrize("command", COMMANDS)
def test_options_name_what_they_take(command: str) -> None:
    """In a word that a reader knows, not as a type of Python; an option that takes nothing shows nothing."""
    options = helped(command, 80).partition("Options:")[2]
    assert options
    assert re.findall(r"<(?:str|int|float|bool|path|list)\b", options) == []


@pytest.mark.parametrize("command", ["play", "demo"])
def test_the_ear_that_listens_unasked_is_named(command: str) -> None:
    """Beside those that one has to ask for."""
    assert "voice (the default)" in " ".join(helped(command, 100).replace("│", " ").split())


def test_options_with_two_names_show_one() -> None:
    """The one that the documents use; tests/tools/tuner/test_command.py gives the other."""
    shown = helped("tune", 80)
    assert "--second-worth " in shown
    assert "--call-cost " in shown
    assert re.findall(r"--(?:second|call|no-eot-bench)\s", shown) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_name_stands_in_it_whole(name: str) -> None:
    """In a pipe, which is as wide as a terminal of 80 columns."""
    done = CliRunner().invoke(app, [name, "-h"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    group: Any = get_command(app)
    command = group.get_command(group.make_context("turnkit", [name], resilient_parsing=True), name)
    words = set(re.split(r"[\s,\[\]]+", done.output))
    named = {spelled for option in command.params if not getattr(option, "hidden", False) for spelled in option.opts}
    assert {name for name in named if name.startswith("-")} <= words
    assert max(map(len, done.output.splitlines())) <= 80
    assert "\\" not in done.output.replace("\\n", "")
    assert not re.search(r"\w-$", done.output, flags=re.M), "broken at a hyphen"
    assert not re.search(r"[\w-]…(?!,)", done.output), "cut off"
