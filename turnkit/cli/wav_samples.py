"""Samples of a WAV file as Flux takes them: one channel, in an encoding and at a rate of Flux."""

from __future__ import annotations

from typing import Any

from ..wire import SAMPLE_RATES
from .wav_header import ALAW, FLOAT, MULAW, PCM, NotReadable, WavFormat

RESAMPLED_RATE = 16000
"""Flux's own, in Hz: what is not at a rate of Flux gets this one."""

_ENCODINGS = {PCM: "linear16", FLOAT: "linear32", ALAW: "alaw", MULAW: "mulaw"}
_SILENCE = {"alaw": b"\xd5", "mulaw": b"\xff"}
_SIGNED = bytes(code ^ 0x80 for code in range(256))
"""Samples of one byte have no sign: 128 is silence."""


class Samples:
    """Makes what Flux takes of the frames of a WAV file, piece by piece.

    µ-law, A-law, 16 bits and floats stay what they are. Of 24 and 32 bits the upper 16 are kept: speech has no more.

    Args:
        form: of the file.
        channel: which one, from 1; None for the only one.

    Attributes:
        encoding: as Flux names it.
        sample_rate: in Hz, one of Flux's.
        width: bytes of a sample.
        silence: a byte of it.

    Raises:
        NotReadable: the channel is not there or not said, or the rate needs a library that is not installed.
    """

    def __init__(self, form: WavFormat, channel: int | None = None) -> None:
        if channel is None and form.channels > 1:
            raise NotReadable(
                f"has {form.channels} channels, and Flux hears one: `turnkit run --channel 1` takes the first (a "
                "recorded call has its caller on one of them)"
            )
        if channel is not None and not 1 <= channel <= form.channels:
            raise NotReadable(f"has {form.channels} channel(s), so there is no channel {channel}")
        self.encoding = _ENCODINGS[form.code]
        self.silence = _SILENCE.get(self.encoding, b"\0")
        self.frame = form.channels * form.width
        self.sample_rate = form.sample_rate if form.sample_rate in SAMPLE_RATES else RESAMPLED_RATE
        self.width = 2 if form.code == PCM else form.width
        first = ((channel or 1) - 1) * form.width
        # Little-endian: the upper bytes are the last ones.
        self._wanted = range(first + max(form.width - self.width, 0), first + form.width)
        self._cut = b""
        self._resampler = None if self.sample_rate == form.sample_rate else _Resampler(self.encoding, form.sample_rate)

    def take(self, data: bytes) -> bytes:
        """Take more of the file, cut anywhere; what Flux gets of it."""
        data = self._cut + data
        whole = len(data) - len(data) % self.frame
        self._cut = data[whole:]
        audio = self._one_channel(data[:whole])
        return audio if self._resampler is None else self._resampler.take(audio)

    def finish(self) -> bytes:
        """What is left when the file has ended; half a frame is nothing."""
        return b"" if self._resampler is None else self._resampler.take(b"", last=True)

    def _one_channel(self, frames: bytes) -> bytes:
        if len(self._wanted) == self.frame == self.width:
            return frames
        audio = bytearray(len(frames) // self.frame * self.width)
        if len(self._wanted) < self.width:
            audio[1::2] = frames[self._wanted.start :: self.frame].translate(_SIGNED)
        else:
            for place, byte in enumerate(self._wanted):
                audio[place :: self.width] = frames[byte :: self.frame]
        return bytes(audio)


class _Resampler:
    def __init__(self, encoding: str, rate: int) -> None:
        said = f"is at {rate} Hz, and Flux takes {', '.join(map(str, SAMPLE_RATES))}"
        if encoding not in ("linear16", "linear32"):
            raise NotReadable(f"{said}; {encoding} is not resampled")
        try:
            import numpy as np
            import soxr
        except ImportError:
            raise NotReadable(f"{said}; with `pip install 'turnkit[wav]'` it is resampled") from None
        self._kind, kind = ("<i2", "int16") if encoding == "linear16" else ("<f4", "float32")
        self._samples: Any = lambda audio: np.frombuffer(audio, self._kind).astype(kind)
        self._stream: Any = soxr.ResampleStream(rate, RESAMPLED_RATE, 1, dtype=kind)

    def take(self, audio: bytes, *, last: bool = False) -> bytes:
        resampled = self._stream.resample_chunk(self._samples(audio), last=last)
        made: bytes = resampled.astype(self._kind).tobytes()
        return made
