"""What the detector makes of an ear, whoever's it is: words that come late, change or are taken back, and commands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from tests.support.simulator_client import CLOSE, RAW, audio, call
from tests.support.sounds import coded, noise, silence, told, turns
from turnkit import ConfigError
from turnkit.simulator import FRAME, Ear, SpokenWord, serve
from turnkit.simulator.ear import Heard, confidence_in_silence, make_ear
from turnkit.simulator.ear.gate import SpeechGate
from turnkit.simulator.ear.player import EarPlayer
from turnkit.simulator.parameters import read_query

STEP = 0.04


class ScriptedEar:
    """Hears what it is told to: speech in these spans, and from these seconds on these words."""

    rate = 16000
    step = STEP

    def __init__(
        self,
        spans: Sequence[tuple[float, float]],
        words: Mapping[float, Sequence[SpokenWord]] | None = None,
        final: Mapping[float, Sequence[SpokenWord]] | None = None,
        start: float = 0.56,
    ) -> None:
        self.start = start
        self._spans, self._words, self._final = spans, words or {}, final or {}

    def open_stream(self) -> ScriptedStream:
        """As an ear does."""
        return ScriptedStream(self._spans, dict(self._words), dict(self._final))


class ScriptedStream:
    """One connection of it."""

    def __init__(self, spans: Any, words: Any, final: Any) -> None:
        self._spans, self._words, self._final = spans, words, final
        self._bytes = 0
        self._steps = 0
        self._partial: Sequence[SpokenWord] = ()

    def hear(self, pcm: bytes) -> Heard:
        """By the length of the sound."""
        self._bytes += len(pcm)
        now = self._bytes / 32000 + 1e-9
        speech: list[float] = []
        while (self._steps + 1) * STEP <= now:
            middle = (self._steps + 0.5) * STEP
            speech.append(1.0 if any(start <= middle < end for start, end in self._spans) else 0.0)
            self._steps += 1
        final: list[SpokenWord] = []
        for second in [second for second in self._final if second <= now]:
            final += self._final.pop(second)
            self._partial = ()
        for second in [second for second in self._words if second <= now]:
            self._partial = self._words.pop(second)
        return Heard(tuple(speech), tuple(final), tuple(self._partial))


def word(text: str, start: float, end: float) -> SpokenWord:
    """A word."""
    return SpokenWord(text, start, end)


HELLO = [word("hello", 1.0, 1.5)]
PLAIN = "encoding=linear16&sample_rate=16000"
EAGER = f"{PLAIN}&eager_eot_threshold=0.5"


def told_of(ear: Ear, seconds: float, query: str = PLAIN, **more: Any) -> list[dict[str, Any]]:
    """What is told of an ear that hears what it likes in so much silence."""
    return told(ear, coded(silence(seconds)), query, **more)


def transcripts(messages: Sequence[dict[str, Any]], event: str) -> list[str]:
    """Of all messages of a kind."""
    return [message["transcript"] for message in messages if message.get("event") == event]


def test_words_make_a_turn_from_their_start_to_the_silence_after_speech() -> None:
    """It begins 0.56 s after the first, and ends by the silence alone, which counts from the last speech heard."""
    ear = ScriptedEar([(1.0, 2.0)], {1.3: HELLO})
    messages = told_of(ear, 4.0)
    (started, start), (ended, end) = turns(messages)
    assert (started, ended) == ("StartOfTurn", "EndOfTurn")
    assert start == pytest.approx(1.6, abs=FRAME)
    assert confidence_in_silence(end - 2.0) >= 0.7 > confidence_in_silence(end - 2.0 - 3 * FRAME)


@pytest.mark.parametrize(("start", "at"), [(0.0, 1.3), (0.4, 1.4), (0.56, 1.6), (1.0, 2.0)])
def test_an_ear_may_begin_a_turn_sooner_or_later_than_flux(start: float, at: float) -> None:
    """Not before there is a word; its end does not move."""
    (_, started), (_, ended) = turns(told_of(ScriptedEar([(1.0, 2.4)], {1.3: HELLO}, start=start), 4.0))
    assert started == pytest.approx(at, abs=FRAME)
    assert ended == turns(told_of(ScriptedEar([(1.0, 2.4)], {1.3: HELLO}), 4.0))[1][1]


def test_speech_without_words_is_no_turn() -> None:
    """Every StartOfTurn has words."""
    assert turns(told_of(ScriptedEar([(1.0, 3.0)]), 5.0)) == []


def test_words_that_change_replace_those_told_before() -> None:
    """All of them, not the last alone; and what is final stays when further ones come."""
    said = {1.4: [word("why", 1.0, 1.4)], 1.9: [word("I", 1.0, 1.2), word("want", 1.2, 1.8)]}
    ear = ScriptedEar([(1.0, 2.6)], said, {2.2: [word("I", 1.0, 1.2), word("want", 1.2, 1.8), word("two", 1.9, 2.2)]})
    messages = told_of(ear, 4.0)
    heard = list(dict.fromkeys(message["transcript"] for message in messages if message.get("transcript")))
    assert heard == ["why", "I want", "I want two"]
    assert transcripts(messages, "EndOfTurn") == ["I want two"]


def test_a_word_that_changes_after_an_eager_end_takes_it_back() -> None:
    """So that the end has the words of the last eager end."""
    late = [word("hollow", 1.0, 1.5)]
    ear = ScriptedEar([(1.0, 2.0)], {1.3: HELLO, 2.5: late})
    messages = told_of(ear, 6.0, f"{EAGER}&eot_threshold=0.9")
    assert [event for event, _ in turns(messages)] == [
        "StartOfTurn",
        "EagerEndOfTurn",
        "TurnResumed",
        "EagerEndOfTurn",
        "EndOfTurn",
    ]
    assert transcripts(messages, "EagerEndOfTurn") == ["hello", "hollow"]
    assert transcripts(messages, "EndOfTurn") == ["hollow"]


def test_what_is_found_in_the_seconds_of_a_turn_that_is_over_is_no_turn_of_its_own() -> None:
    """An ear that thinks of another word later comes too late."""
    ear = ScriptedEar([(1.0, 2.0)], {1.3: HELLO}, {4.0: [*HELLO, word("there", 1.6, 2.0)]})
    messages = told_of(ear, 6.0)
    assert [event for event, _ in turns(messages)] == ["StartOfTurn", "EndOfTurn"]
    assert messages[-1]["transcript"] == ""


def test_a_turn_keeps_words_though_the_ear_takes_all_of_them_back() -> None:
    """An end without words would be nobody's."""
    ear = ScriptedEar([(1.0, 2.0)], {1.3: HELLO, 1.9: []})
    assert transcripts(told_of(ear, 4.0), "EndOfTurn") == ["hello"]


