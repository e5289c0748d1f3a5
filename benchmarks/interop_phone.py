"""`python -m benchmarks.interop_phone`: from a frame of Flux to the `clear` that is written to the phone's websocket.

A bot on websockets' own server, on the real clock, with a phone that says at once that it has played: each turn is
answered, and interrupted by the next word. What the adapter adds is what lies between the session's BargeIn and the end
of the write, without what the same write costs by itself, which is measured before each.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter_ns
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from turnkit import Session
from turnkit.interop import twilio
from turnkit.session import Reply
from turnkit.turns.events import BargeIn
from turnkit.wire import FluxOptions, decode

BOUND_MICROSECONDS = 50.0
CLEAR = '{"event":"clear","streamSid":"MZ1"}'


class PushedFlux:
    """Flux as a socket's callback gives it: `take` is called with each message."""

    def __init__(self) -> None:
        self.take: Callable[[Any], bool] = lambda message: True
        self.taken = asyncio.Event()

    @asynccontextmanager
    async def connect(self, options: FluxOptions) -> AsyncIterator[PushedFlux]:
        yield self

    def __aiter__(self) -> PushedFlux:
        return self

    async def __anext__(self) -> object:
        raise AssertionError("it is read into")

    async def read_into(self, take: Callable[[Any], bool]) -> None:
        self.take = take
        self.taken.set()
        await asyncio.sleep(3600)

    async def send_audio(self, audio: bytes) -> None:
        return


def frame(event: str, turn: int, confidence: float) -> str:
    """A frame as Flux sends it."""
    return json.dumps(
        {
            "type": "TurnInfo",
            "event": event,
            "turn_index": turn,
            "request_id": "r",
            "sequence_id": turn,
            "audio_window_start": 0.0,
            "audio_window_end": 1.0,
            "transcript": "hello",
            "words": [],
            "end_of_turn_confidence": confidence,
        }
    )


class TimedWebsocket:
    """The server's websocket; keeps when a `clear` was written."""

    def __init__(self, websocket: ServerConnection) -> None:
        self.recv = websocket.recv
        self.close = websocket.close
        self._send = websocket.send
        self.cleared: asyncio.Future[int] | None = None

    async def send(self, message: str | bytes) -> None:
        await self._send(message)
        if '"clear"' in str(message) and self.cleared is not None and not self.cleared.done():
            self.cleared.set_result(perf_counter_ns())


async def audible(session: Session) -> None:
    """Wait until the reply is heard."""
    while True:
        await asyncio.sleep(0.001)
        if session.floor is not None and session.floor[1] == "audible":
            return


async def measure(turns: int) -> list[list[int]]:
    """Of each turn, in nanoseconds: how long a bare send took, and the times of its frame, BargeIn and the `clear`."""
    flux, barged, done = PushedFlux(), list[list[int]](), asyncio.Event()

    async def voice(text: str) -> AsyncIterator[bytes]:
        yield bytes(40000)

    async def respond(reply: Reply) -> None:
        await reply.say("This is the answer.")

    async def answer(connection: ServerConnection) -> None:
        websocket = TimedWebsocket(connection)
        sessions: list[Session] = []

        def make_session(call: twilio.Call) -> Session:
            session = Session(respond=respond, speak=call.speaker(voice))
            session.on(BargeIn, lambda signal: barged[-1].append(perf_counter_ns()))
            sessions.append(session)
            return session

        async def interrupt() -> None:
            await flux.taken.wait()
            for turn in range(turns):
                if not turn:
                    flux.take(decode(frame("StartOfTurn", turn, 0.1)))
                flux.take(decode(frame("EndOfTurn", turn, 0.9)))
                await audible(sessions[0])
                over = frame("StartOfTurn", turn + 1, 0.1)
                bare = perf_counter_ns()
                await connection.send(CLEAR)
                bare = perf_counter_ns() - bare
                await asyncio.sleep(0.002)  # as idle before the frame as before the bare send
                websocket.cleared = asyncio.get_running_loop().create_future()
                stamps = [bare, perf_counter_ns()]
                barged.append(stamps)
                flux.take(decode(over))
                stamps.append(await websocket.cleared)
            sessions[0].hang_up()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(interrupt())
            await twilio.hold_call(websocket, make_session, connect=flux.connect)
        done.set()

    async with serve(answer, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", proxy=None) as phone:
            start = {"streamSid": "MZ1", "callSid": "CA1"}
            await phone.send(json.dumps({"event": "start", "start": start}))
            async for message in phone:
                if json.loads(message)["event"] == "mark":
                    await phone.send(message)
        await done.wait()
    return barged


def main() -> None:
    """Measure, print, and say whether it is within the bound."""
    barged = asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 300))[5:]
    spans = {
        "Flux's frame to the session's BargeIn": [(told - came) / 1000 for _, came, told, _ in barged],
        "BargeIn to the clear written": [(wrote - told) / 1000 for *_, told, wrote in barged],
        "a bare send of the same": [bare / 1000 for bare, *_ in barged],
        "what the adapter adds": [(wrote - told - bare) / 1000 for bare, _, told, wrote in barged],
    }
    for what, taken in spans.items():
        p95 = statistics.quantiles(taken, n=20)[-1]
        print(f"{what:40} p50 {statistics.median(taken):7.1f} µs   p95 {p95:7.1f} µs")
    within = statistics.median(spans["what the adapter adds"]) <= BOUND_MICROSECONDS
    print("within" if within else "over", f"{BOUND_MICROSECONDS:g} µs at p50, of {len(barged)} barge-ins")


if __name__ == "__main__":
    main()
