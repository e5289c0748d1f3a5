"""Events with the seconds at which they were fed, in one piece: to go through many recordings quickly.

`read` makes a record of each event, checks it anew as all events are, and keeps its second beside it; that takes twice
as long as going through the file. Who needs no more than their fields has them here as they stand in the line. What is
not as turnkit writes it is read as by `read`.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Union, get_args

import msgspec

from ..turns.events import COUNTABLE, Event
from .records import Fed, Record, Trace

# What the check of an event lets pass, and lines in which it might not are read by it.
_CHECKED = {
    "turn_index": Annotated[int, msgspec.Meta(gt=-COUNTABLE, lt=COUNTABLE)],
    "confidence": Annotated[float, msgspec.Meta(gt=-1e300, lt=1e300)],
    "audio_end": Annotated[float, msgspec.Meta(gt=-1e300, lt=1e300)],
}


def _timed(kind: type[Event]) -> type[Any]:
    fields: list[Any] = [("at", float)]
    for field in msgspec.structs.fields(kind):
        declared = _CHECKED.get(field.name, field.type)
        fields.append((field.name, declared) if field.required else (field.name, declared, field.default))
    # With a field more, it may be another kind of line.
    return msgspec.defstruct(
        f"Timed{kind.__name__}",
        fields,
        tag_field="event",
        tag=kind.__name__,
        frozen=True,
        gc=False,
        forbid_unknown_fields=True,
    )


KINDS: dict[type, type[Event]] = {_timed(kind): kind for kind in get_args(Event)}
"""The kind of event that each kind of timed event is."""

TIMED: dict[type[Event], type] = {kind: timed for timed, kind in KINDS.items()}
"""The other way round."""

_FIELDS: dict[type, Callable[[Any], Any]] = {
    timed: attrgetter("at", *kind.__struct_fields__) for timed, kind in KINDS.items()
}

timed_events_of = msgspec.json.Decoder(Union[tuple(KINDS)]).decode_lines  # noqa: UP007
"""The timed events of lines that hold one event each, or are blank; it raises what `lines.record_of` does."""


def either_way(*kinds: type[Event]) -> frozenset[type]:
    """These kinds of events, timed and not."""
    return frozenset(kinds) | {TIMED[kind] for kind in kinds}


def event_of(timed: Any) -> Event:
    """The event that a timed event is."""
    return _fed(timed).event


def plain(trace: Trace) -> Trace:
    """The trace with records in place of timed events; the same one if it has none."""
    if KINDS.keys().isdisjoint(map(type, trace.records)):
        return trace
    records: tuple[Record, ...] = tuple(_fed(one) if type(one) in KINDS else one for one in trace.records)
    return msgspec.structs.replace(trace, records=records)


def _fed(timed: Any) -> Fed:
    at, *fields = _FIELDS[type(timed)](timed)
    return Fed(at, KINDS[type(timed)](*fields))
