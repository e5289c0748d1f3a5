"""The signals of a session as a stream, in order, for a task of the host's own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType

import anyio

from ..logs import logger
from ..turns.events import ReplyEnded, Signal


class SignalStream:
    """The signals of a session in the order in which it tells them. Made by `Session.signals`.

    Iterating ends when the session has ended, or after `close`. What is told while nobody asks for it is kept, `limit`
    signals of it: of a reader that is slower than that the oldest are dropped, and the call does not wait.

    Attributes:
        missed: how many were dropped.
    """

    __slots__ = ("_limit", "_over", "_remove", "_session", "_signals", "_told", "missed")

    def __init__(self, session: str, limit: int, remove: Callable[[SignalStream], None]) -> None:
        self.missed = 0
        self._session = session
        self._limit = limit
        self._remove = remove
        self._signals: deque[Signal | ReplyEnded] = deque()
        self._told: anyio.Event | None = None  # for whoever waits for the next
        self._over = False

    def __enter__(self) -> SignalStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> SignalStream:
        return self

    async def __anext__(self) -> Signal | ReplyEnded:
        await anyio.lowlevel.checkpoint()
        while not self._signals:
            if self._over:
                raise StopAsyncIteration
            self._told = self._told or anyio.Event()
            await self._told.wait()
        return self._signals.popleft()

    def put(self, signal: Signal | ReplyEnded) -> None:
        """The session's: it tells this `signal`."""
        if len(self._signals) >= self._limit:
            self._signals.popleft()
            if not self.missed:
                logger(session=self._session).warning("signals_missed", limit=self._limit)
            self.missed += 1
        self._signals.append(signal)
        self._wake()

    def end(self) -> None:
        """The session's: there will be no more; what is there may still be taken."""
        self._over = True
        self._wake()

    def close(self) -> None:
        """Ask for no more, and give up what is there."""
        self._remove(self)
        self._signals.clear()
        self.end()

    def _wake(self) -> None:
        if self._told is not None:
            self._told.set()
            self._told = None
