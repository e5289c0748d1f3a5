"""Flux's messages, our commands and the options, against Flux's published wire format."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkit import wire
from turnkit.errors import ConfigError, RemoteProtocolError
from turnkit.turns.events import EagerEndOfTurn, EndOfTurn, StartOfTurn, TurnResumed, Update
from turnkit.wire import (
    CloseStream,
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    ErrorMessage,
    FluxOptions,
    ForceEndTurn,
    Message,
    Thresholds,
    TurnInfo,
    Unknown,
    WarningMessage,
    Word,
    decode,
    encode,
    to_event,
)

Frame = dict[str, Any]

TURN: Frame = {
    "type": "TurnInfo",
    "request_id": "019f-42",
    "event": "EndOfTurn",
    "turn_index": 3,
    "audio_window_start": 4.2,
    "audio_window_end": 6.8,
    "transcript": "I need help",
    "words": [
        {"word": "I", "confidence": 0.95, "start": 4.4, "end": 4.5},
        {"word": "need", "confidence": 0.9},
        {"word": "help", "confidence": 1.0, "start": 4.7, "end": 5.1},
    ],
    "end_of_turn_confidence": 0.86,
    "sequence_id": 42,
    "trigger": "model",
    "languages": ["en"],
    "languages_hinted": ["en", "es"],
}
IN_FORCE = {"eot_threshold": 0.8, "eager_eot_threshold": 0.5, "eot_timeout_ms": 5000}
CONFIGURED: Frame = {"type": "ConfigureSuccess", "request_id": "r", "thresholds": IN_FORCE, "keyterms": ["Deepgram"]}
NO_TURN: Frame = {"code": "FORCE_END_TURN_NO_ACTIVE_TURN", "description": "The request was ignored."}
UNPARSABLE: Frame = {"code": "UNPARSABLE_CLIENT_MESSAGE", "description": "unknown variant `Finalize`"}

MESSAGES: list[tuple[Frame, Message]] = [
    ({"type": "Connected", "request_id": "r", "sequence_id": 0}, Connected(request_id="r", sequence_id=0)),
    (
        {**CONFIGURED, "profanity_filter": False, "numerals": True, "language_hints": ["en"], "sequence_id": 9},
        ConfigureSuccess(
            request_id="r",
            sequence_id=9,
            thresholds=Thresholds(0.8, 0.5, 5000),
            keyterms=("Deepgram",),
            language_hints=("en",),
            profanity_filter=False,
            numerals=True,
        ),
    ),
    ({"type": "ConfigureFailure", "sequence_id": 7}, ConfigureFailure(sequence_id=7)),
    (
        {"type": "ConfigureFailure", "code": "A", "error_code": "B", "description": "c"},
        ConfigureFailure(code="A", error_code="B", description="c"),
    ),
    ({"type": "Warning", **NO_TURN}, WarningMessage(**NO_TURN)),
    ({"type": "Error", "sequence_id": 4, **UNPARSABLE}, ErrorMessage(sequence_id=4, **UNPARSABLE)),
]


def compact(frame: object) -> str:
    return json.dumps(frame, separators=(",", ":"))


class Sdk:
    """What Deepgram's SDK hands over: an object that knows one field and keeps the rest as extras."""

    def __init__(self, frame: Frame) -> None:
        self.model_extra = {name: value for name, value in frame.items() if name != "type"}
        self._type = frame.get("type")

    def model_dump(self) -> Frame:
        return {"type": self._type}


CARRIERS: dict[str, Callable[[Frame], object]] = {
    "text": compact,
    "bytes": lambda frame: compact(frame).encode(),
    "bytearray": lambda frame: bytearray(compact(frame).encode()),
    "memoryview": lambda frame: memoryview(b"." + compact(frame).encode())[1:],
    "dict": dict,
    "attributes": lambda frame: SimpleNamespace(**frame),
    "extras": Sdk,
    "decoded": lambda frame: decode(compact(frame)),
}
carriers = pytest.mark.parametrize("carry", CARRIERS.values(), ids=CARRIERS.keys())


# Messages ---------------------------------------------------------------------------------------------------------


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


