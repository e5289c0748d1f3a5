"""The lines of docs/phone.md: they are a bot on the phone, on a real server."""

from __future__ import annotations

import re
import socket
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect

from tests.support.phone_calls import ScriptedFlux, mulaw_voice
from tests.support.sessions import turn
from tests.support.web_server import heard
from turnkit.session import Reply
from turnkit.testing import FakePhone
from turnkit.turns.events import StartOfTurn, Update

pytest.importorskip("fastapi", reason="needs FastAPI, which is not for development; .ci/interop has it")
uvicorn = pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")
GREETING = 1.5  # seconds
PAGE = Path(__file__).resolve().parents[2] / "docs" / "phone.md"


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of some versions of uvicorn, about their own parts
def test_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TwiML is answered, the caller is greeted, one word does not interrupt and two do; the call is recorded."""
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]
    assert len([line for line in lines.splitlines() if line.strip()]) <= 16
    phone = FakePhone()
    greeted, answered = (partial(heard, [phone], seconds) for seconds in (GREETING, GREETING + 0.3))
    reported = [0.02] * 20  # what was heard is told, however late everybody is
    interruption = [StartOfTurn(1, "Sorry"), 0.2, Update(1, "Sorry, stop")]
    flux = ScriptedFlux(greeted, *reported, *turn(0, "Hello?"), answered, *reported, *interruption)

    async def respond(reply: Reply) -> None:
        await reply.say("One two three four five six " * 10)

    names: dict[str, Any] = {"respond": respond, "tts": mulaw_voice, "flux": flux, "KEY": "key"}
    exec(lines.replace("api_key=KEY", "connect=flux.connect"), names)
    anyio.run(_call, names["app"], phone)
    assert phone.complaints == []
    assert phone.events("clear") == ["clear"]
    assert GREETING < phone.heard_seconds < GREETING + 15.0
    assert len(list((tmp_path / "calls").iterdir())) == 1


async def _call(app: Any, phone: FakePhone) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    serving = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serving.serve, [listening])
        async with await anyio.connect_tcp("127.0.0.1", port) as client:
            await client.send(b"POST /answer HTTP/1.1\r\nHost: bot\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            answer = b"".join([part async for part in client])
        assert b"text/xml" in answer
        assert b'<Connect><Stream url="wss://bot.example.com/phone"' in answer

        async def leave_when_interrupted() -> None:
            while True:
                await anyio.sleep(0.05)
                if phone.events("clear"):
                    return phone.hang_up()

        async with connect(f"ws://127.0.0.1:{port}/phone", proxy=None) as line:
            with anyio.fail_after(60):
                tasks.start_soon(leave_when_interrupted)
                await phone.call(line)
        serving.should_exit = True
    listening.close()
