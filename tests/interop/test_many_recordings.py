"""The queries of docs/many-recordings.md by DuckDB and Polars, and its lines of Ray and of Spark, on the real ones."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest

from tests.support.documented import PAGE, piece, pieces
from tests.support.many_calls import call, calls
from turnkit.evidence import Evidence, gather_all

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries behind it, about each other


def recorded(folder: Path) -> list[str]:
    """Calls, of which one has a language, and one an overlap that was kept and wanted the floor."""
    paths = calls(folder, 8)
    Path(paths[0]).write_bytes(call(0).replace(b'"languages":[]', b'"languages":["en"]'))
    Path(paths[3]).write_bytes(re.sub(rb"(?i)mm-hm", b"no", call(3)))
    return paths


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pyarrow", reason="needs pyarrow, which is not for development; .ci/interop has it")
    from turnkit.tables import Dataset, part_of

    where = tmp_path_factory.mktemp("many")
    data = Dataset(where / "tables")
    data.add(part_of(recorded(where / "calls")))
    data.flush()
    return where


def expected(tables: Path) -> list[dict[str, Any]]:
    from turnkit.tables.arrow import parquet

    files = sorted((tables / "tables" / "turns").rglob("*.parquet"))
    return [row for path in files for row in parquet.ParquetFile(path).read().to_pylist()]


def waits(tables: Path) -> dict[int, float]:
    """The 95th percentile of what callers wait, by hour, reckoned here."""
    rows = [row for row in expected(tables) if row["words_to_sound_s"] is not None]
    hours = {row["wall_clock"].hour for row in rows}
    found = {hour: [row["words_to_sound_s"] for row in rows if row["wall_clock"].hour == hour] for hour in hours}
    return {hour: quantiles(values, n=20, method="inclusive")[-1] for hour, values in found.items()}


def test_duckdb_answers(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The three questions of the page."""
    duckdb = pytest.importorskip("duckdb", reason="needs DuckDB, which is not for development; .ci/interop has it")
    monkeypatch.chdir(tables)
    by_hour, by_language, spoken_over = (duckdb.sql(query).fetchall() for query in pieces("sql"))
    assert {hour: p95 for hour, p95, _ in by_hour} == pytest.approx(waits(tables))
    assert sum(turns for _, _, turns in by_hour) > 50
    assert {language for language, _, _ in by_language} == {"en", None}
    assert all(0 < wasted < 1 for _, wasted, _ in by_language)
    assert [(name.startswith("call 3 "), overlaps > 0) for name, overlaps in spoken_over] == [(True, True)]


def test_polars_answers(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same."""
    pytest.importorskip("polars", reason="needs Polars, which is not for development; .ci/interop has it")
    monkeypatch.chdir(tables)
    names: dict[str, Any] = {}
    exec(compile(piece("python", "import polars"), str(PAGE), "exec"), names)
    by_hour = {row["hour"]: row["p95_s"] for row in names["by_hour"].collect().to_dicts() if row["p95_s"] is not None}
    assert by_hour == pytest.approx(waits(tables))
    assert {row["language"] for row in names["wasted"].collect().to_dicts()} == {"en", None}
    (row,) = names["spoken_over"].collect().to_dicts()
    assert row["call"].startswith("call 3 ")


def run(code: str, paths: list[str]) -> Evidence:
    names: dict[str, Any] = {"paths": paths}
    exec(compile(code, str(PAGE), "exec"), names)
    evidence = names["evidence"]
    assert isinstance(evidence, Evidence)
    return evidence


def test_ray_gathers_the_same(tmp_path: Path) -> None:
    """In processes of its own."""
    ray = pytest.importorskip("ray", reason="needs Ray, which is not for development; .ci/interop has it")
    paths = calls(tmp_path, 150)
    ray.init(num_cpus=2, include_dashboard=False, ignore_reinit_error=True)
    try:
        assert list(run(piece("python", "import ray"), paths).silences()) == list(gather_all(paths).silences())
    finally:
        ray.shutdown()


def test_spark_gathers_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In partitions of its own."""
    sql = pytest.importorskip("pyspark.sql", reason="needs Spark, which is not for development; .ci/interop has it")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    paths = calls(tmp_path, 20)
    spark = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        assert list(run(piece("python", "pyspark"), paths).silences()) == list(gather_all(paths).silences())
    finally:
        spark.stop()
