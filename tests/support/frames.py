"""A TurnInfo as a raw frame, for sources of what comes over the wire."""

from __future__ import annotations

from typing import Any


def frame(event: str, turn_index: int, transcript: str) -> dict[str, Any]:
    """A TurnInfo as it comes over the wire."""
    return {"type": "TurnInfo", "event": event, "turn_index": turn_index, "transcript": transcript}
