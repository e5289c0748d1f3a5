"""What it costs to send audio: processor time of calls that all talk, with and without Flux's Updates coming back.

Net of the harness: what the same tasks with the same clock cost when they send nothing is taken off both sides. They
talk faster than people do, so that there are more frames to go by; each still goes, and comes, by itself.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from time import process_time
from typing import TypeAlias

from websockets.asyncio import client

from turnkit.flux import connect
from turnkit.flux.transports import Transport
from turnkit.session import Session
from turnkit.wire import FluxOptions

from . import bare
from .listeners import OPTIONS
from .peer import ALONE, peer
from .rows import Effort, Row, alternate, compared

FRAME = bytes(2560)  # 80 ms of 16 kHz linear16
PACE = 0.03  # seconds from one of them to the next
CLOSEST = 0.024  # seconds, where a call is late

Send: TypeAlias = Callable[[bytes], Awaitable[object]]
Opened: TypeAlias = Callable[[str, FluxOptions], AbstractAsyncContextManager[Send]]


@asynccontextmanager
async def nothing(url: str, options: FluxOptions) -> AsyncIterator[Send]:
    """No connection at all."""

    async def send(frame: bytes) -> None:
        pass

    yield send


@asynccontextmanager
async def bare_websockets(url: str, options: FluxOptions) -> AsyncIterator[Send]:
    """A connection of websockets, and a loop that reads it, decodes and dispatches on the event's name."""
    heard = dict.fromkeys(("Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn"), len)

    async def read(socket: client.ClientConnection) -> None:
        while True:
            message = bare.decode(await socket.recv(False))
            heard[message.event](message.transcript)

    quiet = logging.getLogger("turnkit.websockets")
    async with client.connect(f"{url}/v2/listen?{options.to_query()}", logger=quiet, **OPTIONS) as socket:
        await socket.recv(False)  # Connected
        reader = asyncio.create_task(read(socket))
        yield socket.send
        reader.cancel()


@asynccontextmanager
async def turnkit(transport: Transport, url: str, options: FluxOptions) -> AsyncIterator[Send]:
    """A `Session` on a `FluxStream`."""
    async with connect(options, url=url, transport=transport) as stream:
        reader = asyncio.create_task(Session().run(stream))
        yield stream.send_audio
        reader.cancel()


async def spent(opened: Opened, url: str, options: FluxOptions, effort: Effort) -> float:
    """Seconds of processor time a frame, where a crowd of calls sends audio, no two at once."""
    count, frames = effort.crowd, round(effort.audio_seconds / PACE)
    loop = asyncio.get_running_loop()
    ready, done = asyncio.Semaphore(0), asyncio.Semaphore(0)
    begin, over = asyncio.Event(), asyncio.Event()
    began = 0.0

    async def talk(number: int) -> None:
        async with opened(url, options) as send:
            ready.release()
            await begin.wait()
            due = began + PACE * number / count
            for _ in range(frames):
                await asyncio.sleep(due - loop.time())
                await send(FRAME)
                # On a busy machine a call may be late; it does not make up for it all at once, as nobody talks so.
                due = max(due + PACE, loop.time() + CLOSEST)
            done.release()
            await over.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(talk(number))
        for _ in range(count):
            await ready.acquire()
        await asyncio.sleep(effort.settle)
        before, began = process_time(), loop.time()
        begin.set()
        for _ in range(count):
            await done.acquire()
        taken = process_time() - before
        over.set()
    return taken / (count * frames)


def measure(effort: Effort) -> list[Row]:
    """Calls that only talk, and calls that hear Flux's empty Updates as well, against the bare loop."""
    subject = partial(turnkit, "websockets")
    rows = []
    with peer() as url:
        for name, options in (
            ("audio alone", FluxOptions(tag=(ALONE,))),
            ("audio and Updates", FluxOptions()),
        ):

            def frame(opened: Opened, options: FluxOptions = options) -> float:
                return asyncio.run(spent(opened, url, options, effort)) * 1e6

            for opened in (bare_websockets, subject):
                asyncio.run(spent(opened, url, options, effort._replace(crowd=2, audio_seconds=PACE)))
            harness = statistics.median(frame(nothing) for _ in range(3))
            pairs = alternate(partial(frame, bare_websockets), partial(frame, subject), effort.crowds)
            pairs = [(floor - harness, subject - harness) for floor, subject in pairs]
            how = f"process time a frame of 80 ms, {effort.crowd} calls, faster than real time, net of the harness"
            rows.append(compared(name, "µs", pairs, how, bound=1.25))
    return rows
