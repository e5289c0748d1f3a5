"""Which library carries the WebSocket: websockets, or picows, which is faster, where it is installed and can be."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, TypeAlias

from ..checks import shown
from ..errors import ConfigError
from ..timers import on_trio

Transport: TypeAlias = Literal["websockets", "picows"]
"""The name of a library that carries the WebSocket."""

_FIRST, _BEYOND = (2, 0), (2, 4)  # releases of picows whose parser is driven as `picows_socket` does


@cache
def picows_release() -> str:
    """The release of picows that is installed; empty if there is none, or one that turnkit does not know."""
    try:
        release = version("picows")
    except PackageNotFoundError:
        return ""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    known = numbers is not None and _FIRST <= (int(numbers[1]), int(numbers[2])) < _BEYOND
    return release if known else ""


def checked_transport(name: object) -> Transport | None:
    """The name, if there is such a transport and it is installed, or None; raises ConfigError."""
    if name not in (None, "websockets", "picows"):
        raise ConfigError(f"transport={shown(name)}: must be 'websockets', 'picows' or None")
    if name == "picows" and not picows_release():
        lowest, beyond = (".".join(map(str, bound)) for bound in (_FIRST, _BEYOND))
        raise ConfigError(
            f"transport='picows': needs picows from {lowest} to before {beyond}, which is not installed: "
            "pip install 'turnkit[fast]'"
        )
    return name


def chosen_transport(name: Transport | None) -> Transport:
    """The transport to use where this is called: `name`, or the fastest; raises ConfigError on trio for picows."""
    if on_trio():
        if name == "picows":
            raise ConfigError("transport='picows': works on asyncio only, and this is trio: leave it out")
        return "websockets"
    return name or ("picows" if picows_release() else "websockets")
