"""The simulator without its socket: scripts, turn detection on the audio clock, the clock itself, recordings."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from turnkit.errors import ConfigError
from turnkit.simulator import (
    FRAME,
    Detector,
    Pace,
    Recording,
    Script,
    Settings,
    SpokenWord,
    Utterance,
    marked_silence,
    say,
)
from turnkit.simulator.audio_clock import AudioClock, MarkFinder, NotAudio
from turnkit.simulator.parameters import Refused, Unacceptable, Unparsable, configured, read_query, read_type
from turnkit.simulator.player import RecordingPlayer

TALK = """
    # A short call.
    1.0   I'd like a table (0.7) for two, please.
    +6    Yes.   # a single word
    +6.5  We could (0.4) come at eight, or (0.9) perhaps
    +8    No, (0.5) nine. (1.2) That is all, thank you very much!
"""


def hear(script: Script, settings: Settings, *, tail: float = 8.0, chunk: float | None = None) -> list[dict[str, Any]]:
    detector = Detector(script, settings)
    if chunk is None:
        return detector.hear(script.end + tail)
    messages = []
    for step in range(int((script.end + tail) / chunk) + 1):
        messages += detector.hear(step * chunk)
    return messages + detector.hear(script.end + tail)


def of(messages: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [message for message in messages if message["event"] == event]


# Scripts ----------------------------------------------------------------------------------------------------------


def test_a_script_reads_starts_pauses_paces_and_comments() -> None:
    """A few readable lines make a conversation."""
    script = Script.parse("1.0 Hello there. # hi\n\n# nothing\n+1.5 [read] We (0.5) the people.\n")
    first, second = script.utterances
    assert (first.start, first.transcript, first.pace) == (1.0, "Hello there.", "talk")
    assert second.start == pytest.approx(first.end + 1.5)
    assert (second.transcript, second.pace) == ("We the people.", "read")
    assert second.words[1].start == pytest.approx(second.words[0].end + 0.5)
    assert script.end == second.end


def test_words_come_at_about_three_a_second_and_longer_ones_take_longer() -> None:
    """The rate of speech is a natural one."""
    words = say("Could you tell me when the restaurant opens again tomorrow morning?", at=0.0).words
    assert 2.5 < len(words) / words[-1].end < 3.5
    seconds = {word.text: word.end - word.start for word in words}
    assert seconds["restaurant"] > seconds["tell"] > 0.15


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("hello", "a second and words"),
        ("1.0", "a second and words"),
        ("-1 hello", "a second and words"),
        ("0.5 too early", "before the last utterance has ended"),
        ("9 [sung] la la", "sung"),
        ("9 wait (long) here", "seconds in parentheses"),
        ("9 (0.5) wait", "between two words"),
        ("9 wait (0.5)", "between two words"),
        ("9 wait (0.5) (0.5) here", "between two words"),
        ("9 well - yes", "letter or digit"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str, rule: str) -> None:
    """The error names the source, the line and the rule."""
    with pytest.raises(ConfigError, match=f"^talk.txt, line 3: .*{rule}"):
        Script.parse(f"0.0 Hello there.\n\n{line}", source="talk.txt")


def test_a_script_without_words_or_file_is_refused(tmp_path: Path) -> None:
    """Nothing said is a mistake, and so is a file that is not there."""
    with pytest.raises(ConfigError, match="nothing is said"):
        Script.parse("# silence\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        Script.read(tmp_path / "none.txt")
    path = tmp_path / "talk.txt"
    path.write_text("1.0 Hello.\n", encoding="utf-8")
    assert Script.read(path, seed=3) == Script((say("Hello.", at=1.0),), seed=3)


def test_words_out_of_order_are_refused() -> None:
    """Nobody says two words at once."""
    with pytest.raises(ConfigError, match="begins before"):
        Utterance((SpokenWord("a", 0.0, 0.5), SpokenWord("b", 0.4, 0.8)))
    with pytest.raises(ConfigError, match="begins before"):
        Script((say("Hello there.", at=1.0), say("Hello.", at=1.2)))
    with pytest.raises(ConfigError, match="must end after it starts"):
        SpokenWord("a", 1.0, 1.0)
    with pytest.raises(ConfigError, match="at least one word"):
        say("", at=0.0)


# What Flux promises -----------------------------------------------------------------------------------------------

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


# Calibration ------------------------------------------------------------------------------------------------------

FINISHED = (
    "I'd like a table for two, please.",
    "Could you tell me when you open tomorrow?",
    "No, that is all for today, thanks.",
    "My number is on the booking.",
    "Is there any parking near the hotel?",
)


def _conversation(count: int, line: Callable[[int], str], pace: Pace = "talk") -> Script:
    utterances: list[Utterance] = []
    for number in range(count):
        # Not a multiple of the frame, so that ends fall anywhere within one.
        at = utterances[-1].end + 3.513 + number * 0.013 % FRAME if utterances else 1.0
        utterances.append(say(line(number), at=at, pace=pace))
    return Script(tuple(utterances), seed=7)


def _latencies(script: Script, messages: list[dict[str, Any]]) -> list[float]:
    ends = [utterance.end for utterance in script.utterances]
    return sorted(m["audio_window_end"] - ends[m["turn_index"]] for m in messages if m.get("trigger") == "model")


def _leads(messages: list[dict[str, Any]]) -> list[float]:
    leads = []
    eager: dict[str, Any] = {}
    for message in messages:
        if message["event"] == "EagerEndOfTurn":
            eager = message
        elif message.get("trigger") == "model":
            leads.append(message["audio_window_end"] - eager["audio_window_end"])
    return leads


def test_finished_turns_end_as_fast_as_flux_says_and_fall_off_the_cliff() -> None:
    """At 0.70: median 0.26 to 0.30 s, p95 about 1.5 s, nearly all by the model; at 0.79 and 0.80 about half."""
    script = _conversation(400, lambda number: FINISHED[number % len(FINISHED)])
    messages = hear(script, Settings(eager_eot_threshold=0.4, eot_timeout_ms=3000))
    ends = of(messages, "EndOfTurn")
    assert len(ends) == 400
    latencies = _latencies(script, messages)
    assert 0.24 <= median(latencies) <= 0.31
    assert 1.1 <= latencies[int(0.95 * len(latencies))] <= 1.9
    assert 0.97 <= len(latencies) / 400 <= 0.998
    leads = _leads(messages)
    assert 0.12 <= median(leads) <= 0.26
    assert sum(lead < 0.01 for lead in leads) > 20
    assert 4 <= sum(lead > 1.0 for lead in leads) <= 60
    for threshold in (0.79, 0.80):
        model = _latencies(script, hear(script, Settings(eot_threshold=threshold, eot_timeout_ms=3000)))
        assert 0.40 <= len(model) / 400 <= 0.62


def test_pauses_in_mid_sentence_are_sometimes_taken_for_ends() -> None:
    """Of pauses from 0.3 s, about 10 to 13 % end a turn at 0.70 and about 5 % at 0.79."""
    script = _conversation(
        400, lambda number: f"I would like a table ({0.3 + number % 40 * 0.03:.2f}) for two, please."
    )
    shares = {}
    for threshold in (0.70, 0.79):
        ends = of(hear(script, Settings(eot_threshold=threshold, eot_timeout_ms=3000)), "EndOfTurn")
        shares[threshold] = sum(message["transcript"].endswith("table") for message in ends) / 400
    assert 0.08 <= shares[0.70] <= 0.16
    assert 0.025 <= shares[0.79] <= 0.08


def test_speech_read_aloud_ends_as_late_as_in_the_recorded_session() -> None:
    """Eager (0.5) about 1.28 s and the end (0.8) about 1.44 s after the last sound, and no bluff in between."""
    script = _conversation(60, lambda _: "We the people of the United States of America.", pace="read")
    messages = hear(script, Settings(eot_threshold=0.8, eager_eot_threshold=0.5))
    ends = [utterance.end for utterance in script.utterances]
    eager = [m["audio_window_end"] - ends[m["turn_index"]] for m in of(messages, "EagerEndOfTurn")]
    final = _latencies(script, messages)
    assert len(eager) == len(final) == 60
    assert 1.24 <= median(eager) <= 1.32
    assert 1.40 <= median(final) <= 1.48
    assert final[-1] - final[0] < 0.3


# The audio clock --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "rate", "bytes_per_second"),
    [("linear16", 16000, 32000), ("linear32", 8000, 32000), ("mulaw", 8000, 8000), ("alaw", 44100, 44100)],
)
def test_raw_audio_is_as_long_as_its_bytes(encoding: str, rate: int, bytes_per_second: int) -> None:
    """Width and rate make the seconds."""
    settings = read_query(f"model=flux-general-en&encoding={encoding}&sample_rate={rate}")
    clock = AudioClock(settings.bytes_per_second)
    assert clock.hear(bytes(bytes_per_second // 2)) == 0.5
    assert clock.hear(bytes(bytes_per_second)) == 1.5


def _wav(width: int, rate: int, *, channels: int = 1, filler: int = 0) -> bytes:
    block = width * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block, block, 8 * width)
    extra = b"FLLR" + struct.pack("<I", filler) + bytes(filler + filler % 2) if filler else b""
    return b"RIFF\xff\xff\xff\xffWAVE" + b"fmt " + struct.pack("<I", 16) + form + extra + b"data\xff\xff\xff\xff"


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_a_wav_file_tells_its_own_rate_however_it_is_cut(chunk: int) -> None:
    """The header does not count as sound, and may come in pieces and with fillers."""
    data = _wav(2, 8000, filler=333) + bytes(8000)
    clock = AudioClock(None)
    seconds = [clock.hear(data[at : at + chunk]) for at in range(0, len(data), chunk)]
    assert seconds[-1] == clock.seconds == 0.5


def test_the_wav_of_the_recorded_session_is_as_long_as_it_says(preamble_wav: Path) -> None:
    """19.1 s of it."""
    assert AudioClock(None).hear(preamble_wav.read_bytes()) == pytest.approx(19.1, abs=0.1)


@pytest.mark.parametrize("data", [b"OggS" + bytes(20), bytes(64), _wav(2, 8000, channels=2), bytes(12)])
def test_what_is_no_mono_wav_is_no_audio(data: bytes) -> None:
    """Other containers, raw audio without `encoding` and stereo are refused."""
    with pytest.raises(NotAudio):
        AudioClock(None).hear(data)


def test_a_wav_file_without_sound_is_given_up() -> None:
    """A header is not buffered for ever."""
    clock = AudioClock(None)
    with pytest.raises(NotAudio, match="no audio in the first"):
        clock.hear(b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\x7f" + bytes(70_000))
    with pytest.raises(NotAudio, match="before its sound"):
        AudioClock(None).hear(b"RIFF\0\0\0\0WAVEdata\0\0\0\0")


@pytest.mark.parametrize("chunk", [1, 7, 320, 2560, 100000])
@pytest.mark.parametrize("cut", [0, 1, 333, 64001])
def test_marked_audio_is_found_however_it_is_cut(chunk: int, cut: int) -> None:
    """To the byte, before the first frame that anything is said about."""
    sound = marked_silence(4.0, start=10.0)[cut:]
    finder = MarkFinder(32000)
    found = None
    taken = 0
    while not finder.done:
        found = finder.look(sound[taken : taken + chunk])
        taken += chunk
    assert found == pytest.approx(10.0 + cut / 32000, abs=1e-9)
    assert taken - chunk < FRAME * 32000


@pytest.mark.parametrize("data", [bytes(2560), b"\x7fTK\x01" * 640, marked_silence(0.08)[:0]])
def test_audio_without_marks_says_nothing(data: bytes) -> None:
    """The search is over within the first frame, and a container is not searched at all."""
    finder = MarkFinder(32000)
    assert finder.look(data) is None
    assert finder.done == bool(data)
    assert MarkFinder(None).done
    damaged = MarkFinder(32000)
    assert damaged.look(marked_silence(0.02)[:8] + struct.pack("<d", float("nan")) + bytes(2000)) is None


# Queries and commands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "model=flux-general-en",
        "model=flux-general-en&encoding=linear16&sample_rate=48000&eot_threshold=1.0&eager_eot_threshold=.9",
        "model=flux-general-en&eot_threshold=0.5&eager_eot_threshold=0.5&eot_timeout_ms=500",
        "model=flux-general-en&eot_timeout_ms=60000&keyterm=one&keyterm=two%20three&tag=a&tag=b&mip_opt_out=true",
        "model=flux-general-multi&language_hint=en&language_hint=pt-BR&profanity_filter=true&numerals=false",
        "model=flux-general-en&redact=numbers",
    ],
)
def test_what_flux_takes_is_taken(query: str) -> None:
    """The boundaries of every range are inside it."""
    read_query(query)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux", 403, "INSUFFICIENT_PERMISSIONS"),
        ("model=nova-3", 403, "INSUFFICIENT_PERMISSIONS"),
        ("model=flux-general-en&language=en", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_treshold=0.7", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&model=flux-general-en", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=0.49", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=1.01", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=nan", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eager_eot_threshold=0.29", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eager_eot_threshold=0.75", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=0.6&eager_eot_threshold=0.65", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_timeout_ms=499", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_timeout_ms=60001", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_timeout_ms=5000.5", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=linear16", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&sample_rate=16000", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=linear16&sample_rate=22050", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=flac&sample_rate=16000", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=opus&sample_rate=48000", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&redact=pci", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&numerals=yes", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&keyterm=", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en" + "&keyterm=a" * 101, 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&language_hint=en", 400, "INVALID_PARAMETER"),
        ("model=flux-general-multi&language_hint=xx", 400, "INVALID_PARAMETER"),
        ("model=flux-general-multi&language_hint=", 400, "INVALID_PARAMETER"),
    ],
)
def test_what_flux_refuses_is_refused(query: str, status: int, code: str) -> None:
    """Each with Flux's own status and code."""
    with pytest.raises(Refused) as refused:
        read_query(query)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.reason


