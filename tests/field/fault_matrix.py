"""The fault matrix as data, and as the table of docs/faults.md: `python -m tests.field.fault_matrix` prints that.

The rows stand in fault_matrix.txt, whose head says how to read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

TEXT = Path(__file__).with_name("fault_matrix.txt")
_SEVERAL = re.compile(r"(\S*/)(\d+)\.\.(\d+)")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A fault at a moment: what the session must see, and what its caller then notices. Times in seconds.

    Fields: `faults` of the simulator; `moment` in words; `stories`, any of which the session may tell; `noticed`;
    the others as the head of fault_matrix.txt has them.
    """

    faults: tuple[str, ...]
    moment: str
    stories: tuple[tuple[str, ...], ...]
    noticed: str
    late: float = 0.0
    error: str = ""
    attempts: int | None = None
    missing: frozenset[str] = frozenset()
    unanswered: frozenset[str] = frozenset()
    twice: frozenset[str] = frozenset()
    deed: str = ""
    at: float = 0.0
    result: str = ""
    lost_audio: bool = False
    strikes: bool = True
    tail: float = 4.0

    def __str__(self) -> str:
        few = self.faults if len(self.faults) <= 3 else (*self.faults[:2], "...")
        return f"{' '.join(few)} ({self.moment})"


class Family(msgspec.Struct, frozen=True):
    """Faults of one kind: what happens, what turnkit does about it, and its rows."""

    what: str
    does: str
    rows: list[Row]

    @property
    def noticed(self) -> str:
        """All that a caller may notice, each once."""
        return "; ".join(dict.fromkeys(row.noticed for row in self.rows))


def families() -> list[Family]:
    """The matrix. Raises ValueError for a line that cannot be read, naming it."""
    found: list[Family] = []
    what = noticed = ""
    for number, line in enumerate(TEXT.read_text(encoding="utf-8").split("\n# ", 1)[1].splitlines(), start=0):
        try:
            if number == 0 or line.startswith("# "):
                what = line.removeprefix("# ")
            elif line.startswith("> "):
                found.append(Family(what, line[2:], []))
            elif line.startswith('"'):
                noticed = line[1:]
            elif line.strip():
                found[-1].rows.append(_row(line, noticed))
        except (ValueError, IndexError, msgspec.ValidationError) as error:
            raise ValueError(f"{TEXT.name}: {line!r}: {error}") from error
    return found


def rows() -> list[Row]:
    return [row for family in families() for row in family.rows]


def _row(line: str, noticed: str) -> Row:
    faults, moment, story, *more = (part.strip() for part in line.split(" | "))
    fields: dict[str, Any] = dict(given.split("=", 1) for given in (more[0].split() if more else ()))
    for name in {"missing", "unanswered", "twice"} & set(fields):
        fields[name] = fields[name].split(",")
    for name in {"lost_audio", "strikes"} & set(fields):
        fields[name] = {"yes": True, "no": False}[fields[name]]
    unknown = set(fields) - set(Row.__struct_fields__)
    if unknown:
        raise ValueError(f"no expectation is called {', '.join(sorted(unknown))}")
    stories = [list(_repeated(told)) for told in story.split(" or ")]
    named = {"faults": list(_counted(faults)), "moment": moment, "stories": stories, "noticed": noticed}
    return msgspec.convert({**named, **fields}, Row, strict=False)


def _repeated(story: str) -> Iterator[str]:
    """`Commit:model*3` is three of them, `-` is nothing."""
    for told in story.split():
        kind, _, count = told.partition("*")
        if kind != "-":
            yield from [kind.replace(":", " ", 1)] * int(count or 1)


def _counted(faults: str) -> Iterator[str]:
    """`drop@connect/2..4` is that fault on each of these connections."""
    for fault in faults.split():
        if match := _SEVERAL.fullmatch(fault):
            yield from (f"{match[1]}{number}" for number in range(int(match[2]), int(match[3]) + 1))
        else:
            yield fault


def text() -> str:
    """What docs/faults.md says, between its markers: a sentence and a table."""
    every = rows()
    kinds = {fault.partition("@")[0].partition(":")[0].partition("/")[0] for row in every for fault in row.faults}
    lines = [
        f"The simulator injects {len(kinds)} faults by name; here they strike at {len(every)} moments of a call, on",
        "asyncio and on trio, with every setting as it is by default. No words are lost unless it says so.",
        "[tests/field/fault_matrix.txt](../tests/field/fault_matrix.txt) has each one, and what the session is told.",
        "",
        "| what happens | what turnkit does | what the caller notices |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {family.what} | {family.does} | {family.noticed} |" for family in families()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(text())
