"""Events and signals as values: frozen, equal, printable, and JSON."""

from __future__ import annotations

import json
import typing
from enum import StrEnum
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkit.errors import LocalProtocolError
from turnkit.turns import events
from turnkit.turns.events import (
    SIGNALS,
    SPOKEN,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Initiate,
    NoteKind,
    PlaybackAdvanced,
    Protect,
    ReplyEnded,
    ResumeReason,
    Signal,
    Speculate,
    StartOfTurn,
    StreamLost,
    TimedWord,
    TurnEvent,
    TurnResumed,
    UserIdle,
)

EVENTS: tuple[type[Event], ...] = typing.get_args(Event)
TURN_EVENTS: tuple[type[TurnEvent], ...] = typing.get_args(TurnEvent)
REASONS: tuple[type[StrEnum], ...] = (CancelReason, DropReason, ResumeReason, NoteKind)

numbers = st.floats(allow_nan=False, min_value=-1e9, max_value=1e9)
VALUES: dict[object, st.SearchStrategy[object]] = {
    int: st.integers(-(2**53) + 1, 2**53 - 1),
    int | None: st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
    float: numbers,
    str: st.text(),
    bool: st.booleans(),
    tuple[str, ...]: st.lists(st.text(), max_size=3).map(tuple),
    tuple[TimedWord, ...]: st.lists(st.builds(TimedWord, st.text(), numbers, numbers, numbers), max_size=3).map(tuple),
    **{reason: st.sampled_from(reason) for reason in REASONS},
}


def values_of(kind: type) -> st.SearchStrategy[dict[str, object]]:
    """Fitting fields for one kind of event or signal; optional ones may be left out."""
    hints = typing.get_type_hints(kind)
    fields = msgspec.structs.fields(kind)
    required = {field.name: VALUES[hints[field.name]] for field in fields if field.required}
    optional = {field.name: VALUES[hints[field.name]] for field in fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional)


def built(kinds: tuple[type, ...]) -> st.SearchStrategy[typing.Any]:
    return st.sampled_from(kinds).flatmap(lambda kind: values_of(kind).map(lambda fields: kind(**fields)))


anything = built(EVENTS + SIGNALS)
signals: st.SearchStrategy[Signal] = built(SIGNALS)


def test_vocabulary_is_complete() -> None:
    """The unions hold every struct of the module, each once."""
    public = {
        value
        for name, value in vars(events).items()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and not name.startswith("_")
    }
    assert set(EVENTS) | set(SIGNALS) | {ReplyEnded, TimedWord} == public
    assert len(EVENTS) == len(set(EVENTS)) == 15
    assert len(SIGNALS) == len(set(SIGNALS)) == 12
    assert set(TURN_EVENTS) < set(EVENTS)


@given(anything.filter(lambda value: not getattr(value, "words", ())))
def test_repr_is_the_python_that_builds_it(value: object) -> None:
    """Evaluating the repr of any event or signal gives an equal one of the same type; of timed words none is shown."""
    again = eval(repr(value), {"__builtins__": {"True": True, "False": False, "None": None}}, vars(events))
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("member", [member for reason in REASONS for member in reason])
def test_reasons_print_as_their_names_and_read_as_words(member: StrEnum) -> None:
    """A reason's repr names the member, its str is the word that goes on the wire."""
    assert eval(repr(member), {}, vars(events)) is member
    assert str(member) == member.value == member.name.lower()


@given(anything)
def test_values_are_frozen(value: msgspec.Struct) -> None:
    """No field can be set or deleted once the value is there."""
    for field in value.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(value, field, getattr(value, field))
        with pytest.raises(AttributeError):
            delattr(value, field)


@given(anything)
def test_equal_values_are_equal_and_hash_alike(value: msgspec.Struct) -> None:
    """A rebuilt value is equal and hashes alike; one with another field is neither."""
    again = type(value)(**msgspec.structs.asdict(value))
    assert again == value
    assert hash(again) == hash(value)
    assert value != object()


def test_types_with_equal_fields_differ() -> None:
    """Two facts of different names are different facts, whatever they carry."""
    for one, other in permutations(TURN_EVENTS, 2):
        assert one(3, "yes") != other(3, "yes")
    assert StartOfTurn(3, "yes") != StartOfTurn(4, "yes")