# Events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [StartOfTurn, Update, EagerEndOfTurn, TurnResumed])
def test_turn_info_becomes_its_event(kind: type[Update]) -> None:
    """The event's name chooses the type; index, text, confidence and end of audio are carried, a trigger is not."""
    message = decode({**TURN, "event": kind.__name__})
    assert to_event(message) == kind(3, "I need help", 0.86, 6.8)


@pytest.mark.parametrize("trigger", ["model", "manual", "timeout", "", "some day another"])
def test_end_of_turn_carries_its_trigger(trigger: str) -> None:
    """What ended the turn is carried as it came, known or not."""
    assert to_event(decode({**TURN, "trigger": trigger})) == EndOfTurn(3, "I need help", 0.86, 6.8, trigger)


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


# Commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (CloseStream(), '{"type":"CloseStream"}'),
        (ForceEndTurn(), '{"type":"ForceEndTurn"}'),
        (Configure(), '{"type":"Configure"}'),
        (
            Configure(Thresholds(0.8, 0.5, 6000), ("Deepgram", "customer service"), ("en", "es"), True),
            '{"type":"Configure","thresholds":{"eot_threshold":0.8,"eager_eot_threshold":0.5,"eot_timeout_ms":6000},'
            '"keyterms":["Deepgram","customer service"],"language_hints":["en","es"],"numerals":true}',
        ),
        (Configure(Thresholds(eot_timeout_ms=500)), '{"type":"Configure","thresholds":{"eot_timeout_ms":500}}'),
        (Configure(Thresholds(0.9)), '{"type":"Configure","thresholds":{"eot_threshold":0.9}}'),
        (
            Configure(keyterms=(), language_hints=(), numerals=False),
            '{"type":"Configure","keyterms":[],"language_hints":[],"numerals":false}',
        ),
    ],
)
def test_command_says_only_what_was_given(command: wire.Command, text: str) -> None:
    """What is not given is not sent, so Flux keeps it; an empty list is sent, so Flux clears it."""
    assert encode(command) == text


LOW, HIGH = Thresholds(eot_threshold=0.49), Thresholds(eot_threshold=1.01)
TERM = "must have 1 to 100 characters"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"thresholds": LOW}, "eot_threshold=0.49: must be a number from 0.5 to 1.0"),
        ({"thresholds": HIGH}, "eot_threshold=1.01: must be a number from 0.5 to 1.0"),
        ({"thresholds": Thresholds(0.5, 0.6)}, "eager_eot_threshold=0.6: must be at most eot_threshold, which is 0.5"),
        ({"keyterms": ["Deepgram"]}, "keyterms=['Deepgram']: must be a tuple of strings"),
        ({"keyterms": ("a", " ")}, f"keyterms=' ': a term {TERM}"),
        ({"keyterms": ("a",) * 101}, "keyterms: must be at most 100 terms, got 101"),
        ({"language_hints": ("xx",)}, "language_hints='xx': must be one of en, es"),
        ({"numerals": "true"}, "numerals='true': must be True or False"),
        ({"numerals": 1}, "numerals=1: must be True or False"),
    ],
)
def test_configure_refuses_what_flux_would(fields: dict[str, Any], message: str) -> None:
    """A Configure that Flux would refuse is never built; the error names field, value and rule."""
    with pytest.raises(ConfigError) as caught:
        Configure(**fields)
    assert message in str(caught.value)


def test_configure_does_not_guess_what_is_in_force() -> None:
    """Without its own eot_threshold, an eager threshold is not compared: only Flux knows what it is set against."""
    assert Configure(Thresholds(eager_eot_threshold=0.9)).thresholds == Thresholds(None, 0.9, None)


# Options ----------------------------------------------------------------------------------------------------------

MULTI = {"model": "flux-general-multi"}
GIVEN: dict[str, Any] = {
    **MULTI,
    "encoding": "mulaw",
    "sample_rate": 8000,
    "eot_threshold": 0.9,
    "eager_eot_threshold": 0.4,
    "eot_timeout_ms": 7000,
    "keyterm": ("Deep gram", "a,b;c:2", "größer & <50 %>"),
    "language_hint": ("en-GB", "ja"),
    "profanity_filter": True,
    "numerals": False,
    "redact": "aggressive_numbers",
    "mip_opt_out": True,
    "tag": ("one", "two"),
}