@pytest.mark.parametrize(
    ("text", "ends_within"),
    [("hello.", 1.6), ("hello", 0.75)],
)
def test_punctuation_tells_how_a_word_sounds_and_without_it_silence_does(text: str, ends_within: float) -> None:
    """A full stop goes by the curves of scripts, which depend on the seed; nothing by the silence."""
    ends = set()
    for seed in range(4):
        ear = ScriptedEar([(1.0, 2.0)], {1.3: [word(text, 1.0, 2.0)]})
        player = EarPlayer(ear, read_query(f"model=flux-general-en&{PLAIN}&eot_threshold=0.6"), "r", seed)
        player.take(coded(silence(6.0)))
        messages = [json.loads(one) for one in player.hear(6.0)]
        (end,) = [second for event, second in turns(messages) if event == "EndOfTurn"]
        assert 2.0 < end <= 2.0 + ends_within
        ends.add(end)
    assert len(ends) > 1 or text == "hello"


def test_a_comma_is_a_word_that_goes_on() -> None:
    """Such a turn ends later than one that ends in a full stop, for every seed."""
    ended: dict[str, list[float]] = {"well,": [], "well.": []}
    for text, seconds in ended.items():
        for seed in range(6):
            ear = ScriptedEar([(1.0, 2.0)], {1.3: [word(text, 1.0, 2.0)]})
            player = EarPlayer(ear, read_query(f"model=flux-general-en&{PLAIN}&eot_threshold=0.7"), "r", seed)
            player.take(coded(silence(9.0)))
            messages = [json.loads(one) for one in player.hear(9.0)]
            seconds += [second for event, second in turns(messages) if event == "EndOfTurn"]
    assert sum(ended["well,"]) > sum(ended["well."]) + 6 * 0.5


