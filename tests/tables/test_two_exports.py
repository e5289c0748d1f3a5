"""Two exports into one place at once: a directory refuses the second, a store takes both, each call once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition, Thread
from typing import BinaryIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.support.many_calls import calls
from turnkit.cli import app

pytest.importorskip("pyarrow", reason="needs pyarrow, which is not for development; .ci/interop has it")

from turnkit.tables import COLUMNS, Dataset, Part, Place
from turnkit.tables.arrow import arrow, parquet
from turnkit.tables.lock import held
from turnkit.tables.parquet_file import calls_in
from turnkit.tables.part import Reach, schema


class Stopped(Exception):
    """The export was killed."""


class Turns:
    """Who of several threads goes on next: one at a time, from one step at the store to the next."""

    def __init__(self, order: list[int], stopped_at: int | None) -> None:
        self._order, self._stopped_at = order, stopped_at
        self._changed = Condition()
        self._waiting: set[int] = set()
        self._going: int | None = None
        self._steps = Counter[int]()
        self.running = {0, 1}

    def step(self, who: int) -> None:
        """Wait for the turn; the first of them may be stopped there for good."""
        with self._changed:
            self._going = None if self._going == who else self._going
            self._waiting.add(who)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._may(who))
            self._waiting.discard(who)
            self._going = who
            self._steps[who] += 1
            if who == 0 and self._steps[0] == self._stopped_at:
                raise Stopped

    def end(self, who: int) -> None:
        """It has come to its end."""
        with self._changed:
            self.running.discard(who)
            self._going = None if self._going == who else self._going
            self._changed.notify_all()

    def _may(self, who: int) -> bool:
        if self._going is not None or self._waiting != self.running:
            return False
        if len(self.running) == 1:
            return True
        # Whose turn it is, is asked again by each who waits: it is drawn once all of them do.
        turn = self._order[sum(self._steps.values()) % len(self._order)]
        return turn == who


class Shared(Place):
    """A store as an export sees it, with the objects of all."""

    def __init__(self, objects: dict[str, bytes], who: int = 0, turns: Turns | None = None) -> None:
        self._objects, self._who, self._turns = objects, who, turns

    def _step(self) -> None:
        if self._turns is not None:
            self._turns.step(self._who)

    def names(self, table: str) -> list[str]:
        self._step()
        return sorted(name for name in self._objects if name.startswith(f"{table}/"))

    def open(self, name: str) -> BinaryIO:
        if name not in self._objects:
            raise FileNotFoundError(name)
        return BytesIO(self._objects[name])

    def put(self, name: str, write: Callable[[Path], None]) -> None:
        with TemporaryDirectory() as folder:
            write(Path(folder) / "file")
            body = (Path(folder) / "file").read_bytes()
        self._step()
        self._objects[name] = body

    def remove(self, name: str) -> None:
        self._step()
        self._objects.pop(name, None)

    def shown(self, name: str) -> str:
        return name


def part(reached: dict[str, int]) -> Part:
    """Calls that were read so far, with a row each that says how far."""
    rows = {
        table: arrow.Table.from_pylist(
            [{"call": call, "session": str(records)} for call, records in reached.items()], schema=schema(table)
        )
        for table in COLUMNS
    }
    return Part(
        calls={call: (False, records) for call, records in reached.items()},
        dates=dict.fromkeys(reached, "2026-11-20"),
        tables=rows,
    )


def export(place: Place, parts: list[dict[str, int]]) -> None:
    data = Dataset(place)
    for reached in parts:
        data.add(part(reached))
        data.flush()


def held_in(objects: dict[str, bytes], table: str) -> dict[str, list[Reach]]:
    """How far each call is there, as often as it is there; by the metadata, which says what the rows say."""
    found: dict[str, list[Reach]] = {}
    for name, body in objects.items():
        if name.startswith(f"{table}/"):
            told = calls_in(BytesIO(body), name, schema(table))
            rows = parquet.ParquetFile(BytesIO(body)).read().to_pylist()
            assert {row["call"]: (False, int(row["session"])) for row in rows} == told
            assert len(rows) == len(told)
            for call, reach in told.items():
                found.setdefault(call, []).append(reach)
    return found


_some_calls = st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), min_size=1)
parts_of_calls = st.lists(_some_calls, min_size=1, max_size=2)


@given(
    before=st.lists(_some_calls, max_size=2),
    exports=st.tuples(parts_of_calls, parts_of_calls),
    order=st.lists(st.integers(0, 1), min_size=1, max_size=40),
    stopped_at=st.none() | st.integers(1, 30),
)
@example(before=[{"a": 1, "b": 1, "c": 1}], exports=([{"a": 2}], [{"b": 2}]), order=[0, 1], stopped_at=None)
@settings(max_examples=40, deadline=None)
def test_each_call_is_there_once_whatever_the_order_of_steps(
    before: list[dict[str, int]],
    exports: tuple[list[dict[str, int]], list[dict[str, int]]],
    order: list[int],
    stopped_at: int | None,
) -> None:
    """As far as anybody read it; one that is killed leaves nothing that the next export does not settle."""
    objects: dict[str, bytes] = {}
    export(Shared(objects), before)
    turns = Turns(order, stopped_at)

    def work(who: int) -> None:
        with suppress(Stopped):
            try:
                export(Shared(objects, who, turns), exports[who])
            finally:
                turns.end(who)

    threads = [Thread(target=work, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    if stopped_at is not None:
        for table in COLUMNS:
            there = held_in(objects, table)
            for call in {call for reached in (*before, *exports[1]) for call in reached}:
                least = max(reached.get(call, 0) for reached in (*before, *exports[1]))
                assert max(there[call])[1] >= least
        export(Shared(objects), exports[0])
    wanted: dict[str, int] = {}
    for reached in (*before, *exports[0], *exports[1]):
        for call, records in reached.items():
            wanted[call] = max(wanted.get(call, 0), records)
    for table in COLUMNS:
        assert held_in(objects, table) == {call: [(False, records)] for call, records in wanted.items()}


@pytest.mark.parametrize("out", ["tables", "calls.parquet"])
def test_a_directory_refuses_a_second_export(tmp_path: Path, out: str) -> None:
    """And says whose the first is; after it, nothing is left that keeps anybody out."""
    paths = calls(tmp_path / "calls", 2)
    (tmp_path / "tables").mkdir()
    lock = tmp_path / (".calls.parquet.lock" if out.endswith("parquet") else "tables/.turnkit-export.lock")
    with held(lock, out):
        result = CliRunner(env={"COLUMNS": "220"}).invoke(app, ["export", *paths, "-o", str(tmp_path / out)])
        assert result.exit_code == 1
        assert f"{out}: is written to by another export, process {os.getpid()} on " in result.output
        assert ", since 20" in result.output
    assert not lock.exists()
    result = CliRunner().invoke(app, ["export", *paths, "-o", str(tmp_path / out)])
    assert (result.exit_code, lock.exists()) == (0, False)


def test_a_lock_of_a_killed_export_keeps_nobody_out(tmp_path: Path) -> None:
    """The system lets go of it with the process; the file that it leaves says nothing then."""
    lock = tmp_path / ".lock"
    code = f"""
from pathlib import Path
from turnkit.tables.lock import held
with held(Path({str(lock)!r}), "tables"):
    print("held", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        other.send_signal(signal.SIGKILL)
        other.wait(60)
    assert f"process {other.pid} on " in lock.read_text()
    with held(lock, "tables"):
        assert f"process {os.getpid()} on " in lock.read_text()
    assert not lock.exists()
