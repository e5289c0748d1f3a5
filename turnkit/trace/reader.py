"""Reader of trace files: lenient where a crash or a newer version explains it; other errors name file and line."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from itertools import groupby
from math import inf
from operator import le
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ..checks import os_problem, shown_path
from ..errors import ConfigError, LocalProtocolError
from .contents import blocks_of
from .lines import events_of, line_of, record_of, signal_of, times_of
from .opening import opened
from .raw_frames import RawReader
from .records import VERSION, Closed, Fed, Header, Input, Record, Trace, Woken
from .timed import timed_events_of

_SIGNAL = b'{"signal":'
_BEFORE_SIGNAL = b"\n" + _SIGNAL
_EARLY = 48  # bytes: a second with all its digits is shorter
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError, LocalProtocolError)

_any = msgspec.json.Decoder().decode
_header = msgspec.json.Decoder(Header).decode


def read(path: str | Path) -> Trace:
    """Read the trace of one call, or a recording of raw frames of Flux, one JSON object a line.

    Both may be packed with gzip or zstd (`pip install 'turnkit[zstd]'`).
    Lines and kinds that this version does not know are skipped and counted; a last line that was cut off is dropped.
    A frame arrived at the number `received` or `at` of its line (seconds); without one, at the second of audio that
    it covers. Of a line, and of what stands between two, 8 MiB are read at most, and of all 256 MiB, unpacked.

    Args:
        path: The file, `-` for standard input, or a URL that fsspec opens (`s3://`, `gs://`, `abfs://`, ...).

    Returns:
        The trace; of raw frames, one with `raw` set.

    Raises:
        ConfigError: The file cannot be read, or is neither; the message names file, line and rule.
    """
    return _opened(path)


def _opened(path: str | Path, *, timed: bool = False) -> Trace:
    name = shown_path(str(path))  # in errors and in the trace: without a password, or a signature, that it may carry
    try:
        with opened(str(path)) as file:
            return _read(file, name, timed=timed)
    except OSError as error:
        raise ConfigError(f"trace {name!r}: cannot be read: {os_problem(error)}") from error


def read_timed(path: str | Path) -> Trace:
    """Read a trace as `read` does, but with timed events (`turnkit.trace.timed`) in place of most of its `Fed`."""
    return _opened(path, timed=True)


def parse(data: bytes, name: str = "") -> Trace:
    """Read a trace from the bytes of a file, as `read` does.

    Args:
        data: what stands in the file.
        name: how errors call it.
    """
    return _read(BytesIO(data), shown_path(name))


def _read(file: BinaryIO, name: str, *, timed: bool = False) -> Trace:
    reader = _Reader(name, timed=timed)
    for number, block, whole in blocks_of(file, name):
        reader.take(block, number, whole=whole)
    return reader.trace()


class _Reader:
    """Builds a trace from its lines, one after the other."""

    def __init__(self, name: str, *, timed: bool = False) -> None:
        self.problem = ""
        self._name = name
        self._timed = timed
        self._header: Header | None = None
        self._raw: RawReader | None = None
        self._records: list[Record] = []
        self._now = float("-inf")
        self._closed = False
        self._ended = ""
        self._skipped = 0

    def take(self, block: bytes, number: int, *, whole: bool) -> None:
        """Take some lines.

        Nearly all of a recording are events and signals as turnkit writes them, which are read many at a time: reading
        each as any kind of line takes four times as long.

        Args:
            block: The lines.
            number: That of the first of them.
            whole: Whether the last of them came to its end.

        Raises:
            ConfigError: One of them cannot be read, and is whole.
        """
        while self._header is None and self._raw is None and block:
            line, _, block = block.partition(b"\n")
            self._take_lines([line], number, whole=whole)
            number += 1
        if self._raw is not None:
            self._take_lines(block.split(b"\n"), number, whole=whole)
            return
        for start, piece in enumerate(block.split(_BEFORE_SIGNAL)):
            lines = _SIGNAL + piece if start else piece
            self._take_piece(lines, number, whole=whole)
            number += lines.count(b"\n") + 1

    def _take_piece(self, lines: bytes, number: int, *, whole: bool) -> None:
        """Take lines of which no other than the first is a signal as turnkit writes it."""
        if lines.startswith(_SIGNAL):
            line, parted, lines = lines.partition(b"\n")
            if not self._take_signal(line):
                self._take_lines([line], number, whole=whole)
            if not parted:
                return
            number += 1
        while not _seems_event(lines):  # such as a fact, which often follows a signal
            line, parted, lines = lines.partition(b"\n")
            self._take_lines([line], number, whole=whole)
            if not parted:
                return
            number += 1
        if self._take_events(lines):
            return
        for usual, some in groupby(lines.split(b"\n"), _seems_event):
            group = list(some)
            if not (usual and self._take_events(b"\n".join(group))):
                self._take_lines(group, number, whole=whole)
            number += len(group)

    def _take_signal(self, line: bytes) -> bool:
        if self._closed:
            return False  # which may be why it cannot be read: that is for a closer look to say
        try:
            self._records.append(signal_of(line))
        except _UNREADABLE:
            return False
        return True

    def _take_events(self, lines: bytes) -> bool:
        """Take lines if all of them are events; otherwise none of them."""
        if self._closed:
            return False
        records: Iterable[Any]
        try:
            if self._timed:
                records = timed_events_of(lines)
                times = [event.at for event in records]
            else:
                times = times_of(lines)
                records = map(Fed, times, events_of(lines))
        except _UNREADABLE:
            return False
        if times and not (self._now <= times[0] and times[-1] < inf and all(map(le, times, times[1:]))):
            return False
        self._records += records
        self._now = times[-1] if times else self._now
        return True

    def _take_lines(self, lines: list[bytes], number: int, *, whole: bool) -> None:
        """Take lines one by one, whatever they are."""
        for place, line in enumerate(lines):
            text = line.strip()
            # Only the last line can be cut off; all that are whole end in a newline.
            if text and not self._take_line(text, number + place) and whole:
                raise ConfigError(f"trace {self._name!r}, line {number + place}: {self.problem}")

    def _take_line(self, text: bytes, number: int) -> bool:
        """Take a line; False, with the `problem`, if it cannot be read."""
        if self._raw is not None:
            return self._raw.take(text) or self._refuse(self._raw.problem)
        if self._header is None:
            return self._take_first_line(text, number)
        try:
            line = line_of(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return self._refuse(f"is no line of a trace: {error}")
        try:
            record = record_of(line, text, self._header.trace)
        except _UNREADABLE as error:
            kind = line.event or line.signal or "this line"
            return self._refuse(f"{kind} does not have the fields it must have: {error}")
        if record is None:
            self._ended = line.end or self._ended
            self._skipped += not line.end
        elif isinstance(record, (Fed, Woken, Closed)):
            return self._take_input(record)
        else:
            self._records.append(record)
        return True

    def _take_input(self, record: Input) -> bool:
        if self._closed:
            return self._refuse("comes after the close")
        if record.at < self._now:
            return self._refuse(f"time goes back, from {self._now!r} to {record.at!r}")
        self._now = record.at
        self._closed = isinstance(record, Closed)
        self._records.append(record)
        return True

    def _refuse(self, problem: str) -> bool:
        self.problem = problem
        return False

    def _take_first_line(self, text: bytes, number: int) -> bool:
        where = f"trace {self._name!r}, line {number}"
        try:
            fields = _any(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise ConfigError(f"{where}: is no JSON object: a trace, or a recording of Flux, has one on every line")
        if "trace" not in fields:
            self._raw = RawReader()
            if not self._raw.take(text):
                raise ConfigError(f"{where}: neither the first line of a trace nor a frame of Flux")
            return True
        try:
            self._header = _header(text)
        except msgspec.DecodeError as error:
            raise ConfigError(f"{where}: the header does not have the fields it must have: {error}") from None
        if self._header.trace > VERSION:
            newer = f"{self._header.trace}, written by turnkit {self._header.turnkit or '?'}"
            raise ConfigError(f"{where}: a trace of format {newer}; this turnkit reads up to {VERSION}")
        return True

    def trace(self) -> Trace:
        """The trace of all that was taken."""
        if self._raw is not None:
            return self._raw.trace(self._name)
        if self._header is None:
            raise ConfigError(f"trace {self._name!r}: is empty")
        return Trace(
            header=self._header,
            records=tuple(self._records),
            name=self._name,
            ended=self._ended,
            skipped=self._skipped,
        )


def _seems_event(line: bytes) -> bool:
    """Whether it looks like an event, or the first of some lines does."""
    return line.startswith(b'{"at":') and line.find(b'"event":', 0, _EARLY) > 0
