"""The server of `turnkit play`'s page, in this event loop."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from tests.support.web_server import Address


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Address]:
    """The page with these settings of `application`."""
    import uvicorn

    from turnkit.tools.play.application import application

    listening = socket.create_server(("127.0.0.1", 0))
    app = application(**settings)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listening])
        address = Address(listening.getsockname()[1])
        while not server.started:  # noqa: ASYNC110  # it says so in no other way
            await anyio.sleep(0.01)
        try:
            yield address
        finally:
            server.should_exit = True
    listening.close()
