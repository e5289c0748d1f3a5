"""How a telephone service speaks over its websocket: what its messages tell, and how the frames to it look.

`Line` is what the services differ in, `MarkedLine` what those have in common that acknowledge audio by giving marks
back. A call's audio is mu-law at 8 kHz, both ways.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from .network_sink import Dialect, Frame

SAMPLE_RATE = 8000
SILENCE = 0xFF
"""The mu-law sample that makes no sound."""

_DIGITS = "0123456789*#ABCD"


class Started(NamedTuple):
    """The call has begun: the names of the stream and of the call, and the parameters that came with it."""

    stream: str
    call: str
    parameters: Mapping[str, Any]


class Media(NamedTuple):
    """Audio of the caller, mu-law at 8 kHz."""

    audio: bytes


class Played(NamedTuple):
    """The service has played so many seconds of an epoch, or dropped them."""

    epoch: int
    seconds: float


class Key(NamedTuple):
    """The caller has pressed a key."""

    digit: str


class Stopped(NamedTuple):
    """The call is over."""


LineEvent: TypeAlias = Started | Media | Played | Key | Stopped


class Line(Dialect, Protocol):
    """How a telephone service speaks, for one call: how its frames look, and what its messages mean."""

    def read(self, message: dict[str, Any]) -> LineEvent | None:
        """What a message tells; None for what is of no interest here.

        What it raises says that no such service would send that message.
        """


class MarkedLine(Line):
    """What the services have in common: they send audio and keys, give marks back, and cannot pause.

    Of each there is `audio`, `clear`, `start` for the message with which a call begins, and `returned` for a mark.

    Attributes:
        stream: the name of the stream, once the call has begun.
    """

    stream = ""

    def begin(self, epoch: int) -> Iterable[Frame]:
        """Nothing: the name of each mark has its epoch."""
        return ()

    def pause(self, epoch: int) -> Iterable[Frame] | None:
        """There is no such thing: what is held is cleared, and sent again from the last mark that came back."""
        return None

    def resume(self, epoch: int) -> Iterable[Frame]:
        """Nothing: it is never paused."""
        return ()

    def read(self, message: dict[str, Any]) -> LineEvent | None:
        """What a message tells."""
        match message.get("event"):
            case "media":
                media = message["media"]
                audio = b64decode(media["payload"], validate=True)
                return Media(audio) if media.get("track", "inbound") == "inbound" else None
            case "dtmf":
                digit = message["dtmf"]["digit"]
                return Key(digit) if isinstance(digit, str) and len(digit) == 1 and digit in _DIGITS else None
            case "start":
                started = self.start(message, message["start"])
                self.stream = self.stream or started.stream
                return started
            case "stop":
                return Stopped()
        return self.returned(message)

    def start(self, message: dict[str, Any], start: dict[str, Any]) -> Started:
        """What the message with which a call begins tells.

        Args:
            message: as it came.
            start: the part of it of that name.
        """
        raise NotImplementedError

    def returned(self, message: dict[str, Any]) -> LineEvent | None:
        """What any other message tells."""
        raise NotImplementedError


def mark(epoch: int, until: float) -> str:
    """The name of a mark behind audio: what comes back with it is all that is needed."""
    return f"{epoch}:{until:.6f}"


def marked(name: object) -> Played | None:
    """What a mark that came back says; None if the name is not one of ours."""
    epoch, colon, until = name.partition(":") if isinstance(name, str) else ("", "", "")
    try:
        return Played(int(epoch), float(until)) if colon else None
    except ValueError:
        return None


def payload(audio: bytes) -> str:
    """Audio as it stands in the messages of all of them."""
    return b64encode(audio).decode("ascii")


def check_audio_is(encoding: str, media_format: Mapping[str, Any], rate: str) -> None:
    """Raise ValueError for a call whose audio is not mu-law at 8 kHz; what is not said is taken to be so."""
    if media_format.get("encoding", encoding) != encoding or int(media_format.get(rate, SAMPLE_RATE)) != SAMPLE_RATE:
        raise ValueError("the audio is not mu-law at 8 kHz")


def message(event: str, **fields: object) -> str:
    """A message to the service."""
    return msgspec.json.encode({"event": event, **fields}).decode()