def test_position_and_keyword_build_the_same() -> None:
    """Fields stand in the order of the documentation; a signal's `at` is named."""
    assert EndOfTurn(3, "yes", 0.9, 1.5, "model") == EndOfTurn(
        turn_index=3, transcript="yes", confidence=0.9, audio_end=1.5, trigger="model"
    )
    assert EndOfTurn(3) == EndOfTurn(3, "", 0.0, 0.0, "")
    assert PlaybackAdvanced(1, "Hel") == PlaybackAdvanced(reply=1, heard="Hel")
    assert Protect(1, True) == Protect(reply=1, on=True)
    assert Initiate() == Initiate(protected=False)
    assert StreamLost() == StreamLost("")
    assert Speculate(1, 2, "yes", 0.9, "eager", at=4.0) == Speculate(
        turn=1, reply=2, transcript="yes", confidence=0.9, why="eager", at=4.0
    )
    assert Commit(None, 0, "", False, "initiate", at=0.0).unanswered == ()
    with pytest.raises(TypeError):
        UserIdle(1, 2.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        StartOfTurn(0, text="yes")  # type: ignore[call-arg]


@given(signals)
def test_signal_is_json_with_its_name_first(signal: Signal) -> None:
    """A signal is one JSON object: `signal`, then its fields; and reads back as the same signal."""
    line = msgspec.json.encode(signal)
    pairs = json.loads(line, object_pairs_hook=list)
    assert pairs[0] == ("signal", type(signal).__name__)
    assert [name for name, _ in pairs[1:]] == list(signal.__struct_fields__)
    again = msgspec.json.decode(line, type=Signal)
    assert again == signal
    assert type(again) is type(signal)


@given(built(EVENTS))
def test_event_reads_back_from_json(event: Event) -> None:
    """An event survives JSON too, tagged by `event`."""
    line = msgspec.json.encode(event)
    assert next(iter(json.loads(line).items())) == ("event", type(event).__name__)
    assert msgspec.json.decode(line, type=Event) == event


def test_reason_on_the_wire_is_a_word() -> None:
    """Reasons are written as plain words and read back as members."""
    line = msgspec.json.encode(Cancel(None, 4, CancelReason.FLOOR_TAKEN, at=1.5))
    assert json.loads(line) == {"signal": "Cancel", "turn": None, "reply": 4, "reason": "floor_taken", "at": 1.5}
    again = msgspec.json.decode(line, type=Signal)
    assert isinstance(again, Cancel)
    assert again.reason is CancelReason.FLOOR_TAKEN


NAN, INF = float("nan"), float("inf")
BAD_FIELDS: list[dict[str, object]] = [
    {"turn_index": "0"},
    {"turn_index": None},
    {"turn_index": 1.0},
    {"turn_index": NAN},
    {"turn_index": 2**53},
    {"turn_index": -(2**53)},
    {"turn_index": 10**400},
    {"transcript": None},
    {"transcript": 5},
    {"transcript": b"pin 4711"},
    {"transcript": ["pin 4711"]},
    {"confidence": NAN},
    {"confidence": INF},
    {"confidence": "0.5"},
    {"confidence": None},
    {"confidence": 1e308, "audio_end": 1e308},
    {"audio_end": NAN},
    {"audio_end": -INF},
    {"audio_end": "1.5"},
    {"audio_end": [1.5]},
    {"confidence": INF, "audio_end": -INF},
]


@pytest.mark.parametrize("kind", TURN_EVENTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("bad", BAD_FIELDS, ids=lambda bad: " ".join(f"{k}={str(v)[:12]}" for k, v in bad.items()))
def test_field_that_does_not_fit_is_refused_at_birth(kind: type[TurnEvent], bad: dict[str, typing.Any]) -> None:
    """A turn event that a machine could choke on is never built; the error names its type and quotes no words."""
    fields: dict[str, typing.Any] = {"turn_index": 0, "transcript": "my pin is 4711", **bad}
    with pytest.raises(LocalProtocolError) as caught:
        kind(**fields)
    assert kind.__name__ in str(caught.value)
    assert "4711" not in str(caught.value)
    assert "whole number" in str(caught.value)


def test_field_that_does_not_fit_is_refused_from_json_too() -> None:
    """Reading an event back checks it as building it does, with the same error."""
    with pytest.raises(LocalProtocolError, match="StartOfTurn"):
        msgspec.json.decode(b'{"event":"StartOfTurn","turn_index":9007199254740992}', type=Event)


@given(st.sampled_from(TURN_EVENTS), st.integers(-(2**53) + 1, 2**53 - 1), st.text(), numbers, numbers)
def test_everything_finite_fits(
    kind: type[TurnEvent], index: int, transcript: str, confidence: float, audio_end: float
) -> None:
    """A whole number, any text and two finite numbers are always taken, also senseless ones."""
    event = kind(index, transcript, confidence, audio_end)
    assert (event.turn_index, event.transcript) == (index, transcript)
    assert (event.confidence, event.audio_end) == (confidence, audio_end)


def test_turn_events_share_their_fields() -> None:
    """Whoever takes one turn event takes them all: the same fields first, and what an end has besides."""
    shared = ("turn_index", "transcript", "confidence", "audio_end")
    for kind in (StartOfTurn, events.Update, TurnResumed):
        assert kind.__struct_fields__ == shared
    assert EagerEndOfTurn.__struct_fields__ == (*shared, "words", "languages")
    assert EndOfTurn.__struct_fields__ == (*shared, "trigger", "words", "languages")


def test_a_timed_word_tells_no_log_what_it_is() -> None:
    """Its repr has the length and the times only."""
    assert repr(TimedWord("pin4711", 0.5, 0.75, 0.9)) == "TimedWord(7 characters, 0.5, 0.75)"


@pytest.mark.parametrize("bad", [{"confidence": 10**400}, {"audio_end": -(10**400)}, {"turn_index": 10**5000}])
def test_huge_integers(bad: dict[str, Any]) -> None:
    """A number that no float holds is refused like any other."""
    with pytest.raises(LocalProtocolError, match="Update"):
        events.Update(**{"turn_index": 0, **bad})


@pytest.mark.parametrize("args", [(0, 0.9, "pin 4711"), ("pin 4711", 0), (0, "x", 0.1, "pin 4711")])
def test_words_in_the_wrong_place(args: tuple[Any, ...]) -> None:
    """Words given in the wrong place are not quoted either."""
    with pytest.raises(LocalProtocolError) as caught:
        events.Update(*args)
    assert "4711" not in str(caught.value)


def test_of_every_text_it_is_known_whether_it_was_said() -> None:
    """A field that holds words and is not in SPOKEN would be read in recordings that are redacted."""
    kinds = (*EVENTS, *SIGNALS, ReplyEnded)
    fields = [field for kind in kinds for field in msgspec.structs.fields(kind)]
    spoken = (str, tuple[str, ...], tuple[TimedWord, ...])
    texts = {field.name for field in fields if field.type in spoken}
    assert texts == SPOKEN | {"reason", "trigger", "why", "detail", "languages"}
