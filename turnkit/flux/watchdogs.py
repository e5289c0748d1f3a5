"""What only time can tell: Flux says nothing although audio flows, and audio that stops inside a turn."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import anyio

from ..errors import ConnectionFailed, TurnkitError
from ..logs import logger
from ..timers import Alarm, clock
from .audio_buffer import FRAME_SECONDS

if TYPE_CHECKING:
    from .stream import FluxStream

_TICK = 1e-6  # seconds by which a timer may be early
# How much of `message_timeout` has passed when Flux is first suspected. What came while the whole program stood still
# is read in the rest of it.
_SUSPECT = 0.9


class Watchdogs:
    """The two watchdogs of a stream, on one alarm; made with its first audio."""

    __slots__ = (
        "_alarm",
        "_audio_at",
        "_filling",
        "_gap",
        "_mark",
        "_now",
        "_pause",
        "_quiet_at",
        "_sent_at",
        "_stream",
        "_suspected",
    )

    def __init__(self, stream: FluxStream) -> None:
        self._stream = stream
        self._now = clock()
        self._alarm = Alarm(self._ring)
        if self._alarm.needs_task:
            stream._line.background.start(self._alarm.keep)
        self._audio_at = self._gap = inf
        self._sent_at = -inf
        self._pause = stream._bounds.message_timeout / 4
        self._mark: object = None
        self._quiet_at = inf
        self._suspected = self._filling = False

    def stop(self) -> None:
        self._alarm.stop()

    def restored(self) -> None:
        """There is a new connection, which has said nothing yet."""
        self._mark = None
        self._quiet_at = inf

    def given(self, seconds: float) -> None:
        """The application has given a piece of audio of this length."""
        self._audio_at = self._now()
        self._gap = max(self._stream._bounds.silence_after, 2 * seconds)
        self._pause = max(self._stream._bounds.message_timeout / 4, 2 * seconds)

    def sent(self) -> None:
        """Audio has left: from the first after a message, or after a pause, Flux has `message_timeout` for the next."""
        mark, paused = self._stream._mark(), self._paused()
        self._sent_at = self._now()
        if paused or mark != self._mark:
            self._mark = mark
            self._suspect_after(self._stream._bounds.message_timeout * _SUSPECT)

    def _paused(self) -> bool:
        """Whether no audio flows: Flux owes nothing for a part of an Update's period."""
        return self._now() - self._sent_at > self._pause

    def turn_opened(self) -> None:
        if not self._filling:
            self._alarm.bring_forward(self._audio_at + self._gap)

    def _suspect_after(self, seconds: float) -> None:
        self._suspected = False
        self._quiet_at = self._now() + seconds
        self._alarm.bring_forward(self._quiet_at)

    def _ring(self) -> None:
        stream, now = self._stream, self._now() + _TICK
        if not stream._up or stream._closing:
            return
        if self._quiet_at <= now:
            self._judge(now)
        if not stream._turn_open or stream._audio is None or self._filling:
            pass
        elif self._audio_at + self._gap <= now:
            self._filling = True
            stream._line.background.start(self._fill)
        else:
            self._alarm.bring_forward(self._audio_at + self._gap)
        self._alarm.bring_forward(self._quiet_at)

    def _judge(self, now: float) -> None:
        stream, bound = self._stream, self._stream._bounds.message_timeout
        self._quiet_at = inf
        if self._paused() or stream._mark() != self._mark:
            self._mark = None  # the next audio begins a new wait
            return
        if not stream._reading:
            self._suspect_after(bound * _SUSPECT)  # messages may lie there: nobody takes them
        elif not self._suspected:
            self._suspect_after(bound * (1 - _SUSPECT))
            self._suspected = True
        else:
            what = f"{stream._line.host} sent no message for {bound} s of audio (message_timeout)"
            stream._give_up(ConnectionFailed(what, (TimeoutError(what),)))

    async def _fill(self) -> None:
        """Send silence for the audio that does not come, in real time: Flux's clock runs on audio only."""
        stream, since, at = self._stream, self._audio_at, self._now()
        logger().debug("flux_silence", request_id=stream.request_id)
        try:
            while stream._turn_open and stream._up and not stream._closing and self._audio_at == since:
                assert stream._audio is not None
                stream._audio.add_silence()
                await stream._pump()
                at = max(at + FRAME_SECONDS, self._now())
                await anyio.sleep_until(at)
        except TurnkitError:
            return  # whoever reads meets the same failure, and tells it better
        finally:
            self._filling = False
            if stream._turn_open:
                self._alarm.bring_forward(self._audio_at + self._gap)
