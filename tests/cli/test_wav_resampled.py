"""WAV files at rates that Flux does not take, resampled: the length and the tone stay."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

import pytest

from turnkit.cli.wav import WavSource

np = pytest.importorskip("numpy", reason="needs numpy and soxr, which are not for development; .ci/interop has them")
pytest.importorskip("soxr", reason="needs numpy and soxr, which are not for development; .ci/interop has them")


@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize("rate", [6000, 11025, 22050, 32000, 96000])
def test_the_tone_and_its_length_stay(rate: int, floats: bool, tmp_path: Path) -> None:
    """One second of 440 Hz is one at 16 kHz, as 16 bits and as floats."""
    path = tmp_path / "tone.wav"
    tone = [math.sin(2 * math.pi * 440 * at / rate) / 2 for at in range(rate)]
    if floats:
        form = struct.pack("<IHHIIHH", 16, 3, 1, rate, rate * 4, 4, 32)
        path.write_bytes(b"RIFF\0\0\0\0WAVEfmt " + form + b"data\0\0\0\0" + struct.pack(f"<{rate}f", *tone))
    else:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(struct.pack(f"<{rate}h", *(round(32767 * one) for one in tone)))
    with WavSource(path) as source:
        assert (source.encoding, source.sample_rate) == ("linear32" if floats else "linear16", 16000)
        samples = np.frombuffer(source.read_rest(), "<f4" if floats else "<i2") / (1 if floats else 32767)
    assert abs(len(samples) - 16000) <= 2
    meant = np.sin(2 * np.pi * 440 * np.arange(len(samples)) / 16000) / 2
    # The ends of a filter are left out.
    assert np.abs(samples - meant)[400:-400].max() < 0.01
