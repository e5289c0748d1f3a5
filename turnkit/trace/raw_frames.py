"""Reader of raw frames: Flux's messages recorded elsewhere, one JSON object a line, with or without arrival times.

A line may say with which options the connection was opened: `{"options": {"eot_threshold": 0.8, ...}}`, in Flux's
spelling, or `{"url": "wss://api.deepgram.com/v2/listen?model=...&eot_threshold=0.8"}`, of which nothing but these is
kept.
"""

from __future__ import annotations

from math import isfinite
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from .. import wire
from ..errors import ConfigError
from ..turns.events import Event, StreamLost, StreamRestored
from .lines import flux_message
from .records import Closed, Fed, Frame, Header, Record, Trace

_ARRIVED = ("received", "at")
_INSIDE = ("frame", "message")
_LISTS = ("keyterm", "language_hint", "tag")

_any = msgspec.json.Decoder().decode


class RawReader:
    """Turns frames into events as a session does, but without a clock of its own."""

    def __init__(self) -> None:
        self.problem = ""
        self._records: list[Record] = []
        self._now = 0.0
        self._began: float | None = None
        self._stamped: bool | None = None
        self._base = 0.0  # where the audio clock of this connection begins
        self._turns = False
        self._lost = False
        self._request_id = ""
        self._options: wire.FluxOptions | None = None

    def take(self, text: bytes) -> bool:
        """Take a line; False, with the `problem`, if it is no frame of Flux."""
        try:
            fields = _any(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            self.problem = "is no JSON object"
            return False
        if "type" not in fields and not fields.keys().isdisjoint(("options", "url")):
            return self._take_options(fields)
        inside = next((fields[name] for name in _INSIDE if isinstance(fields.get(name), dict)), None)
        message = flux_message(text if inside is None else inside)
        if message is None:
            self.problem = "is no message of Flux"
            return False
        self._advance_clock(message, _arrival(fields))
        self._add(message)
        return True

    def _take_options(self, fields: dict[str, Any]) -> bool:
        given = fields.get("options")
        if isinstance(url := fields.get("url"), str):
            given = {name: values if name in _LISTS else values[-1] for name, values in _query(url).items()}
        try:
            self._options = msgspec.convert(given, wire.FluxOptions, strict=False)
        except (ValueError, TypeError) as error:
            self.problem = f"has options that are none of Flux's: {error}"
            return False
        return True

    def _advance_clock(self, message: wire.Message, arrived: float | None) -> None:
        if self._stamped is None:
            self._stamped = arrived is not None
            self._now = arrived or 0.0
        if self._stamped and arrived is not None:
            self._now = max(self._now, arrived)
        elif not self._stamped and isinstance(message, wire.TurnInfo):
            self._now = max(self._now, self._base + message.audio_window_end)
        if self._began is None:
            self._began = self._now

    def _add(self, message: wire.Message) -> None:
        self._records.append(Frame(self._now, message))
        if isinstance(message, wire.Connected):
            self._request_id = self._request_id or message.request_id
            if self._turns and not self._lost:
                self._feed(StreamLost("connected anew"))
            if self._turns:
                self._feed(StreamRestored("connected"))
            self._turns = self._lost = False
            self._base = self._now
        elif isinstance(message, wire.ErrorMessage):
            self._lost = True
            self._feed(StreamLost(message.code or "Flux sent an Error"))
        event = wire.to_event(message)
        if event is not None:
            self._turns = True
            self._lost = False
            self._feed(event)

    def _feed(self, event: Event) -> None:
        self._records.append(Fed(self._now, event))

    def trace(self, name: str) -> Trace:
        """The trace of all that was taken; raises ConfigError if it holds no turn event."""
        if not any(isinstance(record, Fed) for record in self._records):
            raise ConfigError(f"trace {name!r}: holds no TurnInfo; it must have the frames of a Flux session")
        options = None if self._options is None else msgspec.to_builtins(self._options)
        header = Header(session=self._request_id, began_at=self._began or 0.0, options=options)
        return Trace(header=header, records=(*self._records, Closed(self._now)), name=name, raw=True, ended="closed")


def _query(url: str) -> dict[str, list[str]]:
    try:
        return parse_qs(urlsplit(url).query)
    except ValueError:
        return {}


def _arrival(fields: dict[str, Any]) -> float | None:
    for name in _ARRIVED:
        value = fields.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
            return float(value)
    return None