def query(**fields: Any) -> dict[str, list[str]]:
    return parse_qs(FluxOptions(**fields).to_query(), keep_blank_values=True, strict_parsing=True)


def test_every_parameter_reaches_the_query() -> None:
    """Each option is sent under Flux's name; lists repeat the parameter, booleans are lower case."""
    assert set(GIVEN) == set(FluxOptions.__struct_fields__)
    sent = query(**GIVEN)
    for name, value in GIVEN.items():
        parts = value if isinstance(value, tuple) else (value,)
        assert sent.pop(name) == [str(part).lower() if isinstance(part, bool) else str(part) for part in parts]
    assert not sent


def test_default_query_leaves_flux_its_defaults() -> None:
    """Only what is needed for raw audio is sent; a container needs neither encoding nor rate."""
    assert query() == {"model": ["flux-general-en"], "encoding": ["linear16"], "sample_rate": ["16000"]}
    assert query(encoding=None, sample_rate=None) == {"model": ["flux-general-en"]}


HINTS = ("en", "es", "fr", "de", "hi", "ru", "pt", "ja", "it", "nl", "en-GB", "pt-BR", "hi-Latn")
IN_RANGE: list[dict[str, Any]] = [
    *({"encoding": value} for value in ("linear16", "linear32", "mulaw", "alaw", "opus", "ogg-opus")),
    *({"sample_rate": value} for value in (8000, 16000, 24000, 44100, 48000)),
    *({"eot_threshold": value} for value in (0.5, 0.7, 1.0, 1)),
    *({"eager_eot_threshold": value} for value in (0.3, 0.5, 0.7)),
    {"eager_eot_threshold": 0.9, "eot_threshold": 0.9},
    *({"eot_timeout_ms": value} for value in (500, 5000, 60000)),
    *({"redact": value} for value in ("numbers", "aggressive_numbers")),
    *({"language_hint": (code,), **MULTI} for code in HINTS),
    {"language_hint": ("en",), "model": "flux-general-some-day"},
    {"model": "flux-general-some-day"},
    {"keyterm": ("a" * 100,)},
    {"keyterm": tuple(f"term {number}" for number in range(100))},
    {"tag": ("a" * 128, "b")},
    *({name: flag} for name in ("profanity_filter", "numerals", "mip_opt_out") for flag in (True, False)),
]


@pytest.mark.parametrize("fields", IN_RANGE, ids=str)
def test_value_in_range_is_sent(fields: dict[str, Any]) -> None:
    """Everything that Flux takes is taken, up to the boundaries, and sent as it stands."""
    name, value = next(iter(fields.items()))
    parts = value if isinstance(value, tuple) else (value,)
    assert query(**fields)[name] == [str(part).lower() if isinstance(part, bool) else str(part) for part in parts]


NAN = math.nan
BOTH = "give both for raw audio, neither for a container"
ONE_OF = "must be one of"
OUT_OF_RANGE: list[tuple[dict[str, Any], str]] = [
    *(({"eot_threshold": v}, "must be a number from 0.5 to 1.0") for v in (0.49, 1.01, 0, -1, NAN, True, "0.8")),
    *(({"eager_eot_threshold": v}, "a number from 0.3 to 0.9") for v in (0.29, 0.91, NAN, math.inf, False, "0.4")),
    *(({"eot_timeout_ms": v}, "whole number from 500 to 60000") for v in (499, 60001, 5000.0, NAN, True, "5000")),
    ({"eager_eot_threshold": 0.71}, "at most eot_threshold, which is 0.7 unless given"),
    ({"eager_eot_threshold": 0.61, "eot_threshold": 0.6}, "at most eot_threshold, which is 0.6"),
    ({"encoding": "linear16", "sample_rate": None}, BOTH),
    ({"encoding": None, "sample_rate": 8000}, BOTH),
    *(({"encoding": v}, ONE_OF) for v in ("LINEAR16", "mp3", "", 16)),
    *(({"sample_rate": v}, ONE_OF) for v in (16001, 0, "16000", True, NAN)),
    *(({"redact": v}, "must be one of numbers, aggressive_numbers") for v in ("pii", "", True, ["numbers"])),
    *(({"keyterm": v}, "must be a tuple of strings") for v in ("Deepgram", ["Deepgram"], (5,), None)),
    *(({"tag": v}, "must be a tuple of strings") for v in ("one", ["one"], (None,), {"one"})),
    *(({"language_hint": v, **MULTI}, "must be a tuple of strings") for v in ("en", ["en"], (1,))),
    ({"language_hint": ("en",)}, "only flux-general-multi takes hints, not 'flux-general-en'"),
    *(({"model": v}, "must be the name of a Flux model") for v in ("", "  ", None, 2)),
    *(({name: 1}, "must be True or False") for name in ("profanity_filter", "numerals", "mip_opt_out")),
    *(({name: "true"}, "must be True or False") for name in ("profanity_filter", "numerals", "mip_opt_out")),
]


