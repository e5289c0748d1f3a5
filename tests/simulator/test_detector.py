"""Turn detection on the audio clock keeps what Flux promises about turns."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.support.hearing import hear, of
from turnkit.simulator import FRAME, Detector, Script, Settings, say

TALK = """
    # A short call.
    1.0   I'd like a table (0.7) for two, please.
    +6    Yes.   # a single word
    +6.5  We could (0.4) come at eight, or (0.9) perhaps
    +8    No, (0.5) nine. (1.2) That is all, thank you very much!
"""
SETTINGS = [
    Settings(),
    Settings(eager_eot_threshold=0.3),
    Settings(eot_threshold=0.8, eager_eot_threshold=0.5, eot_timeout_ms=2000),
    Settings(eot_threshold=0.5, eager_eot_threshold=0.5),
    Settings(eot_threshold=1.0, eot_timeout_ms=1000),
    Settings(model="flux-general-multi", eager_eot_threshold=0.4, language_hints=("en", "de")),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_promise_about_turns_is_kept(settings: Settings) -> None:
    """Indexes, windows, texts and triggers follow Flux's rules in each of 40 hearings of a conversation."""
    for seed in range(40):
        _check_promises(hear(Script(Script.parse(TALK).utterances, seed=seed), settings), settings)


def _check_promises(messages: list[dict[str, Any]], settings: Settings) -> None:
    turn, start, last_end, last = 0, 0.0, 0.0, "EndOfTurn"
    eager_text: str | None = None
    for message in messages:
        event, text = message["event"], message["transcript"]
        assert (message["turn_index"], message["audio_window_start"]) == (turn, start)
        assert last_end <= message["audio_window_end"] <= last_end + 3 * FRAME + 1e-6
        assert round(message["audio_window_end"] / FRAME * 1e6) % 1e6 == 0
        assert text == " ".join(word["word"] for word in message["words"])
        assert 0.0 <= message["end_of_turn_confidence"] <= 1.0
        assert ("trigger" in message) == (event == "EndOfTurn")
        assert ("languages" in message) == ("languages_hinted" in message) == settings.multilingual
        assert all(0 <= word["start"] < word["end"] <= message["audio_window_end"] for word in message["words"])
        if eager_text is not None:
            assert event in ("Update", "TurnResumed", "EndOfTurn")
            assert (text != eager_text) == (event == "TurnResumed")
        if event == "StartOfTurn":
            assert last == "EndOfTurn"
            assert text
        elif event != "Update":
            assert last != "EndOfTurn"
        if event in ("EagerEndOfTurn", "TurnResumed"):
            assert settings.eager_eot_threshold is not None
            assert text
            eager_text = text if event == "EagerEndOfTurn" else None
        if event == "EagerEndOfTurn":
            assert message["end_of_turn_confidence"] >= (settings.eager_eot_threshold or 1)
        last_end = message["audio_window_end"]
        last = last if event == "Update" else event
        if event == "EndOfTurn":
            assert message["trigger"] in ("model", "timeout")
            if message["trigger"] == "model":
                assert 1.0 > message["end_of_turn_confidence"] >= settings.eot_threshold
            turn, start, eager_text = turn + 1, last_end, None
    assert last == "EndOfTurn"


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_word_is_lost(settings: Settings) -> None:
    """The turns of a conversation, joined, are what was said."""
    script = Script.parse(TALK, seed=5)
    heard = " ".join(message["transcript"] for message in of(hear(script, settings), "EndOfTurn"))
    assert heard == " ".join(utterance.transcript for utterance in script.utterances)


def test_hearing_does_not_depend_on_the_size_of_the_chunks() -> None:
    """One byte or one minute at a time: the messages are the same."""
    script, settings = Script.parse(TALK, seed=1), Settings(eager_eot_threshold=0.4)
    whole = hear(script, settings)
    assert whole == hear(script, settings, chunk=0.02)
    assert whole == hear(script, settings, chunk=0.333)


