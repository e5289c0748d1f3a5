"""`turnkit replay`, and the recordings that `demo` and `run` make for it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmarks.replay import Caller
from turnkit.cli import app
from turnkit.cli.policy_options import barge_in_policy, speculation_policy
from turnkit.errors import ConfigError
from turnkit.trace import read
from turnkit.turns.policy import Budget, HoldThenDecide, Immediate, MinDuration, MinWords, Never, NoSpeculation


def turnkit(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "220"}).invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of a demo."""
    path = tmp_path_factory.mktemp("demo") / "call.jsonl"
    assert turnkit("demo", "--speed", "40", "--json", "--record", path).exit_code == 0
    return path


def mismatched(path: Path, to: Path) -> Path:
    """The same recording with one decision altered."""
    text = path.read_text()
    assert '"reason":"overlap_kept"' in text
    to.write_text(text.replace('"reason":"overlap_kept"', '"reason":"empty"'))
    return to


def test_a_recorded_demo_replays_to_the_same_signals(demo: Path) -> None:
    """One line says so, and the exit code is 0."""
    result = turnkit("replay", demo)
    assert result.exit_code == 0
    assert result.stdout.startswith("same all ")
    assert "5 turns" in result.stdout
    assert read(demo).options is not None


def test_other_settings_side_by_side(demo: Path) -> None:
    """What every turn came to, before and after; other settings are no failure."""
    result = turnkit("replay", demo, "--barge-in", "immediate", "--speculation", "none")
    assert result.exit_code == 0
    assert "dropped: overlap_kept" in result.stdout
    assert "a barge-in" in result.stdout
    assert "answered without a draft" in result.stdout
    assert "0 of 5 turns" in turnkit("replay", demo, "--idle-timeout", "900").stdout


def test_a_mismatch_is_told_with_its_context(demo: Path, tmp_path: Path) -> None:
    """The first difference, and exit code 1."""
    result = turnkit("replay", mismatched(demo, tmp_path / "wrong.jsonl"))
    assert result.exit_code == 1
    assert "comes out differently" in result.stdout
    assert "reason='empty'" in result.stdout
    assert "(recorded)" in result.stdout
    assert "Traceback" not in result.output


def test_many_at_once(demo: Path, tmp_path: Path) -> None:
    """Directories, patterns and files, each once; what is no trace is named; a summary at the end."""
    for number in range(20):
        (tmp_path / f"{number}.jsonl").write_bytes(demo.read_bytes())
    (tmp_path / "deep").mkdir()
    mismatched(demo, tmp_path / "deep" / "wrong.jsonl")
    (tmp_path / "junk.jsonl").write_text("no json\n")
    result = turnkit("replay", tmp_path, tmp_path / "0.jsonl", str(tmp_path / "1*.jsonl"), "--jobs", "2")
    assert result.exit_code == 1
    assert "22 traces: 20 same, 1 mismatch, 1 unreadable" in result.stdout
    assert re.search(r" signals in [1-9]\d* minutes of talk\n", result.stdout)
    assert "wrong.jsonl" in result.stdout
    assert "junk.jsonl" in result.stdout
    compared = turnkit("replay", str(tmp_path / "[0-9].jsonl"), "--speculation", "none")
    assert compared.exit_code == 0
    assert "10 traces: 10 compared" in compared.stdout
    assert "drafts fewer" in compared.stdout


def test_for_programs(demo: Path, tmp_path: Path) -> None:
    """An object a trace."""
    wrong = mismatched(demo, tmp_path / "wrong.jsonl")
    result = turnkit("replay", demo, wrong, "--json")
    same, mismatch = (json.loads(line) for line in result.stdout.splitlines())
    assert result.exit_code == 1
    assert (same["trace"], same["finding"], same["turns"], same["differing"]) == (str(demo), "same", 5, [])
    assert (mismatch["finding"], mismatch["trace"]) == ("mismatch", str(wrong))
    (compared,) = map(json.loads, turnkit("replay", demo, "--json", "--speculation", "none").stdout.splitlines())
    assert compared["differing"][0]["changes"] == ["1 draft fewer", "answered without a draft"]


