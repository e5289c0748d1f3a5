"""voicebench as a page that calls turnkit: `voicebench run … -a benchmarks.judges.page_adapter:PageAdapter`.

It speaks the frames of docs/browser.md, as `turnkit.js` does: 20 ms of microphone up, sound down some time ahead, and
reports of what was played.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, ClassVar

import numpy as np
from voicebench import audio
from voicebench.adapters.base import Adapter, AdapterError, AgentAudio, AgentClear
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

REPORT_SECONDS = 0.05
"""From one report of what was played to the next, as `turnkit.js` has it."""


class PageAdapter(Adapter):
    """A page of turnkit's, without a browser."""

    name: ClassVar[str] = "turnkit page"

    def __init__(self, url: str = "ws://127.0.0.1:8000/call", **options: Any) -> None:
        super().__init__(**options)
        self.url = url
        self._websocket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._epoch: int | None = None
        self._rate = 16000
        self._waiting = np.zeros(0, dtype=np.float32)  # while it is paused: what is still to be played
        self._paused = False
        self._taken = 0.0  # seconds of this epoch that came
        self._ends = 0.0  # when the last of them will have been played

    async def connect(self) -> None:
        try:
            self._websocket = await connect(self.url, max_size=None, compression=None, proxy=None)
        except OSError as error:
            raise AdapterError(f"no page at {self.url}: {error}") from error
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._report())]

    async def send_audio(self, pcm: audio.FloatArray) -> None:
        assert self._websocket is not None
        samples = audio.resample(pcm, self.session.sample_rate, 16000)
        try:
            await self._websocket.send(audio.to_pcm16(samples))
        except ConnectionClosed as error:
            raise AdapterError(f"the bot hung up: {error}") from error

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await task
        if self._websocket is not None:
            await self._websocket.close()
        self._websocket = None

    async def _read(self) -> None:
        assert self._websocket is not None
        async for message in self._websocket:
            if isinstance(message, bytes):
                self._hear(audio.resample(audio.from_pcm16(message), self._rate, self.session.sample_rate))
            else:
                self._obey(json.loads(message))

    async def _report(self) -> None:
        assert self._websocket is not None
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            if self._epoch is not None:
                played = {"type": "played", "epoch": self._epoch, "played": round(self._taken - self._left, 3)}
                await self._websocket.send(json.dumps(played))

    @property
    def _left(self) -> float:
        """Seconds that came and were not played yet."""
        rate: int = self.session.sample_rate
        now: float = self.session.clock.now()
        return len(self._waiting) / rate if self._paused else max(0.0, self._ends - now)

    def _hear(self, samples: audio.FloatArray) -> None:
        seconds = len(samples) / self.session.sample_rate
        self._taken += seconds
        self._waiting = np.concatenate([self._waiting, samples])
        if not self._paused:
            self._play(samples)

    def _play(self, samples: audio.FloatArray) -> None:
        now = self.session.clock.now()
        self._ends = max(now, self._ends) + len(samples) / self.session.sample_rate
        left = round((self._ends - now) * self.session.sample_rate)
        self._waiting = self._waiting[-left:] if left else self._waiting[:0]
        self.emit(AgentAudio(samples, now))

    def _obey(self, told: dict[str, Any]) -> None:
        kind, now = told["type"], self.session.clock.now()
        if kind == "begin":
            self._epoch, self._rate = told["epoch"], told["rate"]
            self._taken, self._waiting, self._paused = 0.0, self._waiting[:0], False
        elif kind == "pause" and not self._paused:
            left = round(self._left * self.session.sample_rate)
            self._waiting = self._waiting[-left:] if left else self._waiting[:0]
            self._paused, self._ends = True, now
            self.emit(AgentClear(now))
        elif kind == "resume" and self._paused:
            self._paused = False
            rest, self._waiting = self._waiting, self._waiting[:0]
            if len(rest):
                self._waiting = rest
                self._play(rest)
        elif kind == "clear":
            self._taken -= self._left
            self._ends, self._waiting, self._paused = now, self._waiting[:0], False
            self.emit(AgentClear(now))