def test_the_seed_decides_and_the_thresholds_do_not() -> None:
    """The same seed sounds the same under other thresholds; another seed sounds different."""
    script = Script.parse(TALK, seed=1)
    low, high = hear(script, Settings(eot_threshold=0.9)), hear(script, Settings(eot_threshold=0.95))
    assert low == hear(script, Settings(eot_threshold=0.9))
    assert low != Detector(script, Settings(eot_threshold=0.9), seed=2).hear(script.end + 8)
    before = [message for message in low if message["audio_window_end"] < 6]
    assert before == [message for message in high if message["audio_window_end"] < 6]


def test_updates_come_every_quarter_of_a_second_and_oftener_while_confidence_is_high() -> None:
    """The grid is 0.24 s from the turn's beginning; every frame at or above the eager threshold is reported too."""
    settings = Settings(eot_threshold=1.0, eager_eot_threshold=0.6, eot_timeout_ms=60000)
    messages = hear(Script.parse("0.4 Hello there, how are you?"), settings, tail=10)
    grid = {round(step * 0.24, 2) for step in range(1, 200)}
    for message in of(messages, "Update"):
        assert message["audio_window_end"] in grid or message["end_of_turn_confidence"] >= 0.6
    reported = {message["audio_window_end"] for message in messages}
    assert {moment for moment in grid if moment <= max(reported)} <= reported
    assert reported - grid


def test_an_update_with_words_comes_before_the_start_of_a_turn() -> None:
    """StartOfTurn comes 0.56 to 0.64 s after the onset, and text is seen earlier."""
    for start in (0.3, 0.36, 0.4, 1.11):
        messages = hear(Script((say("Well, what about the people?", at=start),)), Settings())
        began = of(messages, "StartOfTurn")[0]
        assert 0.56 - 1e-6 <= began["audio_window_end"] - start < 0.64
        early = [message for message in messages[: messages.index(began)] if message["transcript"]]
        assert {message["event"] for message in early} == {"Update"}


def test_text_is_replaced_and_not_only_extended() -> None:
    """The newest word of an Update may still change."""
    messages = hear(Script.parse("1 The restaurant celebrates tremendous constitutions."), Settings())
    texts = [message["transcript"] for message in messages if message["turn_index"] == 0]
    assert any(not after.startswith(before) for before, after in pairwise(texts))


def test_confidence_wanders_while_nobody_has_a_turn() -> None:
    """Idle silence reads anything from 0.1 to 0.82 and starts nothing."""
    messages = Detector(Script(()), Settings(eot_threshold=0.5, eager_eot_threshold=0.3)).hear(120.0)
    values = [message["end_of_turn_confidence"] for message in messages]
    assert {message["event"] for message in messages} == {"Update"}
    assert min(values) >= 0.1
    assert max(values) <= 0.82
    assert max(values) - min(values) > 0.4


def test_silence_ends_a_turn_on_audio_time_at_any_threshold() -> None:
    """`eot_timeout_ms` counts from the last word, in audio, at eot_threshold 1.0 too, and starts again on speech."""
    script = Script.parse("1 Well, I was (2.5) thinking about")
    for timeout_ms in (2900, 4000):
        end = of(hear(script, Settings(eot_threshold=1.0, eot_timeout_ms=timeout_ms)), "EndOfTurn")
        assert [message["trigger"] for message in end] == ["timeout"]
        assert timeout_ms / 1000 <= end[0]["audio_window_end"] - script.end + 1e-6 < timeout_ms / 1000 + FRAME
        assert end[0]["transcript"] == "Well, I was thinking about"
    two = of(hear(script, Settings(eot_threshold=1.0, eot_timeout_ms=2000)), "EndOfTurn")
    assert [message["transcript"] for message in two] == ["Well, I was", "thinking about"]


