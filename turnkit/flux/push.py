"""Giving items to whoever reads in the socket's own callback, where the connection can: no task is switched for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..timers import callback_context
from ..turns.events import StreamLost
from .protocol import FluxProtocol, StreamItem


class Push:
    """Gives a stream's items to `take`, while its reader waits.

    Args:
        protocol: the stream's.
        take: is given each item; whether it wants more.
        now: the clock.
        told: is called after the protocol was told something.

    Attributes:
        error: that `take` raised.
        stopped: whether `take` wants no more, or raised.
        left: the item that is left to the reader, because it ends the connection.
    """

    __slots__ = ("_context", "_now", "_protocol", "_socket", "_take", "_told", "_woken", "error", "left", "stopped")

    def __init__(
        self,
        protocol: FluxProtocol,
        take: Callable[[StreamItem], bool],
        now: Callable[[], float],
        told: Callable[[], None],
    ) -> None:
        self._protocol = protocol
        self._take = take
        self._now = now
        self._told = told
        self._context = callback_context()
        self._woken = False
        self._socket: Any = None
        self.error: BaseException | None = None
        self.stopped = False
        self.left: StreamItem | None = None

    async def while_waiting(self, socket: Any, receiving: Awaitable[bytes]) -> bytes | None:
        """Wait for a frame of this socket, and push those that come meanwhile; None if the reader has to look up."""
        if not hasattr(socket, "push"):
            return await receiving
        self.left, self._socket, self._woken = None, socket, False
        socket.push = self._frame_came
        try:
            frame = await receiving
        finally:
            socket.push = self._socket = None
        return None if self._woken else frame

    def _frame_came(self, frame: bytes) -> None:
        p = self._protocol
        item = p.receive(frame, self._now())
        self._told()
        if type(item) is StreamLost or not p.readable:
            self.left = item
            return self._wake()
        if item is None:
            return
        try:
            self.stopped = not self._context.run(self._take, item)
        except BaseException as error:
            self.error, self.stopped = error, True
        if self.stopped:
            self._wake()

    def _wake(self) -> None:
        if self._socket is not None and not self._woken:
            self._woken = True
            self._socket.wake_reader()
