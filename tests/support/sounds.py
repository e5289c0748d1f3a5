"""Sounds for an ear: samples from -1 to 1 at 16 kHz, what a connection sends of them, and what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from turnkit.simulator import Ear
from turnkit.simulator.ear.decoding import CODINGS
from turnkit.simulator.ear.player import EarPlayer
from turnkit.simulator.parameters import read_query

RATE = 16000
Samples: TypeAlias = np.ndarray


def silence(seconds: float) -> Samples:
    """Nothing at all."""
    return np.zeros(round(seconds * RATE))


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> Samples:
    """White noise of so much amplitude."""
    made: Samples = np.random.default_rng(seed).normal(0.0, level, round(seconds * RATE))
    return made


def tones(seconds: float, *hertz: float, level: float = 0.2) -> Samples:
    """Tones at the same time."""
    time = np.arange(round(seconds * RATE)) / RATE
    made: Samples = level * np.sum([np.sin(2 * np.pi * one * time) for one in hertz], axis=0)
    return made


def dialled(digits: str) -> Samples:
    """The keys of a telephone: DTMF, 0.1 s each and as long between them."""
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    keys = {key: (rows[place // 3], columns[place % 3]) for place, key in enumerate("123456789*0#")}
    return np.concatenate([np.concatenate([tones(0.1, *keys[digit]), silence(0.1)]) for digit in digits])


def clicks(count: int) -> Samples:
    """Clicks of 2 ms, three a second."""
    one = np.concatenate([noise(0.002, 0.7), silence(0.331)])
    return np.tile(one, count)


def music(seconds: float) -> Samples:
    """Chords with overtones, two a second, that fade as a piano's do."""
    chords = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))
    fade = np.exp(-3 * np.arange(RATE // 2) / RATE)
    played = [
        fade * sum(tones(0.5, *(part * one for one in chord), level=0.08 / part) for part in (1, 2, 3))
        for chord in chords
    ]
    made: Samples = np.tile(np.concatenate(played), round(seconds / 2) + 1)[: round(seconds * RATE)]
    return made


def cough(seed: int = 0) -> Samples:
    """Something like a cough: two bursts of noise, coloured by a throat, that begin at once and fade in 0.15 s."""
    burst = noise(0.25, 1.0, seed)
    throat = np.convolve(burst, np.hanning(12) / 6, mode="same")  # dull
    fade = np.exp(-np.arange(len(burst)) / (0.05 * RATE))
    one = 0.5 * throat * fade / np.max(np.abs(throat))
    return np.concatenate([one, silence(0.1), 0.7 * one])


def spoken(text: str, level: float = 0.5, **options: Any) -> Samples:
    """A text spoken by espeak-ng, without the silence around it; its loudest sample at this level."""
    import soxr

    from tests.support.espeak import speech

    audio, rate = speech(text, **options)
    samples = soxr.resample(np.frombuffer(audio, dtype="<i2") / 32768, rate, RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    samples = samples[loud[0] : loud[-1] + 1]
    made: Samples = samples * level / np.max(np.abs(samples))
    return made


def coded(samples: Samples, encoding: str = "linear16", rate: int = RATE) -> bytes:
    """The bytes that a client sends of them."""
    if rate != RATE:
        import soxr

        samples = soxr.resample(samples, RATE, rate)
    samples = np.clip(samples, -1.0, 1.0)
    if encoding == "linear16":
        return bytes((samples * 32767).astype("<i2").tobytes())
    if encoding == "linear32":
        return bytes(samples.astype("<f4").tobytes())
    # The nearest of the 256 values that a code can stand for.
    values = CODINGS[encoding][0](bytes(range(256)))
    order = np.argsort(values, kind="stable")
    above = np.clip(np.searchsorted(values[order], samples), 1, 255)
    below = samples - values[order[above - 1]] < values[order[above]] - samples
    return bytes(order[above - below].astype(np.uint8).tobytes())


def told(
    ear: Ear,
    audio: bytes,
    query: str = "encoding=linear16&sample_rate=16000",
    *,
    chunk: int = 2560,
    commands: Sequence[tuple[float, Callable[[EarPlayer], list[str]]]] = (),
) -> list[dict[str, Any]]:
    """Everything that a connection is told about its audio, sent in messages of `chunk` bytes.

    Args:
        ear: what hears it.
        audio: the bytes.
        query: of the connection, without the model.
        chunk: bytes a message. Default 2560.
        commands: what happens at a second of audio, as functions of the player that give what is answered.
    """
    settings = read_query(f"model=flux-general-en&{query}")
    player = EarPlayer(ear, settings, "r")
    texts = player.opening()
    waiting = list(commands)
    for at in range(0, len(audio), chunk):
        piece = audio[at : at + chunk]
        player.take(piece)
        seconds = (at + len(piece)) / (settings.bytes_per_second or 1)
        texts += player.hear(seconds)
        while waiting and waiting[0][0] <= seconds:
            texts += waiting.pop(0)[1](player)
    return [json.loads(text) for text in texts]


def turns(messages: Sequence[dict[str, Any]]) -> list[tuple[str, float]]:
    """The events of turns among them, without Updates, and the second of audio of each."""
    return [
        (message["event"], message["audio_window_end"])
        for message in messages
        if message["type"] == "TurnInfo" and message["event"] != "Update"
    ]
