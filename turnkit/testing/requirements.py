"""What of this package needs more than turnkit itself, said in one sentence where it is missing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import ConfigError, TurnkitError


class NotInstalled(ConfigError, ImportError):
    """A part of turnkit.testing was asked for whose package is not installed."""


class RehearsalFailed(TurnkitError, AssertionError):
    """A rehearsed conversation went wrong; unlike other messages of turnkit's this one shows what was said.

    It also tells of a test that can never go on, or does not let time go on, and of where its tasks wait.
    """


def need(package: str, part: str) -> Any:
    """The package; raises NotInstalled, naming the `part` of turnkit.testing that wants it and how to get it."""
    if find_spec(package) is None:
        raise NotInstalled(f"{part} needs {package}, which is not installed: pip install 'turnkit[testing]'")
    return import_module(package)
