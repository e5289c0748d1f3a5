"""Flux's messages and the events they become, against Flux's published wire format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.flux_messages import CONFIGURED, IN_FORCE, MESSAGES, TURN, Frame, carriers, compact
from turnkit.turns.events import EagerEndOfTurn, EndOfTurn, StartOfTurn, TimedWord, TurnResumed, Update
from turnkit.wire import ConfigureSuccess, Connected, Message, TurnInfo, Unknown, Word, decode, to_event

# Messages -----------------------------------------------------------------------------------------------------------


@carriers
@pytest.mark.parametrize(("frame", "message"), MESSAGES, ids=lambda value: type(value).__name__)
def test_message_is_read_from_any_carrier(frame: Frame, message: Message, carry: Callable[[Frame], object]) -> None:
    """Every message of Flux is read alike from text, bytes, mappings and objects."""
    assert decode(carry(frame)) == message


@carriers
def test_turn_info_is_read_from_any_carrier(carry: Callable[[Frame], object]) -> None:
    """A TurnInfo is read with all its fields; the words are decoded when asked for."""
    message = decode(carry(TURN))
    assert isinstance(message, TurnInfo)
    for name, value in TURN.items():
        if name not in ("type", "words"):
            assert getattr(message, name) == (tuple(value) if isinstance(value, list) else value)
    assert message.words == (Word("I", 0.95, 4.4, 4.5), Word("need", 0.9), Word("help", 1.0, 4.7, 5.1))


def test_pydantic_objects_are_read_by_field_and_extra() -> None:
    """A real pydantic model that allows extras is read whole, nested words included."""
    pydantic = pytest.importorskip("pydantic")
    config = pydantic.ConfigDict(extra="allow")
    word: Any = pydantic.create_model("W", __config__=config, word=(str, ...))
    model = pydantic.create_model("M", __config__=config, type=(str, ...), words=(tuple[word, ...], ...))
    assert decode(model(**TURN)) == decode(compact(TURN))


def test_none_is_a_message_that_cannot_be_read() -> None:
    """None, which SDK 7.8 makes of a type it does not know, is Unknown and no event."""
    message = decode(None)
    assert isinstance(message, Unknown)
    assert (message.type, message.raw) == ("", None)
    assert "None" in message.problem
    assert to_event(message) is None


def test_numbers_in_quotes_are_numbers() -> None:
    """Hosts that put numbers in quotes are understood, in words too."""
    numbers = ("turn_index", "audio_window_start", "audio_window_end", "end_of_turn_confidence", "sequence_id")
    quoted: Frame = {**TURN, **{name: str(TURN[name]) for name in numbers}}
    quoted["words"] = [{"word": "I", "confidence": "0.95", "start": "4.4", "end": "4.5"}]
    message = decode(quoted)
    assert isinstance(message, TurnInfo)
    assert [getattr(message, name) for name in numbers] == [TURN[name] for name in numbers]
    assert message.words == (Word("I", 0.95, 4.4, 4.5),)
    assert decode({**CONFIGURED, "thresholds": {name: str(value) for name, value in IN_FORCE.items()}}) == decode(
        CONFIGURED
    )


@carriers
def test_unknown_fields_are_skipped(carry: Callable[[Frame], object]) -> None:
    """Fields newer than turnkit change nothing, whatever they hold."""
    newer = {"speaker": {"id": [1, {"name": None}]}, "mood": "calm", "count": 10**30}
    assert decode(carry({**newer, **TURN, "x": [[]]})) == decode(compact(TURN))


def test_absent_fields_have_defaults() -> None:
    """Only the event and the index of a turn are indispensable."""
    message = decode('{"event":"Update","turn_index":0,"type":"TurnInfo"}')
    assert message == TurnInfo(event="Update", turn_index=0)
    assert isinstance(message, TurnInfo)
    assert (message.transcript, message.trigger, message.words, message.languages) == ("", "", (), None)
    assert (message.sequence_id, message.request_id) == (-1, "")
    assert decode('{"type":"ConfigureSuccess"}') == ConfigureSuccess()


@pytest.mark.parametrize("kind", ["Results", "connected", "FatalError", ""])
def test_type_that_is_new_is_unknown_and_no_problem(kind: str) -> None:
    """A type that turnkit does not know is kept whole and is nobody's fault."""
    text = compact({"type": kind, "transcript": "my pin is 4711"})
    assert decode(text) == Unknown(type=kind, raw=text)
    assert "4711" not in repr(decode(text))


