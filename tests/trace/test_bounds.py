"""What is read as a recording: a regular file, within bounds, whatever it holds."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from turnkit.errors import ConfigError
from turnkit.simulator import Recording, Script
from turnkit.trace import Recorder, contents, parse, read
from turnkit.trace.records import MOST_BYTES

HEADER = b'{"trace":2,"session":"x","began":"x","at":0.0,"settings":{}}\n'
WAKE = b'{"at":1.0,"wake":true}\n'
MIB = 1 << 20


@pytest.fixture
def memory() -> Iterator[None]:
    """What Python needs meanwhile stays within 64 MiB."""
    tracemalloc.start()
    yield
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 64 * MIB


def packed(piece: bytes, times: int) -> bytes:
    """A gzip file of a header and so many pieces, made without having them all at once."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as file:
        file.write(HEADER)
        for _ in range(times):
            file.write(piece)
    return out.getvalue()


@pytest.mark.usefixtures("memory")
def test_a_blank_line_without_end_is_given_up() -> None:
    """A file of half a megabyte that unpacks to half a gigabyte of nothing."""
    bomb = packed(b" " * MIB, 512)
    assert len(bomb) < MIB
    with pytest.raises(ConfigError, match="trace 'bomb', line 2: is longer than 8388608 bytes"):
        parse(bomb, "bomb")


@pytest.mark.parametrize(("blank", "bound"), [(b" \n", MIB // 4), (b"\n", MIB // 4), (b" " * 1000 + b"\n", 8 * MIB)])
def test_blank_lines_without_end_are_given_up(blank: bytes, bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They count together, until something stands on one; the shortest under a lower bound, as they are millions."""
    monkeypatch.setattr(contents, "_LONGEST_LINE", bound)
    lines = blank * (bound // 8 // len(blank))
    with pytest.raises(ConfigError, match=rf"line \d+: is longer than {bound} bytes, blanks included"):
        parse(packed(lines, 512))
    assert len(parse(packed(lines * 5 + WAKE, 3)).records) == 3


@pytest.mark.usefixtures("memory")
def test_a_line_without_end_is_given_up() -> None:
    """It need not be blank, nor packed."""
    with pytest.raises(ConfigError, match="line 2: is longer than"):
        parse(HEADER + b'"' + b"x" * (9 * MIB), "x")


def test_a_long_line_is_read() -> None:
    """Far longer than any that is written."""
    text = b'{"at":1.0,"fact":"long","fields":{"x":"' + b"x" * (7 * MIB) + b'"}}\n'
    assert len(parse(HEADER + text + WAKE).records) == 2


def test_members_that_hold_nothing_are_given_up() -> None:
    """200,000 of them took half a minute; a thousand pass, and so do any that hold something."""
    nothing, something = gzip.compress(b""), gzip.compress(WAKE)
    with pytest.raises(ConfigError, match="more than 1000 of its members in a row hold nothing"):
        parse(nothing * 200_000)
    with pytest.raises(ConfigError, match="is empty"):
        parse(nothing * 1000)
    assert len(parse(gzip.compress(HEADER) + (nothing * 9 + something) * 500).records) == 500


def test_all_together_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that are no blanks unpack to any size as well."""
    monkeypatch.setattr("turnkit.trace.contents.MOST_BYTES", 10_000)
    assert len(parse(packed(WAKE, 400)).records) == 400
    for data in (packed(WAKE, 500), HEADER + WAKE * 500):
        with pytest.raises(ConfigError, match="holds more than 10000 bytes"):
            parse(data)


def test_no_recording_is_written_that_cannot_be_read(tmp_path: Path) -> None:
    """The bound of the one is within that of the other."""
    Recorder(tmp_path, max_bytes=MOST_BYTES)
    for much in (MOST_BYTES + 1, 10**5000):
        with pytest.raises(ConfigError, match=r"max_bytes=.* from 4096 to"):
            Recorder(tmp_path, max_bytes=much)


@pytest.mark.parametrize("cut", range(1, 60))
def test_pieces_are_put_together_wherever_they_are_cut(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line, a member or a header may lie across what is read in one go."""
    monkeypatch.setattr(contents, "_PIECE", cut)
    monkeypatch.setattr(contents, "_PACKED", max(1, cut // 3))
    plain = HEADER + b"\n \n" + WAKE * 3
    for data in (plain, gzip.compress(plain), gzip.compress(plain[:70]) + gzip.compress(plain[70:])):
        if data is plain or cut > 1:
            assert len(parse(data).records) == 3


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    return path


def test_a_pipe_is_not_waited_for(pipe: Path) -> None:
    """Opening one hangs until somebody writes to it; that is so for all that is read."""
    for reads in (read, Script.read, Recording.read):
        with pytest.raises(ConfigError, match="must be a regular file"):
            reads(pipe)


def test_a_device_is_no_recording() -> None:
    """Some have no end."""
    for reads in (read, Script.read, Recording.read):
        with pytest.raises(ConfigError, match="'/dev/zero': must be a regular file"):
            reads("/dev/zero")


def test_a_file_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    """And so is a directory."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `-`, where it may be a pipe: whoever says so wants to wait."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(HEADER + WAKE)))
    trace = read("-")
    assert (trace.name, len(trace.records)) == ("-", 1)


def test_a_directory_for_recordings_is_as_private_as_they_are(tmp_path: Path) -> None:
    """Whatever the umask, and those above it that had to be made; one that is there is left as it is."""
    there = tmp_path / "there"
    there.mkdir(0o755)
    before = os.umask(0)
    try:
        Recorder(f"{there}/a/b/")
        Recorder(f"{there}/")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (there, there / "a", there / "a" / "b")]
    assert modes == [0o755, 0o700, 0o700]
