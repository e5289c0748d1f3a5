"""The audio of a call as a WAV file beside its trace: streamed, bounded, and whole whenever the process dies."""

from __future__ import annotations

from pathlib import Path
from struct import pack
from typing import Any

from ..errors import ConfigError
from ..wire import FluxOptions

_FORMATS = {"linear16": (1, 2, 0), "linear32": (1, 4, 0), "mulaw": (7, 1, 0xFF), "alaw": (6, 1, 0xD5)}
_HEADER_BYTES = 44
_PIECE = 1 << 16  # bytes of silence that are written in one go
_PENDING = 1 << 20  # bytes, after which nobody's flush is waited for


class AudioFile:
    """Writes audio by its place in the stream's time, each byte once, so that a second of the file is Flux's second.

    What was sent twice, on a connection and on the next, is written once; what was never sent is silence. The header
    is brought up to date with each flush, so that what kills the process costs what came after the last one. A disk
    that fails never raises: `failure` says how, and nothing is written any more. Only its owner may read the file.

    Args:
        options: those of the connection, with a raw encoding and its sample rate.
        max_bytes: the bound of the file in bytes.

    Raises:
        ConfigError: for containers and Opus, whose bytes no WAV file holds.

    Attributes:
        path: the path of the file, once it is open; None before.
        failure: how the disk failed, None if it did not.
        full: whether the bound was reached.
    """

    def __init__(self, options: FluxOptions, max_bytes: int) -> None:
        form = _FORMATS.get(options.encoding or "")
        if form is None or options.sample_rate is None:
            what = options.encoding or "a container"
            raise ConfigError(f"audio: {what} cannot be kept as WAV; {', '.join(_FORMATS)} can")
        self.path: Path | None = None
        self.failure: OSError | None = None
        self.full = False
        self._form, self._rate = form, options.sample_rate
        self._max = max_bytes - max_bytes % form[1]
        self._file: Any = None
        self._pending: list[tuple[int, bytes]] = []
        self._waiting = 0
        self._end = 0  # bytes of audio that are in the file

    @property
    def seconds(self) -> float:
        """Seconds of audio that are in the file."""
        return self._end / self._rate / self._form[1]

    def open(self, path: Path) -> None:
        """Make the file, which must not exist; a disk that fails is a `failure`."""
        try:
            path.touch(mode=0o600, exist_ok=False)
            self._file = path.open("r+b", buffering=0)
            self._write(self._header())
        except OSError as error:
            self._fail(error)
        self.path = path

    def add(self, place: int, data: bytes) -> None:
        """Take audio that begins at `place`, in bytes since the stream began."""
        if self._file is None or self.full:
            return
        self._pending.append((place, data))
        self._waiting += len(data)
        if self._waiting > _PENDING:
            self.flush()

    def flush(self) -> None:
        """Write what is pending, then how much there is."""
        pending, self._pending, self._waiting = self._pending, [], 0
        if self._file is None or not pending:
            return
        try:
            for place, data in pending:
                self._write_at(place, data)
            self._file.seek(0)
            self._write(self._header())
            self._file.seek(0, 2)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Write the rest and close the file; harmless when called again."""
        self.flush()
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                self._fail(error)

    def _write_at(self, place: int, data: bytes) -> None:
        while self._end < min(place, self._max):
            self._append(bytes((self._form[2],)) * min(_PIECE, place - self._end))
        self._append(data[max(self._end - place, 0) :])

    def _append(self, data: bytes) -> None:
        room = self._max - self._end
        if len(data) > room:
            data, self.full = data[:room], True
        self._write(data)
        self._end += len(data)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def _header(self) -> bytes:
        code, size, _ = self._form
        form = pack("<HHIIHH", code, 1, self._rate, self._rate * size, size, size * 8)
        sizes = pack("<I", self._end + _HEADER_BYTES - 8), pack("<I", self._end)
        return b"RIFF" + sizes[0] + b"WAVEfmt " + pack("<I", len(form)) + form + b"data" + sizes[1]

    def _fail(self, error: OSError) -> None:
        self.failure = error
        file, self._file = self._file, None
        self._pending.clear()
        if file is not None:
            try:
                file.close()
            except OSError:
                return  # it has failed already
