"""The same work on a Dask cluster: real workers, one of them killed in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.many_calls import calls
from tests.support.work_on_files import die_always, die_once, lost, texts
from turnkit.cli import app
from turnkit.cli.many_files import parts
from turnkit.cli.processes import DIED

distributed = pytest.importorskip(
    "distributed", reason="needs distributed, which is not for development; .ci/interop has it"
)

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries behind it, about each other


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    import dask

    settings = {
        "distributed.scheduler.allowed-failures": 1,  # workers that a task may end, 3 as a rule
        # As a rule a worker that is not there 15 s after a death is given up, be it just begun again after another one.
        "distributed.deploy.lost-worker-timeout": "1h",
    }
    size: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with dask.config.set(settings):
        cluster = distributed.LocalCluster(dashboard_address=None, **size)
        yield cluster
        with suppress(TimeoutError):  # older versions wait for ever for a worker that was killed
            cluster.close(timeout=20)


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("command", ["metrics", "tune"])
def test_it_is_what_one_machine_says(cluster: Any, tmp_path: Path, command: str) -> None:
    """To the last digit."""
    paths = calls(tmp_path, 40)
    Path(paths[5]).write_bytes(b"")
    assert run(command, tmp_path, "--dask", cluster.scheduler_address) == run(command, tmp_path, "--jobs", 1)


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(cluster: Any, tmp_path: Path) -> None:
    """No result is lost, none comes twice, and they come in order; each time a worker is killed with SIGKILL."""
    paths = texts(tmp_path, 120, n30="die here once", n31="die here once", n90="die here once")
    results = parts(die_once, paths, None, "", quiet=True, lost=lost, dask=cluster.scheduler_address)
    assert [path for part in results for path in part] == paths
    assert [Path(paths[place]).read_text() for place in (30, 31, 90)] == ["died"] * 3


def test_a_file_that_kills_each_worker_is_named(cluster: Any, tmp_path: Path) -> None:
    """And costs none of the others."""
    paths = texts(tmp_path, 24, n7="die here")
    results = parts(die_always, paths, None, "", quiet=True, lost=lost, dask=cluster.scheduler_address)
    got = [path for part in results for path in part]
    assert got == [f"lost {path}: {DIED}" if place == 7 else path for place, path in enumerate(paths)]


def test_a_scheduler_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence, after a while."""
    monkeypatch.setattr("turnkit.cli.cluster._WAIT_SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://"):
        result = CliRunner().invoke(app, ["metrics", *calls(tmp_path, 1), "--dask", address])
        assert result.exit_code == 1
        assert f"--dask {address}: no scheduler answers there" in result.output.replace("\n", " ")