@pytest.mark.parametrize(("fields", "rule"), OUT_OF_RANGE, ids=str)
def test_value_out_of_range_is_refused_by_name(fields: dict[str, Any], rule: str) -> None:
    """A value that Flux would refuse never reaches it; the error names the field, the value and the rule."""
    name, value = next(iter(fields.items()))
    with pytest.raises(ConfigError) as caught:
        FluxOptions(**fields)
    assert f"{name}={value!r}" in str(caught.value)
    assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keyterm": ("a", "")}, f"keyterm='': a term {TERM}"),
        ({"keyterm": ("\t",)}, f"keyterm='\\t': a term {TERM}"),
        ({"keyterm": ("a" * 101,)}, f"'{'a' * 101}': a term {TERM}"),
        ({"keyterm": ("a",) * 101}, "keyterm: must be at most 100 terms, got 101"),
        ({"tag": ("",)}, "tag='': must have 1 to 128 characters, has 0"),
        ({"tag": ("a" * 129,)}, "must have 1 to 128 characters, has 129"),
        ({"language_hint": ("en", "sv"), **MULTI}, "language_hint='sv': must be one of en, es, fr, de, hi"),
        ({"language_hint": ("",), **MULTI}, "language_hint='': must be one of"),
        ({"language_hint": ("en_GB",), **MULTI}, "optionally with a region such as en-GB"),
    ],
)
def test_refused_item_of_a_list_is_named(fields: dict[str, Any], message: str) -> None:
    """In a list of values the error names the one that is wrong."""
    with pytest.raises(ConfigError) as caught:
        FluxOptions(**fields)
    assert message in str(caught.value)


def test_options_cannot_change_under_a_connection() -> None:
    """Options are frozen, named and without unknown parameters: `language` belongs to another API."""
    with pytest.raises(AttributeError):
        FluxOptions().model = "flux-general-multi"  # type: ignore[misc]
    with pytest.raises(TypeError):
        FluxOptions(language="en")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        FluxOptions("flux-general-multi")  # type: ignore[call-arg]


def test_configure_success_is_folded_into_the_options() -> None:
    """What Flux says is in force replaces what was asked; what it does not mention stays, and so does the original."""
    options = FluxOptions(**GIVEN)
    told = decode({**CONFIGURED, "keyterms": ["x", "y"], "language_hints": [], "numerals": True})
    assert isinstance(told, ConfigureSuccess)
    now = options.updated(told)
    assert (now.eot_threshold, now.eager_eot_threshold, now.eot_timeout_ms) == (0.8, 0.5, 5000)
    assert (now.keyterm, now.language_hint, now.numerals) == (("x", "y"), (), True)
    same = ("model", "encoding", "sample_rate", "profanity_filter", "redact", "mip_opt_out", "tag")
    assert [getattr(now, name) for name in same] == [GIVEN[name] for name in same]
    assert options == FluxOptions(**GIVEN)


def test_configure_success_may_say_little() -> None:
    """Keyterms may come as a single string, an eager threshold that is off as null, hints and flags not at all."""
    told = decode({"type": "ConfigureSuccess", "thresholds": {"eager_eot_threshold": None}, "keyterms": "Deepgram"})
    assert isinstance(told, ConfigureSuccess)
    options = FluxOptions(**GIVEN)
    assert options.updated(told) == FluxOptions(**{**GIVEN, "keyterm": ("Deepgram",)})
