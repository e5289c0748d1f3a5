"""Frames of Flux, damaged: whatever arrives is read, kept as Unknown, or refused, and nothing else can happen.

The frames are those below, one of each type, and the recorded session's where it is there. They are damaged as bytes
(flipped, cut, doubled), as JSON (values of other types, fields twice or not at all), and as the objects that SDKs make
of them. What comes out as an event is fed to a machine, in any order.
"""

from __future__ import annotations

import json
from collections import ChainMap, UserDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from turnkit.errors import RemoteProtocolError
from turnkit.turns.events import PlaybackStarted, StreamLost
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import HoldThenDecide, MinWords
from turnkit.wire import Message, TurnInfo, Unknown, decode, to_event

SECRET = "Sesame"  # what was said; it must not come up in an error or a repr of Unknown

WORDS = [{"word": SECRET, "confidence": 0.98, "start": 0.32, "end": 0.72}, {"word": "opens", "confidence": 0.9}]
TURN: dict[str, Any] = {
    "type": "TurnInfo",
    "request_id": "3f1c",
    "event": "Update",
    "turn_index": 0,
    "audio_window_start": 0.0,
    "audio_window_end": 0.96,
    "transcript": f"{SECRET} opens",
    "words": WORDS,
    "end_of_turn_confidence": 0.42,
    "languages": ["en"],
    "languages_hinted": ["en", "es"],
    "sequence_id": 4,
}
EVENTS = ("StartOfTurn", "Update", "EagerEndOfTurn", "TurnResumed", "EndOfTurn", "Whatever")
FRAMES: list[dict[str, Any]] = [
    *({**TURN, "event": event, "turn_index": index} for index in (0, 1) for event in EVENTS),
    {**TURN, "event": "EndOfTurn", "trigger": "manual"},
    {"type": "Connected", "request_id": "3f1c", "sequence_id": 0},
    {
        "type": "ConfigureSuccess",
        "thresholds": {"eot_threshold": 0.8, "eager_eot_threshold": 0.5, "eot_timeout_ms": 5000},
        "keyterms": [SECRET],
        "language_hints": ["en"],
        "numerals": True,
        "sequence_id": 5,
    },
    {"type": "ConfigureFailure", "code": "INVALID", "description": f"no {SECRET}"},
    {"type": "Warning", "code": "FORCE_END_TURN_NO_ACTIVE_TURN", "description": "ignored"},
    {"type": "Error", "code": "NET-0001", "description": "gone"},
    {"type": "Later", "transcript": SECRET},
]

# JSON in the place of a value: of another type, out of bounds, or not quite JSON.
ODD = [
    *(
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1",
        "0.5",
        "-0.0",
        "1e308",
        "1e400",
        "-1e400",
        "1" + "0" * 400,
        "-9007199254740993",
    ),
    *("NaN", "Infinity", "-Infinity", '"NaN"', '"inf"', '"-Infinity"', '"7"', '"0.5"', '" 7 "', '"1e999"', '""', '" "'),
    *(
        "[]",
        "{}",
        "[null]",
        "[[]]",
        '[{"word":null}]',
        '[{"word":"a","start":"b"}]',
        '{"word":"a"}',
        '["a",1]',
        '{"":{}}',
    ),
    *(
        '"\\ud83d\\ude00"',
        '"\\ud800"',
        '"\\u0000"',
        '"\\u202e\\ufeff"',
        '"\'"',
        '"\\x"',
        "'a'",
        "",
        "01",
        "+1",
        ".5",
        "1.",
    ),
    *('"TurnInfo"', '"Connected"', '"Update"', '"EndOfTurn"', "[" * 60 + "]" * 60, '{"a":' * 60 + "1" + "}" * 60),
]
HUGE = [
    *("[" * 100_000 + "]" * 100_000, '{"a":' * 50_000 + "1" + "}" * 50_000, "[" * 100_000),
    *('"' + "a " * 500_000 + '"', "[" + "1," * 300_000 + "1]", "9" * 1_000_000, '"' + "\\ud800" * 100_000 + '"'),
]


