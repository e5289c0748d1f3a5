"""Messages as Flux sends them, and everything that may carry one: text, bytes, dicts, objects of an SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from turnkit.wire import (
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    ErrorMessage,
    Message,
    Thresholds,
    WarningMessage,
    decode,
)

Frame = dict[str, Any]
IN_FORCE = {"eot_threshold": 0.8, "eager_eot_threshold": 0.5, "eot_timeout_ms": 5000}
CONFIGURED: Frame = {"type": "ConfigureSuccess", "request_id": "r", "thresholds": IN_FORCE, "keyterms": ["Deepgram"]}
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
    """JSON as Flux writes it."""
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
