"""Writing to a socket without waiting, where its library allows it: no task is switched for a frame."""

from __future__ import annotations

from typing import Any

from websockets.protocol import State


class DirectWriter:
    """Writes frames to a connection of websockets on asyncio, as its own `send` does, but for the waiting.

    Args:
        connection: the connection.
    """

    __slots__ = ("_connection", "_protocol", "_transport")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._protocol = connection.protocol
        self._transport = connection.transport

    @property
    def ready(self) -> bool:
        """Whether it takes a frame now: not while its buffer is full, nor if it closes."""
        return not self._connection.paused and self._protocol.state is State.OPEN and not self._transport.is_closing()

    def write(self, frame: bytes) -> None:
        """Write a binary frame."""
        self._protocol.send_binary(frame)
        self._connection.send_data()


def direct_writer(socket: Any) -> DirectWriter | None:
    """What writes to this socket without waiting; None if nothing can."""
    names = ("paused", "send_data", "protocol", "transport")
    return DirectWriter(socket) if all(hasattr(socket, name) for name in names) else None
