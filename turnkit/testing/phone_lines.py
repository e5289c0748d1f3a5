"""What the telephone services say and take over their websockets, as their documentation has it.

Written apart from `turnkit.interop`, which it is to put to the test.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

STREAM = "MZ00000000000000000000000000000001"
CALL = "CA00000000000000000000000000000001"


class Audio(NamedTuple):
    """Audio to be played to the caller."""

    audio: bytes


class Mark(NamedTuple):
    """A name to be given back once all before it was played, or dropped."""

    name: str


class Clear(NamedTuple):
    """The wish to have all dropped that was not played."""


Command: TypeAlias = Audio | Mark | Clear


class PhoneLine(Protocol):
    """How one service speaks."""

    def hello(self, parameters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """What comes first."""

    def media(self, number: int, audio: bytes) -> dict[str, Any]:
        """The caller's audio, 20 ms of it, the first of which has number 1."""

    def key(self, digit: str) -> dict[str, Any]:
        """A key that the caller pressed."""

    def played(self, name: str) -> dict[str, Any]:
        """A mark that comes back."""

    def stop(self) -> dict[str, Any] | None:
        """What is said when the call is over, if anything."""

    def cleared(self) -> dict[str, Any] | None:
        """What is said when all was dropped, if anything."""

    def read(self, message: dict[str, Any]) -> Command:
        """What a message from the bot asks for.

        Raises:
            ValueError: the service does not take it.
        """


def audio_of(media: Mapping[Any, Any]) -> Audio:
    """The audio of a message."""
    try:
        return Audio(b64decode(media["payload"], validate=True))
    except (Error, KeyError, TypeError) as error:
        raise ValueError(f"no payload in base64: {error}") from None


def payload(audio: bytes) -> str:
    """Audio as it stands in a message."""
    return b64encode(audio).decode()


