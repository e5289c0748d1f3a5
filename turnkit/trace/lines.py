"""Lines of a trace: how each kind of record is read. What is written is held against it first."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from .. import wire
from ..errors import RemoteProtocolError
from ..turns.events import SIGNALS, Event, ReplyEnded, Signal
from .records import VERSION, Closed, Fact, Fed, Frame, Record, Woken


class Line(msgspec.Struct):
    """The fields that tell what kind of line it is."""

    at: float
    event: str | None = None
    signal: str | None = None
    wake: bool = False
    close: bool = False
    fact: str | None = None
    fields: dict[str, Any] = {}
    frame: msgspec.Raw = msgspec.Raw()
    end: str | None = None


class _Second(msgspec.Struct, gc=False):
    """The second of a line that holds an event, and no field that makes it another kind of line."""

    at: float
    signal: None = None
    wake: None = None
    close: None = None
    fact: None = None
    frame: None = None
    end: None = None


_EVENTS = frozenset(kind.__name__ for kind in get_args(Event))
_SIGNALS = frozenset(kind.__name__ for kind in (*SIGNALS, ReplyEnded))

_line = msgspec.json.Decoder(Line).decode
_seconds = msgspec.json.Decoder(_Second).decode_lines
events_of = msgspec.json.Decoder(Event).decode_lines
"""The events of lines that are known to hold one each, or are blank; it raises what `record_of` does."""
event_of = msgspec.json.Decoder(Event).decode
"""The event of a line that is known to hold one; it raises what `record_of` does."""
signal_of = msgspec.json.Decoder(Signal | ReplyEnded).decode
"""The signal of a line that is known to hold one; it raises what `record_of` does."""
_any = msgspec.json.Decoder().decode


def times_of(lines: bytes) -> list[float]:
    """The seconds of lines that hold an event each, or are blank; it raises what `record_of` does."""
    return [line.at for line in _seconds(lines)]


def line_of(text: bytes) -> Line:
    """What kind of line it is; raises DecodeError, UnicodeError or RecursionError if it is none."""
    return _line(text)


def record_of(line: Line, text: bytes, version: int = VERSION) -> Record | None:
    """The record that a line holds.

    Args:
        line: what kind of line it is.
        text: the line.
        version: of the format.

    Returns:
        The record; None of a kind that is not known, and of the last line.

    Raises:
        DecodeError, UnicodeError, RecursionError, LocalProtocolError: the line does not have the fields of its kind.
    """
    if line.fact is not None:
        return Fact(line.at, line.fact, line.fields if version > 1 else _beside(text))
    if line.event is not None:
        return Fed(line.at, event_of(text)) if line.event in _EVENTS else None
    if line.signal is not None:
        return signal_of(text) if line.signal in _SIGNALS else None
    if line.wake or line.close:
        return Woken(line.at) if line.wake else Closed(line.at)
    if bytes(line.frame):
        message = flux_message(bytes(line.frame))
        return None if message is None else Frame(line.at, message)
    return None


def _beside(text: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = _any(text)
    return {name: value for name, value in fields.items() if name not in ("at", "fact")}


def flux_message(text: bytes | dict[str, Any]) -> wire.Message | None:
    """Decode a message; None if it is none of Flux's."""
    try:
        message = wire.decode(text)
    except RemoteProtocolError:
        return None
    return None if isinstance(message, wire.Unknown) and (message.problem or not message.type) else message
