"""Recordings and tables in object stores, by their real protocols: S3 by moto, Google's by an emulator."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import zstandard
from typer.testing import CliRunner, Result

from tests.support.many_calls import call, calls
from tests.support.object_stores import KEY, S3, SECRET, environment, google, s3
from turnkit.cli import app
from turnkit.cli.found_files import found

pytest.importorskip("moto", reason="needs moto, which is not for development; .ci/interop has it")
pytest.importorskip("s3fs", reason="needs s3fs, which is not for development; .ci/interop has it")
pytest.importorskip("pyarrow", reason="needs pyarrow, which is not for development; .ci/interop has it")

from turnkit.tables import COLUMNS
from turnkit.tables.arrow import parquet

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries behind it, about each other

MANY = 1100  # objects: more than S3 tells of at once


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    logging.getLogger("werkzeug").disabled = True
    with s3() as running:
        with environment(running.variables()):
            store = fsspec.filesystem("s3")
            for bucket in ("calls", "many", "out"):
                store.mkdir(bucket)
            store.pipe(
                {
                    "calls/day/00.jsonl": call(0),
                    "calls/day/01.jsonl": call(1),
                    "calls/day/deep/er/02.jsonl.gz": gzip.compress(call(2)),
                    "calls/day/deep/03.jsonl.zst": zstandard.compress(call(3)),
                    "calls/day/notes.txt": b"none",
                    **{f"many/{number // 7:03}/{number:05}.jsonl": b"{}" for number in range(MANY)},
                }
            )
        yield running


@pytest.fixture
def store(server: S3) -> Iterator[Any]:
    """The store, to somebody with keys to it."""
    with environment(server.variables()):
        yield fsspec.filesystem("s3")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The same calls on this machine."""
    calls(tmp_path / "here", 4)
    return tmp_path / "here"


def turnkit(*arguments: object) -> Result:
    result = CliRunner(env={"COLUMNS": "240"}).invoke(app, [str(argument) for argument in arguments])
    assert SECRET not in result.output
    assert KEY not in result.output
    assert "Traceback" not in result.output
    return result


