"""The audio clock: how many seconds of sound some bytes are. Nothing is decoded."""

from __future__ import annotations

import struct
from math import isfinite
from typing import Protocol

import msgspec

from .ogg_clock import CAPTURE, OggClock
from .opus_time import NotAudio, packet_seconds
from .webm_clock import MAGIC, WebmClock

_MAGIC_BYTES = 4
_EXTENSIBLE = 0xFFFE  # a WAV header that says its coding further on
_LARGEST_HEADER = 1 << 16
_MARK = b"\x7fTK\x01\x7fkt\x02"  # 8 bytes, and then the position
_MARK_BYTES = 16
_MARK_SECONDS = 0.02
_SEARCHED_SECONDS = 0.06  # less than the first frame that anything is said about


class AudioClock:
    """Counts the seconds of audio received.

    A container is known by how it begins. In WAV, rate and width come from the header, and what follows the header is
    sound, whatever length it claims, as a live stream does not know its own. Opus is timed by what its containers say:
    Ogg by its granule positions, WebM by its timestamps. What is damaged in them, or never complete, is silence.

    Args:
        bytes_per_second: of raw audio; None for Opus and containers.
        encoding: "opus" for packets without a container, each in a message of its own, and "ogg-opus" for a container
            that can be no other. Default None: what `bytes_per_second` says.
    """

    def __init__(self, bytes_per_second: int | None, encoding: str | None = None) -> None:
        self._encoding = encoding
        self._clock: _Clock | None = None
        if bytes_per_second is not None:
            self._clock = _RawClock(bytes_per_second)
        elif encoding == "opus":
            self._clock = _PacketClock()
        self._head = bytearray()

    @property
    def seconds(self) -> float:
        """Seconds received so far; 0 while the header of a container is incomplete."""
        return self._clock.seconds if self._clock is not None else 0.0

    def hear(self, data: bytes) -> float:
        """Take more bytes and give the seconds received so far. Raises NotAudio for what is no container it knows."""
        if self._clock is None:
            self._head += data
            if len(self._head) < _MAGIC_BYTES:
                return 0.0
            self._clock, data = self._container(), bytes(self._head)
        self._clock.hear(data)
        return self._clock.seconds

    def _container(self) -> _Clock:
        magic = bytes(self._head[:_MAGIC_BYTES])
        if magic == CAPTURE:
            return OggClock()
        if self._encoding == "ogg-opus":
            raise NotAudio("not an Ogg page, which `encoding=ogg-opus` says it is")
        if magic == MAGIC:
            return WebmClock()
        if magic == b"RIFF":
            return _WavClock()
        raise NotAudio("neither WAV, Ogg nor WebM begins like that, and raw audio needs `encoding`")


class _Clock(Protocol):
    """Counts the seconds of audio in one format."""

    @property
    def seconds(self) -> float:
        """Seconds received so far."""

    def hear(self, data: bytes) -> None:
        """Take more bytes."""


class _RawClock:
    """Raw audio is as long as its bytes."""

    def __init__(self, bytes_per_second: int) -> None:
        self._bytes_per_second = bytes_per_second
        self._bytes = 0

    @property
    def seconds(self) -> float:
        """Seconds received so far."""
        return self._bytes / self._bytes_per_second

    def hear(self, data: bytes) -> None:
        """Take more bytes."""
        self._bytes += len(data)


class _PacketClock:
    """Opus packets, each in a message of its own: nothing else says where one ends."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def hear(self, data: bytes) -> None:
        """Take a packet; one that no decoder would take is silence."""
        self.seconds += packet_seconds(data[:2])


class _WavClock:
    """A WAV file: a header, then raw audio."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._sound: _RawClock | None = None

    @property
    def seconds(self) -> float:
        """Seconds received so far."""
        return self._sound.seconds if self._sound is not None else 0.0

    def hear(self, data: bytes) -> None:
        """Take more bytes."""
        if self._sound is not None:
            self._sound.hear(data)
            return
        self._header += data
        if len(self._header) >= 12 and self._header[8:12] != b"WAVE":
            raise NotAudio("a RIFF file that is not WAV")
        found = read_wav(bytes(self._header))
        if found is not None:
            self._sound = _RawClock(found.rate * found.width)
            self._sound.hear(bytes(self._header[found.begins :]))
            self._header.clear()
        elif len(self._header) > _LARGEST_HEADER:
            raise NotAudio(f"no audio in the first {_LARGEST_HEADER} bytes of the WAV file")


class WavForm(msgspec.Struct, frozen=True):
    """What the header of a WAV file says of its sound, which is mono.

    Attributes:
        tag: of the coding; 1 is PCM, 3 floating point, 6 A-law, 7 mu-law.
        rate: samples a second.
        width: bytes a sample.
        begins: the byte of the file where the sound begins.
    """

    tag: int
    rate: int
    width: int
    begins: int


def read_wav(header: bytes) -> WavForm | None:
    """Read the header of a WAV file; None while it is incomplete. Raises NotAudio for one that is none of Flux's."""
    form: tuple[int, int, int] | None = None
    at = 12
    while len(header) >= at + 8:
        name, size = header[at : at + 4], int.from_bytes(header[at + 4 : at + 8], "little")
        at += 8
        if name == b"data":
            if form is None:
                raise NotAudio("a WAV file that does not say its rate before its sound")
            return WavForm(*form, at)
        if name == b"fmt ":
            if len(header) < at + 16:
                return None
            tag, channels, rate, _, width, _ = struct.unpack("<HHIIHH", header[at : at + 16])
            if channels != 1 or not rate or not width:
                raise NotAudio(f"a WAV file with {channels} channels, {rate} Hz, {width} bytes a frame: must be mono")
            if tag == _EXTENSIBLE and size >= 26 and len(header) >= at + 26:
                (tag,) = struct.unpack("<H", header[at + 24 : at + 26])
            form = tag, rate, width
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
