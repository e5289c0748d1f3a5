"""What callers sound like: sentences by espeak-ng or recorded, hums by espeak-ng, and coughs made of noise."""

from __future__ import annotations

import io
import subprocess
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]

RATE = 16000
LEVEL = 0.1
"""Root mean square of everything that is played, of full scale: -20 dB."""

VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb+m3", "en-us+m7", "en-gb+f2")
QUESTIONS = (
    "I would like to book a table for two on Friday evening.",
    "What time do you open on Sundays?",
    "Do you have anything without gluten?",
    "Can we sit outside if the weather is good?",
    "How much is the menu with four courses?",
    "Is there somewhere to park a car nearby?",
    "Could you tell me whether you take large groups?",
    "Where do I find you when I come by train?",
)
INTERRUPTIONS = (
    "Sorry, wait a moment, I need a table for three.",
    "No, stop, that is not what I asked.",
    "Actually, could we make that Saturday instead?",
    "Excuse me, I have changed my mind about that.",
    "Hold on, I think I got the day wrong.",
    "Please wait, there is something else first.",
)
HUMS = ("[[m:hm:]]", "[[m@hm:]]", "[[hm:]]", "[[@hV]]")
"""Mm-hm, mm-hmm, hm and uh-huh in espeak-ng's phonemes, 0.3 to 0.6 s long; as words it would spell them."""

ANSWER = (
    "Thank you very much for asking about that and let me tell you all about it because there is really a lot to say "
    "about our house and about the garden behind it"
)
"""One long sentence without a comma: a pause of a voice would pass for a bot that was silenced."""


def spoken(text: str, voice: str = "en-us", speed: int = 165) -> Samples:
    """The text as espeak-ng speaks it, at `RATE`, without the silence around it."""
    done = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(speed), "--stdout", text], check=True, capture_output=True
    )
    return _read(io.BytesIO(done.stdout))


def _read(file: BinaryIO) -> Samples:
    with wave.open(file) as sound:
        if (sound.getsampwidth(), sound.getnchannels()) != (2, 1):
            return np.zeros(0)
        rate = sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(float) / 32768
    times = np.arange(0, len(samples) / rate, 1 / RATE)
    return levelled(trimmed(np.interp(times, np.arange(len(samples)) / rate, samples)))


def cough(seed: int) -> Samples:
    """A cough: a burst, breath, and at times a second burst, all of noise shaped like a mouth.

    Bursts of 40 to 80 ms with breath of 120 to 220 ms after them is what is measured of coughs.
    """
    chance = np.random.default_rng(seed)
    pieces = []
    for _ in range(chance.integers(1, 3)):
        burst, breath = chance.uniform(0.04, 0.08), chance.uniform(0.12, 0.22)
        length = round((burst + breath) * RATE)
        time = np.arange(length) / RATE
        envelope = np.where(time < burst, np.minimum(time / 0.005, 1.0), 0.35 * np.exp(-(time - burst) / 0.06))
        pieces += [_mouth(chance.standard_normal(length), chance.uniform(700, 1400)) * envelope, np.zeros(RATE // 20)]
    return levelled(np.concatenate(pieces))


def _mouth(noise: Samples, centre: float) -> Samples:
    """Noise through one broad resonance."""
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    return np.fft.irfft(spectrum / np.sqrt(1 + ((hertz - centre) / 900) ** 2), len(noise))


def trimmed(samples: Samples) -> Samples:
    """Without the silence at both ends."""
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def levelled(samples: Samples) -> Samples:
    """At `LEVEL`, and nowhere beyond full scale."""
    power = float(np.sqrt(np.mean(samples**2)))
    return np.clip(samples * (LEVEL / power), -0.99, 0.99) if power else samples


def pcm(samples: Samples) -> bytes:
    """Little-endian 16-bit samples."""
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def save(samples: Samples, path: Path) -> Path:
    """Write a WAV file."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(pcm(samples))
    return path


@dataclass(frozen=True)
class Sounds:
    """The files of a run, by what they are."""

    questions: tuple[Path, ...]
    interruptions: tuple[Path, ...]
    hums: tuple[Path, ...]
    coughs: tuple[Path, ...]


def recorded(directory: Path) -> list[Samples]:
    """The sentences of 1.5 to 4 s in the 16-bit mono WAV files of a directory, in the order of their names."""
    read = []
    for path in sorted(directory.rglob("*.wav")):
        with path.open("rb") as file:
            read.append(_read(file))
    return [samples for samples in read if 1.5 * RATE <= len(samples) <= 4 * RATE]


def made(room: Path, coughs: int = 24, speech: Path | None = None) -> Sounds:
    """Speak and cough everything once, into this directory; with `speech`, what is spoken is taken from there."""
    room.mkdir(parents=True, exist_ok=True)
    sentences = [] if speech is None else recorded(speech)

    def all_of(name: str, texts: Iterable[str], speed: int = 165) -> tuple[Path, ...]:
        if sentences and name != "hum":
            own = sentences[name == "question" :: 2]
            return tuple(save(samples, room / f"{name}{at}.wav") for at, samples in enumerate(own))
        pairs = [(text, voice) for text in texts for voice in VOICES]
        return tuple(
            save(spoken(text, voice, speed), room / f"{name}{at}.wav") for at, (text, voice) in enumerate(pairs)
        )

    return Sounds(
        questions=all_of("question", QUESTIONS),
        interruptions=all_of("interruption", INTERRUPTIONS),
        hums=all_of("hum", HUMS),
        coughs=tuple(save(cough(seed), room / f"cough{seed}.wav") for seed in range(coughs)),
    )
