"""The simulator's REST: what clients ask for beside the stream, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from tests.support.simulator_client import CLOSE, HELLO, call, refusal
from turnkit.simulator import Simulator, serve

pytestmark = pytest.mark.anyio

TOKEN_KEY = "Authorization: Token key-1"


async def ask(flux: Simulator, *lines: str, body: str = "", pieces: int = 1) -> tuple[int, Any]:
    """Send a request as it stands, cut into so many pieces; the status and the body of the answer."""
    head = "\r\n".join((*lines, "Host: x", *([f"Content-Length: {len(body)}"] if body else []), "", ""))
    request = (head + body).encode()
    async with await anyio.connect_tcp(flux.host, flux.port) as socket:
        size = -(-len(request) // pieces)
        for at in range(0, len(request), size):
            await socket.send(request[at : at + size])
            await anyio.sleep(0.001)
        got = b""
        with anyio.fail_after(10):
            async for data in socket:
                got += data
    head_got, _, body_got = got.partition(b"\r\n\r\n")
    assert b"application/json" in head_got
    assert b"dg-request-id" in head_got
    return int(head_got.split()[1]), json.loads(body_got)


async def test_projects_are_listed() -> None:
    """One, as whoever checks a key asks for."""
    async with serve(HELLO, api_key="key-1") as flux:
        status, told = await ask(flux, "GET /v1/projects HTTP/1.1", TOKEN_KEY)
    assert status == 200
    assert [sorted(project) for project in told["projects"]] == [["name", "project_id"]]


@pytest.mark.parametrize("pieces", [1, 2, 40, 500])
async def test_a_token_is_granted_and_taken(pieces: int) -> None:
    """However the request is cut; in the header and as a subprotocol, but not as a key."""
    async with serve(HELLO, api_key="key-1") as flux:
        status, told = await ask(flux, "POST /v1/auth/grant HTTP/1.1", TOKEN_KEY, body="{}", pieces=pieces)
        token = told["access_token"]
        assert (status, told["expires_in"]) == (200, 30)
        good: dict[str, Any]
        for good in ({"additional_headers": {"Authorization": f"Bearer {token}"}}, {"subprotocols": ["bearer", token]}):
            messages, _ = await call(flux, [CLOSE], **good)
            assert [message["type"] for message in messages] == ["Connected"]
        as_key: dict[str, Any] = {"additional_headers": {"Authorization": f"Token {token}"}}
        assert (await refusal(flux, **as_key)).status_code == 401
        assert token not in repr(flux) + repr(flux.connections)


async def test_a_token_expires() -> None:
    """After the seconds that were asked for; whoever is connected by then stays so."""
    async with serve(HELLO, api_key="key-1") as flux:
        body = '{"ttl_seconds": 5}'
        _, told = await ask(flux, "POST /v1/auth/grant HTTP/1.1", TOKEN_KEY, body=body)
        bearer: dict[str, Any] = {"additional_headers": {"Authorization": f"Bearer {told['access_token']}"}}
        assert told["expires_in"] == 5
        await anyio.sleep(4.0)
        assert (await call(flux, [CLOSE], **bearer))[0]
        await anyio.sleep(1.5)
        assert (await refusal(flux, **bearer)).status_code == 401


@pytest.mark.parametrize("body", ["{", "[]", '{"ttl_seconds": 0}', '{"ttl_seconds": "5"}', '{"ttl_seconds": 1e400}'])
async def test_a_bad_body_is_refused(body: str) -> None:
    """With 400."""
    async with serve(HELLO) as flux:
        status, told = await ask(flux, "POST /v1/auth/grant HTTP/1.1", body=body)
    assert (status, told["err_code"]) == (400, "INVALID_REQUEST_BODY")


async def test_who_may_not_ask_is_refused() -> None:
    """401 without the key; 405 for what is asked for in another way; other paths as ever."""
    async with serve(HELLO, api_key="key-1") as flux:
        assert (await ask(flux, "GET /v1/projects HTTP/1.1"))[0] == 401
        assert (await ask(flux, "POST /v1/auth/grant HTTP/1.1", body="{}"))[0] == 401
        assert (await ask(flux, "GET /v1/auth/grant HTTP/1.1", TOKEN_KEY))[0] == 405
        assert (await ask(flux, "POST /v1/projects HTTP/1.1", TOKEN_KEY, body="{}"))[0] == 405
        assert (await ask(flux, "GET /v1/models HTTP/1.1", TOKEN_KEY))[0] == 404


@pytest.mark.parametrize("first", ["POST " + "x" * 5000, "POST /v1/auth/grant HTTP/1.1\r\nContent-Length: 9000000"])
async def test_what_never_ends_is_not_waited_for_beyond_bounds(first: str) -> None:
    """It is cut off, and the next one is served."""
    async with serve(HELLO) as flux:
        with anyio.fail_after(10), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError, OSError)):
            await send_and_read(flux, f"{first}\r\n{'y' * 20000}\r\n\r\n".encode())
        assert (await call(flux, [CLOSE]))[0]


async def send_and_read(flux: Simulator, request: bytes) -> None:
    """Send it, and read until that is no longer possible."""
    async with await anyio.connect_tcp(flux.host, flux.port) as socket:
        await socket.send(request)
        while True:
            await socket.receive()
