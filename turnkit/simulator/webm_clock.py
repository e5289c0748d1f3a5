"""The clock of WebM with Opus: the timestamps of clusters and blocks, and how long the last packet plays (RFC 9559)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from .opus_time import NotAudio, Timeline, packet_seconds

MAGIC = b"\x1a\x45\xdf\xa3"

_CLUSTER = b"\x1f\x43\xb6\x75"
_HEADER, _SEGMENT, _INFO, _TRACKS = MAGIC, b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b"
_SCALE, _TRACK, _TIMESTAMP = b"\x2a\xd7\xb1", b"\xae", b"\xe7"
_SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK, _DISCARDED = b"\xa3", b"\xa0", b"\xa1", b"\x75\xa2"
_BEGINNING = re.compile(re.escape(_CLUSTER) + b"|" + re.escape(MAGIC))
_NUMBER, _CODEC, _DELAY = b"\xd7", b"\x86", b"\x56\xaa"

_ENTERED = frozenset({_SEGMENT, _CLUSTER, _INFO, _TRACKS})
_READ = frozenset({_HEADER, _SCALE, _TRACK, _TIMESTAMP, _SIMPLE_BLOCK, _BLOCK_GROUP})
_LARGEST_READ = 1 << 16  # bytes of an element; a block that is larger is not Opus
_LARGEST_NUMBER = 8  # bytes; what is longer is damaged
_USUAL_SCALE = 1_000_000  # nanoseconds
_XIPH, _FIXED = 1, 2  # ways to lace several packets into a block; the third is EBML


class WebmClock:
    """Counts the seconds of the first Opus track, a block when the whole of it is there.

    Elements are read as they come and not kept: those that hold others are entered whatever size they claim, as a live
    recorder knows none. Where no element can begin, the next cluster is looked for.

    Attributes:
        seconds: received so far.
    """

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._waiting = bytearray()
        self._passing = 0  # bytes still to come of an element that is not read
        self._lost = False
        self._scale = _USUAL_SCALE
        self._cluster = 0
        self._track: int | None = None

    @property
    def seconds(self) -> float:
        """Seconds received so far."""
        return self._timeline.seconds

    def hear(self, data: bytes) -> None:
        """Take more bytes. Raises NotAudio for a WebM file without an Opus track."""
        self._waiting += data
        at = 0
        while True:
            passed = min(self._passing, len(self._waiting) - at)
            self._passing -= passed
            at += passed
            if self._lost:
                at = self._find_cluster(at)
            after = self._step(at)
            if after == at:
                break
            at = after
        del self._waiting[:at]

    def _find_cluster(self, at: int) -> int:
        found = _BEGINNING.search(self._waiting, at)
        self._lost = found is None
        # All but what may be the beginning of one.
        return max(at, len(self._waiting) - len(_CLUSTER) + 1) if found is None else found.start()

    def _step(self, at: int) -> int:
        """Take the element at a place; where the next one begins, or the same place while it is incomplete."""
        if self._lost or self._passing or at == len(self._waiting):
            return at
        try:
            element = _read_element(self._waiting, at)
        except ValueError:
            self._lost = True
            return at + 1
        if element is None:
            return at
        name, size, body = element
        if name in _ENTERED or size is None:
            if name == _CLUSTER and self._track is None:
                raise NotAudio("a WebM file without an Opus track")
            return body
        if name not in _READ or size > _LARGEST_READ:
            self._passing = size
            return body
        if len(self._waiting) < body + size:
            return at
        self._read(name, bytes(self._waiting[body : body + size]))
        return body + size

    def _read(self, name: bytes, body: bytes) -> None:
        if name == _HEADER:
            self._scale, self._cluster, self._track = _USUAL_SCALE, 0, None
        elif name == _SCALE:
            self._scale = _whole(body) or _USUAL_SCALE
        elif name == _TIMESTAMP:
            self._cluster = _whole(body)
        elif name == _TRACK:
            self._read_track(dict(_children(body)))
        elif name == _SIMPLE_BLOCK:
            self._read_block(body, 0.0)
        else:
            group = dict(_children(body))
            self._read_block(group.get(_BLOCK, b""), _nanoseconds(group.get(_DISCARDED, b"")))

    def _read_track(self, fields: dict[bytes, bytes]) -> None:
        if self._track is None and fields.get(_CODEC, b"").rstrip(b"\0") == b"A_OPUS":
            self._track = _whole(fields.get(_NUMBER, b""))
            self._timeline.restart(max(0.0, _nanoseconds(fields.get(_DELAY, b""))))

    def _read_block(self, body: bytes, discarded: float) -> None:
        found = _read_packets(body)
        if found is None or found.track != self._track:
            return
        start = (self._cluster + found.timestamp) * self._scale / 1e9
        held = found.seconds - min(max(discarded, 0.0), found.seconds)
        self._timeline.reach(start + held, held)


class _Packets(msgspec.Struct, frozen=True):
    """What a block says of the packets in it."""

    track: int
    timestamp: int
    seconds: float


def _read_packets(body: bytes) -> _Packets | None:
    """The track, time and length of a block; None for one that is damaged."""
    try:
        number = _read_number(body, 0)
        if number is None or number[0] is None or len(body) < number[1] + 4:
            return None
        track, at = number[0], number[1]
        timestamp, lacing = int.from_bytes(body[at : at + 2], "big", signed=True), body[at + 2] >> 1 & 3
        at += 3
        count = 1
        if lacing:
            count, at = body[at] + 1, at + 1
            if lacing != _FIXED:
                at = _after_sizes(body, at, count - 1, xiph=lacing == _XIPH)
    except (ValueError, IndexError):
        return None
    # Packets that are laced together are of one length.
    return _Packets(track, timestamp, count * packet_seconds(body[at : at + 2]))


def _after_sizes(body: bytes, at: int, count: int, *, xiph: bool) -> int:
    """Where the sizes of the packets in a block end."""
    for _ in range(count):
        if xiph:
            while body[at] == 255:
                at += 1
            at += 1
        else:
            at += _width(body[at], 8)
    return at


def _nanoseconds(body: bytes) -> float:
    """A time as some elements give it, in seconds."""
    return int.from_bytes(body[:_LARGEST_NUMBER], "big", signed=True) / 1e9


def _whole(body: bytes) -> int:
    """A whole number, as most elements give it."""
    return int.from_bytes(body[:_LARGEST_NUMBER], "big")


def _children(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The elements in another, as far as they can be read."""
    at = 0
    while at < len(body):
        try:
            element = _read_element(body, at)
        except ValueError:
            return
        if element is None:
            return
        name, size, at = element
        if size is None:
            return
        yield name, body[at : at + size]
        at += size


def _read_element(data: bytes | bytearray, at: int) -> tuple[bytes, int | None, int] | None:
    """The name of an element, its size (None: unknown) and where its body begins; None while that is incomplete.

    Raises ValueError if no element begins there.
    """
    sized = at + _width(data[at], 4)
    if sized >= len(data):
        return None
    size = _read_number(data, sized)
    return None if size is None else (bytes(data[at:sized]), *size)


def _read_number(data: bytes | bytearray, at: int) -> tuple[int | None, int] | None:
    """A number (None: unknown) and where it ends; None while it is incomplete."""
    if at >= len(data):
        return None
    width = _width(data[at], 8)
    if at + width > len(data):
        return None
    most = (1 << 7 * width) - 1
    value = int.from_bytes(data[at : at + width], "big") & most
    return (None if value == most else value), at + width


def _width(first: int, most: int) -> int:
    """How many bytes a number or name takes, by its first one. Raises ValueError if more than `most`."""
    width = 9 - first.bit_length()
    if width > most:
        raise ValueError("no element begins like that")
    return width
