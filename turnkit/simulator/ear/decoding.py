"""From the bytes that a client sends to the sound that an ear takes: decoded, resampled, in pieces of one frame.

Pieces are cut by the audio clock and never by the messages, so that nothing depends on how a client cuts its audio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...errors import ConfigError
from ..audio_clock import read_wav
from ..detector import FRAME
from ..opus_time import NotAudio

try:
    import numpy as np
except ImportError as error:
    raise ConfigError("an ear needs numpy: pip install 'turnkit[ear]'") from error

_FULL_SCALE = 32767.0
_QUALITY = "LQ"  # for speech; a better one keeps back up to 0.1 s of it
_LARGEST_HEADER = 1 << 16
_WAV_CODINGS = {(1, 2): "linear16", (3, 4): "linear32", (6, 1): "alaw", (7, 1): "mulaw"}


class NotDecodable(Exception):
    """Sound that has a length, but that an ear cannot be given; the message says why."""


class Decoder:
    """Sound in one coding, on its way to an ear.

    Args:
        encoding: as in Flux's query; None for a container.
        rate: samples a second; None for a container.
        wanted: samples a second that the ear takes.
    """

    def __init__(self, encoding: str | None, rate: int | None, wanted: int) -> None:
        self._wanted = wanted
        self._bytes = bytearray()
        self._frames = 0
        self._form: _Form | None = None
        if encoding is not None:
            if encoding not in CODINGS or rate is None:
                raise NotDecodable(f"encoding={encoding}: Opus is not decoded here")
            self._form = _Form(encoding, rate, wanted)

    def take(self, audio: bytes) -> None:
        """Take more bytes. Raises NotDecodable once they turn out to be what cannot be decoded."""
        self._bytes += audio
        if self._form is None:
            self._read_header()

    def frames(self) -> Iterator[bytes]:
        """The sound of each frame that is there by now: 16-bit mono at the rate that is wanted."""
        while self._form is not None:
            begin, end = (round((self._frames + one) * FRAME * self._form.rate) for one in (0, 1))
            size = (end - begin) * self._form.width
            if len(self._bytes) < size:
                return
            piece = bytes(self._bytes[:size])
            del self._bytes[:size]
            self._frames += 1
            yield self._form.decode(piece)

    def _read_header(self) -> None:
        if len(self._bytes) < 12:
            return
        if self._bytes[:4] != b"RIFF":
            raise NotDecodable("an Ogg or WebM container: Opus is not decoded here")
        try:
            wav = read_wav(bytes(self._bytes))
        except NotAudio as error:
            raise NotDecodable(str(error)) from error
        if wav is None:
            if len(self._bytes) > _LARGEST_HEADER:
                raise NotDecodable("a WAV file without sound")
            return
        coding = _WAV_CODINGS.get((wav.tag, wav.width))
        if coding is None:
            raise NotDecodable(f"a WAV file of coding {wav.tag} with {wav.width} bytes a sample")
        del self._bytes[: wav.begins]
        self._form = _Form(coding, wav.rate, self._wanted)


class _Form:
    """How sound in one coding becomes sound for the ear."""

    def __init__(self, encoding: str, rate: int, wanted: int) -> None:
        self.rate = rate
        self._decode, self.width = CODINGS[encoding]
        self._resampler = None
        if rate != wanted:
            try:
                import soxr
            except ImportError as error:
                raise ConfigError(
                    f"an ear at {wanted} Hz needs soxr for sound at {rate} Hz: pip install 'turnkit[ear]'"
                ) from error
            self._resampler = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality=_QUALITY)

    def decode(self, piece: bytes) -> bytes:
        """A piece, as 16-bit mono at the rate that is wanted."""
        samples = self._decode(piece)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        return to_pcm(samples)


def decode(audio: bytes, encoding: str, rate: int, wanted: int) -> bytes:
    """Sound in an encoding of Flux, all at once, as 16-bit mono at the rate that is wanted."""
    return _Form(encoding, rate, wanted).decode(audio)


def loudness(pcm: bytes) -> float:
    """The level of 16-bit sound, in dB below full scale."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    return float(10 * np.log10(np.mean(np.square(samples / 32768)) + 1e-12)) if len(samples) else -120.0


def leaps(audio: bytes, encoding: str) -> float:
    """How far it is from each sample to the next, all together, with full scale as 1; `encoding` is one of Flux."""
    return float(np.sum(np.abs(np.diff(CODINGS[encoding][0](audio)))))


def to_pcm(samples: np.ndarray) -> bytes:
    """Samples from -1 to 1 as 16-bit little-endian."""
    pcm: bytes = np.clip(np.rint(samples * _FULL_SCALE), -32768, 32767).astype("<i2").tobytes()
    return pcm


def _mulaw_samples() -> np.ndarray:
    """The sample of each code of G.711's mu-law, from -1 to 1."""
    code = ~np.arange(256, dtype=np.uint8)
    segment, step = (code >> 4) & 7, (code & 15).astype(np.int32)
    magnitude = ((step << 3) + 132 << segment) - 132
    return (np.where(code & 0x80, -magnitude, magnitude) / 32768).astype(np.float32)


def _alaw_samples() -> np.ndarray:
    """The sample of each code of G.711's A-law, from -1 to 1."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    segment, step = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = np.where(segment == 0, (step << 4) + 8, (step << 4) + 264 << np.maximum(segment - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) / 32768).astype(np.float32)


_MULAW, _ALAW = _mulaw_samples(), _alaw_samples()


def _linear16(audio: bytes) -> np.ndarray:
    return np.frombuffer(audio, dtype="<i2").astype(np.float32) / 32768


def _linear32(audio: bytes) -> np.ndarray:
    samples = np.frombuffer(audio, dtype="<f4").astype(np.float32)
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)


def _mulaw(audio: bytes) -> np.ndarray:
    samples: np.ndarray = _MULAW[np.frombuffer(audio, dtype=np.uint8)]
    return samples


def _alaw(audio: bytes) -> np.ndarray:
    samples: np.ndarray = _ALAW[np.frombuffer(audio, dtype=np.uint8)]
    return samples


CODINGS: dict[str, tuple[Callable[[bytes], np.ndarray], int]] = {
    "linear16": (_linear16, 2),
    "linear32": (_linear32, 4),
    "mulaw": (_mulaw, 1),
    "alaw": (_alaw, 1),
}
"""What decodes each encoding, to samples from -1 to 1, and how many bytes one of its samples has."""
