"""Calls from a page over real sockets, for each kind of server: the codes that the page is told the end by."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.support.pages import MICROPHONE, RATE, PageBot
from tests.support.phone_calls import ScriptedFlux
from tests.support.sessions import turn
from turnkit.errors import ConnectionFailed
from turnkit.interop import browser

Answer = Callable[[Any], Awaitable[None]]


class PageCalls:
    """Holds each call, one after the other, with a bot and a Flux of its own."""

    def __init__(self) -> None:
        self.bots: list[PageBot] = []
        self.failures: list[Exception] = []
        self.failed = anyio.Event()
        self.steps: tuple[object, ...] = (0.1, *turn(0, "Hello?"))

    async def answer(self, websocket: Any) -> None:
        self.bots.append(PageBot("One two"))
        flux = ScriptedFlux(*self.steps)
        try:
            await browser.hold_call(websocket, self.bots[-1].make_session, sample_rate=RATE, connect=flux.connect)
        except ConnectionFailed as error:
            self.failures.append(error)
            self.failed.set()


async def told(page: ClientConnection, kind: str) -> None:
    """Read until a text frame of this kind."""
    async for frame in page:
        if isinstance(frame, str) and f'"type":"{kind}"' in frame:
            return


async def put_to_the_test(calls: PageCalls, url: str) -> None:
    """Hung up by the bot, garbage, Flux gone, the page gone: each on a connection of its own, one after the other."""
    with anyio.fail_after(60):
        async with connect(url, proxy=None) as page:
            await page.send(MICROPHONE)
            await told(page, "begin")
            await page.send('{"type": "played", "epoch": 1, "played": 0.02}')
            call = calls.bots[-1].call
            assert call is not None
            call.send("bye")
            call.hang_up()
            await told(page, "message")
            await page.wait_closed()
            assert page.close_code == 1000
        async with connect(url, proxy=None) as page:
            await page.send("garbage")
            await page.wait_closed()
            assert page.close_code == 1007
        async with connect(url, proxy=None) as page:
            await told(page, "begin")
        async with connect(url, proxy=None) as page:
            await told(page, "begin")
            page.transport.abort()
        calls.steps = (0.1, ConnectionFailed("Flux is gone"))
        async with connect(url, proxy=None) as page:
            await page.wait_closed()
            assert page.close_code == 1011
        await calls.failed.wait()
        assert [str(failure) for failure in calls.failures] == ["Flux is gone"]
        assert len(calls.bots) == 5


@asynccontextmanager
async def by_websockets(answer: Answer) -> AsyncIterator[int]:
    from websockets.asyncio.server import serve

    async with serve(answer, "127.0.0.1", 0) as listening:
        yield next(iter(listening.sockets)).getsockname()[1]


@asynccontextmanager
async def by_starlette(answer: Answer) -> AsyncIterator[int]:
    pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
    uvicorn = pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute

    async def page(websocket: Any) -> None:
        await websocket.accept()
        await answer(websocket)

    app = Starlette(routes=[WebSocketRoute("/", page)])
    listening = socket.create_server(("127.0.0.1", 0))
    serving = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serving.serve, [listening])
        yield listening.getsockname()[1]
        serving.should_exit = True
    listening.close()


@asynccontextmanager
async def by_aiohttp(answer: Answer) -> AsyncIterator[int]:
    web = pytest.importorskip("aiohttp.web", reason="needs aiohttp, which is not for development; .ci/interop has it")

    async def page(request: Any) -> Any:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        await answer(websocket)
        return websocket

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of some versions of uvicorn, about their own parts
@pytest.mark.parametrize("serving", [by_websockets, by_starlette, by_aiohttp])
def test_real_sockets(serving: Callable[[Answer], Any]) -> None:
    """On the real clock, as sockets are."""

    async def run() -> None:
        calls = PageCalls()
        async with serving(calls.answer) as port:
            await put_to_the_test(calls, f"ws://127.0.0.1:{port}/")

    anyio.run(run)


def test_a_socket_on_trio() -> None:
    """The code gets through there too, where closing has another name."""
    from functools import partial

    import trio
    from websockets.trio.client import connect
    from websockets.trio.server import serve

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            listening = await nursery.start(partial(serve, PageCalls().answer, host="127.0.0.1", port=0))
            async with connect(f"ws://127.0.0.1:{listening.listeners[0].socket.getsockname()[1]}", proxy=None) as page:
                await page.send("garbage")
                await page.wait_closed()
                assert page.close_code == 1007
            nursery.cancel_scope.cancel()

    trio.run(run)
