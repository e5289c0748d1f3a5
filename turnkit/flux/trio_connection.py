"""A connection of websockets on trio that reads a little at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

import trio
from websockets.trio.client import ClientConnection

_READ_BYTES = 4096  # at once: Flux's messages are smaller


class LittleByLittle(ClientConnection):
    """A connection that makes no large objects to read into.

    trio makes them 64 kB large and then cuts them to the size of what came. What stays alive among them leaves holes
    too small for the next, and the process grows for hours.
    """

    def __init__(self, nursery: Any, stream: Any, *args: Any, **options: Any) -> None:
        super().__init__(nursery, stream, *args, **options)
        while isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        stream.receive_some = partial(stream.receive_some, _READ_BYTES)
