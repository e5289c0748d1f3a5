"""Reader of WAV files as Flux wants its audio: mono, linear16, at one of its sample rates."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import NamedTuple

from ..checks import check_regular_file
from ..errors import ConfigError
from ..wire import SAMPLE_RATES


class Wav(NamedTuple):
    """Audio in memory.

    Attributes:
        sample_rate: Samples a second, in Hz.
        audio: Little-endian 16-bit samples of one channel.
    """

    sample_rate: int
    audio: bytes

    @property
    def seconds(self) -> float:
        """Seconds that it lasts."""
        return len(self.audio) / 2 / self.sample_rate


def read_wav(path: Path) -> Wav:
    """Read a whole WAV file. Raises ConfigError naming the file, what it holds and what Flux needs."""
    check_regular_file("audio", path)
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            if channels != 1 or width != 2 or rate not in SAMPLE_RATES:
                raise ConfigError(
                    f"{path}: has {channels} channel(s) of {8 * width} bits at {rate} Hz; must be mono, 16 bits, at "
                    f"{', '.join(map(str, SAMPLE_RATES))} Hz (sox IN.wav -c 1 -b 16 -r 16000 OUT.wav makes it so)"
                )
            audio = file.readframes(file.getnframes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (wave.Error, EOFError) as error:
        what = str(error) or "it ends too soon"
        raise ConfigError(f"{path}: is not a WAV file of PCM samples ({what})") from error
    if not audio:
        raise ConfigError(f"{path}: holds no audio")
    return Wav(rate, audio[: len(audio) // 2 * 2])
