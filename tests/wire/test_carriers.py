"""What carries a message: null fields, deep nesting, mappings and objects of every kind."""

from __future__ import annotations

import json
from collections import ChainMap, UserDict
from enum import StrEnum
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from turnkit.errors import ConfigError
from turnkit.wire import Configure, ConfigureFailure, FluxOptions, TurnInfo, Unknown, Word, decode

TURN: dict[str, Any] = {
    "type": "TurnInfo",
    "event": "Update",
    "turn_index": 0,
    "transcript": "hi",
    "words": [{"word": "hi"}],
}


@pytest.mark.parametrize(
    "frame", ['{"a":%s}', '{"type":"TurnInfo","event":"Update","turn_index":0,"x":%s}', '{"x":%s,"type":"Connected"}']
)
def test_deep_nesting_is_unknown(frame: str) -> None:
    """An object that is nested too deeply to be read is Unknown, wherever the nesting is."""
    depth = 1_000_000  # from Python 3.14 on as much is read as the stack has room for
    data = frame % ("[" * depth + "]" * depth)
    for carrier in (data, data.encode()):
        message = decode(carrier)
        assert isinstance(message, Unknown)
        assert message.raw == carrier


@pytest.mark.parametrize(
    "name", ["trigger", "transcript", "request_id", "words", "languages", "sequence_id", "audio_window_start"]
)
def test_null_is_an_absent_field(name: str) -> None:
    """SDK objects and proxies write None for what Flux left out: it reads as absent."""
    frame = {**TURN, name: None}
    expected = decode({key: value for key, value in frame.items() if key != name})
    assert isinstance(expected, TurnInfo)
    for carrier in (json.dumps(frame, separators=(",", ":")), frame, SimpleNamespace(**frame)):
        assert decode(carrier) == expected or name == "words"
        assert isinstance(decode(carrier), TurnInfo)
    failure = {"type": "ConfigureFailure", "code": None, "error_code": None, "description": "no"}
    assert decode(failure) == decode(json.dumps(failure)) == ConfigureFailure(description="no")
    assert isinstance(decode('{"type":["x"],"y":null}'), Unknown)


@pytest.mark.parametrize("carry", [MappingProxyType, UserDict, ChainMap])
def test_any_mapping_is_read(carry: Any) -> None:
    """Mappings that are no dict are mappings."""
    assert decode(carry(TURN)) == decode(dict(TURN))


def test_nested_objects_and_private_attributes() -> None:
    """Words may be objects too; what an object keeps to itself does not matter."""
    message = decode(
        SimpleNamespace(**{**TURN, "words": [SimpleNamespace(word="hi", _raw=object())]}, _client=object())
    )
    assert isinstance(message, TurnInfo)
    assert message.words == (Word("hi"),)


def test_subclass_of_str() -> None:
    """A str is a str."""

    class Text(StrEnum):
        TURN = json.dumps(TURN)

    assert decode(Text.TURN) == decode(json.dumps(TURN))


def test_unknown_keeps_the_carrier() -> None:
    """What arrived is kept as it arrived, also where it was no text."""
    frame = {"type": "Later", "x": 1}
    assert decode(frame) == Unknown(type="Later", raw=frame)


def test_configure_takes_thresholds() -> None:
    """A dict is no Thresholds."""
    with pytest.raises(ConfigError, match="thresholds="):
        Configure(thresholds={"eot_threshold": 0.8})  # type: ignore[arg-type]


def test_sample_rate_is_whole() -> None:
    """16000.0 would go out as such."""
    with pytest.raises(ConfigError, match=r"sample_rate=16000\.0"):
        FluxOptions(sample_rate=16000.0)  # type: ignore[arg-type]
