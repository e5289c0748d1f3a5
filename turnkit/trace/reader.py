"""Reader of trace files: lenient where a crash or a newer version explains it; other errors name file and line."""

from __future__ import annotations

from io import BytesIO
from math import inf
from pathlib import Path
from typing import BinaryIO

import msgspec

from ..errors import ConfigError, LocalProtocolError
from .contents import blocks_of
from .lines import event_of, line_of, record_of, signal_of
from .opening import opened, shown_url
from .raw_frames import RawReader
from .records import VERSION, Closed, Fed, Header, Input, Record, Trace, Woken

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
    name = shown_url(str(path))  # in errors and in the trace: without a password, or a signature, that it may carry
    try:
        with opened(str(path)) as file:
            return _read(file, name)
    except OSError as error:
        raise ConfigError(f"trace {name!r}: cannot be read: {error.strerror or type(error).__name__}") from error


def parse(data: bytes, name: str = "") -> Trace:
    """Read a trace from the bytes of a file, as `read` does; errors call it by `name`."""
    return _read(BytesIO(data), name)


def _read(file: BinaryIO, name: str) -> Trace:
    reader = _Reader(name)
    for number, lines, whole in blocks_of(file, name):
        place = 0
        while (place := reader.take_usual(lines, place)) < len(lines):
            text = lines[place].strip()
            # Only the last line can be cut off; all that are whole end in a newline.
            if text and not reader.take(text, number + place) and whole:
                raise ConfigError(f"trace {name!r}, line {number + place}: {reader.problem}")
            place += 1
    return reader.trace()


class _Reader:
    """Builds a trace from its lines, one after the other."""

    def __init__(self, name: str) -> None:
        self.problem = ""
        self._name = name
        self._header: Header | None = None
        self._raw: RawReader | None = None
        self._records: list[Record] = []
        self._now = float("-inf")
        self._closed = False
        self._ended = ""
        self._skipped = 0

    def take_usual(self, lines: list[bytes], place: int) -> int:
        """Take lines from that place on, as far as they are events and signals as turnkit writes them.

        They are nearly all of a recording, and are told by how they begin: reading each as any kind of line first
        takes twice as long.

        Returns:
            The place of the first line that `take` has to look at.
        """
        if self._header is None or self._closed:
            return place
        append, now = self._records.append, self._now
        try:
            while place < len(lines):
                text = lines[place]
                if text.startswith(b'{"signal":'):
                    append(signal_of(text))
                else:
                    comma = text.index(b",")
                    at = float(text[6:comma])
                    if not text.startswith(b'"event":', comma + 1) or text[:6] != b'{"at":' or not now <= at < inf:
                        break
                    append(Fed(at, event_of(text)))
                    now = at
                place += 1
        except (ValueError, UnicodeError, RecursionError, msgspec.DecodeError, LocalProtocolError):
            pass  # another kind of line, or none: what it is, and what is wrong with it, is for `take` to say
        self._now = now
        return place

    def take(self, text: bytes, number: int) -> bool:
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
        except (msgspec.DecodeError, UnicodeError, RecursionError, LocalProtocolError) as error:
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
