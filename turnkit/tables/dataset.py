"""Parquet files of the tables: to which calls are added, each once, however often."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any

from .arrow import arrow, parquet
from .columns import COLUMNS
from .parquet_file import calls_in, only, write
from .part import UNREAD, Part, Reach, schema
from .places import Place, place_of

_HELD = 2000  # calls that are held before they are written
_AT_ONCE = 16  # files whose ends are read at once: from a store, each takes a while to come
_ROUNDS = 20  # in which what two exports wrote at once is settled; two are enough, unless they never stop


class Dataset:
    """The tables in a place: `turns/date=2026-11-20/part-….parquet`, and `drafts` and `signals` likewise.

    A call that is there already is left as it is, unless it has been read further since: a recording that was still
    being written is replaced. Each file is put there whole or not at all; if the writing of many is stopped, doing it
    again adds what is missing.

    Several may write to one place at once, without a lock, as stores have none. A file is called after what is first
    written to it, and from then on only loses calls: those that another file holds further, or as far and under a later
    name. So the file that is to keep a call never changes its name and never loses it, whoever takes others away at
    the same moment; and who writes looks again afterwards, until no call is there twice.

    Args:
        place: The directory, or the URL; made if it is not there.
        words: Whether there are columns of what was said.

    Attributes:
        added: Number of calls that were added, or replaced.

    Raises:
        ConfigError: There are tables of other columns already, or the place cannot be read or written.
    """

    def __init__(self, place: str | Path | Place, *, words: bool = False) -> None:
        self.added = 0
        self._place = place if isinstance(place, Place) else place_of(place)
        self._tables = {name: _Table(self._place, name, words) for name in COLUMNS}
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
                calls[call] = max(calls.get(call, (UNREAD, 0)), (reach, number))
        dates = {call: date for part in self._held for call, date in part.dates.items()}
        added: set[str] = set()
        for name, table in self._tables.items():
            new = table.without_known({call: reach for call, (reach, _) in calls.items()})
            added |= new.keys()
            rows = [
                only(part.tables[name], [call for call in part.calls if call in new and calls[call][1] == number])
                for number, part in enumerate(self._held)
            ]
            if new:
                table.write(arrow.concat_tables(rows), new, dates)
            table.settle()
        self.added += len(added)
        self._held = []


class _Table:
    """One of the tables.

    A file is known by its name, and what it holds is read once: whatever others do to it, it only loses calls.
    """

    def __init__(self, place: Place, name: str, words: bool) -> None:
        self._place, self._name = place, name
        self._schema = schema(name, words=words)
        self._files: dict[str, dict[str, Reach]] = {}
        self._look()

    def _look(self) -> None:
        """See which files there are, and what is in those that were not known."""
        there = self._place.names(self._name)
        unknown = [name for name in there if name not in self._files]
        with ThreadPoolExecutor(min(_AT_ONCE, max(1, len(unknown)))) as threads:
            found = dict(zip(unknown, threads.map(self._calls_in, unknown), strict=True))
        self._files = {name: found.get(name, self._files.get(name, {})) for name in there}

    def _calls_in(self, name: str) -> dict[str, Reach]:
        try:
            with self._place.open(name) as file:
                return calls_in(file, self._place.shown(name), self._schema)
        except FileNotFoundError:  # another export took it away meanwhile
            return {}

    def _best(self) -> dict[str, tuple[Reach, str]]:
        """How far each call is there at most, and in which file."""
        best: dict[str, tuple[Reach, str]] = {}
        for name, calls in self._files.items():
            for call, reach in calls.items():
                best[call] = max(best.get(call, (UNREAD, "")), (reach, name))
        return best

    def without_known(self, calls: dict[str, Reach]) -> dict[str, Reach]:
        """Those that are not there, or were not read so far."""
        best = self._best()
        return {call: reach for call, reach in calls.items() if best.get(call, (UNREAD, ""))[0] < reach}

    def write(self, rows: Any, calls: dict[str, Reach], dates: dict[str, str]) -> None:
        """Write the rows of these calls, in a file a day."""
        for date in sorted({dates[call] for call in calls}):
            here = {call: calls[call] for call in sorted(calls) if dates[call] == date}
            told = "\n".join(f"{call} {whole:d} {records}" for call, (whole, records) in here.items())
            origin = blake2b(told.encode(), digest_size=8).hexdigest()
            name = f"{self._name}/date={date}/part-{origin}.parquet"
            self._put(name, [only(rows, here)], self._schema, here)
            self._files[name] = here

    def settle(self) -> None:
        """Take calls away that are there twice, from the files that do not go furthest."""
        for _ in range(_ROUNDS):
            self._look()
            best = self._best()
            gone = {name: {call for call in calls if best[call][1] != name} for name, calls in self._files.items()}
            for name, calls in gone.items():
                if calls:
                    self._take_away(name, calls)
            if not any(gone.values()):
                return

    def _take_away(self, name: str, gone: set[str]) -> None:
        self._files.pop(name, None)  # it is read again: another export may write it at the same moment
        try:
            with self._place.open(name) as file:
                calls = calls_in(file, self._place.shown(name), self._schema)
                left = {call: reach for call, reach in calls.items() if call not in gone}
                rows = parquet.ParquetFile(file).read() if left else None
        except FileNotFoundError:
            return
        if rows is None:
            self._place.remove(name)
        else:
            self._put(name, [only(rows, left)], rows.schema, left)

    def _put(self, name: str, rows: Iterable[Any], wanted: Any, calls: dict[str, Reach]) -> None:
        self._place.put(name, lambda path: write(path, rows, wanted, calls))
