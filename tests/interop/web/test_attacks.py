"""What peers and bots do to the server of calls that they should not: it costs their own call, and no other."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect

from tests.support import web_bot
from tests.support.web_server import bot_server, comes_true, heard, run
from turnkit import Session
from turnkit.testing import FakePhone

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")

from turnkit.interop.web import calls

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")  # of some versions of uvicorn, their own
START = {
    "event": "start",
    "streamSid": "MZ1",
    "start": {"streamSid": "MZ1", "callSid": "CA1", "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}},
}
MEDIA = {"event": "media", "streamSid": "MZ1", "media": {"track": "inbound", "payload": "/////w=="}}
MARK = {"event": "mark", "streamSid": "MZ1", "mark": {"name": "1:0.5"}}
STOP = {"event": "stop", "streamSid": "MZ1", "stop": {}}
DIGIT = {"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "1"}}


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([MEDIA, MARK, DIGIT, STOP], id="no-start"),
        pytest.param([STOP, START], id="stop-first"),
        pytest.param([START, START, MEDIA, STOP], id="two-starts"),
        pytest.param([START, MARK, MARK, STOP, MEDIA, MARK], id="marks-of-nothing-and-more-after-the-stop"),
        pytest.param([START, MEDIA, b"\x00\xff", MEDIA], id="binary"),
        pytest.param([START, "{", MEDIA], id="half-a-frame"),
        pytest.param([START, {"event": "media", "media": {"payload": "%%%"}}], id="no-base64"),
        pytest.param([{**START, "start": {}}], id="a-start-that-says-nothing"),
        pytest.param([START, {**MARK, "mark": {"name": "9999999:1e308"}}, STOP], id="a-mark-of-the-future"),
        pytest.param(["[" * 100_000], id="deep"),
    ],
)
def test_out_of_order(frames: list[Any]) -> None:
    """The server ends the call by itself, and what is said to another caller goes on."""

    async def test() -> None:
        async with bot_server() as address, anyio.create_task_group() as tasks:
            tasks.start_soon(address.dial, good := FakePhone())
            await heard([good])
            async with connect(f"ws://127.0.0.1:{address.port}/twilio", proxy=None) as peer:
                for frame in frames:
                    await peer.send(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))
                await peer.wait_closed()
            await address.until(calls=1)
            await heard([good], good.heard_seconds + 0.3)
            good.hang_up()
            await comes_true(lambda: good.ended is not None)
            assert good.complaints == []

    run(test)


def test_misbehaviour_in_the_middle_of_a_call() -> None:
    """Garbage ends the call that it comes in, and so does who vanishes; recordings and places are not lost by it."""

    async def test() -> None:
        async with bot_server() as address, anyio.create_task_group() as tasks:
            good, *bad = phones = [FakePhone() for _ in range(5)]
            for phone in phones:
                tasks.start_soon(address.dial, phone)
            await heard(phones)
            bad[0].send(b"\x00" * 200)
            bad[1].send('{"event":"media","media":{}}')
            bad[2].send("[]")
            bad[3].vanish()
            await address.until(calls=1)
            await comes_true(lambda: all(phone.ended for phone in bad))
            await heard([good], good.heard_seconds + 0.5)
            good.hang_up()

    run(test)


def test_a_thousand_at_once() -> None:
    """Fifty get in, all others are told in so many words, and who is in does not hear of it."""
    bound, many = 50, 1000

    async def test() -> None:
        async with bot_server(max_calls=bound) as address, anyio.create_task_group() as tasks:
            told: list[tuple[int, str]] = []
            hung_up = anyio.Event()

            async def knock() -> None:
                try:
                    async with connect(f"ws://127.0.0.1:{address.port}/twilio", proxy=None, open_timeout=60):
                        told.append((101, ""))
                        await hung_up.wait()
                except Exception as error:
                    response: Any = getattr(error, "response", None)
                    body = b"" if response is None else bytes(response.body or b"")
                    told.append((getattr(response, "status_code", 0), body.decode()))

            tasks.start_soon(address.dial, good := FakePhone())
            await heard([good])
            for _ in range(many):
                tasks.start_soon(knock)
            await comes_true(lambda: len(told) == many)
            assert told.count((101, "")) == bound - 1
            assert told.count((503, '{"refused":"full"}')) == many - bound + 1
            assert (await address.figures())["calls"] == bound
            await heard([good], good.heard_seconds + 0.5)
            hung_up.set()
            await address.until(calls=1)
            assert good.ended is None
            assert (await address.refused())[0] == 101
            good.hang_up()

    run(test)


def test_a_slow_bot() -> None:
    """A session that takes its time holds up its own caller alone, who is heard from the first word on."""
    slow = anyio.Event()

    async def make_session(call: Any) -> Any:
        if call.parameters.get("slow"):
            await slow.wait()
        return web_bot.session(call)

    async def test() -> None:
        async with bot_server(make_session) as address, anyio.create_task_group() as tasks:
            waiting, quick = FakePhone(parameters={"slow": "1"}), FakePhone()
            tasks.start_soon(address.dial, waiting)
            await address.until(calls=1)
            tasks.start_soon(address.dial, quick)
            await heard([quick])
            assert waiting.heard_seconds == 0
            slow.set()
            await heard([waiting])
            for phone in (waiting, quick):
                phone.hang_up()

    run(test)


@pytest.mark.parametrize("goes", ["the caller", "nobody"])
def test_a_bot_that_never_makes_a_session(
    goes: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The place is free once the caller has gone, or the bound is reached."""
    monkeypatch.setattr(calls, "_SESSION_SECONDS", 1.0 if goes == "nobody" else 600.0)

    async def make_session(call: Any) -> Session:
        await anyio.sleep_forever()
        raise AssertionError

    async def test() -> None:
        async with bot_server(make_session) as address, anyio.create_task_group() as tasks:
            tasks.start_soon(address.dial, phone := FakePhone())
            await address.until(calls=1)
            if goes == "the caller":
                phone.hang_up()
            await address.until(calls=0)
            assert phone.ended is not None

    run(test)
    assert ("gave no session in 1 s" in capsys.readouterr().err) == (goes == "nobody")
