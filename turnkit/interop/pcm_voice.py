"""A voice that gives 16-bit PCM made fit for the phone: resampled by soxr, and coded as mu-law at 8 kHz.

    speak = call.speaker(mulaw(tts, sample_rate=24000))

A voice that can give mu-law at 8 kHz itself, as most services' can when asked to, needs none of this.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from inspect import isawaitable
from typing import Any

from ..checks import shown
from ..errors import ConfigError
from ..speaking import TTS, Sound

try:
    import numpy as np
    import soxr
except ImportError as error:
    raise ImportError("turnkit.interop.pcm_voice needs numpy and soxr: pip install 'turnkit[phone]'") from error

__all__ = ["mulaw"]

_PHONE_RATE = 8000
_BIAS = 132  # of G.711: with it, each segment is twice as long as the one before
_CLIP = 32635


def _mulaw_codes() -> np.ndarray:
    """The code of each sample, by its 16 bits taken as a number without a sign: what G.711 says."""
    samples = np.arange(65536, dtype=np.uint16).astype(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(samples), _CLIP) + _BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    step = (magnitude >> (segment + 3)) & 0x0F
    codes: np.ndarray = ~(np.where(samples < 0, 0x80, 0) | segment << 4 | step).astype(np.uint8)
    return codes


_CODES = _mulaw_codes()


def mulaw(tts: TTS, *, sample_rate: int) -> TTS:
    """A voice that gives what another gives as mu-law at 8 kHz; the times of its words stay as they are.

    Args:
        tts: gives 16-bit little-endian PCM, mono.
        sample_rate: of that, in Hz.

    Returns:
        The voice for `call.speaker`.

    Raises:
        ConfigError: for a rate that is not a whole number, 1 or more.
    """
    if type(sample_rate) is not int or sample_rate < 1:
        raise ConfigError(f"sample_rate={shown(sample_rate)}: must be a whole number, 1 or more")

    async def voice(text: str) -> AsyncIterator[Sound]:
        made = tts(text)
        synthesis: Any = await made if isawaitable(made) else made
        resampler = soxr.ResampleStream(sample_rate, _PHONE_RATE, 1, dtype="int16")
        unfinished = b""
        async with AsyncExitStack() as stack:
            if hasattr(synthesis, "aclose"):
                await stack.enter_async_context(aclosing(synthesis))
            async for sound in synthesis:
                audio, words = (sound.audio, sound.words) if isinstance(sound, Sound) else (bytes(sound), ())
                audio = unfinished + audio
                whole = len(audio) - len(audio) % 2
                unfinished = audio[whole:]
                samples = np.frombuffer(audio[:whole], dtype="<i2").astype(np.int16)
                yield Sound(_coded(resampler.resample_chunk(samples)), words)
        yield Sound(_coded(resampler.resample_chunk(np.empty(0, dtype=np.int16), last=True)))

    return voice


def _coded(samples: np.ndarray) -> bytes:
    coded: bytes = _CODES[samples.astype(np.uint16)].tobytes()
    return coded
