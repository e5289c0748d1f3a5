"""Watchdogs of a stream: for a Flux that says nothing although audio flows, and for audio that stops inside a turn."""

from __future__ import annotations

from math import inf
from typing import Protocol

import anyio

from ..errors import ConnectionFailed, TurnkitError
from ..logs import logger
from ..timers import EARLY_SECONDS, Alarm, clock
from .audio_buffer import FRAME_SECONDS
from .bounds import Bounds
from .connecting import Connector

# How much of `message_timeout` has passed when Flux is first suspected. What came while the whole program stood still
# is read in the rest of it.
_SUSPECT = 0.9


class WatchedStream(Protocol):
    """What the watchdogs see of a stream, and what they make it do.

    Attributes:
        request_id: of its connection.
        connected: whether there is a connection, as far as is known.
        closing: whether `close` was called.
        being_read: whether a task iterates the stream.
        turn_open: whether the user has a turn.
    """

    request_id: str
    connected: bool
    closing: bool
    being_read: bool
    turn_open: bool

    @property
    def takes_silence(self) -> bool:
        """Whether silence can be made for its audio."""

    def message_mark(self) -> object:
        """A value that every message changes."""

    def give_up(self, cause: TurnkitError) -> None:
        """Drop the connection because of `cause`."""

    async def send_silence(self) -> None:
        """Send a frame of silence."""


class Watchdogs:
    """The two watchdogs of a stream, on one alarm; made with its first audio."""

    __slots__ = (
        "_alarm",
        "_audio_at",
        "_audio_gap",
        "_bounds",
        "_connector",
        "_mark",
        "_message_due_at",
        "_now",
        "_pause",
        "_sending_silence",
        "_sent_at",
        "_stream",
        "_suspected",
    )

    def __init__(self, stream: WatchedStream, connector: Connector, bounds: Bounds) -> None:
        self._stream = stream
        self._connector = connector
        self._bounds = bounds
        self._now = clock()
        self._alarm = Alarm(self._check)
        if self._alarm.needs_task:
            connector.background.start(self._alarm.keep)
        self._audio_at = self._audio_gap = inf
        self._sent_at = -inf
        self._pause = bounds.message_timeout / 4
        self._mark: object = None
        self._message_due_at = inf
        self._suspected = self._sending_silence = False

    def stop(self) -> None:
        """Watch no more."""
        self._alarm.stop()

    def reconnected(self) -> None:
        """There is a new connection, which has said nothing yet."""
        self._mark = None
        self._message_due_at = inf

    def audio_given(self, seconds: float) -> None:
        """The application has given a piece of audio of this length."""
        self._audio_at = self._now()
        self._audio_gap = max(self._bounds.silence_after, 2 * seconds)
        self._pause = max(self._bounds.message_timeout / 4, 2 * seconds)

    def audio_sent(self) -> None:
        """Audio has left: from the first after a message, or after a pause, Flux has `message_timeout` for the next."""
        mark, paused = self._stream.message_mark(), self._paused()
        self._sent_at = self._now()
        if paused or mark != self._mark:
            self._mark = mark
            self._suspect_after(self._bounds.message_timeout * _SUSPECT)

    def _paused(self) -> bool:
        """Whether no audio flows: Flux owes nothing for a part of an Update's period."""
        return self._now() - self._sent_at > self._pause

    def turn_opened(self) -> None:
        """A turn is open: from now on, audio that stops is missed."""
        if not self._sending_silence:
            self._alarm.bring_forward(self._audio_at + self._audio_gap)

    def _suspect_after(self, seconds: float) -> None:
        self._suspected = False
        self._message_due_at = self._now() + seconds
        self._alarm.bring_forward(self._message_due_at)

    def _check(self) -> None:
        stream, now = self._stream, self._now() + EARLY_SECONDS
        if not stream.connected or stream.closing:
            return
        if self._message_due_at <= now:
            self._check_messages(now)
        if not stream.turn_open or not stream.takes_silence or self._sending_silence:
            pass
        elif self._audio_at + self._audio_gap <= now:
            self._sending_silence = True
            self._connector.background.start(self._send_silence)
        else:
            self._alarm.bring_forward(self._audio_at + self._audio_gap)
        self._alarm.bring_forward(self._message_due_at)

    def _check_messages(self, now: float) -> None:
        stream, bound = self._stream, self._bounds.message_timeout
        self._message_due_at = inf
        if self._paused() or stream.message_mark() != self._mark:
            self._mark = None  # the next audio begins a new wait
            return
        if not stream.being_read:
            self._suspect_after(bound * _SUSPECT)  # messages may lie there: nobody takes them
        elif not self._suspected:
            self._suspect_after(bound * (1 - _SUSPECT))
            self._suspected = True
        else:
            what = f"{self._connector.host} sent no message for {bound} s of audio (message_timeout)"
            stream.give_up(ConnectionFailed(what, (TimeoutError(what),)))

    async def _send_silence(self) -> None:
        """Send silence for the audio that does not come, in real time: Flux's clock runs on audio only."""
        stream, since, at = self._stream, self._audio_at, self._now()
        logger().debug("flux_silence", request_id=stream.request_id)
        try:
            while stream.turn_open and stream.connected and not stream.closing and self._audio_at == since:
                await stream.send_silence()
                at = max(at + FRAME_SECONDS, self._now())
                await anyio.sleep_until(at)
        except TurnkitError:
            return  # whoever reads meets the same failure, and tells it better
        finally:
            self._sending_silence = False
            if stream.turn_open:
                self._alarm.bring_forward(self._audio_at + self._audio_gap)
