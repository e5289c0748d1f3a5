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
_ZSTD = b"\x28\xb5\x2f\xfd"
_WIDEST = 1 << 27  # bytes that zstd may look back: what its command line takes without being asked for more
_EMPTY = 1000  # members of a gzip file, one after the other, that hold nothing


def blocks_of(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes, bool]]:
    """The lines of a file, many at a time, also of one that is gzipped or packed with zstd.

    Args:
        file: open for reading bytes.
        name: of the file, for errors.

    Yields:
        The number of the first of some lines, from 1; the lines, blank ones among them, without the last one's newline;
        and whether that was there, which only the last line of a file may lack.

    Raises:
        ConfigError: It is not packed although it begins like it, or beyond the bounds.
    """
    number, rest, since, total = 1, b"", 0, 0
    for piece in _pieces(file, name):
        total += len(piece)
        if total > MOST_BYTES:
            raise ConfigError(f"trace {name!r}: holds more than {MOST_BYTES} bytes, which no recording does")
        end = piece.rfind(b"\n")
        if end < 0:
            rest += piece
        else:
            block = rest + piece[:end]
            rest = piece[end + 1 :]
            since = _blank_at_the_end(block, since)
            yield number, block, True
            number += block.count(b"\n") + 1
        if since + len(rest) > _LONGEST_LINE:
            raise ConfigError(f"trace {name!r}, line {number}: is longer than {_LONGEST_LINE} bytes, blanks included")
    if rest.strip():
        yield number, rest, False


def _blank_at_the_end(block: bytes, before: int) -> int:
    """Bytes since the last line that is not blank, given those before these lines."""
    said = len(block.rstrip())
    if not said:
        return before + len(block) + 1
    end = block.find(b"\n", said)
    return 0 if end < 0 else len(block) - end


def _pieces(file: BinaryIO, name: str) -> Iterator[bytes]:
    piece = file.read(_PIECE)
    if piece[:4] == _ZSTD:
        yield from _unpacked_zstd(_Continued(piece, file), name)
        return
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


class _Continued:
    """A file of which some bytes were read already."""

    def __init__(self, piece: bytes, file: BinaryIO) -> None:
        self._piece = piece
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """The next bytes; those that were read already come first."""
        piece, self._piece = self._piece[:size], self._piece[size:]
        return piece or self._file.read(size)


def _unpacked_zstd(file: _Continued, name: str) -> Iterator[bytes]:
    """The content of a file packed with zstd, as far as it goes; it may have several frames."""
    try:
        import zstandard
    except ImportError:
        raise ConfigError(f"trace {name!r}: is packed with zstd; to read it, pip install 'turnkit[zstd]'") from None
    unpacker = zstandard.ZstdDecompressor(max_window_size=_WIDEST)
    try:
        with unpacker.stream_reader(file, read_size=_PIECE, read_across_frames=True) as content:
            while piece := content.read(_PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise ConfigError(f"trace {name!r}: is not zstd, although it begins like it: {error}") from None
