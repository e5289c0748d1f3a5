"""Phone calls over real sockets, by Starlette and FastAPI on uvicorn."""

from __future__ import annotations

import socket
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect

from tests.support.phone_servers import PhoneServer, put_to_the_test
from turnkit.testing import FakePhone

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
uvicorn = pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of some versions of uvicorn, about their own parts
@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_starlette(framework: str) -> None:
    """On the real clock, as sockets are."""
    if framework == "fastapi":
        pytest.importorskip("fastapi", reason="needs FastAPI, which is not for development; .ci/interop has it")
    anyio.run(_calls, framework)


async def _calls(framework: str) -> None:
    server = PhoneServer()
    app = _starlette(server) if framework == "starlette" else _fastapi(server)
    listening = socket.create_server(("127.0.0.1", 0))  # whoever connects waits in line until it is served
    config = uvicorn.Config(app, log_level="warning", lifespan="off")
    serving = uvicorn.Server(config)

    async def dial(phone: FakePhone) -> None:
        async with connect(f"ws://127.0.0.1:{listening.getsockname()[1]}/phone", proxy=None) as client:
            await phone.call(client)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serving.serve, [listening])
        await put_to_the_test(server, dial)
        serving.should_exit = True
    listening.close()


def _starlette(server: PhoneServer) -> Any:
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    async def phone(websocket: WebSocket) -> None:
        await websocket.accept()
        await server.answer(websocket)

    return Starlette(routes=[WebSocketRoute("/phone", phone)])


def _fastapi(server: PhoneServer) -> Any:
    import fastapi

    app = fastapi.FastAPI()

    async def phone(websocket: Any) -> None:
        await websocket.accept()
        await server.answer(websocket)

    phone.__annotations__["websocket"] = fastapi.WebSocket
    app.websocket("/phone")(phone)
    return app
