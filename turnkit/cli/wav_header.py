"""Headers of WAV files: what the sound is and how much of it there is said to be, read piece by piece."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

PCM, FLOAT, ALAW, MULAW = 1, 3, 6, 7
_EXTENSIBLE = 0xFFFE
_EXTENSIBLE_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_CODES = {2: "ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG audio", 0x55: "MP3", 0xFF: "AAC"}
_WIDTHS = {PCM: (1, 2, 3, 4), FLOAT: (4,), ALAW: (1,), MULAW: (1,)}
"""The bytes that a sample may have."""

_UNKNOWN_FROM = 0x7FFF0000
"""Sizes from here on stand for "not known yet": 0xFFFFFFFF, and what sox and arecord write to pipes."""

_UNKNOWN_LONG_FROM = 1 << 62
"""The same where files may be larger."""

_LARGEST_HEADER = 1 << 24
_RATES = range(1000, 768001)
_OTHERS = {
    b"ID3": "MP3",
    b"OggS": "Ogg",
    b"fLaC": "FLAC",
    b"RIFX": "WAV of big-endian samples",
    b"FORM": "AIFF",
    b".snd": "AU",
    b"caff": "CAF",
    b"\x1a\x45\xdf\xa3": "WebM or Matroska",
    b"#!AMR": "AMR",
}

Read = Callable[[int], bytes]
"""Gives so many bytes; fewer only where they end."""


class NotReadable(Exception):
    """What is wrong with a header; the message goes on after the name of the file."""


class Soundless(NotReadable):
    """There is no sound in it, and so nothing that could be made to fit."""


class WavFormat(NamedTuple):
    """What a header says.

    Attributes:
        code: `PCM`, `FLOAT`, `ALAW` or `MULAW`.
        channels: 1 or more.
        sample_rate: in Hz.
        width: bytes of a sample.
        data_bytes: of sound; None where the header does not know.
    """

    code: int
    channels: int
    sample_rate: int
    width: int
    data_bytes: int | None


def read_header(read: Read) -> WavFormat:
    """Read a header, up to the first byte of sound, with nothing skipped kept in memory.

    Args:
        read: gives the next bytes.

    Returns:
        What it says.

    Raises:
        NotReadable: it is none, it ends too soon, contradicts itself, or tells of sound that nothing here can read.
    """
    start = read(12)
    if not start:
        raise Soundless("is empty")
    if start[:4] not in (b"RIFF", b"RF64", b"BW64") or start[8:12] != b"WAVE":
        raise NotReadable(_not_wav(start))
    form: WavFormat | None = None
    long_size: int | None = None
    left = _LARGEST_HEADER
    while True:
        head = read(8)
        if len(head) < 8:
            raise Soundless("is a WAV file that ends before any sound")
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            if form is None:
                raise NotReadable("is a damaged WAV file: its sound begins before anything says what it is")
            known = size if 0 < size < _UNKNOWN_FROM else long_size
            return form._replace(data_bytes=known)
        left -= 8 + size
        if left < 0:
            raise NotReadable(f"is a damaged WAV file: no sound in its first {_LARGEST_HEADER >> 20} MiB")
        body = _body(read, size)
        if name == b"fmt ":
            form = _format(body)
        elif name == b"ds64" and len(body) >= 16:  # where files are larger than 32 bits can say
            long_size = int.from_bytes(body[8:16], "little")
            if not 0 < long_size < _UNKNOWN_LONG_FROM:
                long_size = None


def _body(read: Read, size: int) -> bytes:
    """The beginning of a chunk, and everything up to the next one read: they begin at even places."""
    kept = read(min(size, 40))
    left = size + size % 2 - len(kept)
    while left > 0:
        skipped = read(min(left, 1 << 16))
        if not skipped:
            break
        left -= len(skipped)
    return kept


def _format(body: bytes) -> WavFormat:
    if len(body) < 16:
        raise NotReadable("is a damaged WAV file: it does not say what its sound is")
    code, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE:
        if body[26:40] != _EXTENSIBLE_TAIL:
            raise NotReadable("is a WAV file of sound that is not PCM, float, A-law or µ-law")
        (code,) = struct.unpack_from("<H", body, 24)
    if code not in _WIDTHS:
        raise NotReadable(
            f"is a WAV file of {_CODES.get(code, f'codec {code:#06x}')}, not of PCM, float, A-law or µ-law"
        )
    width = (bits + 7) // 8
    if not channels or frame != channels * width:
        raise NotReadable(
            f"is a damaged WAV file: {channels} channel(s) of {bits} bits do not make frames of {frame} bytes"
        )
    if width not in _WIDTHS[code]:
        raise NotReadable(f"is a WAV file of samples of {bits} bits, which are too many or too few for its kind")
    if rate not in _RATES:
        raise NotReadable(f"is a damaged WAV file: {rate} Hz is no rate of sound")
    return WavFormat(code, channels, rate, width, None)


def _not_wav(start: bytes) -> str:
    found = next((kind for magic, kind in _OTHERS.items() if start.startswith(magic)), "")
    if start[4:8] == b"ftyp":
        found = "MP4"
    elif start[0] == 0xFF and len(start) > 1 and start[1] & 0xE0 == 0xE0:
        found = "MP3 or AAC"
    return f"is not a WAV file but {found}" if found else "is not a WAV file"