def test_a_configure_changes_what_it_names_and_nothing_else() -> None:
    """Members left out or null keep their value, lists replace the whole list, [] clears, quoted thresholds pass."""
    old = Settings(model="flux-general-multi", eager_eot_threshold=0.4, keyterms=("a", "b"), language_hints=("en",))
    assert configured(old, '{"type":"Configure"}') == old
    assert configured(old, '{"type":"Configure","language_hints":null,"thresholds":{}}') == old
    new = configured(old, '{"type":"Configure","thresholds":{"eot_threshold":"0.8"},"keyterms":["c"],"numerals":true}')
    assert (new.eot_threshold, new.eager_eot_threshold, new.keyterms, new.numerals) == (0.8, 0.4, ("c",), True)
    assert configured(old, '{"type":"Configure","keyterms":[],"language_hints":[]}').language_hints == ()
    # Eager is held against eot only where both are given.
    assert configured(old, '{"type":"Configure","thresholds":{"eager_eot_threshold":0.9}}').eager_eot_threshold == 0.9


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"thresholds": {"eot_threshold": 0.49}}, "INVALID_THRESHOLD"),
        ({"thresholds": {"eager_eot_threshold": 0.91}}, "INVALID_THRESHOLD"),
        ({"thresholds": {"eot_timeout_ms": 100}}, "INVALID_THRESHOLD"),
        ({"thresholds": {"eot_threshold": 0.6, "eager_eot_threshold": 0.7}}, "INVALID_THRESHOLD"),
        ({"keyterms": ["a"] * 101}, "INVALID_PARAMETER"),
        ({"keyterms": ["fine", " "]}, "INVALID_PARAMETER"),
        ({"language_hints": ["en"]}, "INVALID_PARAMETER"),
    ],
)
def test_a_configure_out_of_range_is_refused(command: dict[str, Any], code: str) -> None:
    """Flux reads it and says no."""
    with pytest.raises(Unacceptable) as refused:
        configured(Settings(), json.dumps({"type": "Configure", "numerals": True, **command}))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "fields",
    [
        {"numerals": "true"},
        {"features": {"numerals": True}},
        {"language_hint": ["en"]},
        {"thresholds": {"eot": 0.7}},
        {"thresholds": {"eot_threshold": "high"}},
        {"thresholds": 0.7},
        {"keyterms": 7},
    ],
)
def test_a_configure_that_flux_cannot_read_is_unparsable(fields: dict[str, Any]) -> None:
    """Unknown fields and wrong types are fatal."""
    with pytest.raises(Unparsable, match="Could not deserialize last text message: "):
        configured(Settings(), json.dumps({"type": "Configure", **fields}))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"type":"KeepAlive"}', "unknown variant `KeepAlive`, expected one of `CloseStream`, `Configure`"),
        ('{"type":"Finalize"}', "unknown variant `Finalize`"),
        ("{}", "missing field `type`"),
        ('{"type":7}', "invalid type"),
        ("hello", "expected a JSON object"),
        ("[]", "expected a JSON object"),
        ("", "expected a JSON object"),
    ],
)
def test_text_that_is_none_of_three_commands_is_unparsable(text: str, reason: str) -> None:
    """KeepAlive and Finalize included: they belong to another API."""
    with pytest.raises(Unparsable, match=reason):
        read_type(text)


