"""The floor: what anybody would write who wants Flux's messages and nothing else."""

from __future__ import annotations

import msgspec


class BareTurnInfo(msgspec.Struct, frozen=True, gc=False):
    """The fields that `turnkit.wire.TurnInfo` has, with its types and defaults, in the order of the wire."""

    type: str
    request_id: str
    event: str
    turn_index: int
    audio_window_start: float
    audio_window_end: float
    transcript: str
    words: msgspec.Raw
    end_of_turn_confidence: float
    sequence_id: int
    trigger: str = ""
    languages: tuple[str, ...] | None = None
    languages_hinted: tuple[str, ...] | None = None


decode = msgspec.json.Decoder(BareTurnInfo).decode
