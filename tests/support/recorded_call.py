"""A short call of the machine, recorded without a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from turnkit import MinWords, OnEager, TurnMachine
from turnkit.trace import Recorder
from turnkit.turns.events import (
    EndOfTurn,
    Event,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
    Update,
)

SETTINGS: dict[str, Any] = {"barge_in": MinWords(2), "speculation": OnEager(), "idle_timeout": 5.0}
CALL: list[tuple[float, Event]] = [
    (10.1, StartOfTurn(0, "Tea", 0.1, 0.56)),
    (10.3, Update(0, "Tea for", 0.2, 0.8)),
    (10.1 + 0.2 + 1 / 3, EndOfTurn(0, "Tea for two.", 0.9, 1.1, "model")),
    (11.0, PlaybackStarted(0)),
    (11.5, PlaybackAdvanced(0, "Very")),
    (12.0, PlaybackFinished(0)),
]


def record(path: Path, events: list[tuple[float, Event]] = CALL, **options: Any) -> Path:
    """Record the call, or other events, without a session; the path of the trace."""
    recorder, machine = Recorder(path, **options), TurnMachine(**SETTINGS)
    recorder.begin("a call", "2026-11-20T18:00:00+00:00", 10.0, SETTINGS, turnkit="0.1.0")
    recorder.woken(10.0, machine.wake(10.0))
    for at, event in events:
        recorder.fed(at, event, machine.feed(event, at))
    recorder.closed(99.0, machine.close(99.0))
    recorder.end()
    return recorder.path
