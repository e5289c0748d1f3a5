"""Parquet files of the tables: added to, each call once, whatever happens in between."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.many_calls import call, calls
from turnkit.errors import ConfigError

pytest.importorskip("pyarrow", reason="needs pyarrow, which is not for development; .ci/interop has it")

from turnkit.tables import COLUMNS, Dataset, OneFile, Part, part_of
from turnkit.tables.arrow import parquet


def add(folder: Path, paths: list[str], *, words: bool = False) -> int:
    """Add the calls, and tell how many were new."""
    data = Dataset(folder, words=words)
    for place in range(0, len(paths), 3):
        data.add(part_of(paths[place : place + 3], words=words))
    data.flush()
    return data.added


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted((folder / table).rglob("*.parquet")):
        found += parquet.ParquetFile(path).read().to_pylist()
    return found


def keys(folder: Path) -> Counter[tuple[str, int]]:
    return Counter((row["call"], row["number"]) for row in rows(folder, "signals"))


def test_a_call_is_added_once(tmp_path: Path) -> None:
    """However often, and beside others; what is there is not touched."""
    paths = calls(tmp_path / "calls", 8)
    out = tmp_path / "out"
    assert [add(out, paths[:5]), add(out, paths[:5]), add(out, [*paths, *paths])] == [5, 0, 3]
    other = tmp_path / "other"
    add(other, paths)
    for table in COLUMNS:
        assert sorted(map(repr, rows(out, table))) == sorted(map(repr, rows(other, table)))
    assert set(keys(out).values()) == {1}
    assert {path.parent.name for path in (out / "turns").rglob("*.parquet")} == {
        f"date=2026-11-0{day}" for day in range(1, 5)
    }


def test_a_call_that_was_still_written_is_replaced(tmp_path: Path) -> None:
    """By what it came to; the others in the same file stay."""
    paths, out = calls(tmp_path / "calls", 5), tmp_path / "out"
    Path(paths[0]).write_bytes(call(0)[:60_000])
    assert add(out, paths) == 5
    Path(paths[0]).write_bytes(call(0))
    assert [add(out, paths), add(out, paths)] == [1, 0]
    other = tmp_path / "other"
    add(other, paths)
    assert keys(out) == keys(other)
    Path(paths[0]).write_bytes(call(0)[:60_000])
    assert add(out, paths) == 0


def test_writing_that_was_stopped_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it was: no file is half written, and the same command adds what is missing."""
    paths, whole = calls(tmp_path / "calls", 6), tmp_path / "whole"
    add(whole, paths)
    replace, left = os.replace, 0

    def stopped(source: Path, target: Path) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr("turnkit.tables.places.os.replace", stopped)
    for done in range(12):
        left, out = done, tmp_path / f"out {done}"
        with pytest.raises(KeyboardInterrupt):
            add(out, paths)
        assert not list(out.rglob("*.partial"))
        left = 100
        add(out, paths)
        assert keys(out) == keys(whole)
        for table in COLUMNS:
            assert len(rows(out, table)) == len(rows(whole, table))


def test_each_table_in_one_file(tmp_path: Path) -> None:
    """To which is added likewise."""
    paths, out = calls(tmp_path / "calls", 6), OneFile(tmp_path / "calls.parquet")
    added = []
    for place, chosen in enumerate((paths[:3], paths, paths)):
        add(tmp_path / f"scratch {place}", chosen)
        added.append(out.take(tmp_path / f"scratch {place}"))
    assert added == [3, 3, 0]
    for table in COLUMNS:
        found = parquet.read_table(out.path(table)).to_pylist()
        assert len({row["call"] for row in found}) == 6
        assert len(found) == len(rows(tmp_path / "scratch 2", table))
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == [
        "calls-drafts.parquet",
        "calls-signals.parquet",
        "calls.parquet",
    ]


def test_columns_carry_what_they_are(tmp_path: Path) -> None:
    """In the schema of every file."""
    add(tmp_path / "out", calls(tmp_path / "calls", 1))
    for table, columns in COLUMNS.items():
        (path,) = (tmp_path / "out" / table).rglob("*.parquet")
        fields = {field.name: field.metadata for field in parquet.read_schema(path)}
        assert set(fields) == {column.name for column in columns if not column.words}
        for column in columns:
            if not column.words:
                assert fields[column.name] == {b"meaning": column.meaning.encode(), b"unit": column.unit.encode()}


def test_other_tables_are_not_mixed_in(tmp_path: Path) -> None:
    """Those with words and those without, and files that are none of turnkit's."""
    paths, out = calls(tmp_path / "calls", 1), tmp_path / "out"
    add(out, paths)
    with pytest.raises(ConfigError, match=r"has other columns \(transcript\)"):
        Dataset(out, words=True)
    (out / "turns" / "x.parquet").write_bytes(b"junk")
    with pytest.raises(ConfigError, match="is no table of turnkit's"):
        Dataset(out)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """And costs the others nothing."""
    (tmp_path / "empty.jsonl").touch()
    part = part_of([*calls(tmp_path / "calls", 2), str(tmp_path / "empty.jsonl")])
    assert len(part.calls) == 2
    assert list(part.problems) == [str(tmp_path / "empty.jsonl")]
    assert isinstance(part, Part)
