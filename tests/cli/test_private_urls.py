"""URLs of recordings may carry a password, or a signature: no command shows it, whatever happens to the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner

from turnkit.cli import app
from turnkit.cli.gathering import _lost as lost_to_evidence
from turnkit.cli.processes import DIED
from turnkit.cli.replay import _lost as lost_to_replay

SECRET = "hunter2"
URL = f"memory://me:{SECRET}@store/calls/none.jsonl"
SHOWN = "memory://store/calls/none.jsonl"


@pytest.mark.parametrize("as_json", [False, True])
def test_of_a_file_that_killed_its_worker(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said names it without."""

    def all_lost(
        work: object, paths: list[str], *_: object, lost: Callable[[str, str], object], **__: object
    ) -> Iterator[object]:
        return (lost(path, DIED) for path in paths)

    monkeypatch.setattr("turnkit.cli.replay.each", all_lost)
    done = CliRunner().invoke(app, ["replay", URL, *["--json"] * as_json])
    assert done.exit_code == 1
    assert SECRET not in done.output
    assert f"trace '{SHOWN}': {DIED}" in done.output
    if as_json:
        assert json.loads(done.stdout)["trace"] == SHOWN


def test_of_a_file_that_cannot_be_read() -> None:
    """Nor in the field that names the file for programs."""
    done = CliRunner().invoke(app, ["replay", URL, "--json"])
    assert done.exit_code == 1
    assert SECRET not in done.output
    assert json.loads(done.stdout)["trace"] == SHOWN


def test_of_those_of_other_commands() -> None:
    """The same is said by each that works on many."""
    told = [
        lost_to_replay(URL, DIED).problem,
        *lost_to_evidence(URL, DIED).problems.values(),
    ]
    assert told == [f"trace '{SHOWN}': {DIED}"] * 2
