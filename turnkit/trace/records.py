"""The records of a trace as values: header, events, wakes, facts, frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

import msgspec

from ..checks import is_number
from ..turns.events import Event, ReplyEnded, Signal
from ..wire import FluxOptions, Message

VERSION = 2  # of the format
MOST_BYTES = 256 * 2**20  # of a recording: no more is written, and no more is read


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a trace: whose call it was, when, and under which settings.

    A recording of raw frames has no header; it gets one without settings.

    Attributes:
        trace: Version of the format.
        turnkit: Version of turnkit that wrote it.
        session: Id of the session; of raw frames, Flux's request id.
        began: Wall clock at the beginning, in ISO 8601.
        began_at: Monotonic second at that moment.
        settings: Settings of the machine, policies as text.
        options: FluxOptions of the connection as plain values; None if they are not known.
        redacted: Whether words were replaced.
        speed: Seconds of the call in a second of its clock: 1, unless a demo or a test hurried.
    """

    trace: int = VERSION
    turnkit: str = ""
    session: str = ""
    began: str = ""
    began_at: float = 0.0
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    options: dict[str, Any] | None = None
    redacted: bool = False
    speed: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 1.0


class Fed(msgspec.Struct, frozen=True, gc=False):
    """An event that the machine was fed.

    Attributes:
        at: Monotonic second at which it was fed.
        event: The event.
    """

    at: float
    event: Event


class Woken(msgspec.Struct, frozen=True, gc=False):
    """Time passed for the machine, up to the monotonic second `at`."""

    at: float


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The machine was closed at the monotonic second `at`."""

    at: float


class Fact(msgspec.Struct, frozen=True):
    """Something that the machine is not told.

    Attributes:
        at: Monotonic second at which it happened.
        name: What happened, such as `FirstChunk`.
        fields: What goes with it, such as the id of a reply.
    """

    at: float
    name: str
    fields: Mapping[str, Any]


class Frame(msgspec.Struct, frozen=True):
    """A `message` of Flux as it came, at the monotonic second `at`."""

    at: float
    message: Message


Input: TypeAlias = Fed | Woken | Closed
"""What is fed to the machine, and answered with signals."""

Record: TypeAlias = Fed | Woken | Closed | Signal | ReplyEnded | Fact | Frame
"""One line of a trace; signals stand for themselves."""

_INPUTS = (Fed, Woken, Closed)
_NOT_SIGNALS = (*_INPUTS, Fact, Frame)


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded call.

    Attributes:
        header: Whose call it was, when, and under which settings.
        records: All records in the order in which things happened.
        name: Path it was read from.
        raw: Whether only the frames of Flux were recorded: then there are no signals, and nothing is known of what
            the agent said.
        ended: `closed`, `full` (the file reached its bound), or empty if the file was cut off.
        skipped: Number of lines that this version of turnkit does not know.
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
        """The monotonic second of the beginning: the header's, or that of the first record."""
        return self.header.began_at or (self.records[0].at if self.records else 0.0)

    @property
    def seconds(self) -> float:
        """Seconds that the call lasted."""
        return self.records[-1].at - self.began_at if self.records else 0.0

    def in_call_time(self) -> Trace:
        """The trace of a call that was hurried, as if it had not been; any other as it is.

        Every `at` counts the call's own seconds from `began_at`, and the settings that are seconds are theirs too; what
        is inside a policy stays as it is. A replay of it is no longer exact to the last bit.
        """
        speed = self.header.speed
        if speed == 1.0:
            return self
        zero = self.began_at
        settings = {
            name: round(value * speed, 9) if is_number(value) else value for name, value in self.header.settings.items()
        }
        header = msgspec.structs.replace(self.header, began_at=zero, settings=settings, speed=1.0)
        records = tuple(
            msgspec.structs.replace(record, at=zero + (record.at - zero) * speed) for record in self.records
        )
        return msgspec.structs.replace(self, header=header, records=records)

    @property
    def options(self) -> FluxOptions | None:
        """The options of the connection at the start, None if they are not known or this turnkit refuses them."""
        try:
            return None if self.header.options is None else msgspec.convert(self.header.options, FluxOptions)
        except (ValueError, TypeError):
            return None

    def inputs(self) -> list[Input]:
        """Everything that was fed to the machine, in order."""
        return [record for record in self.records if isinstance(record, _INPUTS)]

    def events(self) -> Iterator[tuple[float, Event]]:
        """Each event with the monotonic second at which it was fed."""
        return ((record.at, record.event) for record in self.records if isinstance(record, Fed))

    def signals(self) -> list[Signal | ReplyEnded]:
        """All signals in order, the session's own ReplyEnded and Notes among them; empty for raw frames."""
        return [record for record in self.records if not isinstance(record, _NOT_SIGNALS)]

    def facts(self, name: str | None = None) -> list[Fact]:
        """All facts, or those of one name."""
        return [record for record in self.records if isinstance(record, Fact) and name in (None, record.name)]