# Recordings -------------------------------------------------------------------------------------------------------

LINES = [
    '{"type":"Connected","request_id":"r","sequence_id":0}',
    '{"type":"TurnInfo","request_id":"r","event":"Update","turn_index":0,"audio_window_start":0.0,'
    '"audio_window_end":0.24,"transcript":"","words":[],"end_of_turn_confidence":0.4,"sequence_id":1}',
    '{"type":"TurnInfo","request_id":"r","event":"StartOfTurn","turn_index":0,"audio_window_start":0.0,'
    '"audio_window_end":1.6800001,"transcript":"Hi","words":[{"word":"Hi","confidence":1.0}],'
    '"end_of_turn_confidence":0.1,"sequence_id":2}',
    '{"type":"ConfigureSuccess","request_id":"r","thresholds":{"eot_threshold":0.8},"keyterms":[],"sequence_id":3}',
    '{"type":"TurnInfo","request_id":"r","event":"EndOfTurn","turn_index":0,"audio_window_start":0.0,'
    '"audio_window_end":2.4,"transcript":"Hi.","words":[],"end_of_turn_confidence":0.9,"sequence_id":4}',
    '{"type":"TurnInfo","request_id":"r","event":"Update","turn_index":1,"audio_window_start":2.4,'
    '"audio_window_end":2.6399999,"transcript":"","words":[],"end_of_turn_confidence":0.4,"sequence_id":5}',
]


