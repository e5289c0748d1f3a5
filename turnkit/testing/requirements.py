"""Packages that parts of turnkit.testing need, and the one sentence that says so where one is missing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import ConfigError


class NotInstalled(ConfigError, ImportError):
    """A part of turnkit.testing was asked for whose package is not installed."""


def need(package: str, part: str) -> Any:
    """Import a package, or say how to get it.

    Args:
        package: Its name, of the module and of the distribution.
        part: What of turnkit.testing needs it, for the message.

    Returns:
        The module.

    Raises:
        NotInstalled: There is no such package.
    """
    if find_spec(package) is None:
        raise NotInstalled(f"{part} needs {package}, which is not installed: pip install 'turnkit[testing]'")
    return import_module(package)
