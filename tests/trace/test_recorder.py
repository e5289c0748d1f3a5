"""The recorder of traces: one file a call, bounded, and no error when a disk fails."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from turnkit import ConfigError, LocalProtocolError
from turnkit.trace import Recorder, Woken, read
from turnkit.turns.events import EndOfTurn, PlaybackAdvanced, PlaybackStarted, Update


def test_the_recorder_refuses_what_cannot_work(tmp_path: Path) -> None:
    """Before the call, and naming the setting; an existing file is never overwritten."""
    there = tmp_path / "there.jsonl"
    there.write_text("precious")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"path": there}, "exists already"),
        ({"path": tmp_path / "no" / "where.jsonl"}, "must be a directory"),
        ({"path": ""}, "must be the path"),
        ({"path": 7}, "must be the path"),
        ({"path": tmp_path / "a", "max_bytes": 10}, "from 4096 to"),
        ({"path": tmp_path / "a", "options": {"token": "s3cret"}}, "must be FluxOptions, not dict"),
    ]
    for settings, rule in wrong:
        with pytest.raises(ConfigError, match=rule):
            Recorder(**settings)
    assert there.read_text() == "precious"


def test_a_directory_takes_a_file_a_session(tmp_path: Path) -> None:
    """It is named after the session, whatever the session is called."""
    recorder = Recorder(tmp_path)
    recorder.begin("../../etc/a b", "", 0.0, {})
    recorder.end()
    assert recorder.path == tmp_path / ".._.._etc_a_b.jsonl"
    assert read(recorder.path).header.session == "../../etc/a b"


def test_namesakes_do_not_cost_a_recording(tmp_path: Path) -> None:
    """Sessions of one id, one after the other, have a file each."""
    for _ in range(3):
        recorder = Recorder(tmp_path)
        recorder.begin("a caller", "", 0.0, {})
        recorder.end()
        assert recorder.failure is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a_caller-2.jsonl",
        "a_caller-3.jsonl",
        "a_caller.jsonl",
    ]


def test_a_recorder_records_one_call(tmp_path: Path) -> None:
    """The second begin is refused; a second end is harmless, and what comes after it is counted as lost."""
    recorder = Recorder(tmp_path / "a.jsonl")
    recorder.begin("s", "", 0.0, {})
    recorder.end()
    with pytest.raises(LocalProtocolError, match="one call"):
        recorder.begin("s", "", 0.0, {})
    recorder.woken(1.0, ())
    recorder.end()
    assert recorder.lost == 1
    assert read(recorder.path).ended == "closed"


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """At the bound the last line says so, the rest is counted, and what is there can be read."""
    events = [(float(at), Update(0, f"word {at}", 0.5, float(at))) for at in range(1000)]
    path = tmp_path / "a.jsonl"
    recorder = Recorder(path, max_bytes=20_000)
    recorder.begin("s", "", 0.0, {})
    for at, event in events:
        recorder.fed(at, event, ())
    recorder.end()
    assert 19_000 < path.stat().st_size <= 20_000
    trace = read(path)
    assert trace.ended == "full"
    assert recorder.full
    kept = list(trace.events())
    assert kept == events[: len(kept)]
    assert recorder.lost == len(events) - len(kept)


class FullDisk:
    """A file that takes half of what it is given, once, and then no more."""

    closed = False

    def __init__(self, file: Any) -> None:
        self.file, self.writes = file, 0

    def write(self, data: bytes) -> int:
        self.writes += 1
        if self.writes > 1:
            raise OSError(28, "No space left on device")
        return int(self.file.write(data[: len(data) // 2]))

    def close(self) -> None:
        self.closed = True
        self.file.close()


def test_a_disk_that_fails_is_told_once_and_nothing_raises(tmp_path: Path) -> None:
    """What had been written can be read; the rest is counted."""
    recorder = Recorder(tmp_path / "a.jsonl")
    recorder.begin("s", "", 0.0, {})
    recorder._file = disk = FullDisk(recorder._file)
    for at in range(10):
        recorder.woken(float(at), ())
    recorder.flush()
    recorder.woken(11.0, ())
    recorder.flush()
    recorder.end()
    assert isinstance(recorder.failure, OSError)
    assert disk.writes == 2
    assert disk.closed
    assert recorder.lost == 11
    assert all(isinstance(record, Woken) for record in read(recorder.path).records)


def test_a_file_that_cannot_be_made_is_a_failure_not_an_error(tmp_path: Path) -> None:
    """Between the check and the call the directory went: the call must not end for that."""
    (tmp_path / "d").mkdir()
    recorder = Recorder(tmp_path / "d" / "a.jsonl")
    (tmp_path / "d").rmdir()
    recorder.begin("s", "", 0.0, {})
    recorder.woken(1.0, ())
    recorder.end()
    assert isinstance(recorder.failure, FileNotFoundError)
    assert recorder.lost == 1


class Seconds(float):
    """A number of somebody's own."""


def test_what_hosts_make_of_events_is_written(tmp_path: Path) -> None:
    """Numbers of a type of their own, half a surrogate pair; what no JSON can carry is lost alone, and counted."""
    recorder = Recorder(tmp_path / "a.jsonl")
    recorder.begin("s", "", 0.0, {"hold_timeout": Seconds(2)})
    recorder.fed(1.0, Update(0, "tea \ud83d", Seconds(0.5), 1.0), ())
    recorder.fed(2.0, PlaybackAdvanced(True, 7), ())  # type: ignore[arg-type]
    recorder.fed(2.5, EndOfTurn(0, "tea", trigger=None), ())  # type: ignore[arg-type]
    recorder.fed(2.6, PlaybackStarted("first"), ())  # type: ignore[arg-type]
    recorder.fed(3.0, Update(0, "tea", 0.5, 1.0), ())
    recorder.end()
    trace = read(tmp_path / "a.jsonl")
    assert [event for _, event in trace.events()] == [
        Update(0, "tea \ufffd", 0.5, 1.0),
        PlaybackAdvanced(1, "7"),
        EndOfTurn(0, "tea", trigger="None"),
        Update(0, "tea", 0.5, 1.0),
    ]
    assert trace.header.settings == {"hold_timeout": 2.0}
    assert recorder.lost == 1


def test_facts_are_plain(tmp_path: Path) -> None:
    """A fact without a name or a time, or with what no JSON can carry and give back, is the host's mistake."""
    recorder = Recorder(tmp_path / "a.jsonl")
    cycle: list[object] = []
    cycle.append(cycle)
    deep: object = 0
    for _ in range(200):
        deep = [deep]
    wrong = [object(), nan, -inf, {"inner": [nan]}, cycle, deep, {(1, 2): 3}, 1j, range(3)]
    for value in wrong:
        with pytest.raises(LocalProtocolError, match="fact 'X': every field must be a plain value"):
            recorder.fact(1.0, "X", y=value)
    for at, name in ((1.0, ""), (1.0, 7), (1.0, None), (nan, "X"), (inf, "X"), ("1", "X")):
        with pytest.raises(LocalProtocolError, match="fact"):
            recorder.fact(at, name)  # type: ignore[arg-type]
    assert recorder.pending == []
