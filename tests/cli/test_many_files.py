"""Many files: found however they lie, each once; worked on in parts, whatever happens to who does."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest
import typer
import zstandard
from typer.testing import CliRunner, Result

from tests.support.many_calls import call, calls
from tests.support.work_on_files import die_always, die_once, lost, texts
from turnkit.cli import app
from turnkit.cli.many_files import LARGEST, found, parts
from turnkit.cli.processes import DIED
from turnkit.cli.view_directory import within
from turnkit.trace import read


def turnkit(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "220"}).invoke(app, [str(argument) for argument in arguments])


def test_a_directory_is_a_tree(tmp_path: Path) -> None:
    """Packed files too, in order; others are left alone."""
    names = ["a.jsonl", "b/c.jsonl.gz", "b/d/e.jsonl.zst", "z.jsonl"]
    for name in [*names, "notes.txt", "b/x.json"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(found([str(tmp_path)])) == [str(tmp_path / name) for name in names]
    assert found([str(tmp_path / "a.jsonl"), str(tmp_path), f"{tmp_path}/*.jsonl"]) == found([str(tmp_path)])


def test_what_is_reached_by_links_counts_once(tmp_path: Path) -> None:
    """Links to files and to directories, also in a circle."""
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "a.jsonl").touch()
    (tmp_path / "calls" / "link.jsonl").symlink_to("a.jsonl")
    (tmp_path / "calls" / "round").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "calls")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.jsonl").touch()
    (tmp_path / "calls" / "more").symlink_to(tmp_path / "elsewhere")
    assert len(found([str(tmp_path)])) == len(found([str(tmp_path / "calls")])) == 2
    (gone,) = found([str(tmp_path / "calls" / "gone.jsonl")])
    assert gone.endswith("gone.jsonl")


def test_a_store_is_a_tree_too() -> None:
    """By its directory, a pattern, or a file."""
    store = fsspec.filesystem("memory")
    for name in ("a.jsonl", "deep/b.jsonl.gz", "notes.txt"):
        store.pipe(f"/listed/{name}", b"")
    assert found(["memory://listed"]) == ["memory:///listed/a.jsonl", "memory:///listed/deep/b.jsonl.gz"]
    assert found(["memory://listed/*.jsonl"]) == ["memory:///listed/a.jsonl"]
    assert found(["memory://listed/a.jsonl"]) == ["memory://listed/a.jsonl"]
    for nothing in ("memory://listed/*.zst", "memory://listed/none", "nosuch://listed"):
        with pytest.raises(typer.Exit):
            found([nothing])


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_comes_of_them_comes_in_order(tmp_path: Path, jobs: int) -> None:
    """Each path once."""
    paths = texts(tmp_path, 70)
    results = list(parts(die_once, paths, jobs, "", quiet=True, lost=lost))
    assert [path for part in results for path in part] == paths
    assert max(map(len, results)) <= LARGEST


@pytest.mark.slow("process")
def test_a_process_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    """Not the files that it was at, nor those that others were."""
    paths = texts(tmp_path, 80, n3="die here once", n40="die here once", n79="die here once")
    results = [path for part in parts(die_once, paths, 2, "", quiet=True, lost=lost) for path in part]
    assert results == paths


def test_a_file_that_kills_whoever_reads_it_is_named(tmp_path: Path) -> None:
    """And costs none of the others."""
    paths = texts(tmp_path, 64, n0="die here", n21="die here")
    results = [path for part in parts(die_always, paths, 2, "", quiet=True, lost=lost) for path in part]
    assert results == [f"lost {p}: {DIED}" if place in (0, 21) else p for place, p in enumerate(paths)]


@pytest.mark.slow("process")
def test_one_empty_file_among_many_is_named_at_the_end(tmp_path: Path) -> None:
    """By metrics and tune, in processes and alone; a call that is there twice is told."""
    calls(tmp_path / "calls", 20)
    (tmp_path / "calls" / "0007.jsonl").write_bytes(b"")
    (tmp_path / "calls" / "packed.jsonl.zst").write_bytes(zstandard.compress(call(3)))
    (tmp_path / "calls" / "cut.jsonl.gz").write_bytes(gzip.compress(call(21))[:-2000])
    for command, jobs in (("metrics", 1), ("metrics", 2), ("tune", 2)):
        result = turnkit(command, tmp_path / "calls", "--jobs", jobs)
        assert result.exit_code == 0, result.output
        told = result.stdout.splitlines()
        assert "0007.jsonl': is empty" in told[-1]
        assert "1 file of calls that others hold too" in result.stdout
        assert "1 recording cut off, or still being written" in result.stdout
        plain = json.loads(turnkit(command, tmp_path / "calls", "--jobs", jobs, "--json").stdout)
        assert len(plain["unreadable"]) == 1
        assert plain.get("metrics", {}).get("calls", 20) == 20
        assert plain.get("tuning", {}).get("conversations", 20) == 20


def test_nothing_that_can_be_read_is_a_failure(tmp_path: Path) -> None:
    """Told with the first problem."""
    (tmp_path / "empty.jsonl").touch()
    for command in ("metrics", "tune"):
        result = turnkit(command, tmp_path)
        assert result.exit_code == 1
        assert "is empty" in result.output.replace("\n", "")


def test_a_sample_is_told_as_one(tmp_path: Path) -> None:
    """Of many calls, so many are asked."""
    result = turnkit("tune", *calls(tmp_path, 12), "--most", 5)
    assert "of 12 calls, 5 by chance are asked about thresholds" in result.stdout
    assert "in 5 calls" in result.stdout


def test_thresholds_that_were_inferred_are_told_with_their_range(tmp_path: Path) -> None:
    """And not where the caller names them."""
    text = call(0).decode()
    options = text[text.index('"options":') : text.index(',"redacted"')]
    (tmp_path / "a.jsonl").write_text(text.replace(options, '"options":null'))
    told = turnkit("tune", tmp_path).stdout.replace("\n", " ")
    assert (
        "1 recording without the thresholds of the connection; by 10 ends of turns, eot_threshold is 0.50 to 0.70,"
        in told
    )
    assert "without the thresholds" not in turnkit("tune", tmp_path, "--eot-threshold", "0.7").stdout


@pytest.mark.parametrize("command", ["metrics", "tune", "replay"])
def test_stores_are_read_by_each_command(command: str) -> None:
    """As files are."""
    for number in range(3):
        fsspec.filesystem("memory").pipe(f"/store/{number}.jsonl.gz", gzip.compress(call(number)))
    result = turnkit(command, "memory://store")
    assert result.exit_code == 0, result.output
    assert "3" in result.stdout


def test_a_store_is_seen_in_pages_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call, and an index."""
    monkeypatch.chdir(tmp_path)
    store = fsspec.filesystem("memory")
    store.pipe({f"/seen/{name}": call(number) for number, name in enumerate(("a.jsonl", "deep/b.jsonl"))})
    assert turnkit("view", "memory://seen/a.jsonl", "--no-open").exit_code == 0
    result = turnkit("view", "memory://seen/", "--no-open", "--jobs", 1)
    assert result.exit_code == 0, result.output
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert made == {"a.html", "seen.html", *(f"seen-pages/{name}.jsonl.html" for name in ("a", "deep/b"))}
    assert "seen-pages/deep/b.jsonl.html" in Path("seen.html").read_text()


