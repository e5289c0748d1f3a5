"""The audio clock: how many seconds of sound some bytes are. Nothing is decoded."""

from __future__ import annotations

import struct
from math import isfinite

_LARGEST_HEADER = 1 << 16
_MARK = b"\x7fTK\x01\x7fkt\x02"  # 8 bytes, and then the position
_MARK_BYTES = 16
_MARK_SECONDS = 0.02
_SEARCHED_SECONDS = 0.06  # less than the first frame that anything is said about


class NotAudio(Exception):
    """A container that the simulator cannot tell the time by; the message says what it is."""


class AudioClock:
    """Counts the seconds of audio received.

    A container is read as WAV: rate and width come from its header, and what follows the header is sound, whatever
    length it claims, as a live stream does not know its own.

    Args:
        bytes_per_second: of raw audio; None for a container.
    """

    def __init__(self, bytes_per_second: int | None) -> None:
        self._bytes_per_second = bytes_per_second
        self._header: bytearray | None = bytearray() if bytes_per_second is None else None
        self._bytes = 0

    @property
    def seconds(self) -> float:
        """Seconds received so far; 0 while the header of a container is incomplete."""
        return self._bytes / self._bytes_per_second if self._bytes_per_second else 0.0

    def hear(self, data: bytes) -> float:
        """Take more bytes and give the seconds received so far. Raises NotAudio for a container that is not WAV."""
        if self._header is None:
            self._bytes += len(data)
            return self.seconds
        self._header += data
        if len(self._header) >= 12 and (self._header[:4] != b"RIFF" or self._header[8:12] != b"WAVE"):
            raise NotAudio("not a WAV header; this simulator reads no other container, and raw audio needs `encoding`")
        found = _read_wav(bytes(self._header))
        if found is not None:
            self._bytes_per_second, start = found
            self._bytes = len(self._header) - start
            self._header = None
        elif len(self._header) > _LARGEST_HEADER:
            raise NotAudio(f"no audio in the first {_LARGEST_HEADER} bytes of the WAV file")
        return self.seconds


def _read_wav(header: bytes) -> tuple[int, int] | None:
    """Bytes a second, and where the sound begins; None while the header is incomplete."""
    bytes_per_second = 0
    at = 12
    while len(header) >= at + 8:
        name, size = header[at : at + 4], int.from_bytes(header[at + 4 : at + 8], "little")
        at += 8
        if name == b"data":
            if not bytes_per_second:
                raise NotAudio("a WAV file that does not say its rate before its sound")
            return bytes_per_second, at
        if name == b"fmt ":
            if len(header) < at + 16:
                return None
            _, channels, rate, _, width, _ = struct.unpack("<HHIIHH", header[at : at + 16])
            if channels != 1 or not rate or not width:
                raise NotAudio(f"a WAV file with {channels} channels, {rate} Hz, {width} bytes a frame: must be mono")
            bytes_per_second = rate * width
        at += size + size % 2
    return None


def marked_silence(seconds: float, *, start: float = 0.0, bytes_per_second: int = 32000) -> bytes:
    """Silence for a simulator that `continues`: every 20 ms it says which second of the caller's speech it is.

    A client may cut it anywhere, send it again or leave some out: what the simulator hears on a connection begins where
    its audio does.

    Args:
        seconds: how long it is.
        start: the second of speech that it begins with. Default 0.
        bytes_per_second: of the raw audio. Default 32000, which is linear16 at 16 kHz.

    Returns:
        The audio.
    """
    sound = bytearray(round(seconds * bytes_per_second))
    step = max(_MARK_BYTES, round(_MARK_SECONDS * bytes_per_second))
    first = round(start * bytes_per_second)
    # At multiples of the step, whatever the start, so that pieces made one by one join.
    for at in range(-first % step, len(sound) - _MARK_BYTES + 1, step):
        sound[at : at + _MARK_BYTES] = _MARK + struct.pack("<d", (first + at) / bytes_per_second)
    return bytes(sound)


class MarkFinder:
    """Finds the second of speech that a connection's audio begins with, from the marks of `marked_silence`.

    Attributes:
        done: whether there is nothing more to look for.
    """

    def __init__(self, bytes_per_second: int | None) -> None:
        self._bytes_per_second = bytes_per_second
        self._head = bytearray()
        self.done = bytes_per_second is None  # containers have no marks

    def look(self, data: bytes) -> float | None:
        """Look at more bytes; returns the second once a mark is found."""
        if self._bytes_per_second is None or self.done:
            return None
        self._head += data
        at = self._head.find(_MARK)
        if at >= 0 and len(self._head) >= at + _MARK_BYTES:
            self.done = True
            (second,) = struct.unpack_from("<d", self._head, at + len(_MARK))
            begins = second - at / self._bytes_per_second
            return begins if isfinite(begins) else None
        self.done = len(self._head) > _SEARCHED_SECONDS * self._bytes_per_second
        return None
