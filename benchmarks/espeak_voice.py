"""The voice of espeak-ng: how much faster than speech it is, and how soon its first sound is there.

    python -m benchmarks.espeak_voice

CPU time of the whole process, and the time of the wall for the first sound: run it on a machine that does nothing else.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter, process_time

import anyio

from turnkit.speaking.espeak import EspeakVoice

TEXT = "There is a table by the window, or one on the terrace, and both are yours for the evening if you like."
TIMES = 40


async def measure(rate: int) -> tuple[float, float]:
    """Seconds of speech for a second of CPU, and the median of the seconds to the first sound."""
    voice = EspeakVoice(sample_rate=rate)
    speech, firsts = 0, []
    used = process_time()
    for _ in range(TIMES):
        asked = perf_counter()
        first = None
        async for sound in voice(TEXT):
            first = first if first is not None else perf_counter() - asked
            speech += len(sound.audio)
        firsts.append(first or 0.0)
    return speech / 2 / rate / (process_time() - used), median(firsts)


def main() -> None:
    for rate in (22050, 16000, 8000):
        anyio.run(measure, rate)  # once for the library to be loaded
        speed, first = anyio.run(measure, rate)
        print(f"{rate:6} Hz: {speed:4.0f} s of speech in a second of CPU, first sound after {1000 * first:.1f} ms")


if __name__ == "__main__":
    main()
