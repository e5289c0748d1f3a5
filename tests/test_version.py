"""The version that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

import pytest

from turnkit.version import installed_version


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    """It is asked for once in a process, and in these tests once in each."""
    installed_version.cache_clear()
    yield
    installed_version.cache_clear()


def test_the_version_is_the_packages() -> None:
    """What the installed package says of itself."""
    assert installed_version() == metadata.version("turnkit")


def test_a_source_tree_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed: it is empty, and nothing is raised."""

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert installed_version() == ""


def test_it_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not anew for each connection, in the event loop."""
    read: list[str] = []

    def read_version(name: str) -> str:
        read.append(name)
        return "1.2"

    monkeypatch.setattr(metadata, "version", read_version)
    assert [installed_version(), installed_version()] == ["1.2", "1.2"]
    assert read == ["turnkit"]
