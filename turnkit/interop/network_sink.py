"""A sink whose loudspeaker is at the far end of a network: a phone, a browser, whatever plays and says what it played.

    sink = NetworkSink(MyDialect(), sample_rate=24000)
    session = Session(respond=respond, speak=speaker(tts, sink, sample_rate=24000))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sink.write, websocket.send)
        async for message in websocket:
            sink.acknowledge(message["epoch"], message["played"])

`Dialect` is all that a peer of another kind needs: five methods that say how its frames look. One task sends, and what
is told to the sink (`clear`, `pause`, `post`) takes effect at once and waits for nothing. With a `begin` for that task
(`websocket.adapted` has one), the frame that silences the peer is written in the very step in which that is decided.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf

import anyio

from ..checks import check_seconds
from ..errors import ConfigError, ConnectionFailed, LocalProtocolError
from ..speaking import AudioSink
from ..speaking.sink import check_audio
from ..timers import clock, on_trio
from .network_playback import PIECE_SECONDS, Dialect, Frame, NetworkPlayback

__all__ = ["Dialect", "Frame", "NetworkSink"]

_MOST_UNSENT = 0.5  # seconds of audio that wait here at most, save what one call of `play` brings


class NetworkSink(AudioSink):
    """A loudspeaker far away; for one conversation, in one event loop.

    What counts as played is what the peer has acknowledged, and never more than real time allows. When it is cleared,
    the frame that says so overtakes all that waits to be sent, and what the peer still says about the audio that was
    dropped is ignored. A peer that cannot pause is cleared, and sent again what it had not acknowledged.

    Args:
        dialect: how the peer is spoken to.
        sample_rate: of the audio that the peer plays, in Hz.
        sample_width: bytes a sample of it, of all channels together. Default 2; 1 for mu-law.
        lead: seconds of audio, at most, that are sent and not known to be played. It bridges what the network loses
            time with; at least 0.1. Default 1.
        interpolation: seconds, at most, that the played clock runs on by itself after each acknowledgement, never
            beyond what was sent: for a peer that acknowledges all the while it plays, and whose clock is steady. 0, the
            default: what counts as heard was acknowledged.
        send_timeout: seconds that a frame may take to be sent; then the peer has stopped reading. Default 5.

    Raises:
        ConfigError: for a setting that cannot work.

    Attributes:
        reply: the reply that began last; None before the first.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        sample_rate: int,
        sample_width: int = 2,
        lead: float = 1.0,
        interpolation: float = 0.0,
        send_timeout: float = 5.0,
    ) -> None:
        check_audio(sample_rate, sample_width)
        if check_seconds("lead", lead) < PIECE_SECONDS:
            raise ConfigError(
                f"lead={lead!r}: must be {PIECE_SECONDS} seconds or more, the length of what is sent at once"
            )
        check_seconds("interpolation", interpolation)
        self._playback = NetworkPlayback(
            dialect, sample_rate=sample_rate, sample_width=sample_width, lead=lead, interpolation=interpolation
        )
        self._width = sample_width
        self._send_timeout = check_seconds("send_timeout", send_timeout, zero=False)
        self._changed: anyio.Event | None = None  # what the writer waits for, while it does
        self._begin: Callable[[Frame], Awaitable[object] | None] | None = None
        self._rest: Awaitable[object] | None = None  # of a frame that was begun
        self._room: anyio.Event | None = None  # what `play` waits for
        self._taken = 0  # counts on with each reply that begins, or is cleared
        self.reply: int | None = None
        self._closed = False
        self._clock: Callable[[], float] | None = None

    # The sink -----------------------------------------------------------------------------------------------------

    def begin(self, reply: int) -> None:
        """Start `reply` at 0, with nothing queued and not paused."""
        self._playback.begin(self._now())
        self.reply = reply
        self._taken += 1
        self._make_room()
        self._change()

    async def play(self, audio: bytes) -> None:
        """Queue audio, once there is room; none of a reply that has been cleared.

        Raises:
            ConnectionFailed: the peer is gone, or the sink was closed.
            LocalProtocolError: the audio ends within a sample.
        """
        if len(audio) % self._width:
            raise LocalProtocolError(f"play(): {len(audio)} bytes are no whole samples of {self._width} bytes each")
        taken = self._taken
        while self._playback.unsent >= _MOST_UNSENT and taken == self._taken and not self._closed:
            self._room = self._room or anyio.Event()
            await self._room.wait()
        if self._closed:
            raise ConnectionFailed("play(): the peer is gone")
        if taken == self._taken:
            self._playback.queue(audio)
            self._change()

    def played(self) -> float:
        """Seconds of this reply that the peer has played, as far as it has said."""
        return self._playback.played(self._now())

    def pause(self) -> None:
        """Have the peer fall silent, and go on later."""
        self._playback.pause(self._now())
        self._hurry()

    def resume(self) -> None:
        """Have the peer go on where it fell silent."""
        self._playback.resume(self._now())
        self._change()

    def clear(self) -> None:
        """Have the peer fall silent at once; nothing more is taken in until the next reply begins."""
        self._playback.clear(self._now())
        self._hurry()
        self._taken += 1
        self._make_room()

    # The network --------------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The number of the audio that is being sent: what the peer says about any other is ignored."""
        return self._playback.epoch

    def acknowledge(self, epoch: object, played: object) -> bool:
        """Take what the peer says that it has played: of which `epoch`, and the seconds `played` from its beginning.

        Anything may be given, just as it came: what makes no sense is ignored.

        Returns:
            Whether it told anything: not what is about an epoch that is over.
        """
        told = self._playback.acknowledge(epoch, played, self._now())
        if told:
            self._change()
        return told

    def post(self, frame: Frame) -> None:
        """Send a frame of your own: before audio that waits, and after the frames posted before it."""
        self._playback.post(frame)
        self._change()

    async def write(
        self,
        send: Callable[[Frame], Awaitable[object]],
        begin: Callable[[Frame], Awaitable[object] | None] | None = None,
    ) -> None:
        """Send frames until the sink is closed: the one task that does.

        Args:
            send: sends one, such as `websocket.send`. What it raises is raised on, and closes the sink.
            begin: begins to send one, in the very step in which the sink is cleared or paused, and gives what is left
                to be awaited, if anything; it must not raise. Used on asyncio only. Default None: this task sends that
                too, as soon as it can.

        Raises:
            ConnectionFailed: a frame could not be sent within `send_timeout`.
        """
        now = self._now
        self._begin = None if on_trio() else begin
        try:
            with anyio.CancelScope() as scope:
                while True:
                    sending, self._rest = self._rest, None
                    if sending is None and (frame := self._playback.next_frame(now())) is not None:
                        if self._begin is None:
                            sending = send(frame)
                        elif (sending := self._begin(frame)) is None:  # sent, and without a timer that watches it
                            self._make_room()
                            continue
                    if sending is not None:
                        scope.deadline = now() + self._send_timeout
                        await sending
                        scope.deadline = inf
                        self._make_room()
                    elif self._closed:
                        return
                    else:
                        await self._wait(self._playback.wait(now()))
            raise ConnectionFailed(f"the peer has not taken a frame for {self._send_timeout:g} s: it no longer reads")
        finally:
            self._begin = None
            self.close()

    def close(self) -> None:
        """Send no more audio; what was posted still goes out, then `write` returns."""
        self._closed = True
        self._playback.drop_audio()
        self._make_room()
        self._change()

    # Waiting ------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        if self._clock is None:
            self._clock = clock()
        return self._clock()

    async def _wait(self, seconds: float) -> None:
        """Wait until something changes, or for so long."""
        self._changed = anyio.Event()
        with anyio.move_on_after(seconds):
            await self._changed.wait()
        self._changed = None

    def _change(self) -> None:
        if self._changed is not None:
            self._changed.set()

    def _hurry(self) -> None:
        """Send what is urgent in this very step, if nothing else is being sent; else the writer is told."""
        if self._begin is not None and self._changed is not None:
            while self._rest is None and (frame := self._playback.urgent_frame()) is not None:
                self._rest = self._begin(frame)
        self._change()

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None