def _recording(path: Path, lines: list[str]) -> Recording:
    file = path / "session.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Recording.read(file)


def test_a_recording_plays_in_step_with_the_audio(tmp_path: Path) -> None:
    """A TurnInfo is due with its window, despite float32 noise; anything else with the frame before it."""
    player = RecordingPlayer(_recording(tmp_path, LINES), "r")
    assert player.opening() == LINES[:1]
    assert player.hear(0.16) == []
    assert player.hear(0.24) == LINES[1:2]
    assert player.hear(1.6) == []
    assert player.hear(1.68) == LINES[2:4]
    assert player.hear(60.0) == LINES[4:]
    assert player.hear(61.0) == player.finish() == []


def test_the_recorded_session_plays_each_frame_with_its_window(preamble: Path) -> None:
    """No frame of the real session comes before the audio it covers, and none is held back beyond that."""
    recording = Recording.read(preamble)
    player = RecordingPlayer(recording, recording.request_id)
    played = player.opening()
    for frame in range(1, 280):
        due = [json.loads(text).get("audio_window_end", 0.0) for text in player.hear(frame * FRAME)]
        assert all(window <= frame * FRAME + 1e-3 for window in due)
        assert all(window > (frame - 1) * FRAME + 1e-3 for window in due if window)
        played += due
    assert len(played) == 105


