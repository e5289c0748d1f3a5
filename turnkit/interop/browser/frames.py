"""The frames between a page and a call: what the page sends, read; what it is told, written. No socket here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ...errors import RemoteProtocolError
from ..network_sink import Dialect, Frame

MICROPHONE_RATE = 16000
"""In Hz, of the linear16 that the page sends, mono."""

_LARGEST_FRAME = 1 << 16  # bytes: the page sends 640 of sound at a time, and short messages


class Played(msgspec.Struct, tag_field="type", tag="played"):
    """How much of an epoch has been heard.

    Attributes:
        epoch: its number, as far as the page knows.
        played: seconds from its beginning, as far as the page knows.
    """

    epoch: Any
    played: Any


class Message(msgspec.Struct, tag_field="type", tag="message"):
    """What the page and the bot tell each other of their own accord.

    Attributes:
        data: whatever JSON can say.
    """

    data: Any = None


_decoder: msgspec.json.Decoder[Played | Message] = msgspec.json.Decoder(Played | Message)
_encoder = msgspec.json.Encoder()


def read(frame: Frame) -> bytes | Played | Message:
    """What the page said; bytes are its microphone's.

    Raises:
        RemoteProtocolError: for what turnkit's page never sends.
    """
    if len(frame) > _LARGEST_FRAME:
        raise RemoteProtocolError(f"the page sent a frame of {len(frame)}; at most {_LARGEST_FRAME} is allowed")
    if isinstance(frame, bytes):
        if len(frame) % 2:
            raise RemoteProtocolError(f"the page sent {len(frame)} bytes of sound; samples have 2 bytes each")
        return frame
    try:
        return _decoder.decode(frame)
    except (ValueError, RecursionError):  # not its text, which may quote what was said
        raise RemoteProtocolError("the page sent a text that is none of its frames") from None


def message(data: object) -> str:
    """The frame that tells the page something.

    Raises:
        TypeError: for what JSON cannot say.
    """
    return _encoder.encode(Message(data)).decode()


class PageDialect(Dialect):
    """How turnkit's page is told what to play.

    Args:
        sample_rate: of the audio, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate

    def begin(self, epoch: int) -> Iterable[Frame]:
        """The rate, and that the epoch begins."""
        return (_told("begin", epoch, rate=self._sample_rate),)

    def audio(self, epoch: int, audio: bytes, until: float) -> Iterable[Frame]:
        """The audio: the page tells by itself what it has played."""
        return (audio,)

    def clear(self, epoch: int) -> Iterable[Frame]:
        """Silence, and nothing kept."""
        return (_told("clear", epoch),)

    def pause(self, epoch: int) -> Iterable[Frame]:
        """Silence, and all kept."""
        return (_told("pause", epoch),)

    def resume(self, epoch: int) -> Iterable[Frame]:
        """On from where it was paused."""
        return (_told("resume", epoch),)


def _told(what: str, epoch: int, **more: int) -> str:
    return _encoder.encode({"type": what, "epoch": epoch, **more}).decode()
