"""What a list of things is made of: the names of their classes, to be compared at a glance."""

from __future__ import annotations

from collections.abc import Sequence


def kinds(things: Sequence[object]) -> list[str]:
    """The class name of each signal, event or message."""
    return [type(thing).__name__ for thing in things]
