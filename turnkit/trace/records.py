"""What a trace holds, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from ..turns.events import Event, ReplyEnded, Signal
from ..wire import FluxOptions, Message

VERSION = 1  # of the format


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Whose call it was, when, and under which settings.

    Fields: `trace` the version of the format; `turnkit` the version that wrote it; `session` its id; `began` the wall
    clock in ISO 8601 and `began_at` the monotonic second at that moment; `settings` the machine's, policies as text;
    `options` of the connection, None if they are not known; `redacted` whether words were replaced. A recording of
    raw frames has no header; it gets one without settings, `session` being Flux's request id.
    """

    trace: int = VERSION
    turnkit: str = ""
    session: str = ""
    began: str = ""
    began_at: float = 0.0
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    options: dict[str, Any] | None = None
    redacted: bool = False


class TimedWord(msgspec.Struct, frozen=True, array_like=True):
    """A word of the user's; `start` and `end` are seconds of stream audio, None where Flux gives none."""

    word: str
    start: float | None = None
    end: float | None = None
    confidence: float = 0.0

    def __repr__(self) -> str:
        return f"TimedWord({len(self.word)} characters, {self.start!r}, {self.end!r})"


class Fed(msgspec.Struct, frozen=True):
    """An event that the machine was fed at the monotonic second `at`; `words` those of an end of turn, if known."""

    at: float
    event: Event
    words: tuple[TimedWord, ...] = ()


class Woken(msgspec.Struct, frozen=True):
    """Time passed for the machine, up to the monotonic second `at`."""

    at: float


class Closed(msgspec.Struct, frozen=True):
    """The machine was closed at the monotonic second `at`."""

    at: float


class Fact(msgspec.Struct, frozen=True):
    """Something that the machine was not told: `name`, such as `FirstChunk`, and what goes with it."""

    at: float
    name: str
    fields: Mapping[str, Any]


class Frame(msgspec.Struct, frozen=True):
    """A message of Flux, whole."""

    at: float
    message: Message


Input: TypeAlias = Fed | Woken | Closed
"""What makes the machine answer."""

Record: TypeAlias = Fed | Woken | Closed | Signal | ReplyEnded | Fact | Frame
"""One line of a trace; signals stand for themselves."""

_INPUTS = (Fed, Woken, Closed)
_NOT_SIGNALS = (*_INPUTS, Fact, Frame)


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded call.

    Fields: `header`; `records` in the order in which things happened; `name` where it was read from; `raw`: only
    the frames of Flux were recorded, so there are no signals, and nobody is known to have spoken for the agent;
    `ended` is `closed`, `full` (the file reached its bound), or empty: cut off; `skipped` how many lines, or fields
    of lines, this version of turnkit does not know.
    """

    header: Header
    records: tuple[Record, ...]
    name: str = ""
    raw: bool = False
    ended: str = ""
    skipped: int = 0

    def __repr__(self) -> str:
        # The records hold what was said; a repr ends up in logs.
        return f"<Trace {self.name!r}: {len(self.records)} records, {self.seconds:.1f} s>"

    @property
    def began_at(self) -> float:
        """The monotonic second that counts as the beginning: the header's, or that of the first record."""
        return self.header.began_at or (self.records[0].at if self.records else 0.0)

    @property
    def seconds(self) -> float:
        """How long the call was."""
        return self.records[-1].at - self.began_at if self.records else 0.0

    @property
    def options(self) -> FluxOptions | None:
        """The options of the connection at the start, None if they are not known or this turnkit refuses them."""
        try:
            return None if self.header.options is None else msgspec.convert(self.header.options, FluxOptions)
        except (ValueError, TypeError):
            return None

    def inputs(self) -> list[Input]:
        """What made the machine answer, in order."""
        return [record for record in self.records if isinstance(record, _INPUTS)]

    def events(self) -> Iterator[tuple[float, Event]]:
        """When which event was fed."""
        return ((record.at, record.event) for record in self.records if isinstance(record, Fed))

    def signals(self) -> list[Signal | ReplyEnded]:
        """All signals in order, the session's own ReplyEnded and Notes among them; empty for raw frames."""
        return [record for record in self.records if not isinstance(record, _NOT_SIGNALS)]

    def facts(self, name: str | None = None) -> list[Fact]:
        """All facts, or those of one name."""
        return [record for record in self.records if isinstance(record, Fact) and name in (None, record.name)]
