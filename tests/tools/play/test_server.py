"""The server of the page, on real sockets: several calls, peers that are none, pages of others, and its end."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.play_server import serving
from tests.support.web_server import Address
from turnkit.trace import read

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")  # of some versions of uvicorn, their own


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(60):
            await test()

    anyio.run(bounded)


def page(address: Address, query: str = "", **settings: Any) -> Any:
    return connect(f"ws://127.0.0.1:{address.port}/typing{query}", proxy=None, **settings)


async def until(websocket: Any, kind: str, **fields: Any) -> dict[str, Any]:
    while True:
        told: dict[str, Any] = json.loads(await websocket.recv())
        if told["type"] == kind and fields.items() <= told.items():
            return told


async def closed(websocket: Any) -> int | None:
    """The code with which it was closed."""
    with suppress(ConnectionClosed):
        while True:
            await websocket.recv()
    code: int | None = websocket.close_code
    return code


def test_two_pages_are_two_calls() -> None:
    """What is typed on one is heard on that one; one vanishes, and the other goes on."""

    async def test() -> None:
        async with serving() as address, page(address) as one, page(address) as other:
            names = {(await until(page, "began"))["recording"] for page in (one, other)}
            assert len(names) == 2
            for websocket, text in ((one, "First."), (other, "Second.")):
                await websocket.send(json.dumps({"type": "typed", "text": text, "field": 0}))
            assert (await until(one, "flux", event="StartOfTurn"))["text"] == "First."
            assert (await until(other, "flux", event="StartOfTurn"))["text"] == "Second."
            one.transport.abort()
            commit = await until(other, "signal", signal="Commit", trigger="model")
            assert commit["transcript"] == "Second."

    run(test)


def test_peers_that_are_none() -> None:
    """Each ends its own call, and frees its place."""

    async def test() -> None:
        async with serving() as address:
            for frame in ("garbage", b"\xff", "[" * 9000):
                async with page(address) as peer:
                    await peer.send(frame)
                    assert await closed(peer) == 1007
            async with page(address, "?eot_threshold=7") as peer:
                assert await closed(peer) == 1007
            async with page(address, "?eot_threshold=nonsense") as peer:
                assert await closed(peer) == 1007
            async with page(address, "?policy=nonsense") as peer:
                assert await closed(peer) == 1007
        async with serving(max_calls=1) as address:
            async with page(address) as peer:
                await until(peer, "began")
                async with page(address) as late:
                    assert await closed(late) == 1013
                await peer.send('{"type":"hang_up"}')
                assert (await until(peer, "ended"))["why"] == "hung_up"
                assert await closed(peer) == 1000
            began = None
            while began is None:  # its place is free a moment after its end was told
                async with page(address, "?eot_threshold=0.9&policy=never") as peer:
                    with suppress(ConnectionClosed):
                        began = await until(peer, "began")
            assert began["policy"] == "never"

    run(test)


def test_pages_of_others() -> None:
    """No page of another origin has a call, nor does who comes under a name that may be anybody's."""

    async def test() -> None:
        async with serving(hosts=["Desk"]) as address:
            own = f"127.0.0.1:{address.port}"
            for origin in ("https://evil.example", "null", f"http://127.0.0.1:{address.port + 1}"):
                assert (await address.refused("/typing", origin=origin))[0] == 403
            assert (await address.refused("/typing", origin=f"http://{own}"))[0] == 101
            for host, status in (
                ("evil.example", 403), ("", 403), ("[", 403), ("localhost.evil.example", 403), ("localhost", 200),
                ("desk:80", 200), ("[::1]:5", 200), (own, 200),
            ):  # fmt: skip
                assert (await status_of(address, "/", host)) == status, host
            assert await status_of(address, "/calls/x", own) == 404
            assert (await address.refused("/microphone"))[0] == 403  # there is no key

    run(test)


async def status_of(address: Address, path: str, host: str) -> int:
    async with await anyio.connect_tcp("127.0.0.1", address.port) as stream:
        await stream.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join([piece async for piece in stream])
    return int(answer.split(b" ")[1])


def test_what_the_page_is_made_of() -> None:
    """Small, from this server only, and without a secret."""

    async def test() -> None:
        async with serving(flux={"api_key": "secret-key"}) as address:
            total = 0
            for path in ("/", "/play.css", "/play.js", "/scope.js", "/turnkit.js", "/settings"):
                status, text = await address.get(path)
                assert status == 200, path
                assert "secret-key" not in text
                assert "https://" not in text
                total += len(text) if path != "/turnkit.js" else 0
            assert total < 60_000
            told = json.loads((await address.get("/settings"))[1])
            assert told["microphone"] is True
            assert (await address.get("/nothing"))[0] == 404
            assert (await address.get("/page.html"))[0] == 404

    run(test)


def test_a_call_in_the_viewer() -> None:
    """By its name, in the middle of the call and after it."""

    async def test() -> None:
        async with serving() as address:
            async with page(address) as peer:
                name = (await until(peer, "began"))["recording"]
                await until(peer, "said", heard="Hello! I am a small bot.")
                await anyio.sleep(0.7)  # until it is flushed
                status, text = await address.get(f"/calls/{name}")
                assert (status, "I am a small bot" in text) == (200, True)
            assert (await address.get(f"/calls/{name}"))[0] == 200
            assert (await address.get("/calls/..%2f..%2fetc%2fpasswd"))[0] == 404

    run(test)


def test_calls_may_be_kept(tmp_path: Path) -> None:
    """Each in a file of its own, for its owner alone; it is whole, and there when the server is gone."""

    async def test() -> None:
        async with serving(record=f"{tmp_path}/") as address:
            for _ in range(2):
                async with page(address) as websocket:
                    name = (await until(websocket, "began"))["recording"]
                    await websocket.send('{"type":"hang_up"}')
                    await closed(websocket)
                assert (await address.get(f"/calls/{name}"))[0] == 200

    run(test)
    calls = list(tmp_path.iterdir())
    assert [call.stat().st_mode & 0o777 for call in calls] == [0o600, 0o600]
    assert {read(call).ended for call in calls} == {"closed"}


def test_the_server_ends_in_the_middle_of_a_call() -> None:
    """The page is told, and nothing holds it up."""

    async def test() -> None:
        async with serving() as address:
            peer = await page(address)
            await until(peer, "began")
        assert await closed(peer) in (1001, 1006, 1011, 1012, None)

    run(test)