def test_commands_are_in_force_where_they_come() -> None:
    """ForceEndTurn ends the open turn, whose words are not heard again; Configure moves the threshold."""
    said = {
        1.3: HELLO,
        2.3: [*HELLO, word("there", 1.7, 2.2)],
        3.0: [*HELLO, word("there", 1.7, 2.2), word("you", 2.5, 3)],
    }
    ear = ScriptedEar([(1.0, 3.2)], said)
    messages = told_of(ear, 5.0, commands=[(2.4, EarPlayer.force_end)])
    ends = [(message["transcript"], message["trigger"]) for message in messages if message.get("event") == "EndOfTurn"]
    assert ends == [("hello there", "manual"), ("you", "model")]

    def patient(player: EarPlayer) -> list[str]:
        return player.configure(
            msgspec.structs.replace(read_query(f"model=flux-general-en&{PLAIN}"), eot_threshold=0.9)
        )

    hasty, slow = (
        turns(told_of(ScriptedEar([(1.0, 2.0)], {1.3: HELLO}), 5.0, commands=commands))[-1][1]
        for commands in ((), [(2.0, patient)])
    )
    assert slow - hasty == pytest.approx(0.72, abs=0.17)


def test_the_confidence_rises_with_silence_and_never_reaches_one() -> None:
    """So that a threshold of 1.0 is never met."""
    seconds = [tenth / 10 for tenth in range(100)]
    confidences = [confidence_in_silence(second) for second in seconds]
    assert confidences == sorted(confidences)
    assert 0.0 <= confidences[0] < 0.01
    assert confidences[-1] == 0.98


def test_a_gate_opens_on_speech_that_lasts_and_closes_at_once() -> None:
    """Single steps of it are chance; below half, it stays open and does not open."""
    gate = SpeechGate(0.032)
    opened: list[bool] = []
    for probability in [0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.9, 0.4, 0.2, 0.4, 0.4, 0.4, 0.4]:
        gate.hear(probability)
        opened.append(gate.open)
    assert opened == [*[False] * 6, True, True, *[False] * 5]
    assert gate.start == pytest.approx(3 * 0.032)
    assert gate.end == pytest.approx(8 * 0.032)


@pytest.mark.parametrize("query", ["encoding=opus&sample_rate=48000", ""])
def test_what_cannot_be_decoded_is_said_plainly_and_is_silence(query: str) -> None:
    """Opus in packets, and in a container."""
    settings = read_query(f"model=flux-general-en&{query}".rstrip("&"))
    player = EarPlayer(ScriptedEar([(0.0, 9.0)], {0.0: HELLO}), settings, "r")
    audio = b"OggS" + bytes(60)
    player.take(audio)
    messages = [json.loads(text) for text in player.hear(3.0)]
    (warning,) = [message for message in messages if message["type"] == "Warning"]
    assert warning["code"] == "EAR_CANNOT_DECODE"
    assert "Opus is not decoded here" in warning["description"]
    assert player.warnings == [warning["description"]]
    assert turns(messages) == []


def test_no_ear_goes_by_another_name() -> None:
    """The error says which there are."""
    with pytest.raises(ConfigError, match="ear='whisper': must be one of voice, quick, sphinx"):
        make_ear("whisper")


@pytest.mark.anyio
async def test_faults_by_name_strike_what_an_ear_hears() -> None:
    """As they do a script: here the connection is closed at the first eager end."""
    ear = ScriptedEar([(1.0, 2.0)], {1.3: HELLO})
    async with serve(ear, faults=["close:1011@eager1"]) as flux:
        messages, code = await call(flux, [*audio(4.0), CLOSE], f"{RAW}&eager_eot_threshold=0.4")
    assert code == 1011
    assert messages[-1]["event"] == "EagerEndOfTurn"
    assert messages[-1]["transcript"] == "hello"
    assert [str(injected.fault) for injected in flux.faults_injected] == ["close:1011@eager1"]


@pytest.mark.anyio
async def test_every_connection_is_heard_from_its_own_start() -> None:
    """An ear is loaded once, and has a stream for each; what it warns of is in the account of its own connection."""
    ear = ScriptedEar([(1.0, 2.0)], {1.3: HELLO})
    async with serve(ear) as flux:
        first, _ = await call(flux, [*audio(4.0), CLOSE])
        second, _ = await call(flux, [*audio(4.0), CLOSE])
        opus, _ = await call(flux, [b"\x00", CLOSE], "model=flux-general-en&encoding=opus&sample_rate=48000")
    assert turns(first) == turns(second) != []
    assert [message["type"] for message in opus] == ["Connected", "Warning"]
    assert [len(connection.warnings) for connection in flux.connections] == [0, 0, 1]


def test_silence_that_is_sent_is_needed_for_an_end() -> None:
    """No audio, no events: an ear has no clock of its own."""
    ear = ScriptedEar([(1.0, 2.0)], {1.3: HELLO})
    assert [event for event, _ in turns(told_of(ear, 2.2))] == ["StartOfTurn"]
    assert [event for event, _ in turns(told(ear, coded(noise(4.0))))] == ["StartOfTurn", "EndOfTurn"]
