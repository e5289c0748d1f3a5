"""Places for tables: a directory of this machine, or a store that fsspec opens. A file there is whole, or not there."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

from ..checks import is_url, shown_path
from ..errors import ConfigError
from ..trace.opening import store_of, store_problem
from .lock import held

_SUFFIX = ".parquet"
UNWRITTEN = ".partial"
"""What a file is called further until it is whole."""

_LOCK = ".turnkit-export.lock"


class Place(ABC):
    """Where tables are kept, as files with names such as `turns/date=2026-11-20/part-….parquet`."""

    @abstractmethod
    def names(self, table: str) -> list[str]:
        """The names of a table's files, in order."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open a file to read it; raises FileNotFoundError if it is not there."""

    @abstractmethod
    def put(self, name: str, write: Callable[[Path], None]) -> None:
        """Have a file written, and put it there at once, in place of one of that name.

        Args:
            name: of the file, in this place.
            write: is given the path of a file to make; what it raises is raised, and nothing is put.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Take a file away, if it is still there."""

    @abstractmethod
    def shown(self, name: str) -> str:
        """Name a file in full, so that it may be told."""


class Folder(Place):
    """A directory of this machine, to which one export at a time writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Keep other exports from writing there; raises ConfigError if one does, with whose it is."""
        self.path.mkdir(parents=True, exist_ok=True)
        with held(self.path / _LOCK, str(self.path)):
            yield

    def names(self, table: str) -> list[str]:
        """See `Place`."""
        return sorted(path.relative_to(self.path).as_posix() for path in (self.path / table).rglob(f"*{_SUFFIX}"))

    def open(self, name: str) -> BinaryIO:
        """See `Place`."""
        return open(self.path / name, "rb")

    def put(self, name: str, write: Callable[[Path], None]) -> None:
        """See `Place.put`."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unwritten = path.with_name(path.name + UNWRITTEN)
        try:
            write(unwritten)
            os.replace(unwritten, path)
        finally:
            unwritten.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """See `Place`."""
        (self.path / name).unlink(missing_ok=True)

    def shown(self, name: str) -> str:
        """See `Place`."""
        return str(self.path / name)


class Store(Place):
    """A place in a store that fsspec opens, to which several exports may write at once.

    A file is written on this machine, and then put there as one object: stores show that whole, or not at all.
    Made by `place_of`.
    """

    def __init__(self, url: str, store: Any, path: str) -> None:
        self._url = shown_path(url).rstrip("/")
        self._store = store
        self._path = path.rstrip("/")

    def names(self, table: str) -> list[str]:
        """See `Place`."""
        with self._told(table):
            self._store.invalidate_cache()  # what others have put there since is to be seen
            try:
                found = self._store.find(f"{self._path}/{table}")
            except FileNotFoundError:
                if not self._store.exists(self._path.lstrip("/").partition("/")[0]):
                    raise  # there is no such bucket, and nothing makes one
                found = []
            return sorted(name[len(self._path) + 1 :] for name in found if name.endswith(_SUFFIX))

    def open(self, name: str) -> BinaryIO:
        """See `Place`."""
        try:
            return cast(BinaryIO, self._store.open(f"{self._path}/{name}", "rb"))
        except FileNotFoundError:
            raise
        except Exception as error:
            raise self._problem(name, error) from None

    def put(self, name: str, write: Callable[[Path], None]) -> None:
        """See `Place.put`."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / name.rpartition("/")[2]
            write(path)
            with self._told(name):
                self._store.put_file(str(path), f"{self._path}/{name}")

    def remove(self, name: str) -> None:
        """See `Place`."""
        with self._told(name):
            try:
                self._store.rm_file(f"{self._path}/{name}")
            except FileNotFoundError:
                return

    def shown(self, name: str) -> str:
        """See `Place`."""
        return f"{self._url}/{name}"

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of whatever library stands behind the scheme
            raise self._problem(name, error) from None

    def _problem(self, name: str, error: Exception) -> ConfigError:
        return ConfigError(f"{self.shown(name)}: {store_problem(error)}")


def place_of(name: str | Path) -> Folder | Store:
    """The place of that name: a directory, or a URL such as `s3://bucket/tables`; raises ConfigError if none can be."""
    if not is_url(str(name)):
        return Folder(Path(name))
    store, path = store_of(str(name))
    return Folder(Path(path)) if "file" in store.protocol else Store(str(name), store, path)
