"""Each table in one file: for few calls."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .arrow import parquet
from .columns import COLUMNS
from .lock import held
from .parquet_file import calls_in, only, write
from .part import UNREAD, Reach, schema
from .places import UNWRITTEN


class OneFile:
    """Turns in a file such as calls.parquet, drafts and signals in calls-drafts.parquet and calls-signals.parquet.

    Args:
        out: The file of the turns.
        words: Whether there are columns of what was said.
    """

    def __init__(self, out: Path, *, words: bool = False) -> None:
        self._out = out
        self._schemas = {name: schema(name, words=words) for name in COLUMNS}

    def path(self, table: str) -> Path:
        """The file of a table."""
        return self._out if table == "turns" else self._out.with_name(f"{self._out.stem}-{table}{self._out.suffix}")

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Keep other exports from writing to it; raises ConfigError if one does, with whose it is."""
        with held(self._out.with_name(f".{self._out.name}.lock"), str(self._out)):
            yield

    def take(self, folder: Path) -> int:
        """Put the tables of a directory into the files, with what is in those already.

        Returns:
            Number of calls that were not there.
        """
        before = len(self._calls())
        for name, wanted in self._schemas.items():
            target = self.path(name)
            found = sorted((folder / name).rglob("*.parquet"))
            _merge([*found, *([target] if target.exists() else [])], target, wanted)
        return len(self._calls()) - before

    def _calls(self) -> dict[str, Reach]:
        return calls_in(self._out, str(self._out), self._schemas["turns"]) if self._out.exists() else {}


def _merge(paths: list[Path], target: Path, wanted: Any) -> None:
    """Put files of one table into one; of a call that is in several, the rows that go furthest."""
    found: dict[str, tuple[Reach, int]] = {}
    for number, path in enumerate(paths):
        for call, reach in calls_in(path, str(path), wanted).items():
            found[call] = max(found.get(call, (UNREAD, 0)), (reach, number))

    def pieces() -> Iterable[Any]:
        for number, path in enumerate(paths):
            mine = [call for call, (_, place) in found.items() if place == number]
            with parquet.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    yield only(file.read_row_group(group), mine)

    unwritten = target.with_name(target.name + UNWRITTEN)
    try:
        write(unwritten, pieces(), wanted, {call: reach for call, (reach, _) in found.items()})
        os.replace(unwritten, target)
    finally:
        unwritten.unlink(missing_ok=True)