def items(frame: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The fields of a frame as JSON, to be tampered with one by one."""
    return [(json.dumps(name), json.dumps(value)) for name, value in frame.items()]


def tampered(frame: Mapping[str, Any], draw: Callable[[Any], Any]) -> str:
    """The frame as JSON text with fields replaced, dropped, doubled, renamed, or in another order."""
    fields = items(frame)
    for _ in range(draw(st.integers(1, 4))):
        if not fields:
            break
        number = draw(st.integers(0, len(fields) - 1))
        name, value = fields[number]
        match draw(st.sampled_from(["replace", "replace", "replace", "drop", "double", "rename", "move", "add"])):
            case "replace":
                fields[number] = name, draw(st.sampled_from(ODD))
            case "drop":
                del fields[number]
            case "double":
                fields.append((name, draw(st.sampled_from([value, *ODD]))))
            case "rename":
                fields[number] = (
                    draw(st.sampled_from(['"x"', '""', name.upper(), '"type"', '"\\u0074ype"', "type"])),
                    value,
                )
            case "move":
                fields.insert(0, fields.pop(number))
            case "add":
                fields.append((json.dumps(draw(st.text(max_size=5))), draw(st.sampled_from(ODD))))
    return "{" + ",".join(f"{name}:{value}" for name, value in fields) + "}"


def damaged(data: bytes, draw: Callable[[Any], Any]) -> bytes:
    """The bytes, a few of them flipped, inserted, deleted, doubled, or cut off."""
    place = st.integers(0, max(0, len(data) - 1))
    for _ in range(draw(st.integers(1, 3))):
        at, till = sorted((draw(place), draw(place)))
        match draw(st.sampled_from(["flip", "flip", "insert", "delete", "cut", "double", "wrap", "encode"])):
            case "flip":
                data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
            case "insert":
                odd = [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\x00", b"\\", b'"', b"{", b"]", b",", b"\xef\xbb\xbf"]
                data = data[:at] + draw(st.sampled_from(odd)) + data[at:]
            case "delete":
                data = data[:at] + data[till:]
            case "cut":
                data = data[:till]
            case "double":
                data = data[:till] + data[at:]
            case "wrap":
                before, after = draw(
                    st.sampled_from([(b"[", b"]"), (b"\xef\xbb\xbf", b""), (b" \n", b"\t"), (b"", b"{}")])
                )
                data = before + data + after
            case "encode":
                data = data.decode("utf-8", "replace").encode(
                    draw(st.sampled_from(["utf-16", "utf-32", "cp1252"])), "replace"
                )
    return data


class Extras:
    """As a pydantic model that knows one field and keeps the rest as extras."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.model_extra = {name: value for name, value in fields.items() if name != "event"}
        self.event = fields.get("event")
        self._private = object()

    def model_dump(self) -> dict[str, Any]:
        return {"event": self.event}


CARRIERS: list[Callable[[Any], Any]] = [
    *(dict, MappingProxyType, UserDict, ChainMap, Extras),
    lambda fields: SimpleNamespace(**{str(name): value for name, value in fields.items()}),
    lambda fields: SimpleNamespace(**{**fields, "words": [SimpleNamespace(word=SECRET, _raw=object())]}),
    lambda fields: {**fields, "words": [Extras(fields), None, object()]},
    lambda fields: {**fields, 7: object(), None: 1},
]
VALUES: list[Any] = [
    *(
        None,
        True,
        -1,
        10**400,
        2**53,
        0.5,
        float("nan"),
        float("inf"),
        1j,
        "",
        "7",
        "\ud800",
        b"x",
        b"\xff",
        [],
        {},
        {1, 2},
    ),
    *((), object(), SECRET, ["a", 1], [None], {"a": {"b": []}}, range(3), Ellipsis, SimpleNamespace(word="a"), int),
]


def read(carrier: Any) -> Message | None:
    """What decode makes of a carrier: a message, or its own error; neither tells what was said."""
    try:
        message = decode(carrier)
    except RemoteProtocolError as error:
        refused = error
    else:
        return sound(message)
    assert SECRET not in str(refused)
    assert refused.__cause__ is None
    return None


def sound(message: Message) -> Message:
    if isinstance(message, Unknown):
        # A type is a word of the protocol, whatever the damage has put there.
        assert SECRET not in repr(message).replace(repr(message.type), "")
    if isinstance(message, TurnInfo):
        assert all(isinstance(word.word, str) for word in message.words)
    return message


def lived(messages: list[Message | None]) -> None:
    """Whatever became an event is taken by a machine whose bot speaks, and by one just begun."""
    machine = TurnMachine(barge_in=HoldThenDecide(MinWords(2)), idle_timeout=1.0)
    at = 0.0
    for number, message in enumerate(messages):
        event = None if message is None else to_event(message)
        if event is None:
            continue
        at += 0.1
        TurnMachine().feed(event, at)
        machine.feed(event, at)
        if machine.floor is not None:
            machine.feed(PlaybackStarted(machine.floor[0]), at)
        if number % 5 == 4:
            machine.feed(StreamLost(), at)
        assert machine.restore(machine.snapshot(), idle_timeout=1.0).turn == machine.turn
    while machine.deadline is not None and machine.deadline < at + 30.0:
        machine.wake(machine.deadline)
    machine.close(at + 60.0)


fuzz = settings(
    max_examples=tries(120), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@fuzz
@given(st.data())
def test_damaged_bytes(data: st.DataObject) -> None:
    """Bytes that were flipped, cut, doubled or in another encoding."""
    frames = [json.dumps(data.draw(st.sampled_from(FRAMES))).encode() for _ in range(data.draw(st.integers(1, 6)))]
    lived([read(damaged(frame, data.draw)) for frame in frames])


@fuzz
@given(st.data())
def test_tampered_json(data: st.DataObject) -> None:
    """Values of other types, fields dropped, doubled, renamed; as text, bytes, bytearray, memoryview."""
    messages = []
    for _ in range(data.draw(st.integers(1, 8))):
        text = tampered(data.draw(st.sampled_from(FRAMES)), data.draw)
        raw = text.encode()
        messages.append(read(data.draw(st.sampled_from([text, raw, bytearray(raw), memoryview(raw)]))))
    lived(messages)


@fuzz
@given(st.data())
def test_tampered_objects(data: st.DataObject) -> None:
    """Mappings and objects with any value in any field, and fields that are no strings."""
    messages = []
    for _ in range(data.draw(st.integers(1, 8))):
        fields = dict(data.draw(st.sampled_from(FRAMES)))
        for _ in range(data.draw(st.integers(0, 3))):
            name = data.draw(st.sampled_from([*fields, "extra"]))
            fields[name] = data.draw(st.sampled_from(VALUES))
        messages.append(read(data.draw(st.sampled_from(CARRIERS))(fields)))
    lived(messages)


@settings(parent=fuzz, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_recorded_session_damaged(preamble: Path, data: st.DataObject) -> None:
    """The same, with the frames of a real session, in any order."""
    lines = preamble.read_bytes().splitlines()
    messages = []
    for _ in range(data.draw(st.integers(1, 6))):
        line = data.draw(st.sampled_from(lines))
        way = data.draw(st.sampled_from(["whole", "bytes", "json", "object"]))
        if way == "bytes":
            messages.append(read(damaged(line, data.draw)))
        elif way == "json":
            messages.append(read(tampered(json.loads(line), data.draw)))
        else:
            messages.append(read(line if way == "whole" else Extras(json.loads(line))))
    lived(messages)


@pytest.mark.parametrize("field", ["type", "event", "turn_index", "transcript", "words", "audio_window_end", "extra"])
def test_a_megabyte_in_any_field(field: str) -> None:
    """Values of a megabyte, nested 100,000 deep, or cut off there: read or refused like all others."""
    for huge in HUGE:
        fields = [(name, huge if name == f'"{field}"' else value) for name, value in [*items(TURN), ('"extra"', "1")]]
        text = "{" + ",".join(f"{name}:{value}" for name, value in fields) + "}"
        lived([read(text), read(text.encode()), read(text[: len(text) // 2])])


@pytest.mark.parametrize("field", TURN)
def test_every_odd_value_in_every_field(field: str) -> None:
    """Each value that does not belong there, in each field of each turn event, as text and as what it stands for."""
    for event in EVENTS:
        for odd in ODD:
            fields = [(name, odd if name == f'"{field}"' else value) for name, value in items({**TURN, "event": event})]
            lived([read("{" + ",".join(f"{name}:{value}" for name, value in fields) + "}")])
        for value in VALUES:
            frame = {**TURN, "event": event, field: value}
            lived([read(frame), read(Extras(frame))])


def test_what_is_whole_is_read() -> None:
    """The frames are what they should be before they are damaged, so that the damage is what is tested."""
    kinds = [type(read(json.dumps(frame))).__name__ for frame in FRAMES]
    known = ["Connected", "ConfigureSuccess", "ConfigureFailure", "WarningMessage", "ErrorMessage", "Unknown"]
    assert kinds == ["TurnInfo"] * 13 + known
    for carry in CARRIERS[:5]:
        assert to_event(decode(carry(TURN))) == to_event(decode(json.dumps(TURN)))


# Objects that do not answer ---------------------------------------------------------------------------------------


class RaisingDump:
    def model_dump(self) -> dict[str, Any]:
        raise RuntimeError(SECRET)


class RaisingAttribute:
    @property
    def model_dump(self) -> Any:
        raise RuntimeError(SECRET)


class RaisingExtras:
    def __init__(self) -> None:
        self.type = "Connected"

    @property
    def model_extra(self) -> Any:
        raise RuntimeError(SECRET)


class RaisingMapping(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise RuntimeError(SECRET)

    def __iter__(self) -> Iterator[str]:
        return iter(["type"])

    def __len__(self) -> int:
        return 1


RAISING: list[Callable[[], Any]] = [
    *(RaisingDump, RaisingAttribute, RaisingExtras, RaisingMapping),
    lambda: {**TURN, "words": [RaisingDump()]},
]


@pytest.mark.parametrize("carrier", RAISING, ids=["model_dump", "attribute", "model_extra", "mapping", "nested"])
def test_objects_that_raise_when_asked(carrier: Callable[[], Any]) -> None:
    """What an object of somebody else's raises does not get out, and its text even less."""
    read(carrier())


def test_bytes_in_a_field_are_not_words() -> None:
    """An SDK that leaves bytes undecoded is misread as such, and not heard as base64."""
    message = decode({"type": "TurnInfo", "event": "Update", "turn_index": 0, "transcript": b"tea"})
    assert isinstance(message, Unknown)
    assert "bytes" in message.problem
