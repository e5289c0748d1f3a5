"""The version that is installed."""

from __future__ import annotations

from importlib import metadata

import pytest

from turnkit.version import installed_version


def test_the_version_is_the_packages() -> None:
    """What the installed package says of itself."""
    assert installed_version() == metadata.version("turnkit")


def test_a_source_tree_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed: it is empty, and nothing is raised."""

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert installed_version() == ""
