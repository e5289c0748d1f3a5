"""A recorded Flux session: the frames of the server, one JSON object a line, as they were."""

from __future__ import annotations

from pathlib import Path

import msgspec

from .. import wire
from ..checks import shown_path
from ..errors import ConfigError, RemoteProtocolError
from .text_file import text_of


class RecordedFrame(msgspec.Struct, frozen=True):
    """A frame of a recording.

    Attributes:
        text: as recorded.
        message: what it says.
        due: the second of stream audio at which it is sent.
    """

    text: str
    message: wire.Message
    due: float

    def __repr__(self) -> str:
        # The text holds what a caller said; a repr ends up in logs.
        return f"RecordedFrame({type(self.message).__name__}, due={self.due!r})"


class Recording(msgspec.Struct, frozen=True):
    """A recorded session.

    Attributes:
        frames: in the order recorded.
        request_id: of the frames; "" if they have none.
    """

    frames: tuple[RecordedFrame, ...]
    request_id: str = ""

    @classmethod
    def read(cls, path: str | Path) -> Recording:
        """Read a file of JSON lines.

        A TurnInfo is due when the audio received covers its `audio_window_end`, anything else together with the frame
        before it. Raises ConfigError, naming file and line, if a line is no message of Flux, and if there is no
        TurnInfo at all.
        """
        named = f"recording {shown_path(path)!r}"
        # Not splitlines: JSON may hold line separators that are no line's end here.
        lines = text_of("recording", path).split("\n")
        frames: list[RecordedFrame] = []
        for number, line in enumerate(lines, start=1):
            text = line.strip("\r")
            if not text.strip():
                continue
            message = _message(text, f"{named}, line {number}")
            due = frames[-1].due if frames else 0.0
            if isinstance(message, wire.TurnInfo):
                due = max(due, message.audio_window_end)
            frames.append(RecordedFrame(text, message, due))
        if not any(isinstance(frame.message, wire.TurnInfo) for frame in frames):
            raise ConfigError(f"{named}: holds no TurnInfo; it must have the frames of a Flux session")
        ids = (frame.message.request_id for frame in frames if not isinstance(frame.message, wire.Unknown))
        return cls(tuple(frames), next(filter(None, ids), ""))


def _message(text: str, where: str) -> wire.Message:
    try:
        message = wire.decode(text)
    except RemoteProtocolError:
        raise ConfigError(f"{where}: not a JSON object") from None
    if isinstance(message, wire.Unknown) and (message.problem or not message.type):
        raise ConfigError(f"{where}: not a message of Flux: {message.problem}")
    return message