def test_a_command_gets_the_answer_that_is_recorded_or_a_live_one(tmp_path: Path) -> None:
    """One recorded ConfigureSuccess serves one Configure; a second is answered at once, and the rest renumbered."""
    player = RecordingPlayer(_recording(tmp_path, LINES), "r")
    texts = player.opening() + player.hear(0.24)
    assert player.configure(Settings(eot_threshold=0.8)) == []
    live = player.configure(Settings(eot_threshold=0.9))
    assert json.loads(live[0])["thresholds"]["eot_threshold"] == 0.9
    texts += live + player.hear(60.0)
    assert [json.loads(text)["sequence_id"] for text in texts] == list(range(7))
    assert '"audio_window_end":1.6800001' in texts[3]


def test_a_turn_ended_by_command_stays_ended(tmp_path: Path) -> None:
    """The rest of the recorded turn is skipped, and no sequence id with it; without a turn there is a Warning."""
    player = RecordingPlayer(_recording(tmp_path, LINES), "r")
    texts = player.opening() + player.hear(0.24) + player.force_end()
    assert json.loads(texts[-1])["code"] == "FORCE_END_TURN_NO_ACTIVE_TURN"
    texts += player.hear(1.68) + player.force_end()
    end = json.loads(texts[-1])
    assert (end["event"], end["trigger"], end["transcript"], end["turn_index"]) == ("EndOfTurn", "manual", "Hi", 0)
    texts += player.hear(60.0)
    assert [json.loads(text)["sequence_id"] for text in texts] == list(range(7))
    assert json.loads(texts[-1])["turn_index"] == 1