def test_raw_recordings_are_replayed_too(preamble: Path) -> None:
    """With turnkit's defaults on the other side."""
    result = turnkit("replay", preamble, "--speculation", "none")
    assert result.exit_code == 0
    assert "than turnkit's defaults decide" in result.stdout


def test_wrong_calls_are_told_in_a_sentence(demo: Path, tmp_path: Path) -> None:
    """Files that are not there, settings that cannot work."""
    wrong: list[tuple[list[str | Path], str]] = [
        ([tmp_path / "missing.jsonl"], "missing.jsonl': cannot be read"),
        ([tmp_path], f"there are no recordings in {tmp_path}"),
        ([tmp_path / "*.jsonl"], f"there are no recordings called {tmp_path / '*.jsonl'}"),
        ([demo, "--barge-in", "sometimes"], "--barge-in sometimes: must be one of immediate, min-words:N"),
        ([demo, "--barge-in", "min-words:two"], "'two' is not a number, as in min-words:N"),
        ([demo, "--barge-in", "MinWords(0)"], "MinWords(count=0)"),
        ([demo, "--speculation", "exit()"], "not one of turnkit's own policies"),
        ([demo, "--hold-timeout", "0"], "hold_timeout=0.0: must be"),
    ]
    for arguments, rule in wrong:
        result = turnkit("replay", *arguments)
        assert result.exit_code == 1, arguments
        assert rule in result.output.replace("\n", ""), result.output
        assert "Traceback" not in result.output
    assert turnkit("replay").exit_code == 2
    assert turnkit("replay", demo, "--jobs", "0").exit_code == 2


def test_recordings_are_not_overwritten(demo: Path) -> None:
    """Not by the demo either, and before it begins."""
    before = demo.read_bytes()
    result = turnkit("demo", "--record", demo)
    assert result.exit_code == 1
    assert "exists already" in result.output
    assert demo.read_bytes() == before


def test_the_demo_tells_where_its_recording_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the directory for temporary files, unless asked; programs that ask for --json get none."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = turnkit("demo", "--speed", "40")
    (path,) = tmp_path.rglob("*.jsonl")
    assert f"turnkit view {path}" in result.stdout
    assert f"turnkit replay {path}" in result.stdout
    assert turnkit("replay", path).exit_code == 0
    path.unlink()
    turnkit("demo", "--speed", "40", "--json")
    assert not list(tmp_path.rglob("*.jsonl"))


def test_policies_have_short_names() -> None:
    """And long ones, as turnkit prints them."""
    assert barge_in_policy("immediate") == Immediate()
    assert barge_in_policy("min-words:2") == MinWords(2)
    assert barge_in_policy("min-duration:0.5") == MinDuration(0.5)
    assert barge_in_policy("never") == Never()
    assert barge_in_policy("HoldThenDecide(then=MinWords(3))") == HoldThenDecide(MinWords(3))
    assert speculation_policy("none") == NoSpeculation()
    assert speculation_policy("budget:1") == Budget(1)
    for text in ("", "min-words", "min-words:", "immediate:1", "budget:1"):
        with pytest.raises(ConfigError, match="--barge-in"):
            barge_in_policy(text)


def test_the_benchmark_makes_calls_that_replay(tmp_path: Path) -> None:
    """Its corpus is made of whole, different calls."""
    for seed in (1, 2):
        Caller(tmp_path / f"{seed}.jsonl", seed).hold()
    assert turnkit("replay", tmp_path, "--json").exit_code == 0
    assert (tmp_path / "1.jsonl").read_bytes() != (tmp_path / "2.jsonl").read_bytes()
    assert "benchmarks.replay" in sys.modules
