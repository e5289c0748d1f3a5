"""Parquet files of the tables: to which calls are added, each once, however often."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .arrow import arrow, compute, parquet
from .columns import COLUMNS
from .part import Part, Reach, schema

_CALLS = b"turnkit.calls"  # metadata of each file: the calls in it, and how far they were read
_HELD = 2000  # calls that are held before they are written
_UNWRITTEN = ".partial"


class Dataset:
    """The tables in a directory: `turns/date=2026-11-20/part-….parquet`, and `drafts` and `signals` likewise.

    A call that is there already is left as it is, unless it has been read further since: a recording that was still
    being written is replaced. Each file is written whole or not at all; if the writing of many is stopped, doing it
    again adds what is missing. One at a time may write to a directory.

    Args:
        folder: The directory; made if it is not there.
        words: Whether there are columns of what was said.

    Attributes:
        added: Number of calls that were added, or replaced.

    Raises:
        ConfigError: There are tables of other columns already.
    """

    def __init__(self, folder: Path, *, words: bool = False) -> None:
        self.added = 0
        self._words = words
        self._tables = {name: _Table(folder / name, name, words) for name in COLUMNS}
        self._held: list[Part] = []

    def add(self, part: Part) -> None:
        """Add the calls of a part; they are written once they are many."""
        self._held.append(part)
        if sum(len(one.calls) for one in self._held) >= _HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        calls: dict[str, tuple[Reach, int]] = {}
        for number, part in enumerate(self._held):
            for call, reach in part.calls.items():
                calls[call] = max(calls.get(call, ((False, -1), 0)), (reach, number))
        dates = {call: date for part in self._held for call, date in part.dates.items()}
        added: set[str] = set()
        for name, table in self._tables.items():
            new = table.without_known({call: reach for call, (reach, _) in calls.items()})
            added |= new.keys()
            rows = [
                _only(part.tables[name], [call for call in part.calls if call in new and calls[call][1] == number])
                for number, part in enumerate(self._held)
            ]
            if new:
                table.write(arrow.concat_tables(rows), new, dates)
        self.added += len(added)
        self._held = []

    def files(self, table: str) -> list[Path]:
        """The files of one of the tables."""
        return sorted(self._tables[table].folder.rglob("*.parquet"))

    def into(self, out: Path) -> int:
        """Put each table into one file: turns into `out`, the others beside it, with what is in those already.

        Returns:
            Number of calls that were not in `out`.
        """
        before = len(calls_in(out)) if out.exists() else 0
        for name in COLUMNS:
            target = beside(out, name)
            merge([*self.files(name), *([target] if target.exists() else [])], target, name, self._words)
        return len(calls_in(out)) - before


def beside(out: Path, table: str) -> Path:
    """The file of a table, if that of the turns is `out`: calls.parquet, calls-drafts.parquet."""
    return out if table == "turns" else out.with_name(f"{out.stem}-{table}{out.suffix}")


class _Table:
    """One of the tables, in a directory."""

    def __init__(self, folder: Path, name: str, words: bool) -> None:
        self.folder = folder
        self._known: dict[str, tuple[Reach, Path]] = {}
        self._schema = schema(name, words=words)
        for path in sorted(folder.rglob("*.parquet")):
            check_columns(path, self._schema)
            self._known.update({call: (reach, path) for call, reach in calls_in(path).items()})

    def without_known(self, calls: dict[str, Reach]) -> dict[str, Reach]:
        """Those that are not there, or were not read so far."""
        return {c: r for c, r in calls.items() if c not in self._known or self._known[c][0] < r}

    def write(self, rows: Any, calls: dict[str, Reach], dates: dict[str, str]) -> None:
        """Write the rows of these calls, and take their earlier ones away."""
        before: defaultdict[Path, set[str]] = defaultdict(set)
        for call in calls.keys() & self._known.keys():
            before[self._known[call][1]].add(call)
        for path, gone in before.items():
            _take_away(path, gone)
        for date in sorted({dates[call] for call in calls}):
            here = sorted(call for call in calls if dates[call] == date)
            name = blake2b("\n".join(here).encode(), digest_size=8).hexdigest()
            path = self.folder / f"date={date}" / f"part-{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, [_only(rows, here)], self._schema, {call: calls[call] for call in here})
            self._known.update({call: (calls[call], path) for call in here})


def merge(paths: Iterable[Path], target: Path, table: str, words: bool) -> None:
    """Put files of one table into one; of a call that is in several, the rows that go furthest."""
    wanted = schema(table, words=words)
    found: dict[str, tuple[Reach, int]] = {}
    paths = list(paths)
    for number, path in enumerate(paths):
        check_columns(path, wanted)
        for call, reach in calls_in(path).items():
            found[call] = max(found.get(call, ((False, -1), 0)), (reach, number))

    def pieces() -> Iterable[Any]:
        for number, path in enumerate(paths):
            mine = [call for call, (_, place) in found.items() if place == number]
            with parquet.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    yield _only(file.read_row_group(group), mine)

    _write(target, pieces(), wanted, {call: reach for call, (reach, _) in found.items()})


def calls_in(path: Path) -> dict[str, Reach]:
    """The calls in a file, and how far each was read; raises ConfigError if it is none of turnkit's."""
    try:
        told = (parquet.read_metadata(path).metadata or {})[_CALLS]
        return {call: (bool(whole), int(records)) for call, (whole, records) in json.loads(told).items()}
    except (OSError, KeyError, ValueError, arrow.ArrowInvalid) as error:
        raise ConfigError(f"{path}: is no table of turnkit's: {type(error).__name__}") from None


def check_columns(path: Path, wanted: Any) -> None:
    """Raise ConfigError if a file has other columns."""
    try:
        names = parquet.read_schema(path).names
    except (OSError, arrow.ArrowInvalid) as error:
        raise ConfigError(f"{path}: is no table of turnkit's: {type(error).__name__}") from None
    if names != wanted.names:
        other = ", ".join(sorted(set(names) ^ set(wanted.names))) or "in another order"
        raise ConfigError(f"{path}: has other columns ({other}): export to another place, or with --words as before")


def _only(rows: Any, calls: list[str]) -> Any:
    return rows.filter(compute.is_in(rows["call"], value_set=arrow.array(calls, arrow.string())))


def _take_away(path: Path, gone: set[str]) -> None:
    left = {call: reach for call, reach in calls_in(path).items() if call not in gone}
    if not left:
        path.unlink()
        return
    with parquet.ParquetFile(path) as file:
        rows = file.read()
    _write(path, [_only(rows, list(left))], rows.schema, left)


def _write(path: Path, pieces: Iterable[Any], wanted: Any, calls: dict[str, Reach]) -> None:
    unwritten = path.with_name(path.name + _UNWRITTEN)
    try:
        with parquet.ParquetWriter(unwritten, wanted, compression="zstd") as writer:
            for piece in pieces:
                if piece.num_rows:
                    writer.write_table(piece.cast(wanted))
            writer.add_key_value_metadata({_CALLS.decode(): json.dumps(dict(sorted(calls.items())))})
        os.replace(unwritten, path)
    finally:
        unwritten.unlink(missing_ok=True)
