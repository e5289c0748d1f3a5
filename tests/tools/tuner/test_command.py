"""`turnkit tune` with money, parts and a second set of calls, and without what it needs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmarks.tuning import RECORDED, call, frames
from tests.support.many_calls import calls
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


def test_the_table_says_what_its_figures_are(folders: tuple[Path, Path]) -> None:
    """Every column but the mark has a heading, and a line below tells of what."""
    told = turnkit("tune", folders[0], *THRESHOLDS)
    lines = told.output.splitlines()
    title = next(at for at, line in enumerate(lines) if line.startswith("Settings to choose from"))
    assert " ".join(lines[title + 1].split()) == "eot eager timeout wait, ms p95 extra LLM cut off cost known"
    assert any(line.startswith("A turn: its wait (mean") and "×2: at most 2 drafts" in line for line in lines)


def test_calls_of_several_settings_are_said_to_be_mixed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """What most were run at is said of those, and not of all."""
    some = calls(tmp_path / "calls", 2)
    told = turnkit("tune", *some, *folders[0].glob("*.jsonl"), "--eot-threshold", "0.8", "--jobs", "1")
    assert told.exit_code == 0, told.output
    assert "  running      mixed; 3 of 5 calls had eot 0.80, " in told.output
    alone = turnkit("tune", folders[0], *THRESHOLDS)
    assert "  running      eot 0.70, eager 0.40, timeout 5 s" in alone.output


def test_prices_have_shorter_names(folders: tuple[Path, Path]) -> None:
    """Which the help leaves out, and which older scripts say."""
    told = turnkit("tune", folders[0], *THRESHOLDS, "--second", "0.02", "--call", "0.003", "--currency", "EUR")
    assert told.exit_code == 0, told.output
    assert "0.003 EUR a call, 0.02 a second" in told.output


def test_two_folders_are_compared(folders: tuple[Path, Path]) -> None:
    """What changed, and how many more calls it would take to tell."""
    told = turnkit("tune", folders[0], "--against", folders[1], *THRESHOLDS)
    assert told.exit_code == 0, told.output
    assert "From A to B" in told.output
    assert told.output.count("3 calls at eot 0.70, eager 0.40, timeout 5 s") == 2
    fields = json.loads(turnkit("tune", folders[0], "--against", folders[1], *THRESHOLDS, "--json").output)
    assert [one["name"] for one in fields["comparison"]["differences"]] == ["response", "extra", "cut_offs"]


def compared(*arguments: str | Path) -> list[int]:
    """How many calls were compared, of each set."""
    told = turnkit("tune", *THRESHOLDS, "--json", *arguments)
    assert told.exit_code == 0, told.output
    found: list[int] = json.loads(told.output)["comparison"]["calls"]
    return found


def test_a_pattern_that_the_shell_spreads_stays_one_set(folders: tuple[Path, Path]) -> None:
    """`tune A/*.jsonl --against B/*.jsonl`, unquoted: no file of B is tuned as one of A, wherever options stand."""
    one, other = (sorted(folder.glob("*.jsonl")) for folder in folders)
    assert compared(*one, "--against", *other) == [3, 3]
    assert compared(*one[:2], "--against", *other, "--eot-timeout-ms", "5000") == [2, 3]
    assert compared("--against", *other, "--", *one[:2]) == [2, 3]
    assert compared("--against", *other[:2], "--currency", "EUR", *one) == [3, 2]
    assert compared(f"--against={other[0]}", *one) == [3, 1]
    assert compared(one[0], "--against", other[0], "--against", *other[1:]) == [1, 3]


def test_hours_are_those_of_a_time_zone(tmp_path: Path) -> None:
    """Recordings tell them by UTC; half past nine there is half past ten in Berlin in winter, and eleven in summer."""
    paths = [Path(path) for path in calls(tmp_path, 2)]
    for path, began in zip(paths, ("2026-01-10T09:30:00.000+00:00", "2026-07-10T09:30:00.000+00:00"), strict=True):
        text = path.read_text(encoding="utf-8")
        start = text.index('"began":"') + len('"began":"')
        path.write_text(text[:start] + began + text[text.index('"', start) :], encoding="utf-8")
    for zone, hours in (((), ["09"]), (("--time-zone", "Europe/Berlin"), ["10", "11"])):
        told = turnkit("tune", *paths, "--by", "hour", "--jobs", "1", "--json", *zone)
        assert told.exit_code == 0, told.output
        assert [part["name"] for part in json.loads(told.output)["tuning"]["segments"]] == hours
    refused = turnkit("tune", *paths, "--by", "hour", "--time-zone", "Berlin/../Mitte")
    assert refused.exit_code == 1
    assert "--time-zone Berlin/../Mitte: is no time zone that this machine knows" in refused.output.replace("\n", " ")


def test_what_is_compared_needs_two_sets(folders: tuple[Path, Path]) -> None:
    """All names behind the option, none before it: told how to say it."""
    for line in (("--against", *folders), ("--against", folders[1], "--jobs", "1")):
        told = turnkit("tune", *line)
        assert told.exit_code == 2
        assert "name the first set before --against" in " ".join(told.output.replace("│", " ").split())


def test_calls_of_both_sets_are_told(folders: tuple[Path, Path]) -> None:
    """They make the sets look alike."""
    told = turnkit("tune", folders[0], "--against", *folders, *THRESHOLDS)
    assert told.exit_code == 0
    assert "3 of 3 calls are in both sets" in told.output


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.sampled(4)
def test_tables_are_whole_on_every_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """No cell is cut, however narrow the screen is: with several calls, and with one, whose intervals have no end."""
    monkeypatch.setenv("COLUMNS", str(columns))
    paths = calls(tmp_path / "calls", 8)
    for some in (paths, paths[:1]):
        told = turnkit("tune", *some, "--by", "hour", "--jobs", "1")
        assert told.exit_code == 0, told.output
        assert "…" not in told.output
        assert "––" not in told.output
        lines = told.output.splitlines()
        first = next(number for number, line in enumerate(lines) if line.startswith("policy "))
        assert lines[first].split("  ")[-1] == "paused"
        assert any(line.startswith("echo-guard+ignore-backchannels ") for line in lines), told.output
        assert all(len(line) <= 80 for line in lines[first:] if not line.startswith("note ")), told.output


@pytest.mark.parametrize("option", ["--reply-seconds", "--second-worth", "--call-cost", "--token-cost", "--cut-off"])
def test_infinite_prices_and_seconds_are_refused(folders: tuple[Path, Path], option: str) -> None:
    """In one line, before anything is read off them."""
    told = turnkit("tune", folders[0], *THRESHOLDS, option, "inf")
    assert told.exit_code == 1
    assert "inf: must be a number" in told.stderr.replace("(", "").replace(")", "")
    assert told.stdout == ""


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--eot-threshold", "7"), "must be a number from 0.5 to"),
        (("--eot-threshold", "nan"), "must be a number from 0.5 to"),
        (("--eot-threshold", "0.7", "--eager-eot-threshold", "0.9"), "must be at most eot_threshold"),
        (("--eot-threshold", "0.7", "--eot-timeout-ms", "-5"), "must be a whole number from 500"),
        (("--eager-eot-threshold", "0.4"), "--eot-threshold must be said too"),
    ],
)
def test_thresholds_that_nothing_was_recorded_with_are_refused(
    folders: tuple[Path, Path], options: tuple[str, ...], rule: str
) -> None:
    """Flux takes none of them; and half of what is needed is not silently none."""
    told = turnkit("tune", folders[0], *options)
    assert told.exit_code == 1
    assert rule in told.stderr
    assert told.stdout == ""


def test_without_its_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    for name in [name for name in sys.modules if name.startswith("turnkit.tools.tuner.")]:
        if name.rsplit(".", 1)[1] in {"columns", "crossings", "doubts", "forecasts", "prediction"}:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ConfigError, match=r"scipy is not installed.*pip install 'turnkit\[tune\]'"):
        tune([])
