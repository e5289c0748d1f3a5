"""A part of the tables: the rows of some recordings, as a worker hands them back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..checks import shown_path
from ..errors import TurnkitError
from ..evidence.call import call_id
from ..trace import read
from .arrow import arrow
from .columns import COLUMNS
from .rows import Row, rows_of

Reach = tuple[bool, int]
"""How far a call was read: whether its recording came to its end, and its records."""

UNREAD: Reach = (False, -1)
"""Less than any call was read."""


class Part(msgspec.Struct):
    """The rows of some calls.

    Attributes:
        calls: How far each call was read.
        dates: The day each call began, as in 2026-11-20, by UTC; `unknown` if that is not known.
        tables: Their rows, by table.
        problems: What was wrong with files that could not be read, by their names; of URLs, without what is secret.
        raw: Number of recordings of raw frames, which have no rows.
    """

    calls: dict[str, Reach] = {}
    dates: dict[str, str] = {}
    tables: dict[str, Any] = {}
    problems: dict[str, str] = {}
    raw: int = 0


def part_of(paths: Iterable[str], *, words: bool = False) -> Part:
    """Read recordings into rows; files that cannot be read are named, and nothing is raised.

    Args:
        paths: the files.
        words: whether what was said is kept; without it, the tables lack the columns of words.
    """
    part = Part()
    rows: dict[str, dict[str, list[Row]]] = {}
    for path in paths:
        try:
            trace = read(path)
            if trace.raw:
                part.raw += 1
                continue
            call, reach = call_id(trace), (trace.ended == "closed", len(trace.records))
            if part.calls.get(call, UNREAD) < reach:
                rows[call] = rows_of(trace, words=words)
                part.calls[call], part.dates[call] = reach, _date(rows[call])
        except TurnkitError as error:
            part.problems[shown_path(path)] = str(error)
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError, MemoryError) as error:
            part.problems[shown_path(path)] = f"trace {shown_path(path)!r}: has no rows: {type(error).__name__}"
    for table in COLUMNS:
        found = [row for call in rows.values() for row in call[table]]
        part.tables[table] = arrow.Table.from_pylist(found, schema=schema(table, words=words))
    return part


def schema(table: str, *, words: bool = False) -> Any:
    """The schema of a table; each column has its meaning and unit beside it, as metadata."""
    fields = [
        arrow.field(one.name, _KINDS[one.kind], metadata={"meaning": one.meaning, "unit": one.unit})
        for one in COLUMNS[table]
        if words or not one.words
    ]
    return arrow.schema(fields)


_KINDS = {
    "string": arrow.string(),
    "int64": arrow.int64(),
    "double": arrow.float64(),
    "bool": arrow.bool_(),
    "list<string>": arrow.list_(arrow.string()),
    "timestamp[ms, tz=UTC]": arrow.timestamp("ms", tz="UTC"),
}


def _date(tables: dict[str, list[Row]]) -> str:
    began = next((row["call_began"] for rows in tables.values() for row in rows), None)
    return "unknown" if began is None else began.date().isoformat()
