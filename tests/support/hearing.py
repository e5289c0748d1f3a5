"""What the simulator's turn detector hears of a script."""

from __future__ import annotations

from typing import Any

from turnkit.simulator import Detector, Script, Settings


def hear(script: Script, settings: Settings, *, tail: float = 8.0, chunk: float | None = None) -> list[dict[str, Any]]:
    """All messages about a script and `tail` seconds of silence, heard at once or in chunks of so many seconds."""
    detector = Detector(script, settings)
    if chunk is None:
        return detector.hear(script.end + tail)
    messages = []
    for step in range(int((script.end + tail) / chunk) + 1):
        messages += detector.hear(step * chunk)
    return messages + detector.hear(script.end + tail)


def of(messages: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """Those of one event."""
    return [message for message in messages if message["event"] == event]
