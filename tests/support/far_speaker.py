"""A loudspeaker at the far end of a network in virtual time, for sinks: frames arrive and what it says returns late."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import anyio

from turnkit.interop.network_sink import Frame, NetworkSink

RATE = 1000  # samples a second, of two bytes


class FarDialect:
    """A dialect of words; audio as hexadecimal digits."""

    def __init__(self, *, pauses: bool = False) -> None:
        self.pauses = pauses

    def begin(self, epoch: int) -> Iterable[Frame]:
        return [f"begin {epoch}"]

    def audio(self, epoch: int, audio: bytes, until: float) -> Iterable[Frame]:
        return [f"audio {epoch} {until:.6f} {audio.hex()}"]

    def clear(self, epoch: int) -> Iterable[Frame]:
        return [f"clear {epoch}"]

    def pause(self, epoch: int) -> Iterable[Frame] | None:
        return [f"pause {epoch}"] if self.pauses else None

    def resume(self, epoch: int) -> Iterable[Frame]:
        return [f"resume {epoch}"]


class FarSpeaker:
    """Plays in real time; says what it has played when a piece of audio has been, or was dropped, `latency` later.

    Attributes:
        frames: all that came, with the second.
        sounds: the seconds of sound that were heard.
    """

    def __init__(self, sink: NetworkSink, *, latency: float = 0.0) -> None:
        self.frames: list[tuple[float, str]] = []
        self.sounds = 0.0
        self._sink = sink
        self._latency = latency
        self._queue: list[tuple[int, float, float]] = []  # epoch, until, seconds
        self._came = anyio.Event()
        self._stop = anyio.Event()
        self._paused = False
        self._tasks: anyio.abc.TaskGroup | None = None

    @property
    def kinds(self) -> list[str]:
        return [frame.split()[0] for _, frame in self.frames]

    async def send(self, frame: Frame) -> None:
        """Take a frame, which takes no time."""
        self.frames.append((round(anyio.current_time(), 6), str(frame)))
        kind, *rest = str(frame).split()
        if kind == "audio":
            self._queue.append((int(rest[0]), float(rest[1]), len(rest[2]) / 4 / RATE))
        elif kind == "clear":
            dropped, self._queue = self._queue, []
            for epoch, until, _ in dropped:
                self._say(epoch, until)
        self._paused = kind == "pause" or (self._paused and kind not in ("resume", "clear"))
        if kind in ("pause", "clear"):
            self._stop.set()
        self._came.set()

    async def play(self) -> None:
        """Play for ever."""
        async with anyio.create_task_group() as self._tasks:
            while True:
                self._came, self._stop = anyio.Event(), anyio.Event()
                if self._paused or not self._queue:
                    await self._came.wait()
                    continue
                epoch, until, seconds = self._queue[0]
                began = anyio.current_time()
                with anyio.move_on_after(seconds):
                    await self._stop.wait()
                ran = min(anyio.current_time() - began, seconds)
                self.sounds += ran
                if self._queue and self._queue[0] == (epoch, until, seconds):
                    if seconds - ran > 1e-9:
                        self._queue[0] = (epoch, until, seconds - ran)
                    else:
                        del self._queue[0]
                        self._say(epoch, until)

    def _say(self, epoch: int, until: float) -> None:
        if self._tasks is not None:
            self._tasks.start_soon(self._say_later, epoch, until)

    async def _say_later(self, epoch: int, until: float) -> None:
        await anyio.sleep(self._latency)
        self._sink.acknowledge(epoch, until)


@asynccontextmanager
async def far_speaker(
    *, pauses: bool = False, latency: float = 0.0, lead: float = 1.0, interpolation: float = 0.0
) -> AsyncIterator[tuple[NetworkSink, FarSpeaker]]:
    """A sink whose frames are sent, and the loudspeaker that plays them."""
    sink = NetworkSink(FarDialect(pauses=pauses), sample_rate=RATE, lead=lead, interpolation=interpolation)
    speaker = FarSpeaker(sink, latency=latency)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sink.write, speaker.send)
        tasks.start_soon(speaker.play)
        yield sink, speaker
        tasks.cancel_scope.cancel()
