"""Twilio: a bot on a phone call by Media Streams, over the websocket of any server.

    async def make_session(call):
        return Session(respond=respond, speak=call.speaker(tts), barge_in=MinWords(2))

    @app.post("/answer")                       # what Twilio asks when the phone rings
    async def answer():
        return Response(twilio.twiml("wss://bot.example.com/phone"), media_type="text/xml")

    @app.websocket("/phone")
    async def phone(websocket: WebSocket):
        await websocket.accept()
        await twilio.hold_call(websocket, make_session, api_key=KEY)

Twilio cannot pause: what is held is cleared, and sent again from the last mark that came back. When the websocket is
closed, Twilio goes on with the TwiML behind `<Connect>`, or hangs up if there is none.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from ..errors import ConfigError
from .network_sink import Frame
from .telephone import Call, CallEnd, hold
from .telephone_line import LineEvent, MarkedLine, Started, check_audio_is, mark, marked, message, payload

__all__ = ["Call", "CallEnd", "TwilioLine", "hold_call", "is_from_twilio", "twiml"]

_LONGEST_PARAMETER = 500  # characters of a name and its value together, as Twilio has it


async def hold_call(websocket: Any, make_session: Callable[[Call], Any], **settings: Any) -> CallEnd:
    """Hold a call that Twilio has connected to this websocket, until one of the two hangs up.

    Args:
        websocket: of Starlette, FastAPI, websockets or aiohttp, accepted.
        make_session: makes the session of the call, sync or async; its voice is `call.speaker(tts)`.
        settings: `api_key`, `options` and all else that `telephone.hold` takes.

    Returns:
        How it ended.
    """
    return await hold(TwilioLine(), websocket, make_session, **settings)


def twiml(url: str, parameters: Mapping[str, str] | None = None, *, then: str = "") -> str:
    """The TwiML that answers a call by connecting it to a websocket, with the caller's audio.

    Args:
        url: of the websocket, `wss://` and without a query, which Twilio does not pass on.
        parameters: what `call.parameters` will be. Default none.
        then: the TwiML to go on with once the websocket is closed, such as `<Dial>`. Default none: Twilio hangs up.

    Returns:
        The XML, to be sent as `text/xml`.

    Raises:
        ConfigError: for what Twilio would refuse.
    """
    parts = urlsplit(url)
    if parts.scheme != "wss" or not parts.netloc or parts.query or parts.fragment:
        raise ConfigError(f"url={url!r}: must be wss:// without a query; what is to be passed on are parameters")
    lines = []
    for name, value in (parameters or {}).items():
        if len(name) + len(value) >= _LONGEST_PARAMETER:
            raise ConfigError(
                f"parameters: {name!r} and its value must be shorter than {_LONGEST_PARAMETER} characters"
            )
        lines.append(f"<Parameter name={quoteattr(name)} value={quoteattr(value)}/>")
    stream = f'<Stream url={quoteattr(url)} track="inbound_track">{"".join(lines)}</Stream>'
    return f'<?xml version="1.0" encoding="UTF-8"?><Response><Connect>{stream}</Connect>{then}</Response>'


def is_from_twilio(auth_token: str, signature: str | None, url: str, form: Mapping[str, str] | None = None) -> bool:
    """Whether a request, or the opening of a websocket, is signed with your auth token.

    Args:
        auth_token: your account's.
        signature: the header `X-Twilio-Signature`; None if there is none.
        url: the whole URL as Twilio was given it, with its scheme (`wss` of a websocket) and query, whatever a proxy
            has made of it.
        form: the fields of the form that was posted. Default none.
    """
    if not signature:
        return False
    signed = url + "".join(name + value for name, value in sorted((form or {}).items()))
    expected = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return hmac.compare_digest(b64encode(expected), signature.encode("utf-8", "replace"))


class TwilioLine(MarkedLine):
    """How Media Streams speak."""

    def audio(self, epoch: int, audio: bytes, until: float) -> Iterable[Frame]:
        """The audio, and a mark behind it."""
        yield message("media", streamSid=self.stream, media={"payload": payload(audio)})
        yield message("mark", streamSid=self.stream, mark={"name": mark(epoch, until)})

    def clear(self, epoch: int) -> Iterable[Frame]:
        """The command; all marks that were dropped come back."""
        return (message("clear", streamSid=self.stream),)

    def start(self, message: dict[str, Any], start: dict[str, Any]) -> Started:
        """What Twilio says of a call."""
        check_audio_is("audio/x-mulaw", start.get("mediaFormat", {}), "sampleRate")
        return Started(str(start["streamSid"]), str(start["callSid"]), dict(start.get("customParameters") or {}))

    def returned(self, message: dict[str, Any]) -> LineEvent | None:
        """Where a mark has come to."""
        return marked(message["mark"]["name"]) if message.get("event") == "mark" else None
