"""A connection of websockets on asyncio that gives its reader frames in the very callback that brought them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode

_READ_BYTES = 16 * 1024  # at once


class _ReadBuffer(threading.local):
    """What the connections of a thread read into: each takes out what it read before another reads."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_READ_BYTES))


_buffer = _ReadBuffer()


class PushingConnection(ClientConnection, asyncio.BufferedProtocol):
    """A connection whose reader may set `push` each time before it waits in `recv`, for what comes meanwhile.

    Attributes:
        push: takes a frame's bytes at once; None where frames wait for `recv`, as they do after one that came in
            fragments, until the reader has caught up.
    """

    push: Callable[[bytes], None] | None = None

    # To a protocol without a buffer asyncio gives what it reads in objects that it makes 256 kB large and then cuts to
    # their size. What stays alive among them leaves holes too small for the next, and the process grows for hours.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Told in the loop, and so in the thread, that will read."""
        self._view = _buffer.view
        super().connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to put what is read next."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes were read, which websockets copies at once."""
        self.data_received(self._view[:nbytes])  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        """Told in the loop, also where TLS fails inside a proxy's tunnel, before there was a connection."""
        if hasattr(self, "transport"):  # else websockets raises an AttributeError
            super().connection_lost(exc)

    def process_event(self, event: Any) -> None:
        """Push a whole frame of data, or leave it to websockets, as everything else."""
        push = self.push
        if push is not None and isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            if event.fin and event.opcode is not Opcode.CONT:
                return push(bytes(event.data))
            self.push = None
        super().process_event(event)

    def wake_reader(self) -> None:
        """Push no more, and let `recv` return an empty frame, which is none of the other side's."""
        self.push = None
        super().process_event(Frame(Opcode.TEXT, b""))
