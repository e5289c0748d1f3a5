"""Contents of a trace file: its lines, one after the other, unpacked; within bounds, whatever the file holds."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import ConfigError
from .records import MOST_BYTES

_LONGEST_LINE = 1 << 23  # bytes: a frame of Flux has at most 1 MiB, and takes up to six times as much as JSON in JSON
_PIECE = 1 << 16  # bytes read, and unpacked, in one go
_PACKED = 1 << 12  # bytes to unpack in one go: what is left of them when a member ends is copied
_EMPTY = 1000  # members of a gzip file, one after the other, that hold nothing


def lines_of(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes, bool]]:
    """The lines of a file, also of one that is gzipped.

    Args:
        file: open for reading bytes.
        name: of the file, for errors.

    Yields:
        The number of a line, from 1, the line without blanks around it, and whether it ended in a newline. Blank lines
        are counted and left out.

    Raises:
        ConfigError: It is no gzip although it begins like it, or beyond the bounds.
    """
    number, rest, since, total = 1, b"", 0, 0
    for piece in _pieces(file, name):
        total += len(piece)
        if total > MOST_BYTES:
            raise ConfigError(f"trace {name!r}: holds more than {MOST_BYTES} bytes, which no recording does")
        lines = piece.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()
        for line in lines:
            text = line.strip()
            since = 0 if text else since + len(line) + 1
            if text:
                yield number, text, True
            number += 1
        if since + len(rest) > _LONGEST_LINE:
            raise ConfigError(f"trace {name!r}, line {number}: is longer than {_LONGEST_LINE} bytes, blanks included")
    if text := rest.strip():
        yield number, text, False


def _pieces(file: BinaryIO, name: str) -> Iterator[bytes]:
    piece = file.read(_PIECE)
    if piece[:2] != b"\x1f\x8b":
        while piece:
            yield piece
            piece = file.read(_PIECE)
        return
    try:
        yield from _unpacked(file, piece, name)
    except zlib.error as error:
        raise ConfigError(f"trace {name!r}: is not gzip, although it begins like it: {error}") from None


def _unpacked(file: BinaryIO, packed: bytes, name: str) -> Iterator[bytes]:
    """The content of a gzip file, as far as it goes; it may have several members, such as one for each appending."""
    unpacker, empty, held = zlib.decompressobj(wbits=31), 0, False
    while packed:
        at = 0
        while at < len(packed):
            if unpacker.eof:
                empty = 0 if held else empty + 1
                if empty > _EMPTY:
                    raise ConfigError(f"trace {name!r}: more than {_EMPTY} of its members in a row hold nothing")
                unpacker, held = zlib.decompressobj(wbits=31), False
            part = packed[at : at + _PACKED]
            at += len(part)
            while part:
                data = unpacker.decompress(part, _PIECE)
                held = held or bool(data)
                part = unpacker.unconsumed_tail
                yield data
            at -= len(unpacker.unused_data)
        packed = file.read(_PIECE)
