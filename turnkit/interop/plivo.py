"""Plivo: a bot on a phone call by audio streaming, over the websocket of any server.

Answer with `<Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000">`; all else is as
with `twilio`. Made from Plivo's public documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .network_sink import Frame
from .telephone import Call, CallEnd, hold
from .telephone_line import SAMPLE_RATE, LineEvent, MarkedLine, Started, check_audio_is, mark, marked, message, payload

__all__ = ["Call", "CallEnd", "PlivoLine", "hold_call"]


async def hold_call(websocket: Any, make_session: Callable[[Call], Any], **settings: Any) -> CallEnd:
    """Hold a call that Plivo has connected to this websocket, until one of the two hangs up.

    Args:
        websocket: of Starlette, FastAPI, websockets or aiohttp, accepted.
        make_session: makes the session of the call, sync or async; its voice is `call.speaker(tts)`.
        settings: `api_key`, `options` and all else that `telephone.hold` takes.

    Returns:
        How it ended.
    """
    return await hold(PlivoLine(), websocket, make_session, **settings)


class PlivoLine(MarkedLine):
    """How Plivo's audio streaming speaks."""

    def audio(self, epoch: int, audio: bytes, until: float) -> Iterable[Frame]:
        """The audio, and a checkpoint behind it."""
        media = {"contentType": "audio/x-mulaw", "sampleRate": SAMPLE_RATE, "payload": payload(audio)}
        yield message("playAudio", media=media)
        yield message("checkpoint", streamId=self.stream, name=mark(epoch, until))

    def clear(self, epoch: int) -> Iterable[Frame]:
        """The command."""
        return (message("clearAudio", streamId=self.stream),)

    def start(self, message: dict[str, Any], start: dict[str, Any]) -> Started:
        """What Plivo says of a call."""
        check_audio_is("audio/x-mulaw", start.get("mediaFormat", {}), "sampleRate")
        self.stream = str(start["streamId"])
        headers = message.get("extra_headers")
        return Started(self.stream, str(start["callId"]), {"extra_headers": headers} if headers else {})

    def returned(self, message: dict[str, Any]) -> LineEvent | None:
        """Where a checkpoint has come to. That the call is over may be told by the closing of the websocket alone."""
        return marked(message["name"]) if message.get("event") == "playedStream" else None