def fields(*arguments: object) -> Any:
    result = turnkit(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def problem(*arguments: object) -> str:
    result = turnkit(*arguments)
    assert result.exit_code == 1, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("command", ["metrics", "tune"])
def test_the_figures_are_those_of_files_here(store: Any, here: Path, command: str) -> None:
    """Of a tree, plain and packed."""
    assert fields(command, "s3://calls/day") == fields(command, here)


def test_processes_find_their_way_there(store: Any, tmp_path: Path) -> None:
    """With the environment that they are begun in."""
    store.pipe({f"calls/twenty/{number:04}.jsonl": call(number) for number in range(20)})
    calls(tmp_path, 20)
    assert fields("metrics", "s3://calls/twenty", "--jobs", 2) == fields("metrics", tmp_path, "--jobs", 1)


def test_every_way_to_name_them(store: Any) -> None:
    """A bucket, a directory, a pattern, a key; each file once, however often it is named."""
    plain = ["s3://calls/day/00.jsonl", "s3://calls/day/01.jsonl"]
    packed = ["s3://calls/day/deep/03.jsonl.zst", "s3://calls/day/deep/er/02.jsonl.gz"]
    assert found(["s3://calls/day"]) == found(["s3://calls/day/"]) == [*plain, *packed]
    assert found(["s3://calls/day/*.jsonl"]) == plain
    assert found(["s3://calls/day/**/*.jsonl.*"]) == packed
    assert found([*plain, "s3://calls/day"]) == [*plain, *packed]


def test_more_than_the_store_tells_at_once(store: Any) -> None:
    """By directory and by pattern."""
    assert len(found(["s3://many"])) == len(set(found(["s3://many/*/*.jsonl"]))) == MANY


def test_calls_are_replayed_and_seen(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages lie on this machine: of one call, and of a directory, each with its name."""
    monkeypatch.chdir(tmp_path)
    assert [line["finding"] for line in fields("replay", "s3://calls/day")][:4] == ["same"] * 4
    assert turnkit("view", "s3://calls/day/deep/er/02.jsonl.gz", "--no-open").exit_code == 0
    assert "call 2" in Path("02.html").read_text()
    result = turnkit("view", "s3://calls/day", "--no-open")
    assert result.exit_code == 0, result.output
    pages = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "day-pages").rglob("*.html")}
    named = ("00.jsonl", "01.jsonl", "deep/03.jsonl.zst", "deep/er/02.jsonl.gz")
    assert pages == {f"day-pages/{name}.html" for name in named}
    assert all(f"day-pages/{name}.html" in Path("day.html").read_text() for name in named)


def test_tables_are_added_to(store: Any, here: Path) -> None:
    """Each call once, however often it is said; a call that goes further replaces what was there."""
    out = "s3://out/tables"
    store.pipe("calls/cut/00.jsonl", call(0)[:60_000])
    assert "1 calls are new" in turnkit("export", "s3://calls/cut", "-o", out).stdout
    assert "4 calls are new" in turnkit("export", "s3://calls/day", "-o", out).stdout
    assert "0 calls are new" in turnkit("export", "s3://calls/day", here, "-o", out).stdout
    turnkit("export", here, "-o", here.parent / "tables")
    for table in COLUMNS:
        there = [row for name in store.find(f"out/tables/{table}") for row in read(store.cat(name))]
        local = [row for path in (here.parent / "tables" / table).rglob("*.parquet") for row in read(path.read_bytes())]
        assert sorted(map(keys, there)) == sorted(map(keys, local))
    assert "1 calls read" in turnkit("export", here / "0000.jsonl", "-o", f"{out}/").stdout
    assert "tables in a store are a directory" in problem("export", here, "-o", "s3://out/calls.parquet")


def read(body: bytes) -> list[dict[str, Any]]:
    from io import BytesIO

    rows: list[dict[str, Any]] = parquet.ParquetFile(BytesIO(body)).read().to_pylist()
    return rows


def keys(row: dict[str, Any]) -> str:
    return repr({name: value for name, value in row.items() if name != "file"})


def test_what_is_not_there_is_told(store: Any, here: Path) -> None:
    """A bucket, a key, a pattern: by name, and what is wrong with it."""
    gone = "is not there: the store knows no bucket, or no object, of that name"
    assert f"s3://nobucket: cannot be listed: {gone}" in problem("metrics", "s3://nobucket")
    assert f"s3://calls/nokey: cannot be listed: {gone}" in problem("metrics", "s3://calls/nokey")
    assert f"trace 's3://calls/no.jsonl': cannot be read: {gone}" in problem("metrics", "s3://calls/no.jsonl")
    assert "there are no recordings called s3://calls/*.zst" in problem("tune", "s3://calls/*.zst")
    assert f"s3://nobucket/tables/turns: {gone}" in problem("export", here, "-o", "s3://nobucket/tables")
    assert f"'s3://calls/no.jsonl': cannot be read: {gone}" in problem("view", "s3://calls/no.jsonl", "--no-open")


def test_one_object_that_cannot_be_read_costs_the_others_nothing(store: Any) -> None:
    """One that was moved to cold storage, and one that is damaged, are named at the end."""
    store.pipe({"calls/mixed/00.jsonl": call(0), "calls/mixed/01.jsonl": b"\x1f\x8bjunk"})
    store.call_s3("put_object", Bucket="calls", Key="mixed/02.jsonl", Body=call(2), StorageClass="GLACIER")
    result = turnkit("metrics", "s3://calls/mixed")
    assert result.exit_code == 0
    told = " ".join(result.output.split())
    assert "left out trace 's3://calls/mixed/01.jsonl': is not gzip" in told
    assert "left out trace 's3://calls/mixed/02.jsonl': cannot be read: the store refuses access" in told


def test_who_has_no_keys_or_wrong_ones_is_told(server: S3, here: Path) -> None:
    """Without showing any."""
    with environment({**server.nobody(), "AWS_ENDPOINT_URL": server.url}):
        for arguments in (("metrics", "s3://calls/day"), ("export", here, "-o", "s3://out/none")):
            assert "no credentials were found (NoCredentialsError)" in problem(*arguments)
    with environment(server.variables()):
        server.refuse(after=0)
        try:
            assert "s3://calls/day: cannot be listed: the store refuses access" in problem("tune", "s3://calls/day")
            assert "'s3://calls/day/00.jsonl': cannot be read: the store" in problem("view", "s3://calls/day/00.jsonl")
            assert "s3://out/none/turns: the store refuses access" in problem("export", here, "-o", "s3://out/none")
        finally:
            server.refuse(after=1_000_000)


def test_a_store_that_is_not_there_is_told(server: S3) -> None:
    """And its address is not: it may carry a key."""
    with environment(server.variables(AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")):
        assert "s3://calls: cannot be listed: the store does not answer" in problem("metrics", "s3://calls")


def test_keys_come_from_the_environment_of_fsspec_too(server: S3) -> None:
    """As docs/many-recordings.md has it."""
    given = {"FSSPEC_S3_ENDPOINT_URL": server.url, "FSSPEC_S3_KEY": KEY, "FSSPEC_S3_SECRET": SECRET}
    with environment({**server.nobody(), **given}):
        assert len(found(["s3://calls/day"])) == 4


def test_google_keeps_them_too(here: Path, tmp_path: Path) -> None:
    """Figures, pages, tables that are added to, and what is not there."""
    for module in ("gcsfs", "gcp_storage_emulator"):
        pytest.importorskip(module, reason=f"needs {module}, which is not for development; .ci/interop has it")
    with google("calls") as variables, environment(variables):
        store = fsspec.filesystem("gs")
        store.pipe({f"calls/day/{number}/{number:04}.jsonl": call(number) for number in range(4)})
        assert fields("metrics", "gs://calls/day") == fields("metrics", here)
        assert turnkit("view", "gs://calls/day/1/0001.jsonl", "--no-open", "--out", tmp_path / "1.html").exit_code == 0
        for new in (4, 0):
            assert f"{new} calls are new" in turnkit("export", "gs://calls/day", "-o", "gs://calls/tables").stdout
        names = store.find("calls/tables/turns")
        assert len({row["call"] for name in names for row in read(store.cat(name))}) == 4
        assert "is not there" in problem("metrics", "gs://calls/none")
        assert "is not there" in problem("export", here, "-o", "gs://nobucket/tables")
