"""Steps of a call at their seconds, recorded as a host with a perfect clock would."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from turnkit import TurnMachine
from turnkit.trace import Recorder, Trace, parse
from turnkit.turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
)

Steps = list[tuple[float, Event | bool]]


def record(path: Path, steps: Steps, settings: dict[str, Any], *, redact: bool = False) -> bytes:
    """What a host with a perfect clock records of these steps: an event, or True, at the second; wakes when due."""
    recorder, machine = Recorder(path, redact=redact), TurnMachine(**settings)
    recorder.begin("s", "", 0.0, settings)
    recorder.woken(0.0, machine.wake(0.0))
    at = 0.0
    for at, event in steps:
        while (deadline := machine.deadline) is not None and deadline < at:
            recorder.woken(deadline, machine.wake(deadline))
        if isinstance(event, bool):
            recorder.woken(at, machine.wake(at))
        else:
            recorder.fed(at, event, machine.feed(event, at))
    recorder.closed(at, machine.close(at))
    recorder.end()
    return recorder.path.read_bytes()


def call(steps: Steps, **settings: Any) -> Trace:
    """The trace of a call of these steps."""
    with TemporaryDirectory() as folder:
        return parse(record(Path(folder) / "a.jsonl", steps, settings), "a call")


TWO_TURNS: Steps = [
    (1.0, StartOfTurn(0, "tea")),
    (1.5, EagerEndOfTurn(0, "tea", 0.6)),
    (2.0, EndOfTurn(0, "Tea.", 0.9, trigger="model")),
    (2.5, PlaybackStarted(0)),
    (3.0, PlaybackAdvanced(0, "With")),
    (4.0, StartOfTurn(1, "mm-hm")),
    (4.25, EndOfTurn(1, "Mm-hm.", 0.9, trigger="model")),
    (5.0, PlaybackFinished(0)),
    (6.0, StartOfTurn(2, "with milk")),
    (7.0, EndOfTurn(2, "With milk.", 0.9, trigger="model")),
    (7.5, PlaybackStarted(1)),
    (8.5, PlaybackFinished(1)),
]
