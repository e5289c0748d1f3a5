"""The floor of the other transport: a bare listener of picows, as its documentation has it, with turnkit's bounds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from turnkit.wire import FluxOptions

from . import bare
from .listeners import CONTAINER, Callback, Opened, Send, dispatch


class _Reader(WSListener):
    """Decode each message and dispatch on the event's name, in the callback that brought it."""

    def __init__(self, callbacks: Mapping[str, Callback]) -> None:
        self._callbacks = callbacks
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if not self.greeted.done():
            return self.greeted.set_result(None)
        message = bare.decode(frame.get_payload_as_bytes())
        self._callbacks[message.event](message)


@asynccontextmanager
async def connected(url: str, options: FluxOptions, callbacks: Mapping[str, Callback]) -> AsyncIterator[Send]:
    """A connection that dispatches what comes; gives what sends on it."""
    logging.getLogger("picows").setLevel(logging.ERROR)
    transport, reader = await ws_connect(
        lambda: _Reader(callbacks),
        f"{url}/v2/listen?{options.to_query()}",
        enable_auto_ping=True,
        auto_ping_idle_timeout=20,
        auto_ping_reply_timeout=20,
        max_frame_size=2**20,
    )
    assert isinstance(reader, _Reader)
    await reader.greeted

    async def send(frame: bytes) -> None:
        transport.send(WSMsgType.BINARY, frame)

    try:
        yield send
    finally:
        transport.disconnect(False)


async def dispatching(url: str, opened: Opened, callbacks: Mapping[str, Callback]) -> None:
    """Listen until cancelled, as `listeners.dispatching` does over websockets."""
    async with connected(url, CONTAINER, callbacks) as send:
        opened(send)
        await asyncio.Event().wait()


@asynccontextmanager
async def talking(url: str, options: FluxOptions) -> AsyncIterator[Send]:
    """A connection that sends audio, as `audio.bare_websockets` is one over websockets."""
    async with connected(url, options, dispatch()) as send:
        yield send
