"""`turnkit tune` with money, parts and a second set of calls, and without what it needs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmarks.tuning import RECORDED, call, frames
from turnkit.cli import app
from turnkit.errors import ConfigError
from turnkit.tools.tuner import tune

THRESHOLDS = ("--eot-threshold", "0.7", "--eager-eot-threshold", "0.4", "--jobs", "1")


def turnkit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders of three calls each."""
    found = tmp_path_factory.mktemp("A"), tmp_path_factory.mktemp("B")
    for number, folder in enumerate(found):
        for seed in range(3):
            lines = [json.dumps(frame) for frame in frames(call(10 * number + seed), RECORDED)]
            (folder / f"{seed}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return found


def test_money_and_the_running_setting_are_shown(folders: tuple[Path, Path]) -> None:
    """Prices in the user's currency; the row of what is run is marked `now`; no share without what was counted."""
    prices = ("--second-worth", "0.02", "--call-cost", "0.002", "--token-cost", "0.000001", "--currency", "EUR")
    told = turnkit("tune", folders[0], *THRESHOLDS, *prices, "--by", "hour")
    assert told.exit_code == 0, told.output
    assert "0.003 EUR a call, 0.02 a second" in told.output
    assert any(" now " in f" {line} " for line in told.output.splitlines())
    assert " of " in told.output
    assert "not known" in told.output, "bare frames do not say at what hour they were"
    fields = json.loads(turnkit("tune", folders[0], *THRESHOLDS, *prices, "--by", "tag", "--json").output)["tuning"]
    assert fields["worth"]["currency"] == "EUR"
    assert sum(row["running"] for row in fields["outcomes"]) == 1
    assert [part["name"] for part in fields["segments"]] == [""]


def test_two_folders_are_compared(folders: tuple[Path, Path]) -> None:
    """What changed, and how many more calls it would take to tell."""
    told = turnkit("tune", folders[0], "--against", folders[1], *THRESHOLDS)
    assert told.exit_code == 0, told.output
    assert "From A to B" in told.output
    assert told.output.count("3 calls at eot 0.70, eager 0.40, timeout 5 s") == 2
    fields = json.loads(turnkit("tune", folders[0], "--against", folders[1], *THRESHOLDS, "--json").output)
    assert [one["name"] for one in fields["comparison"]["differences"]] == ["response", "extra", "cut_offs"]


def test_without_its_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    for name in [name for name in sys.modules if name.startswith("turnkit.tools.tuner.")]:
        if name.rsplit(".", 1)[1] in {"columns", "crossings", "doubts", "forecasts", "prediction"}:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ConfigError, match=r"scipy is not installed.*pip install 'turnkit\[tune\]'"):
        tune([])
