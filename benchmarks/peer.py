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
from typing import NamedTuple

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
    """What to play on each connection: a conversation, one frame each `interval` seconds, or at 0 all of it at once.

    Not `eager`: without the EagerEndOfTurns.
    """

    turns: int
    updates: int
    idle: int
    interval: float
    eager: bool = True

    @property
    def said(self) -> list[flux_frames.Said]:
        """What the frames report, in order."""
        whole = flux_frames.conversation(self.turns, self.updates, self.idle)
        return whole if self.eager else [said for said in whole if said.event != "EagerEndOfTurn"]

    @property
    def messages(self) -> int:
        """How many frames that is."""
        return len(self.said)


def _framed(payload: bytes) -> bytes:
    """A text frame of WebSocket; the lengths that a TurnInfo has are written in 16 bits."""
    assert 126 <= len(payload) < 65536
    return b"\x81\x7e" + len(payload).to_bytes(2) + payload


class _Cut(NamedTuple):
    """A frame, cut where a time stands as its first word; nothing in `tail` where none does.

    `anew`: the time is that of its own sending, else the last that was sent, as the words of a draft stay the same.
    """

    head: bytes
    tail: bytes
    anew: bool


def _frames(plan: Plan) -> list[_Cut]:
    """The frames, those cut that begin a turn, a draft, or else an answer."""
    frames = []
    drafted = False
    for count, said in enumerate(plan.said, 1):
        if said.event in ("StartOfTurn", "EagerEndOfTurn", "EndOfTurn"):
            said = said._replace(words=(_BEFORE, *said.words))
        head, _, tail = _framed(flux_frames.encoded(said, count)).partition(_BEFORE.encode())
        frames.append(_Cut(head, tail, anew=said.event != "EndOfTurn" or not drafted))
        drafted = said.event == "EagerEndOfTurn"
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
            _write(connection, _framed(flux_frames.encoded(flux_frames.Said("Update", 0), said)))


async def _play(connection: ServerConnection, frames: list[_Cut], start: float, interval: float) -> None:
    clock = asyncio.get_running_loop().time
    stamp = b""
    if not interval:
        await asyncio.sleep(start - clock())
        return _write(
            connection, b"".join(cut.head + (_BEFORE.encode() if cut.tail else b"") + cut.tail for cut in frames)
        )
    for count, cut in enumerate(frames):
        await asyncio.sleep(start + count * interval - clock())
        if not cut.tail:
            _write(connection, cut.head)
            continue
        stamp = b"%019d" % monotonic_ns() if cut.anew else stamp
        _write(connection, cut.head + stamp + cut.tail)


def _write(connection: ServerConnection, frame: bytes) -> None:
    """Write straight to the socket: the sender's own costs must not blur what the receivers differ in.

    What was heard before a client left is still being dealt with after it: then there is nobody to write to.
    """
    if connection.state is State.OPEN:
        connection.transport.write(frame)


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
