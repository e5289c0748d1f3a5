"""Messages that are damaged, misshapen or none: each is read as far as it goes, or refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.flux_messages import CONFIGURED, MESSAGES, TURN, Frame, carriers, compact
from turnkit.errors import RemoteProtocolError
from turnkit.wire import TurnInfo, Unknown, Word, decode, to_event

SECRET = "my pin is 4711"
MISSHAPEN: list[Frame] = [
    {"type": None},
    {"type": 5},
    {"type": ["TurnInfo"]},
    {"type": "TurnInfo"},
    {"type": "TurnInfo", "event": "Update"},
    {"type": "TurnInfo", "turn_index": 0},
    {"type": "ConfigureSuccess", "thresholds": 0.8},
    {"type": "ConfigureSuccess", "keyterms": [5]},
    {"type": "ConfigureSuccess", "numerals": "perhaps"},
    {"type": "Error", "code": 5},
    {"type": "Connected", "sequence_id": "first"},
    *(
        {**TURN, name: value}
        for name, value in [
            ("event", 5),
            ("turn_index", None),
            ("turn_index", 1.5),
            ("turn_index", True),
            ("turn_index", SECRET),
            ("turn_index", 2**53),
            ("turn_index", 10**30),
            ("transcript", [SECRET]),
            ("end_of_turn_confidence", "high"),
            ("end_of_turn_confidence", "NaN"),
            ("audio_window_end", "Infinity"),
            ("audio_window_start", "-inf"),
            ("audio_window_end", {"seconds": 1}),
            ("languages", "en"),
        ]
    ),
]


@carriers
@pytest.mark.parametrize("frame", MISSHAPEN, ids=lambda frame: compact(frame)[-40:])
def test_shape_that_does_not_fit_is_unknown(frame: Frame, carry: Callable[[Frame], object]) -> None:
    """A JSON object that is no sound message is Unknown: it says why, keeps what arrived and does not print it."""
    message = decode(carry({"transcript": SECRET, **frame}))
    assert isinstance(message, Unknown)
    assert message.type == (frame["type"] if isinstance(frame["type"], str) else "")
    assert message.problem
    assert message.raw
    assert to_event(message) is None
    assert "4711" not in repr(message)


NO_OBJECTS = ["", " ", "[]", "[{}]", "[", "1", "null", "true", '"TurnInfo"', "{", "{}}", '{"type":}', "{'type':1}"]
NO_OBJECTS += ["\ufeff{}", '{"type":"\ud800"}', compact(TURN)[:-1], compact(TURN) + "x", '{"a":NaN}']


@pytest.mark.parametrize("text", NO_OBJECTS, ids=lambda text: repr(text)[-20:])
def test_text_that_is_no_json_object_is_refused(text: str) -> None:
    """What is no JSON object is not Flux, as text and as bytes; the error gives the size, never the contents."""
    for data in (text, bytearray(text, "utf-8", "surrogatepass")):
        with pytest.raises(RemoteProtocolError, match=f"{len(data)} (bytes|characters).*JSON object") as caught:
            decode(data)
        assert "help" not in str(caught.value)


@pytest.mark.parametrize("data", [5, 1.5, True, [], (), set(), object(), print, [TURN], ("TurnInfo",)])
def test_what_carries_no_message_is_refused(data: object) -> None:
    """An object without fields is no message; the error names its type."""
    with pytest.raises(RemoteProtocolError, match=type(data).__name__):
        decode(data)


DEEP = 100_000
NASTY: list[object] = [
    "[" * DEEP,
    "[" * DEEP + "]" * DEEP,
    b"\x80\x81\xfe\xff" * 100,
    bytes(1000),
    bytes(range(256)),
    compact(TURN).encode().replace(b"I need", b"\xff\xfe"),
    compact(TURN).replace("I need", r"\ud800"),
    compact(TURN).replace("0.86", "1e999"),
    compact(TURN).replace('"turn_index":3', '"turn_index":' + "9" * 5000),
    compact(TURN).replace('"sequence_id":42', '"sequence_id":"' + "9" * 5000 + '"'),
    '{"type":"Connected","type":"TurnInfo"}',
    {**TURN, "transcript": "\ud800"},
    {**TURN, "turn_index": 10**5000},
    {**TURN, "audio_window_end": math.nan},
    {("a", "key"): 1},
    {**TURN, "transcript": object()},
    SimpleNamespace(type="TurnInfo", words=[object()]),
    lambda: None,
]


@pytest.mark.parametrize("data", NASTY, ids=range(len(NASTY)))
def test_nasty_data_is_unknown_or_refused(data: object) -> None:
    """Whatever arrives, the answer is Unknown or RemoteProtocolError, never another exception and never a turn."""
    try:
        message = decode(data)
    except RemoteProtocolError:
        return
    assert isinstance(message, Unknown)


def test_last_of_a_duplicate_field_counts() -> None:
    """Two values for one field: the later one holds, as in most JSON readers."""
    message = decode('{"type":"TurnInfo","event":"Update","turn_index":1,"turn_index":2}')
    assert message == TurnInfo(event="Update", turn_index=2)


def test_megabyte_frame_is_read() -> None:
    """A very long turn is a turn like any other."""
    words = [{"word": "word", "confidence": 0.5}] * 20_000
    text = compact({**TURN, "transcript": " ".join(["word"] * 20_000), "words": words, "padding": "x" * 300_000})
    assert len(text) > 2**20
    message = decode(text)
    assert isinstance(message, TurnInfo)
    assert " ".join(word.word for word in message.words) == message.transcript


def reads_as_object(data: bytes) -> bool:
    """Whether the standard library reads an object that UTF-8 and float64 can hold."""

    def finite(text: str) -> float:
        if not math.isfinite(float(text)):
            raise ValueError(text)
        return float(text)

    try:
        value = json.loads(data.decode(), parse_constant=finite, parse_float=finite)
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return False
    return isinstance(value, dict)


mutations = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 2), st.binary(max_size=3)), min_size=1, max_size=5)


@given(st.sampled_from([TURN, *(frame for frame, _ in MESSAGES)]), mutations)
def test_damaged_frames_never_break_the_reader(frame: Frame, damage: list[tuple[int, int, bytes]]) -> None:
    """Bytes changed, cut or inserted: a message, Unknown, or RemoteProtocolError for what is an object no more."""
    data = compact(frame).encode()
    for place, width, patch in damage:
        place %= len(data) + 1
        data = data[:place] + patch + data[place + width :]
    try:
        message = decode(data)
    except RemoteProtocolError:
        assert not reads_as_object(data)
        return
    to_event(message)
    if isinstance(message, Unknown):
        assert message.raw == data
    if isinstance(message, TurnInfo):
        assert all(isinstance(word, Word) for word in message.words)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["NaN", "1e999", "7"])
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
names = st.text() | st.sampled_from([*TURN, *CONFIGURED])
kinds = st.sampled_from(["TurnInfo", *(frame["type"] for frame, _ in MESSAGES), "Results"])
events = st.sampled_from(["Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn", "Later"])
objects = st.builds(
    lambda frame, fixed: {**frame, **fixed},
    st.dictionaries(names, values),
    st.fixed_dictionaries({}, optional={"type": kinds, "event": events, "turn_index": st.integers()}),
)


@given(objects)
def test_any_object_is_a_message(frame: Frame) -> None:
    """Any JSON object is a message or Unknown, from a mapping as from text; to_event and words never raise."""
    message = decode(frame)
    to_event(message)
    if isinstance(message, TurnInfo):
        assert isinstance(message.words, tuple)
    elif isinstance(message, Unknown):
        assert message.raw is not None
        assert message.type == (frame["type"] if isinstance(frame.get("type"), str) else "")


@given(st.dictionaries(names, values), kinds)
def test_decoding_a_message_again_changes_nothing(frame: Frame, kind: str) -> None:
    """A message that is decoded already passes through as it is."""
    message = decode({**frame, "type": kind})
    assert decode(message) is message


def test_a_type_that_comes_twice_is_told_without_its_words() -> None:
    """Parsers differ in which of the two they take, and either may be any text."""
    message = decode(f'{{"type":"{SECRET}","type":"TurnInfo"}}')
    assert isinstance(message, Unknown)
    assert message.problem == "two types"
    assert SECRET not in repr(message)
