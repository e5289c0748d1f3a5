"""Tables in a store: added to as in a directory, whole objects only, and what a store says in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import pytest
from typer.testing import CliRunner, Result

from tests.support.many_calls import call, calls
from turnkit.cli import app
from turnkit.errors import ConfigError
from turnkit.trace.opening import store_problem

pytest.importorskip("pyarrow", reason="needs pyarrow, which is not for development; .ci/interop has it")

from turnkit.tables import COLUMNS, Dataset, Folder, part_of, place_of
from turnkit.tables.arrow import parquet

OUT = "memory://bucket/tables"


@pytest.fixture
def store() -> Iterator[Any]:
    memory = fsspec.filesystem("memory")
    memory.mkdir("/bucket")
    yield memory
    memory.rm("/bucket", recursive=True)


def export(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "220"}).invoke(app, ["export", *map(str, arguments)])


def rows(store: Any, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in store.find(f"/bucket/tables/{table}"):
        found += parquet.ParquetFile(BytesIO(store.cat(name))).read().to_pylist()
    return found


def test_they_are_added_to_as_in_a_directory(store: Any, tmp_path: Path) -> None:
    """The same rows, by the same command; a call that was still written is replaced by what it came to."""
    paths = calls(tmp_path / "calls", 6)
    Path(paths[0]).write_bytes(call(0)[:60_000])
    assert export(tmp_path / "calls", "-o", OUT).stdout.endswith("6 calls are new\n")
    Path(paths[0]).write_bytes(call(0))
    assert export(tmp_path / "calls", "-o", f"{OUT}/").stdout.endswith("1 calls are new\n")
    assert export(tmp_path / "calls", "-o", OUT).stdout.endswith("0 calls are new\n")
    export(tmp_path / "calls", "-o", tmp_path / "tables")
    for table in COLUMNS:
        local = [row for path in (tmp_path / "tables" / table).rglob("*.parquet") for row in _read(path)]
        assert sorted(map(repr, rows(store, table))) == sorted(map(repr, local))
    assert not [name for name in store.find("/bucket") if not name.endswith(".parquet")]


def _read(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.ParquetFile(path).read().to_pylist()
    return found


def test_an_export_that_is_stopped_leaves_whole_objects_only(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it is stopped; the next one adds what is missing, and nothing twice."""
    paths = calls(tmp_path / "calls", 4)
    put, left = type(store).put_file, 0

    def stopped(self: Any, source: str, target: str, **more: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        put(self, source, target, **more)

    monkeypatch.setattr(type(store), "put_file", stopped)
    for done in range(9):
        left = done
        with pytest.raises(KeyboardInterrupt):
            _add(paths)
        for table in COLUMNS:
            rows(store, table)  # each can be read
        left = 100
        _add(paths)
        for table in COLUMNS:
            named = [(row["call"], row.get("number", row["turn"]), row.get("reply")) for row in rows(store, table)]
            assert len(set(named)) == len(named)
            assert len({name for name, *_ in named}) == 4
        store.rm("/bucket/tables", recursive=True)


def _add(paths: list[str]) -> None:
    data = Dataset(OUT)
    data.add(part_of(paths))
    data.flush()


def test_one_file_is_not_for_a_store(store: Any, tmp_path: Path) -> None:
    """Nothing keeps two exports from writing it at once. And no password is told."""
    result = export(*calls(tmp_path, 1), "-o", "memory://me:secret@bucket/calls.parquet")
    assert result.exit_code == 1
    assert "--out memory://bucket/calls.parquet: tables in a store are a directory" in result.output
    assert "secret" not in result.output


def test_a_place_of_this_machine_is_a_directory_however_it_is_called(tmp_path: Path) -> None:
    """So that it is locked."""
    place = place_of(f"file://{tmp_path}/tables")
    assert isinstance(place, Folder)
    assert place.path == tmp_path / "tables"


def test_tables_of_others_are_told(store: Any, tmp_path: Path) -> None:
    """By their full names."""
    store.pipe("/bucket/tables/turns/x.parquet", b"junk")
    with pytest.raises(ConfigError, match=r"memory://bucket/tables/turns/x\.parquet: is no table of turnkit's"):
        Dataset(OUT)


class NoCredentialsError(Exception):
    """As botocore has it."""


class EndpointConnectionError(Exception):
    """The same."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError("secret"), "is not there: the store knows no bucket, or no object, of that name"),
        (PermissionError("secret"), "the store refuses access (PermissionError)"),
        (OSError("Forbidden: secret"), "the store refuses access (OSError)"),
        (NoCredentialsError("secret"), "no credentials were found (NoCredentialsError)"),
        (EndpointConnectionError("https://secret"), "the store does not answer (EndpointConnectionError)"),
        (TimeoutError("secret"), "the store does not answer (TimeoutError)"),
        (RuntimeError("secret"), "RuntimeError"),
    ],
)
def test_what_a_store_says_is_told_in_words_of_our_own(error: Exception, told: str) -> None:
    """Those of its library may hold a key or a signature."""
    assert store_problem(error).startswith(told)
    assert "secret" not in store_problem(error)
