"""A Parquet file of a table, which says in its metadata which calls it holds, and how far each was read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import ConfigError
from ..trace.opening import store_problem
from .arrow import arrow, compute, parquet
from .columns import COLUMNS
from .part import Reach

_CALLS = b"turnkit.calls"
_WORDS = {column.name for columns in COLUMNS.values() for column in columns if column.words}


def calls_in(source: BinaryIO | Path, name: str, wanted: Any) -> dict[str, Reach]:
    """The calls in a file, and how far each was read.

    Args:
        source: The file.
        name: Its name, for errors.
        wanted: The schema that it has to have.

    Raises:
        FileNotFoundError: It is not there.
        ConfigError: It is none of turnkit's, or has other columns.
    """
    try:
        with parquet.ParquetFile(source) as file:
            names = file.schema_arrow.names
            told = json.loads((file.metadata.metadata or {})[_CALLS])
        calls = {call: (bool(whole), int(records)) for call, (whole, records) in told.items()}
    except FileNotFoundError:
        raise
    except (PermissionError, TimeoutError, ConnectionError) as error:
        raise ConfigError(f"{name}: {store_problem(error)}") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{name}: is no table of turnkit's: {type(error).__name__}") from None
    if names != wanted.names:
        other = ", ".join(sorted(set(names) ^ set(wanted.names))) or "in another order"
        raise ConfigError(f"{name}: has other columns ({other}): export to another place, or with --words as before")
    return calls


def only(rows: Any, calls: Iterable[str]) -> Any:
    """Of some rows, those of these calls."""
    return rows.filter(compute.is_in(rows["call"], value_set=arrow.array(list(calls), arrow.string())))


def write(path: Path, pieces: Iterable[Any], wanted: Any, calls: Mapping[str, Reach]) -> None:
    """Write a file of these rows and calls; one with what was said is its owner's only, as recordings are."""
    if not _WORDS.isdisjoint(wanted.names):
        path.unlink(missing_ok=True)  # what an export that was killed has left may be for others to read
        path.touch(mode=0o600, exist_ok=False)
    with parquet.ParquetWriter(path, wanted, compression="zstd") as writer:
        for piece in pieces:
            if piece.num_rows:
                writer.write_table(piece.cast(wanted))
        writer.add_key_value_metadata({_CALLS.decode(): json.dumps(dict(sorted(calls.items())))})
