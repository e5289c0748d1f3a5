"""The server of calls on real sockets, with the simulator for Flux: calls, refusals, probes, peers that are none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support import web_bot
from tests.support.web_server import bot_server, heard, run
from turnkit import ConfigError
from turnkit.testing import FakePhone

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")

from turnkit.interop.web import application

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")  # of some versions of uvicorn, their own


def test_calls() -> None:
    """Of each service, at once; the bound turns away what is more, and lets in again who comes later."""

    async def test() -> None:
        async with bot_server(max_calls=3) as address, anyio.create_task_group() as tasks:
            phones = {name: FakePhone(line=name) for name in ("twilio", "telnyx", "plivo")}
            for name, phone in phones.items():
                tasks.start_soon(address.dial, phone, f"/{name}")
            await heard(phones.values())
            status, told = await address.get("/ready")
            assert status == 503
            assert '"reason":"full"' in told
            assert (await address.get("/health"))[0] == 200
            assert await address.refused() == (503, '{"refused":"full"}')
            assert "All lines are busy" in (await address.get("/answer", post="From=1"))[1]
            with pytest.raises(ConnectionClosed) as closed:
                async with connect(f"ws://127.0.0.1:{address.port}/call", proxy=None) as page:
                    await page.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
            phones["plivo"].hang_up()
            await address.until("/ready", calls=2, ready=True)
            assert (await address.figures())["refused"] == {"full": 3, "late": 0, "draining": 0}
            tasks.start_soon(address.dial, later := FakePhone())
            await heard([later])
            for phone in (*phones.values(), later):
                phone.hang_up()
            await address.until(calls=0)
            assert [phone.complaints for phone in (*phones.values(), later)] == [[]] * 4

    run(test)


def test_refused_while_the_loop_is_late() -> None:
    """A bot that blocks the loop: who comes is told at once, and let in when it has stopped."""

    async def test() -> None:
        async with bot_server(max_lag=0.1) as address:
            stop = anyio.Event()

            async def block() -> None:
                while not stop.is_set():
                    time.sleep(0.3)  # noqa: ASYNC251  # as a bot should not
                    await anyio.sleep(0.01)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(block)
                await anyio.sleep(1)
                assert await address.refused() == (503, '{"refused":"late"}')
                assert '"reason":"late"' in (await address.get("/ready"))[1]
                stop.set()
            while (await address.refused())[0] != 101:  # noqa: ASYNC110  # as soon as it is on time
                await anyio.sleep(0.1)

    run(test)


def test_peers_that_are_none() -> None:
    """Garbage, binary, a page's frames, silence and those who vanish end their own calls, and no other."""

    async def test() -> None:
        async with bot_server() as address, anyio.create_task_group() as tasks:
            tasks.start_soon(address.dial, good := FakePhone())
            await heard([good])
            for path in ("/twilio", "/telnyx", "/plivo", "/call"):
                for frame in ("garbage", b"\xff\xff\xff", "[]", '{"event":"media"}', "x" * 100_000):
                    async with connect(f"ws://127.0.0.1:{address.port}{path}", proxy=None) as peer:
                        await peer.send(frame)
                async with connect(f"ws://127.0.0.1:{address.port}{path}", proxy=None) as peer:
                    peer.transport.abort()
            await address.until(calls=1)
            assert (await address.get("/nothing"))[0] == 404
            assert (await address.refused("/nothing"))[0] in (403, 404)
            before = good.heard_seconds
            await heard([good], before + 0.5)
            good.hang_up()
            assert good.complaints == []
            await address.until(calls=0)

    run(test)


def test_a_bot_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """Its call ends, is logged, and frees its place; the next one is taken."""
    failures = [ValueError("no bot"), None]

    def make_session(call: Any) -> Any:
        if failure := failures.pop(0):
            raise failure
        return web_bot.session(call)

    async def test() -> None:
        async with bot_server(make_session, max_calls=1) as address, anyio.create_task_group() as tasks:
            await address.dial(FakePhone())
            await address.until(calls=0)
            tasks.start_soon(address.dial, phone := FakePhone())
            await heard([phone])
            phone.hang_up()

    run(test)
    assert "call_failed" in capsys.readouterr().err


def test_twilio_signs() -> None:
    """With the auth token, `/answer` and the websocket are for Twilio alone."""

    def signed(text: str) -> str:
        return base64.b64encode(hmac.new(b"token", text.encode(), hashlib.sha1).digest()).decode()

    async def test() -> None:
        async with bot_server(auth_token="token", public_url="https://bot.example.com") as address:
            signature = signed("https://bot.example.com/answerCallSidCA1From+49 1")
            form = "From=%2B49+1&CallSid=CA1"
            status, told = await address.get("/answer", f"X-Twilio-Signature: {signature}", post=form)
            assert status == 200
            assert '<Stream url="wss://bot.example.com/twilio"' in told
            assert (await address.get("/answer", f"X-Twilio-Signature: {signature}", post=form + "1"))[0] == 403
            assert (await address.get("/answer", post=form))[0] == 403
            assert (await address.refused())[0] == 403
            headers = {"X-Twilio-Signature": signed("wss://bot.example.com/twilio")}
            assert (await address.refused(additional_headers=headers))[0] == 101

    run(test)


def test_pages_of_others() -> None:
    """No page of another origin spends your key; those that are named may, and this server's own."""

    async def test() -> None:
        async with bot_server(origins=["https://friend.example"]) as address:
            assert (await address.refused("/call", origin="https://evil.example"))[0] == 403
            assert (await address.refused("/call", origin="https://friend.example"))[0] == 101
            assert (await address.refused("/call", origin=f"http://127.0.0.1:{address.port}"))[0] == 101
            status, page = await address.get("/")
            assert status == 200
            assert "./turnkit.js" in page
            assert "TurnkitCall" in (await address.get("/turnkit.js"))[1]

    run(test)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"drain": -1.0}, "drain=-1.0"),
        ({"max_calls": 0}, "max_calls=0"),
        ({"public_url": "http://bot.example.com"}, "public_url="),
        ({"make_session": "session"}, "make_session='session': must be a function"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        application(**{"make_session": web_bot.session, **settings})
