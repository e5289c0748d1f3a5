"""voice-evals' protocol in front of a bot of turnkit's: `python -m benchmarks.judges.gateway PORT ws://127.0.0.1:8000/call`.

voice-evals' probe sends sound only while its caller speaks, and takes what comes for heard at once. So this stands
between as a telephone would: it is silent while nobody speaks, and passes the bot's sound on at the speed of sound.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from collections import deque
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

FRAME_SECONDS = 0.02
FRAME = 640  # bytes of it, at 16 kHz
REPORT_FRAMES = 2  # frames from one report of what was played to the next


class Call:
    """One call: the probe on one side, the bot's page protocol on the other."""

    def __init__(self, probe: ServerConnection, bot: ClientConnection) -> None:
        self._probe = probe
        self._bot = bot
        self._said: deque[bytes] = deque()  # by the caller, not sent yet
        self._utterance = ""
        self._sound = bytearray()  # of the bot, not played yet
        self._paused = False
        self._epoch = 0
        self._played = 0.0
        self._response = 0  # the number of the last response; 0 before the first
        self._open = False
        self._sequence = 0

    async def hold(self) -> None:
        """Until one of both hangs up."""
        tasks = [asyncio.create_task(one) for one in (self._hear_caller(), self._hear_bot(), self._beat())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await task

    async def _tell(self, kind: str, **fields: Any) -> None:
        await self._probe.send(json.dumps({"type": kind, **fields}))

    async def _hear_caller(self) -> None:
        async for message in self._probe:
            told = json.loads(message)
            if told["type"] == "input_audio":
                self._utterance = told["utterance_id"]
                self._said.append(base64.b64decode(told["audio"]))

    async def _hear_bot(self) -> None:
        async for message in self._bot:
            if isinstance(message, bytes):
                self._sound += message
                continue
            told = json.loads(message)
            kind = told["type"]
            if kind == "begin":
                self._epoch, self._played, self._paused = told["epoch"], 0.0, False
                self._sound.clear()
            elif kind in ("pause", "resume"):
                self._paused = kind == "pause"
            elif kind == "clear":
                self._sound.clear()
                self._paused = False
            elif kind == "message":
                await self._caption(told["data"])

    async def _caption(self, caption: dict[str, Any]) -> None:
        if caption.get("note") == "answered":
            await self._tell("input_transcript_final", text=caption["you"], utterance_id=self._utterance)
        elif "bot" in caption and caption.get("note") and self._open:  # how the reply ended
            response = f"r{self._response}"
            await self._tell("output_text_final", text=caption["bot"], response_id=response)
            await self._tell("response_done", response_id=response)
            self._open = False

    async def _beat(self) -> None:
        """A frame each way, every 20 ms."""
        loop = asyncio.get_running_loop()
        due, beats = loop.time(), 0
        while True:
            due, beats = due + FRAME_SECONDS, beats + 1
            await asyncio.sleep(due - loop.time())
            await self._bot.send(self._said.popleft() if self._said else bytes(FRAME))
            if self._sound and not self._paused:
                await self._play()
            if self._epoch and beats % REPORT_FRAMES == 0:
                report = {"type": "played", "epoch": self._epoch, "played": round(self._played, 3)}
                await self._bot.send(json.dumps(report))

    async def _play(self) -> None:
        if not self._open:
            self._response, self._open, self._sequence = self._response + 1, True, 0
            await self._tell("response_start", response_id=f"r{self._response}")
        piece = bytes(self._sound[:FRAME])
        del self._sound[:FRAME]
        self._played += len(piece) / 2 / 16000
        audio = base64.b64encode(piece).decode()
        await self._tell("output_audio", response_id=f"r{self._response}", seq=self._sequence, audio=audio)
        self._sequence += 1


async def call(probe: ServerConnection, url: str) -> None:
    """One probe."""
    started = json.loads(await probe.recv())
    if started["type"] != "session_start":
        await probe.close(1002, "session_start comes first")
        return
    async with connect(f"{url}?captions=1", max_size=None, compression=None, proxy=None) as bot:
        await probe.send(json.dumps({"type": "session_ready"}))
        await Call(probe, bot).hold()


async def main(port: int, url: str) -> None:
    async with serve(lambda probe: call(probe, url), "127.0.0.1", port):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
