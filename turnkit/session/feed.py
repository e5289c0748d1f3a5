"""A source that messages are pushed into: for clients that call a function with each of them, in whatever thread."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from threading import Lock

import anyio

from ..checks import shown
from ..errors import ConfigError, ConnectionFailed, LocalProtocolError
from ..timers import call_in_loop, loop_token


class Feed:
    """A source for `Session.run` that messages are pushed into, from any thread, as a client's event handlers do.

        feed = Feed()
        deepgram_connection.on(EventType.MESSAGE, feed.push)
        deepgram_connection.on(EventType.CLOSE, lambda _: feed.close())
        deepgram_connection.on(EventType.ERROR, feed.fail)
        await session.run(feed)

    What is pushed before the run waits for it. One conversation takes from it, once.

    Args:
        limit: how many messages may wait to be taken, 1,000 by default: Flux sends four a second.

    Raises:
        ConfigError: for a limit that is no whole number above zero.
    """

    __slots__ = ("_failure", "_items", "_limit", "_lock", "_over", "_taken", "_token", "_wake")

    def __init__(self, limit: int = 1000) -> None:
        if type(limit) is not int or limit < 1:
            raise ConfigError(f"limit={shown(limit)}: must be a whole number above zero")
        self._limit = limit
        self._items: deque[object] = deque()
        self._lock = Lock()
        self._over = False  # nothing more is taken in
        self._failure: Exception | None = None
        self._taken = False
        self._token: object = None  # of the loop in which somebody waits for more
        self._wake: anyio.Event | None = None

    def push(self, message: object) -> bool:
        """Take a message, whatever `Session.run` understands; never waits.

        Args:
            message: as the client gives it.

        Returns:
            True if it was taken; False if the feed is closed, or the session that took from it is over.

        Raises:
            LocalProtocolError: if `limit` messages wait already, because no session takes them or its event loop
                stands still; this one is not taken.
        """
        with self._lock:
            if self._over:
                return False
            if len(self._items) >= self._limit:
                raise LocalProtocolError(
                    f"push(): {self._limit} messages wait already (limit); run a session on this feed, "
                    "and do not block its event loop"
                )
            self._items.append(message)
            self._notify()
        return True

    def close(self) -> None:
        """Say that no more will come: the session takes what waits, and then its source has ended."""
        self._end(None)

    def fail(self, error: object) -> None:
        """Say that the client failed: the session takes what waits, and then its source raises.

        Args:
            error: what `Session.run` is to raise; anything but an Exception is told by its type, as ConnectionFailed.
        """
        if not isinstance(error, Exception):
            what = f"the client failed with {type(error).__name__}"
            error = ConnectionFailed(what, (RuntimeError(what),))
        self._end(error)

    async def __aiter__(self) -> AsyncIterator[object]:
        """What is pushed, in order; ends as `close` and `fail` say.

        Raises:
            LocalProtocolError: if somebody has begun to take from it already.
        """
        with self._lock:
            if self._taken:
                raise LocalProtocolError("this feed was taken from before: make a new one for the next conversation")
            self._taken = True
        try:
            while True:
                while self._items:
                    yield self._items.popleft()
                    await anyio.lowlevel.checkpoint()
                if not await self._more():
                    break
            if self._failure is not None:
                raise self._failure
        finally:
            self._end(None)

    async def _more(self) -> bool:
        """Wait until there is something to take; False if there never will be."""
        with self._lock:
            if self._items or self._over:
                return bool(self._items)
            wake = anyio.Event()
            self._token, self._wake = loop_token(), wake
        try:
            await wake.wait()
        finally:
            with self._lock:
                self._wake = None
        return True

    def _end(self, failure: Exception | None) -> None:
        with self._lock:
            if not self._over:
                self._over, self._failure = True, failure
                self._notify()

    def _notify(self) -> None:
        """Wake whoever waits; they wait no more once they are on their way."""
        wake = self._wake
        if wake is not None:
            self._wake = None
            call_in_loop(self._token, wake.set)