class Twilio:
    """Media Streams, both ways (`<Connect><Stream>`)."""

    def __init__(self) -> None:
        self._sequence = 0

    def hello(self, parameters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """`connected` and `start`."""
        yield {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        yield self._message(
            "start",
            start={
                "accountSid": "AC00000000000000000000000000000001",
                "streamSid": STREAM,
                "callSid": CALL,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(parameters),
            },
        )

    def media(self, number: int, audio: bytes) -> dict[str, Any]:
        """`media`."""
        media = {"track": "inbound", "chunk": str(number), "timestamp": str(20 * number), "payload": payload(audio)}
        return self._message("media", media=media)

    def key(self, digit: str) -> dict[str, Any]:
        """`dtmf`."""
        return self._message("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    def played(self, name: str) -> dict[str, Any]:
        """`mark`."""
        return self._message("mark", mark={"name": name})

    def stop(self) -> dict[str, Any] | None:
        """`stop`."""
        return self._message("stop", stop={"accountSid": "AC00000000000000000000000000000001", "callSid": CALL})

    def cleared(self) -> dict[str, Any] | None:
        """Nothing: the marks come back."""
        return None

    def read(self, message: dict[str, Any]) -> Command:
        """`media`, `mark` and `clear`."""
        if message.get("streamSid") != STREAM:
            raise ValueError("the streamSid is not that of the call")
        match message:
            case {"event": "media", "media": {**media}}:
                return audio_of(media)
            case {"event": "mark", "mark": {"name": str(name)}}:
                return Mark(name)
            case {"event": "clear"}:
                return Clear()
        raise ValueError(f"event {message.get('event')!r} is not taken")

    def _message(self, event: str, **fields: object) -> dict[str, Any]:
        self._sequence += 1
        return {"event": event, "sequenceNumber": str(self._sequence), "streamSid": STREAM, **fields}


class Telnyx:
    """Media streaming, both ways (`stream_bidirectional_mode: "rtp"`)."""

    def hello(self, parameters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """`connected` and `start`."""
        yield {"event": "connected", "version": "1.0.0"}
        media_format = {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
        start = {"call_control_id": CALL, "custom_parameters": dict(parameters), "media_format": media_format}
        yield {"event": "start", "sequence_number": "1", "stream_id": STREAM, "start": start}

    def media(self, number: int, audio: bytes) -> dict[str, Any]:
        """`media`."""
        media = {"track": "inbound", "chunk": str(number), "timestamp": str(20 * number), "payload": payload(audio)}
        return {"event": "media", "stream_id": STREAM, "sequence_number": str(number + 1), "media": media}

    def key(self, digit: str) -> dict[str, Any]:
        """`dtmf`."""
        return {"event": "dtmf", "stream_id": STREAM, "dtmf": {"digit": digit}}

    def played(self, name: str) -> dict[str, Any]:
        """`mark`."""
        return {"event": "mark", "stream_id": STREAM, "mark": {"name": name}}

    def stop(self) -> dict[str, Any] | None:
        """`stop`."""
        return {"event": "stop", "stream_id": STREAM, "stop": {"call_control_id": CALL}}

    def cleared(self) -> dict[str, Any] | None:
        """Nothing."""
        return None

    def read(self, message: dict[str, Any]) -> Command:
        """`media` of 20 ms or more, `mark` and `clear`."""
        match message:
            case {"event": "media", "media": {**media}}:
                audio = audio_of(media)
                if not 160 <= len(audio.audio) <= 240000:
                    raise ValueError(f"{len(audio.audio)} bytes of audio are not 20 ms to 30 s")
                return audio
            case {"event": "mark", "mark": {"name": str(name)}}:
                return Mark(name)
            case {"event": "clear"}:
                return Clear()
        raise ValueError(f"event {message.get('event')!r} is not taken")


class Plivo:
    """Audio streaming, both ways (`<Stream bidirectional="true">`)."""

    def hello(self, parameters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """`start`."""
        media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8000}
        start = {"callId": CALL, "streamId": STREAM, "accountId": "MA1", "tracks": ["inbound"]}
        headers = ";".join(f"{name}={value}" for name, value in parameters.items())
        yield {"event": "start", "start": {**start, "mediaFormat": media_format}, "extra_headers": headers}

    def media(self, number: int, audio: bytes) -> dict[str, Any]:
        """`media`."""
        media = {"track": "inbound", "chunk": number, "timestamp": str(20 * number), "payload": payload(audio)}
        return {"event": "media", "streamId": STREAM, "sequenceNumber": number, "media": media}

    def key(self, digit: str) -> dict[str, Any]:
        """`dtmf`."""
        return {"event": "dtmf", "streamId": STREAM, "dtmf": {"digit": digit}}

    def played(self, name: str) -> dict[str, Any]:
        """`playedStream`."""
        return {"event": "playedStream", "streamId": STREAM, "name": name}

    def stop(self) -> dict[str, Any] | None:
        """Nothing: the websocket is closed."""
        return None

    def cleared(self) -> dict[str, Any] | None:
        """`clearedAudio`."""
        return {"event": "clearedAudio", "streamId": STREAM}

    def read(self, message: dict[str, Any]) -> Command:
        """`playAudio`, `checkpoint` and `clearAudio`."""
        match message:
            case {"event": "playAudio", "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, **media}}:
                return audio_of(media)
            case {"event": "checkpoint", "streamId": str(stream), "name": str(name)} if stream == STREAM:
                return Mark(name)
            case {"event": "clearAudio", "streamId": str(stream)} if stream == STREAM:
                return Clear()
        raise ValueError(f"event {message.get('event')!r} is not taken as it is")


LINES: dict[str, type[Twilio] | type[Telnyx] | type[Plivo]] = {"twilio": Twilio, "telnyx": Telnyx, "plivo": Plivo}
"""The services by name."""


def decoded(message: str | bytes) -> dict[str, Any]:
    """A message of the bot's.

    Raises:
        ValueError: it is not a JSON object, as text.
    """
    decoded = json.loads(message) if isinstance(message, str) else None
    if not isinstance(decoded, dict):
        raise ValueError("not a JSON object, as text")
    return decoded
