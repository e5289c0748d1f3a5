"""`turnkit export`: tables in a directory or in files, added to by saying it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.many_calls import call, calls
from turnkit.cli import app

pytest.importorskip("pyarrow", reason="needs pyarrow, which is not for development; .ci/interop has it")

from turnkit.tables.arrow import parquet

FRAME = '{"type":"TurnInfo","event":"StartOfTurn","turn_index":0,"audio_window_end":1.0,"transcript":"hi"}\n'


def export(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "220"}).invoke(app, ["export", *map(str, arguments)])


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    calls(folder, 20)
    (folder / "copy.jsonl").write_bytes(call(3))
    return folder


@pytest.mark.parametrize(("out", "turns"), [("tables", "tables/turns/**/*.parquet"), ("all.parquet", "all.parquet")])
def test_saying_it_again_adds_what_is_new(tmp_path: Path, recordings: Path, out: str, turns: str) -> None:
    """And only that, in processes; nothing else is left beside it."""
    assert export(recordings, "-o", tmp_path / out, "--jobs", 2).stdout.endswith("20 calls are new\n")
    (recordings / "20.jsonl").write_bytes(call(20))
    assert export(recordings, "-o", tmp_path / out).stdout.endswith("1 calls are new\n")
    assert export(recordings, "-o", tmp_path / out).stdout.endswith("0 calls are new\n")
    rows = [row for path in tmp_path.glob(turns) for row in parquet.ParquetFile(path).read().to_pylist()]
    assert len({row["call"] for row in rows}) == 21
    assert len({(row["call"], row["turn"]) for row in rows}) == len(rows)
    assert "transcript" not in rows[0]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_words_are_there_if_asked_for(tmp_path: Path, recordings: Path) -> None:
    """And are not mixed with tables that have none."""
    out = tmp_path / "words.parquet"
    assert export(recordings, "-o", out, "--words").exit_code == 0
    assert any("table" in row["transcript"] for row in parquet.read_table(out).to_pylist())
    result = export(recordings, "-o", out)
    assert result.exit_code == 1
    assert "has other columns (transcript)" in result.output.replace("\n", "")


def test_what_has_no_rows_is_told(tmp_path: Path) -> None:
    """Raw frames, and files that cannot be read; nothing at all is a failure."""
    (tmp_path / "empty.jsonl").touch()
    out = tmp_path / "tables"
    assert export(tmp_path / "empty.jsonl", "-o", out).exit_code == 1
    (tmp_path / "raw.jsonl").write_text(FRAME)
    calls(tmp_path, 1)
    result = export(tmp_path, "-o", out)
    assert result.exit_code == 0
    assert "1 calls read; 1 recordings of raw frames hold no decisions, and have no rows" in result.stdout
    assert "empty.jsonl': is empty" in result.output


def test_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    """In a sentence."""
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "tables", tmp_path / "none" / "all.parquet"):
        result = export(*calls(tmp_path, 1), "-o", out)
        assert result.exit_code == 1
        assert "cannot be written" in result.output
        assert "Traceback" not in result.output
