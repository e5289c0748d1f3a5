"""Voices of 16-bit PCM on the phone: the code of each sample, the length, the tone, and the times of words."""

from __future__ import annotations

import math
import struct
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from turnkit.errors import ConfigError
from turnkit.speaking import Sound

pytest.importorskip("soxr", reason="needs numpy and soxr, which are not for development; .ci/interop has them")


def tone(hertz: float, rate: int, seconds: float) -> bytes:
    count = int(rate * seconds)
    return struct.pack(f"<{count}h", *(int(12000 * math.sin(2 * math.pi * hertz * at / rate)) for at in range(count)))


def linear(code: int) -> int:
    """What G.711's decoder makes of a code."""
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 132 << ((code >> 4) & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


async def spoken(tts: Any, rate: int) -> list[Sound]:
    from turnkit.interop.pcm_voice import mulaw

    voice: Any = mulaw(tts, sample_rate=rate)("text")
    return [sound async for sound in voice]


@pytest.mark.anyio
async def test_each_sample_has_the_code_nearest_to_it() -> None:
    """At 8 kHz already, nothing is filtered: of all codes none is nearer to a sample, as far as there are codes."""
    samples = [*range(-32768, 32768, 7), 32767, 0, -1, 1]

    async def tts(text: str) -> AsyncIterator[bytes]:
        yield struct.pack(f"<{len(samples)}h", *samples)

    coded = b"".join(sound.audio for sound in await spoken(tts, 8000))
    assert len(coded) == len(samples)
    levels = sorted({linear(code) for code in range(256)})
    for sample, code in zip(samples, coded, strict=True):
        nearest = min(abs(sample - level) for level in levels)
        step = max(abs(sample) // 16, 8)
        assert abs(linear(code) - sample) <= max(nearest + 1, step)
    assert {coded[samples.index(0)], coded[samples.index(32767)], coded[0]} == {0xFF, 0x80, 0x00}


@pytest.mark.anyio
@pytest.mark.parametrize("rate", [16000, 22050, 24000, 44100, 48000])
async def test_the_tone_and_its_length_stay(rate: int) -> None:
    """Cut anywhere, also within a sample; what a phone cannot carry does not come back as another tone."""
    audio = tone(440, rate, 1.0)

    async def tts(text: str) -> AsyncIterator[bytes | Sound]:
        yield Sound(audio[:1001], [("text", 0.0, 0.9)])
        yield audio[1001:]

    sounds = await spoken(tts, rate)
    coded = b"".join(sound.audio for sound in sounds)
    assert len(coded) == pytest.approx(8000, abs=2)
    assert [word for sound in sounds for word in sound.words] == [("text", 0.0, 0.9)]
    decoded = [linear(code) for code in coded[400:-400]]
    crossings = sum(a < 0 <= b for a, b in pairwise(decoded))
    assert crossings == pytest.approx(440 * len(decoded) / 8000, abs=2)

    high = tone(7000, rate, 0.5)

    async def shrill(text: str) -> AsyncIterator[bytes]:
        yield high

    coded = b"".join(sound.audio for sound in await spoken(shrill, rate))
    assert max(abs(linear(code)) for code in coded[400:-400]) < 300


@pytest.mark.anyio
async def test_a_voice_that_is_cut_off_is_closed() -> None:
    """As when the caller interrupts."""
    from turnkit.interop.pcm_voice import mulaw

    closed: list[str] = []

    async def tts(text: str) -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(4800)
        finally:
            closed.append(text)

    async def awaited(text: str) -> AsyncIterator[bytes]:
        return tts(text)

    voice: Any = mulaw(awaited, sample_rate=24000)("text")
    await anext(voice)
    await voice.aclose()
    assert closed == ["text"]


def test_a_rate_that_cannot_be() -> None:
    from turnkit.interop.pcm_voice import mulaw

    with pytest.raises(ConfigError, match=r"sample_rate=24000\.0"):
        mulaw(lambda text: None, sample_rate=24000.0)  # type: ignore[arg-type,return-value]