def test_thresholds_in_force_count_from_the_moment_they_change() -> None:
    """A turn that 1.0 would never end is ended by the next frame after the threshold has been lowered."""
    script = Script.parse("1 That is all I need today.", seed=4)
    detector = Detector(script, Settings(eot_threshold=1.0, eot_timeout_ms=60000))
    assert not of(detector.hear(script.end + 10), "EndOfTurn")
    detector.settings = Settings(eot_threshold=0.5)
    assert [m["trigger"] for m in of(detector.hear(script.end + 10 + FRAME), "EndOfTurn")] == ["timeout"]
    again = Detector(script, Settings(eot_threshold=1.0, eot_timeout_ms=60000))
    again.hear(script.end + 10)
    again.settings = Settings(eot_threshold=0.5, eot_timeout_ms=60000)
    assert [m["trigger"] for m in of(again.hear(script.end + 10 + 2 * FRAME), "EndOfTurn")] == ["model"]


def test_a_forced_end_takes_the_latest_text_and_later_words_belong_to_the_next_turn() -> None:
    """ForceEndTurn ends on what the last Update said, makes up no EagerEndOfTurn, and only in an open turn."""
    script = Script.parse("1 Could you tell me when you open tomorrow?")
    detector = Detector(script, Settings(eager_eot_threshold=0.5))
    assert detector.force_end() is None
    before = detector.hear(2.0)
    assert detector.active
    end = detector.force_end()
    assert end is not None
    assert (end["event"], end["trigger"], end["turn_index"]) == ("EndOfTurn", "manual", 0)
    same = ("transcript", "words", "end_of_turn_confidence", "audio_window_end")
    assert [end[key] for key in same] == [before[-1][key] for key in same]
    assert detector.force_end() is None
    after = detector.hear(script.end + 8)
    assert {message["turn_index"] for message in after} == {1, 2}
    rest = of(after, "EndOfTurn")[0]
    assert rest["audio_window_start"] == end["audio_window_end"]
    assert f"{end['transcript']} {rest['transcript']}".split()[-3:] == ["you", "open", "tomorrow?"]


def test_closing_reports_the_last_frames_and_ends_nothing() -> None:
    """What CloseStream left unreported comes as one Update, at most."""
    detector = Detector(Script.parse("0.1 Hello there, how are you?"), Settings())
    heard = detector.hear(1.68)
    assert heard[-1]["audio_window_end"] == 1.68
    assert detector.finish() == []
    assert detector.hear(1.76) == []
    last = detector.finish()
    assert [(message["event"], message["audio_window_end"]) for message in last] == [("Update", 1.76)]


def test_a_script_can_be_heard_from_any_second() -> None:
    """What was said before it is not heard, a word half over is not either, and the rest sounds as ever."""
    script = Script.parse(TALK, seed=4)
    whole = hear(script, Settings())
    second = script.utterances[1].start - 0.5
    detector = Detector(script, Settings())
    detector.begin_at(second)
    rest = detector.hear(script.end - second + 8.0)
    heard, later = [of(messages, "EndOfTurn") for messages in (whole, rest)]
    assert [end["transcript"] for end in later] == [end["transcript"] for end in heard[-len(later) :]]
    assert len(later) == len(heard) - 1
    assert later[0]["turn_index"] == 0
    shift = heard[1]["audio_window_end"] - later[0]["audio_window_end"]
    assert shift == pytest.approx(second, abs=2 * FRAME)  # frames begin elsewhere
    word = script.utterances[0].words[0]
    for late, first in ((0.4, "I'd"), (0.6, "like")):
        detector = Detector(script, Settings())
        detector.begin_at(word.start + late * (word.end - word.start))
        assert of(detector.hear(6.0), "EndOfTurn")[0]["transcript"].split()[0] == first


def test_a_script_heard_from_after_its_end_is_silence() -> None:
    """Updates without words, and nothing else."""
    detector = Detector(Script.parse(TALK), Settings())
    detector.begin_at(1000.0)
    assert {(message["event"], message["transcript"]) for message in detector.hear(10.0)} == {("Update", "")}