def test_a_recorded_manual_end_answers_the_command(tmp_path: Path) -> None:
    """It plays at its own time, verbatim."""
    lines = [line.replace('"confidence":0.9,', '"confidence":0.9,"trigger":"manual",') for line in LINES]
    lines[4] = lines[4].replace('"event":"EndOfTurn"', '"trigger":"manual","event":"EndOfTurn"')
    player = RecordingPlayer(_recording(tmp_path, lines), "r")
    texts = player.opening() + player.hear(1.68) + player.force_end() + player.hear(60.0)
    assert texts == lines


def test_a_recording_without_connected_gets_one(tmp_path: Path) -> None:
    """Clients wait for it; where its number is free, the rest stays verbatim."""
    player = RecordingPlayer(_recording(tmp_path, LINES[1:]), "r")
    assert json.loads(player.opening()[0]) == {"type": "Connected", "request_id": "r", "sequence_id": 0}
    assert player.hear(60.0) == LINES[1:]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "holds no TurnInfo"),
        (LINES[:1], "holds no TurnInfo"),
        ([LINES[0], "not json"], "line 2: not a JSON object"),
        ([LINES[0], "[1]"], "line 2: not a JSON object"),
        ([LINES[0], "", '{"event":"Update"}'], "line 3: not a message of Flux"),
        ([LINES[0], '{"type":"TurnInfo","turn_index":"x"}'], "line 2: not a message of Flux"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, lines: list[str], problem: str) -> None:
    """The error names the file and the line."""
    with pytest.raises(ConfigError, match=f"session.jsonl.*{problem}"):
        _recording(tmp_path, lines)


def test_a_recording_that_is_not_there_is_refused_and_no_repr_quotes_one(tmp_path: Path) -> None:
    """Errors and reprs may be logged; transcripts may not."""
    with pytest.raises(ConfigError, match="cannot be read"):
        Recording.read(tmp_path / "none.jsonl")
    assert "Hi" not in repr(_recording(tmp_path, LINES).frames[2])
