"""Phone calls over real sockets, by aiohttp."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect

from tests.support.phone_servers import PhoneServer, put_to_the_test
from turnkit.testing import FakePhone

web: Any = pytest.importorskip("aiohttp.web", reason="needs aiohttp, which is not for development; .ci/interop has it")


def test_aiohttp() -> None:
    """On the real clock, as sockets are."""
    anyio.run(_calls)


async def _calls() -> None:
    server = PhoneServer()

    async def phone(request: Any) -> Any:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        await server.answer(websocket)
        return websocket

    app = web.Application()
    app.router.add_get("/phone", phone)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]

    async def dial(phone: FakePhone) -> None:
        async with connect(f"ws://127.0.0.1:{port}/phone", proxy=None) as client:
            await phone.call(client)

    try:
        await put_to_the_test(server, dial)
    finally:
        await runner.cleanup()
