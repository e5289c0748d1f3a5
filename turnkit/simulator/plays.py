"""Everything that a simulator can play to its clients, and the player of each."""

from __future__ import annotations

from typing import TypeAlias

from .detector import Detector
from .ear import Ear
from .live_caller import LiveCaller
from .parameters import Settings
from .player import Player, RecordingPlayer, ScriptPlayer
from .recorded_session import Recording
from .script import Script

Play: TypeAlias = Script | Recording | LiveCaller | Ear
"""What a simulator plays to its clients."""


def open_player(play: Play, settings: Settings, request_id: str, seed: int | None) -> Player:
    """The player of one connection, from the beginning."""
    if isinstance(play, LiveCaller):
        return ScriptPlayer(play.listen(settings, seed), request_id)
    if isinstance(play, Script):
        return ScriptPlayer(Detector(play, settings, seed=seed), request_id)
    if isinstance(play, Recording):
        return RecordingPlayer(play, request_id)
    from .ear.player import EarPlayer  # with libraries that are an ear's alone

    return EarPlayer(play, settings, request_id, seed)
