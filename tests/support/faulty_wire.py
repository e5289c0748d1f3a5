"""What a raw client hears of a simulator with faults: messages, and the end of the connection."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeAlias

import anyio
from websockets.exceptions import ConnectionClosed

from tests.support.simulator_client import CLOSE, RAW, audio, dial
from turnkit.simulator import Fault, RandomFaults, Script, Simulator, serve

TALK = Script.parse("0.5 I'd like a table for two, please.\n+2.0 Under the name of Smith.\n+2.0 That is all.", seed=3)
QUERY = f"{RAW}&eager_eot_threshold=0.4"
CONFIGURE = '{"type":"Configure","thresholds":{"eot_threshold":0.9}}'
WHOLE: list[str | bytes] = [*[bytes(3 * 2560)] * 42, CLOSE]
"""All of the talk, in few frames."""
TWO_TURNS: list[str | bytes] = [*WHOLE[:28], CLOSE]
PATIENCE = 1.0  # virtual seconds a client waits for more after its last frame
Messages: TypeAlias = list[dict[str, Any]]


class Heard:
    """What one connection brought: raw frames, the messages among them, and the close code (None: still open)."""

    def __init__(self) -> None:
        self.frames: list[str | bytes] = []
        self.code: int | None = None

    @property
    def messages(self) -> Messages:
        return [json.loads(frame) for frame in self.frames]


async def ring(flux: Simulator, frames: Iterable[str | bytes] = WHOLE, query: str = QUERY, **options: Any) -> Heard:
    """Send frame by frame in step with the clock, read all along, give up after a while of silence."""
    heard = Heard()
    async with dial(flux, query, **options) as socket, anyio.create_task_group() as group:

        async def read() -> None:
            with suppress(ConnectionClosed):
                while True:
                    heard.frames.append(await socket.recv())
            heard.code = socket.close_code
            group.cancel_scope.cancel()

        group.start_soon(read)
        for frame in frames:
            try:
                await socket.send(frame)
            except ConnectionClosed:
                break
            await anyio.sleep(0.001)
        await anyio.sleep(PATIENCE)
        group.cancel_scope.cancel()
    return heard


async def wire(*faults: str | Fault | RandomFaults, frames: Iterable[str | bytes] = TWO_TURNS) -> Heard:
    """What the first connection to a simulator with these faults brings."""
    async with serve(TALK, faults=faults) as flux:
        return await ring(flux, frames)


async def undisturbed_talk() -> Messages:
    """What two turns of the talk bring without a fault; always the same, so heard once."""
    if not _undisturbed:
        _undisturbed.extend(bare((await wire()).messages))
    return _undisturbed


_undisturbed: Messages = []


def sound(seconds: float) -> list[str | bytes]:
    """Frames of 80 ms."""
    return [*audio(seconds)]


def bare(messages: Messages) -> Messages:
    """Without the ids, which differ from one connection to another and are checked apart."""
    return [{key: message[key] for key in message if key not in ("request_id", "sequence_id")} for message in messages]


def numbered(messages: Messages) -> bool:
    """Whether the sequence ids count from 0 without a gap."""
    return [message["sequence_id"] for message in messages] == list(range(len(messages)))


def at(messages: Messages, event: str, number: int = 1) -> int:
    """Where the n-th message of a kind is."""
    return [i for i, message in enumerate(messages) if message.get("event", message["type"]) == event][number - 1]
