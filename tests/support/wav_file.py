"""A WAV file of silence, of any shape."""

from __future__ import annotations

import wave
from pathlib import Path


def write_wav(path: Path, *, channels: int = 1, width: int = 2, rate: int = 16000, frames: int = 160) -> Path:
    """Write so many frames of silence, mono linear16 at 16 kHz unless told otherwise; the path again."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(channels * width * frames))
    return path
