"""The version of turnkit that is installed, as its package says."""

from __future__ import annotations

from functools import cache


@cache  # every connection says it, and it is read from a file
def installed_version() -> str:
    """The version, such as "0.1.0"; empty if turnkit is not installed but run from a source tree."""
    from importlib.metadata import PackageNotFoundError, version  # loaded when asked: it takes milliseconds

    try:
        return version("turnkit")
    except PackageNotFoundError:
        return ""
