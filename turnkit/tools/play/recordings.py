"""Recordings of the calls on the page, in a directory that as a rule ends with the server; they can be viewed."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

from ...trace import read
from ..viewer import page, scene

_KEPT = 50


class Recordings:
    """The calls that can be opened in the viewer.

    Args:
        folder: where they are; only its owner may look into it.
        kept: whether all of them stay. Default False: just the last ones.
    """

    def __init__(self, folder: Path, *, kept: bool = False) -> None:
        self._folder = folder
        self._kept = kept
        self._names: list[str] = []

    def new(self) -> tuple[str, Path]:
        """A name that nobody guesses, and the file of that call; the oldest is dropped when there are too many."""
        name = token_hex(8)
        self._names.append(name)
        while len(self._names) > _KEPT and not self._kept:
            self.file(self._names.pop(0), missing=True).unlink(missing_ok=True)
        return name, self.file(name, missing=True)

    def file(self, name: str, *, missing: bool = False) -> Path:
        """The file of a call.

        Raises:
            KeyError: there is no such call (any more).
        """
        path = self._folder / f"{name}.jsonl"
        if not missing and (name not in self._names or not path.exists()):
            raise KeyError(name)
        return path

    def view(self, name: str) -> str:
        """The page of the viewer for a call, as far as it has come.

        Raises:
            KeyError: there is no such call (any more).
            ConfigError: its file cannot be read.
        """
        return page(scene(read(self.file(name))))
