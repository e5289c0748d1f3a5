"""Giving items to whoever reads in the socket's own callback, where the connection can: no task is switched for one."""

from __future__ import annotations

from collections.abc import Callable
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
        woken: whether the reader was woken to look up, and not by a frame.
    """

    __slots__ = ("_context", "_now", "_protocol", "_socket", "_take", "_told", "error", "left", "stopped", "woken")

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
        self.woken = False
        self._socket: Any = None
        self.error: BaseException | None = None
        self.stopped = False
        self.left: StreamItem | None = None

    def begin(self, socket: Any) -> None:
        """The reader is about to wait for a frame of this socket: those that come meanwhile are pushed, if it can."""
        self.left, self.woken = None, False
        if hasattr(socket, "push"):
            self._socket = socket
            socket.push = self._frame_came

    def end(self) -> None:
        """The reader waits no more."""
        if self._socket is not None:
            self._socket.push = self._socket = None

    def _frame_came(self, frame: bytes) -> None:
        p = self._protocol
        item = p.receive(frame, self._now())
        del frame  # it may quote the credential, and would be seen in a traceback
        if type(item) is StreamLost or (item is None and not p.readable):
            self.left = item
            self._wake()
        elif item is not None:
            try:
                self.stopped = not self._context.run(self._take, item)
            except BaseException as error:
                self.error, self.stopped = error, True
            if self.stopped:
                self._wake()
        self._told()  # last: whoever waits for an answer or a deadline can wait for a callback

    def _wake(self) -> None:
        if self._socket is not None and not self.woken:
            self.woken = True
            self._socket.wake_reader()