@pytest.mark.parametrize(
    ("path", "directory", "name"),
    [
        ("s3://bucket/calls/day/a.jsonl", "s3://bucket/calls", "day/a.jsonl"),
        ("s3://bucket/calls/day/a.jsonl", "s3://bucket/calls/", "day/a.jsonl"),
        ("s3://bucket/calls/day/a.jsonl", "s3://bucket/*/day/*.jsonl", "calls/day/a.jsonl"),
        ("memory:///calls/a.jsonl", "memory://calls", "a.jsonl"),
        ("s3://bucket/../../a.jsonl", "s3://bucket", "a.jsonl"),
    ],
)
def test_pages_are_called_after_their_objects(path: str, directory: str, name: str) -> None:
    """And none leads out of the folder of the pages, whatever its key is."""
    assert within(path, directory) == name


def test_a_signature_is_in_no_name(tmp_path: Path) -> None:
    """That a URL may carry: not in errors, and not in the name of the trace, which is a column of the tables."""
    fsspec.filesystem("memory").pipe("/me:secret@signed/a.jsonl", call(0))
    assert read("memory://me:secret@signed/a.jsonl").name == "memory://signed/a.jsonl"
    told = turnkit("metrics", "memory://me:secret@signed/none.jsonl").output
    assert "memory://signed/none.jsonl': cannot be read: is not there" in told.replace("\n", " ")
    assert "secret" not in told


def test_ctrl_c_in_the_middle_ends_it_without_a_trace(tmp_path: Path) -> None:
    """With the exit code that shells know, and no process left behind."""
    (first,) = calls(tmp_path, 1)
    for number in range(2500):  # more than a pipe holds the lines of, so that it waits for its reader
        os.link(first, tmp_path / f"link {number}.jsonl")
    line = [sys.executable, "-m", "turnkit", "replay", str(tmp_path), "--json", "--jobs", "2"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert json.loads(program.stdout.readline())["finding"] == "same"
        program.send_signal(signal.SIGINT)
        rest, errors = program.communicate(timeout=60)
    assert program.returncode == 130
    assert errors == ""
    assert len(rest.splitlines()) < 2500
