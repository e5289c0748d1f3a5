"""The places of an ear: how many connections it hears at once, and that none of them keeps the others waiting.

To hear is work, unlike to play a script. One process does it, so the sound of a long message is heard in pieces, with
everybody else's in between, and who comes when all places are taken is told so, and not heard late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

from websockets.protocol import State

from .detector import FRAME
from .parameters import Refused, Settings

_PIECE = 4096  # bytes of a container, whose rate is not known


class Places:
    """Who is being heard.

    Args:
        at_once: how many may be; None for any number.
    """

    def __init__(self, at_once: int | None) -> None:
        self._at_once = at_once
        self._taken: WeakSet[Any] = WeakSet()

    def take(self, socket: Any) -> None:
        """Keep a place for a connection that asks for its upgrade. Raises Refused if none is left."""
        if self._at_once is None:
            return
        # A client that vanishes in its upgrade leaves without a word.
        if sum(one.state is not State.CLOSED for one in self._taken) >= self._at_once:
            rule = (
                f"This ear hears {self._at_once} connection{'s' * (self._at_once > 1)} at once, and no place is free."
            )
            raise Refused(429, {"err_code": "TOO_MANY_REQUESTS", "err_msg": rule})
        self._taken.add(socket)

    def leave(self, socket: Any) -> None:
        """Its place is free again."""
        self._taken.discard(socket)


def pieces(message: str | bytes, settings: Settings) -> Iterator[str | bytes]:
    """A message in pieces of one frame of sound, if it is sound; an empty one is a command, and stays."""
    size = round(FRAME * settings.bytes_per_second) if settings.bytes_per_second else _PIECE
    if isinstance(message, str) or len(message) <= size:
        yield message
        return
    for at in range(0, len(message), size):
        yield message[at : at + size]
