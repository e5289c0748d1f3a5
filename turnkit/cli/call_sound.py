"""The audio of a recorded call: found beside the trace, and how loud it is from moment to moment."""

from __future__ import annotations

import os
from array import array
from base64 import b64encode
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from ..checks import os_problem, shown_path
from ..errors import ConfigError
from ..tools.viewer.drawn import Sound
from .wav_header import ALAW, FLOAT, MULAW, NotReadable, WavFormat, read_header

_PEAKS_A_SECOND = 25
_MOST_PEAKS = 30_000  # a picture of twenty minutes at that, and then a coarser one
_FLOAT_BYTES = 4


def sound_of(trace: Path, page: Path, given: Path | None = None) -> Sound | None:
    """The audio that a page may play.

    Args:
        trace: The recording; audio that is called the same, with .wav, belongs to it.
        page: Where the page will be.
        given: The audio, if it is called otherwise.

    Returns:
        The audio; None if there is none beside the trace.

    Raises:
        ConfigError: The audio that was given cannot be read.
    """
    path = given or trace.with_name(trace.name.removesuffix(".gz")).with_suffix(".wav")
    if given is None and not path.is_file():
        return None
    problem, peaks, seconds = "", b"", 0.0
    try:
        with path.open("rb") as file:
            form = read_header(file.read)
            peaks, seconds = _peaks(file, form, os.fstat(file.fileno()).st_size - file.tell())
    except NotReadable as error:
        problem = f"{shown_path(path)}: {error}"
    except OSError as error:
        problem = f"{shown_path(path)}: cannot be read: {os_problem(error)}"
    if not problem and not peaks:
        problem = f"{shown_path(path)}: holds no audio"
    if problem and given is not None:
        raise ConfigError(f"--audio {problem}")
    if problem:
        return None
    source = quote(Path(os.path.relpath(os.path.realpath(path), os.path.dirname(os.path.realpath(page)))).as_posix())
    return Sound(source=source, peaks=b64encode(peaks).decode(), seconds=round(seconds, 3))


def _peaks(file: BinaryIO, form: WavFormat, there: int) -> tuple[bytes, float]:
    """The loudest sample of each moment, from 0 to 255, and the seconds of all."""
    frame = form.channels * form.width
    total = min(form.data_bytes or there, there)
    seconds = total / frame / form.sample_rate
    rate = min(_PEAKS_A_SECOND, _MOST_PEAKS / seconds) if seconds else 0.0
    step = max(int(form.sample_rate / rate), 1) * frame if rate else frame
    peaks = bytearray()
    while total > 0 and (piece := file.read(min(step, total))):
        total -= len(piece)
        peaks.append(_loudest(piece[: len(piece) - len(piece) % form.width], form))
    return bytes(peaks), seconds


def _loudest(samples: bytes, form: WavFormat) -> int:
    if not samples:
        return 0
    if form.code == FLOAT and form.width == _FLOAT_BYTES:
        floats = array("f", samples)
        return min(int(max(max(floats), -min(floats)) * 255), 255) if all(x == x for x in floats) else 0
    if form.code in (MULAW, ALAW):
        return max(samples.translate(_MULAW if form.code == MULAW else _ALAW))
    top = samples[form.width - 1 :: form.width]
    if form.width == 1:
        return min(max(max(top) - 128, 128 - min(top)) * 2, 255)
    if form.width == 2:  # quiet speech is in the lower byte
        words = array("h", samples)
        return min(max(max(words), -min(words)) >> 7, 255)
    signed = array("b", top)
    return min(max(max(signed), -min(signed)) * 2, 255)


def _mulaw(code: int) -> int:
    code ^= 0xFF
    return min(((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84 >> 7, 255)


def _alaw(code: int) -> int:
    code ^= 0x55
    part, size = (code & 0x70) >> 4, ((code & 0x0F) << 4) + 8
    return min((size if part == 0 else (size + 0x100) << (part - 1)) >> 7, 255)


_MULAW = bytes(map(_mulaw, range(256)))
_ALAW = bytes(map(_alaw, range(256)))
"""How loud each code of G.711 is, from 0 to 255."""
