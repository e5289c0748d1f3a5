"""The other end of the live benchmarks, a process of its own: plain websockets, and frames built before they are due.

Whoever connects gets Connected and waits. A plan, sent on any one of the connections, starts all that wait. Who sends
audio instead, by what the address says, is heard, and answered with empty Updates. Prints its port; ends when its
standard input does, so it cannot outlive who started it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic_ns

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from . import flux_frames

ROOT = Path(__file__).resolve().parent.parent
STAMP = len(b"%019d" % 0)
_BEFORE = "0" * STAMP  # where the stamp goes
ALONE = "alone"  # the tag of calls that are not answered
_LEAD = 0.02  # seconds from the plan to the first frame


class Plan(msgspec.Struct, frozen=True):
    """What to play on each connection: a conversation, one frame each `interval` seconds."""

    turns: int
    updates: int
    idle: int
    interval: float

    @property
    def messages(self) -> int:
        """How many frames that is."""
        return len(flux_frames.conversation(self.turns, self.updates, self.idle))


def _framed(payload: bytes) -> bytes:
    """A text frame of WebSocket; the lengths that a TurnInfo has are written in 16 bits."""
    assert 126 <= len(payload) < 65536
    return b"\x81\x7e" + len(payload).to_bytes(2) + payload


def _frames(plan: Plan) -> list[tuple[bytes, bytes]]:
    """The frames, cut where a StartOfTurn carries, as its first word, the time it was sent."""
    frames = []
    for count, said in enumerate(flux_frames.conversation(plan.turns, plan.updates, plan.idle), 1):
        if said.event == "StartOfTurn":
            said = said._replace(words=(_BEFORE, *said.words))
        head, _, tail = _framed(flux_frames.encoded(said, count)).partition(_BEFORE.encode())
        frames.append((head, tail))
    return frames


class Peer:
    """All connections, and which of them wait for a plan."""

    def __init__(self) -> None:
        self._waiting: list[ServerConnection] = []
        self._plays: set[asyncio.Task[None]] = set()

    async def handle(self, connection: ServerConnection) -> None:
        """Serve one connection until it ends."""
        await connection.send(flux_frames.CONNECTED, text=True)
        path = connection.request.path if connection.request else ""
        if "encoding=" in path:
            with suppress(ConnectionClosed):
                return await _hear(connection, answers=f"tag={ALONE}" not in path)
        self._waiting.append(connection)
        with suppress(ConnectionClosed):
            async for frame in connection:
                if isinstance(frame, bytes):
                    self._start(msgspec.json.decode(frame, type=Plan))
        if connection in self._waiting:
            self._waiting.remove(connection)

    def _start(self, plan: Plan) -> None:
        frames = _frames(plan)
        start = asyncio.get_running_loop().time() + _LEAD
        for index, connection in enumerate(self._waiting):
            # Spread over the interval, as callers are who know nothing of each other.
            offset = plan.interval * index / len(self._waiting)
            task = asyncio.create_task(_play(connection, frames, start + offset, plan.interval))
            self._plays.add(task)
            task.add_done_callback(self._plays.discard)
        self._waiting.clear()


async def _hear(connection: ServerConnection, *, answers: bool) -> None:
    """Hear audio, and answer each third frame with an Update that says nothing, as Flux does in silence."""
    heard = said = 0
    async for frame in connection:
        if not isinstance(frame, bytes):
            return await connection.close()
        heard += 1
        if answers and heard % 3 == 0:
            said += 1
            connection.transport.write(_framed(flux_frames.encoded(flux_frames.Said("Update", 0), said)))


async def _play(connection: ServerConnection, frames: list[tuple[bytes, bytes]], start: float, interval: float) -> None:
    # Straight to the socket: the sender's own costs must not blur what the receivers differ in.
    clock = asyncio.get_running_loop().time
    for count, (head, tail) in enumerate(frames):
        await asyncio.sleep(start + count * interval - clock())
        if connection.state is not State.OPEN:
            return
        connection.transport.write(head + b"%019d" % monotonic_ns() + tail if tail else head)


@contextmanager
def peer() -> Iterator[str]:
    """Run a peer beside this process, for as long as the `with` lasts; gives its url."""
    command = [sys.executable, "-m", "benchmarks.peer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


async def _main() -> None:
    async with serve(Peer().handle, "127.0.0.1", 0, compression=None, close_timeout=1) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main())
