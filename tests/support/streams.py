"""A stream to a scripted Flux: opened, and read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Any

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import Peer, flux_peer
from turnkit.flux import FluxStream, StreamItem, connect, opening
from turnkit.wire import FluxOptions

KEY = "0123456789abcdef"
TWO_SECONDS = bytes(64000)


@asynccontextmanager
async def opened(
    script: Any, options: FluxOptions | None = None, *, dice: Random | None = None, **given: Any
) -> AsyncIterator[tuple[FluxStream, Peer]]:
    """A stream to a peer with this script; it does not reconnect unless told to."""
    given = {"reconnect_timeout": 0, **given}
    async with (
        flux_peer(script) as peer,
        connect_by(dice or Random(), options, api_key=KEY, url=peer.url, **given) as stream,
    ):
        yield stream, peer


def connect_by(
    dice: Random, options: FluxOptions | None = None, **given: Any
) -> AbstractAsyncContextManager[FluxStream]:
    """`connect`, whose pauses between attempts are thrown with these dice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "_RANDOM", dice)
        return connect(options or FluxOptions(), **given)


@asynccontextmanager
async def read_by_another(stream: FluxStream) -> AsyncIterator[list[StreamItem]]:
    """Another task iterates the stream meanwhile, and until it ends."""
    read: list[StreamItem] = []

    async def iterate() -> None:
        async for message in stream:
            read.append(message)  # noqa: PERF401 - the list is looked at while it grows

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(iterate)
        yield read
        await stream.close()


async def everything(stream: FluxStream) -> list[StreamItem]:
    """All items until the stream ends."""
    return [message async for message in stream]


async def take(stream: FluxStream, count: int) -> list[StreamItem]:
    """The next so many items."""
    return [await anext(stream) for _ in range(count)]
