"""docs/many-recordings.md: its code runs, and its columns are those that there are."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.support.documented import PAGE, column_tables, piece, pieces
from tests.support.many_calls import calls
from turnkit.evidence import Evidence, gather_all
from turnkit.trace import parse


def run(code: str, paths: list[str]) -> Evidence:
    names: dict[str, Any] = {"paths": paths}
    exec(compile(code, str(PAGE), "exec"), names)
    found = names["evidence"]
    assert isinstance(found, Evidence)
    return found


def test_the_columns_are_those_that_there_are() -> None:
    """Written by `python -m tests.support.documented`."""
    assert f"<!-- columns -->\n{column_tables()}<!-- /columns -->" in PAGE.read_text("utf-8")


def test_the_unit_is_used_as_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, thresholds, and bytes that are read back."""
    paths = calls(tmp_path, 4)
    found = run(piece("python", "keep = evidence.pack()"), paths)
    assert found == gather_all(paths)
    assert "Recommendation(" in capsys.readouterr().out


class _Ray(ModuleType):
    """The three functions of Ray that the page uses, on one machine: not Ray, which .ci/interop has."""

    @staticmethod
    def remote(function: Callable[..., Any]) -> Any:
        return SimpleNamespace(remote=lambda *given: function(*given))

    @staticmethod
    def wait(parts: list[Any]) -> tuple[list[Any], list[Any]]:
        return parts[-1:], parts[:-1]

    @staticmethod
    def get(part: Any) -> Any:
        return part


class _Partitions:
    """What the page uses of Spark, on one machine: not Spark, which .ci/interop has."""

    def __init__(self, parts: list[list[Any]]) -> None:
        self._parts = parts

    def mapPartitions(self, function: Callable[[Iterable[Any]], Iterable[Any]]) -> _Partitions:
        return _Partitions([list(function(iter(part))) for part in self._parts])

    def toLocalIterator(self) -> Iterator[Any]:
        return (one for part in self._parts for one in part)


def _spark() -> ModuleType:
    def parallelize(paths: list[str], count: int) -> _Partitions:
        return _Partitions([paths[at::count] for at in range(count)])

    session = SimpleNamespace(sparkContext=SimpleNamespace(parallelize=parallelize))
    module = ModuleType("pyspark.sql")
    builder = SimpleNamespace(getOrCreate=lambda: session)
    module.SparkSession = SimpleNamespace(builder=builder)  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize("engine", ["ray", "pyspark"])
def test_other_engines_map_and_reduce_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """In some ten lines; here by stand-ins for the functions that they call."""
    monkeypatch.setitem(sys.modules, "ray", _Ray("ray"))
    monkeypatch.setitem(sys.modules, "pyspark", ModuleType("pyspark"))
    monkeypatch.setitem(sys.modules, "pyspark.sql", _spark())
    paths = calls(tmp_path, 9)
    code = piece("python", f"import {engine}" if engine == "ray" else f"from {engine}")
    assert len(code.splitlines()) <= 11
    found = run(code, paths)
    assert list(found.silences()) == list(gather_all(paths).silences())
    assert found.metrics() == gather_all(paths).metrics()


def test_lines_that_name_options_are_read() -> None:
    """As the page has them."""
    frame = '{"type":"TurnInfo","event":"StartOfTurn","turn_index":0,"audio_window_end":1.0,"transcript":"hi"}'
    (told,) = pieces("json")
    for line in told.splitlines():
        options = parse(f"{line}\n{frame}\n".encode()).options
        assert options is not None
        assert options.eot_threshold == 0.8
        json.loads(line)
