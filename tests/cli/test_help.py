"""The help of every command: nothing in it is cut off, wherever it is read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from turnkit.cli import app
from turnkit.cli.commands import COMMANDS


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
