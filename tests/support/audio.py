"""Audio for a Flux stream, 16 kHz linear16: a frame of it, noise, and speech in real time."""

from __future__ import annotations

from random import Random

import anyio

from turnkit.flux import FluxStream

FRAME = 2560  # bytes of 80 ms at 16 kHz linear16
RATE = 32000  # bytes a second
SPEECH = b"\x01\x02" * (FRAME // 2)
SILENCE = bytes(FRAME)


def spoken(seconds: float, seed: int = 0) -> bytes:
    """Audio of which no two stretches are alike."""
    return Random(seed).randbytes(round(seconds * RATE))


async def speak(stream: FluxStream, seconds: float, piece: bytes = SPEECH, length: float = 0.08) -> None:
    """Audio in real time."""
    began = anyio.current_time()
    for number in range(round(seconds / length)):
        await anyio.sleep_until(began + number * length)
        await stream.send_audio(piece)