@pytest.mark.parametrize("raw", ["null", "5", '"x"', '[{"word":5}]', '[{"confidence":1}]', "{}"])
def test_words_that_cannot_be_read_are_none(raw: str) -> None:
    """Damaged words do not cost the turn: its transcript stands, the words are empty."""
    message = decode('{"type":"TurnInfo","event":"Update","turn_index":0,"transcript":"hi","words":' + raw + "}")
    assert isinstance(message, TurnInfo)
    assert (message.transcript, message.words) == ("hi", ())


# Events -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [StartOfTurn, Update, EagerEndOfTurn, TurnResumed])
def test_turn_info_becomes_its_event(kind: type[Update]) -> None:
    """The event's name chooses the type; index, text, confidence and end of audio are carried, a trigger is not."""
    message = decode({**TURN, "event": kind.__name__})
    event = to_event(message)
    assert type(event) is kind
    assert (event.turn_index, event.transcript, event.confidence, event.audio_end) == (3, "I need help", 0.86, 6.8)


WORDS = (TimedWord("I", 4.4, 4.5, 0.95), TimedWord("need", None, None, 0.9), TimedWord("help", 4.7, 5.1, 1.0))


def test_the_ends_of_a_turn_carry_words_and_languages() -> None:
    """An eager end and an end have the words with their times and what Flux detected; no other event decodes them."""
    for event in (
        decode({**TURN, "event": kind, "languages": ["en", "de"]}) for kind in ("EagerEndOfTurn", "EndOfTurn")
    ):
        end = to_event(event)
        assert isinstance(end, (EagerEndOfTurn, EndOfTurn))
        assert (end.words, end.languages) == (WORDS, ("en", "de"))
    for left_out in ("words", "languages"):
        end = to_event(decode({name: value for name, value in TURN.items() if name != left_out}))
        assert isinstance(end, EndOfTurn)
        assert getattr(end, left_out) == ()
    assert not hasattr(to_event(decode({**TURN, "event": "Update"})), "words")


def test_numbers_of_words_can_be_reckoned_with() -> None:
    """A time that is no number is unknown, and such a confidence none: strings such as "NaN" are read as numbers."""
    words = [{"word": "tea", "start": "NaN", "end": "inf", "confidence": "NaN"}, {"word": "two", "start": "1.5"}]
    end = to_event(decode({**TURN, "words": words}))
    assert isinstance(end, EndOfTurn)
    assert end.words == (TimedWord("tea"), TimedWord("two", 1.5))
    unreadable = to_event(decode({**TURN, "words": [{"text": "tea"}]}))
    assert isinstance(unreadable, EndOfTurn)
    assert unreadable.words == ()


@pytest.mark.parametrize("trigger", ["model", "manual", "timeout", "", "some day another"])
def test_end_of_turn_carries_its_trigger(trigger: str) -> None:
    """What ended the turn is carried as it came, known or not."""
    end = to_event(decode({**TURN, "trigger": trigger}))
    assert isinstance(end, EndOfTurn)
    assert (end.turn_index, end.transcript, end.audio_end, end.trigger) == (3, "I need help", 6.8, trigger)


def test_all_else_is_no_event() -> None:
    """Other messages, and events that turnkit does not know, are no turn event."""
    assert isinstance(decode({**TURN, "event": "TurnPaused"}), TurnInfo)
    assert to_event(decode({**TURN, "event": "TurnPaused"})) is None
    assert [to_event(message) for _, message in MESSAGES] == [None] * len(MESSAGES)


def test_recorded_session_is_read_whole(preamble: Path) -> None:
    """A real session of Flux: every frame is known, none is missing, the words make up the transcript."""
    messages = [decode(line) for line in preamble.read_bytes().splitlines()]
    turns = [message for message in messages if isinstance(message, TurnInfo)]
    assert [message.sequence_id for message in messages if not isinstance(message, Unknown)] == list(range(105))
    assert Counter(type(message) for message in messages) == {Connected: 1, ConfigureSuccess: 1, TurnInfo: 103}
    assert Counter(type(to_event(turn)) for turn in turns) == {
        Update: 100,
        StartOfTurn: 1,
        EagerEndOfTurn: 1,
        EndOfTurn: 1,
    }
    for turn in turns:
        assert " ".join(word.word for word in turn.words) == turn.transcript
        assert to_event(turn) is not None
