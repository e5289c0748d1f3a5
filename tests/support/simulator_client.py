"""A raw WebSocket client of the simulator: what any Flux client would see."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response

from turnkit.simulator import FRAME, PATH, Script, Simulator, say

RAW = "model=flux-general-en&encoding=linear16&sample_rate=16000"
HELLO = Script((say("I'd like a table for two, please.", at=0.5),), seed=3)
SILENCE = bytes(2560)
CLOSE = '{"type":"CloseStream"}'
FORCE = '{"type":"ForceEndTurn"}'
BOUND = 20.0


@asynccontextmanager
async def dial(flux: Simulator, query: str = RAW, *, path: str = PATH, **options: Any) -> AsyncIterator[Any]:
    """A raw client of the running library, compression and proxies off."""
    connect: Callable[..., Any]
    if "trio" in sys.modules and sys.modules["trio"].lowlevel.in_trio_run():
        from websockets.trio.client import connect as connect
    else:
        from websockets.asyncio.client import connect as connect
    with anyio.fail_after(BOUND):
        async with connect(f"{flux.url}{path}?{query}", compression=None, proxy=None, **options) as socket:
            yield socket


async def call(
    flux: Simulator, frames: Iterable[str | bytes], query: str = RAW, **options: Any
) -> tuple[list[dict[str, Any]], int | None]:
    """Send all frames, read until the server closes; the messages and the close code."""
    texts: list[str] = []
    async with dial(flux, query, **options) as socket, anyio.create_task_group() as group:

        async def read() -> None:
            with suppress(ConnectionClosed):
                while True:
                    texts.append(await socket.recv())

        group.start_soon(read)
        for frame in frames:
            try:
                await socket.send(frame)
            except ConnectionClosed:
                break
    return [json.loads(text) for text in texts], socket.close_code


async def refusal(flux: Simulator, query: str = RAW, **options: Any) -> Response:
    """The HTTP answer to an upgrade that must be refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with dial(flux, query, **options):
            pass
    return refused.value.response


def audio(seconds: float) -> list[bytes]:
    return [SILENCE] * round(seconds / FRAME)


def events(messages: list[dict[str, Any]]) -> list[str]:
    return [message["event"] for message in messages if message.get("event", "Update") != "Update"]
