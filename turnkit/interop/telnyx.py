"""Telnyx: a bot on a phone call by media streaming, over the websocket of any server.

Have the call streamed with `stream_bidirectional_mode: "rtp"`, `stream_bidirectional_codec: "PCMU"`, and, where the
call itself is not PCMU, `stream_codec: "PCMU"`; all else is as with `twilio`. Made from Telnyx's public documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .network_sink import Frame
from .telephone import Call, CallEnd, hold
from .telephone_line import (
    SAMPLE_RATE,
    SILENCE,
    LineEvent,
    MarkedLine,
    Started,
    check_audio_is,
    mark,
    marked,
    message,
    payload,
)

__all__ = ["Call", "CallEnd", "TelnyxLine", "hold_call"]

_SHORTEST = SAMPLE_RATE // 50  # bytes: Telnyx takes no less than 20 ms at once


async def hold_call(websocket: Any, make_session: Callable[[Call], Any], **settings: Any) -> CallEnd:
    """Hold a call that Telnyx has connected to this websocket, until one of the two hangs up.

    Args:
        websocket: of Starlette, FastAPI, websockets or aiohttp, accepted.
        make_session: makes the session of the call, sync or async; its voice is `call.speaker(tts)`.
        settings: `api_key`, `options` and all else that `telephone.hold` takes.

    Returns:
        How it ended.
    """
    return await hold(TelnyxLine(), websocket, make_session, **settings)


class TelnyxLine(MarkedLine):
    """How Telnyx's media streaming speaks."""

    def audio(self, epoch: int, audio: bytes, until: float) -> Iterable[Frame]:
        """The audio, made long enough by silence, and a mark behind it."""
        yield message("media", media={"payload": payload(audio.ljust(_SHORTEST, bytes([SILENCE])))})
        yield message("mark", mark={"name": mark(epoch, until)})

    def clear(self, epoch: int) -> Iterable[Frame]:
        """The command."""
        return (message("clear"),)

    def start(self, message: dict[str, Any], start: dict[str, Any]) -> Started:
        """What Telnyx says of a call."""
        check_audio_is("PCMU", start.get("media_format", {}), "sample_rate")
        parameters = dict(start.get("custom_parameters") or {})
        return Started(str(message["stream_id"]), str(start["call_control_id"]), parameters)

    def returned(self, message: dict[str, Any]) -> LineEvent | None:
        """Where a mark has come to."""
        return marked(message["mark"]["name"]) if message.get("event") == "mark" else None
