"""A connection of websockets on asyncio that gives its reader frames in the very callback that brought them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode


class PushingConnection(ClientConnection):
    """A connection whose reader may set `push` each time before it waits in `recv`, for what comes meanwhile.

    Attributes:
        push: takes a frame's bytes at once; None where frames wait for `recv`, as they do after one that came in
            fragments, until the reader has caught up.
    """

    push: Callable[[bytes], None] | None = None

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
