"""Phone calls over real sockets, by the websockets that turnkit has anyway, on asyncio and on trio."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from tests.support.phone_servers import PhoneServer, put_to_the_test
from turnkit.testing import FakePhone


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_websockets(backend: str) -> None:
    """On the real clock, as sockets are."""
    anyio.run(_on_asyncio if backend == "asyncio" else _on_trio, backend=backend)


async def _on_asyncio() -> None:
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import serve

    server = PhoneServer()
    async with serve(server.answer, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]

        async def dial(phone: FakePhone) -> None:
            async with connect(f"ws://127.0.0.1:{port}", proxy=None) as socket:
                await phone.call(socket)

        await put_to_the_test(server, dial)


async def _on_trio() -> None:
    import trio
    from websockets.trio.client import connect
    from websockets.trio.server import serve

    server = PhoneServer()
    async with trio.open_nursery() as nursery:
        listening = await nursery.start(partial(serve, server.answer, host="127.0.0.1", port=0))
        port = listening.listeners[0].socket.getsockname()[1]

        async def dial(phone: FakePhone) -> None:
            async with connect(f"ws://127.0.0.1:{port}", proxy=None) as socket:
                await phone.call(socket)

        await put_to_the_test(server, dial)
        nursery.cancel_scope.cancel()
