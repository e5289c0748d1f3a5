"""The lines that docs/browser.md asks of a user, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import MICROPHONE, voice
from tests.support.phone_calls import ScriptedFlux
from tests.support.sessions import turn
from turnkit.interop import browser
from turnkit.session import Reply

pytest.importorskip("fastapi", reason="needs FastAPI, which is not for development; .ci/interop has it")
pytest.importorskip("httpx", reason="FastAPI's own test client needs httpx; .ci/interop has it")

PAGE = (Path(__file__).parents[3] / "docs" / "browser.md").read_text()


async def respond(reply: Reply) -> None:
    await reply.say("One")


@pytest.mark.filterwarnings("default:Using `httpx`")  # of some versions of Starlette, about their own parts
def test_the_lines_hold_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script is served, and the call held with the key that was given."""
    from fastapi.testclient import TestClient

    keys: list[str] = []

    def connect(options: Any, *, api_key: str) -> Any:
        keys.append(api_key)
        return ScriptedFlux(0.1, *turn(0, "Hello?")).connect(options)

    async def hold_call(*args: Any, **settings: Any) -> None:
        await held(*args, **settings, connect=connect)

    held = browser.hold_call
    monkeypatch.setattr(browser, "hold_call", hold_call)
    lines = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {"respond": respond, "tts": voice, "KEY": "a key"}
    for block in lines:
        exec(block.replace("from __future__", "#"), names)
    client = TestClient(names["app"])
    served = client.get("/turnkit.js")
    assert served.text == browser.script()
    assert served.headers["content-type"].startswith("text/javascript")
    with client.websocket_connect("/call") as page:
        page.send_bytes(MICROPHONE)
        assert page.receive_json() == {"type": "begin", "epoch": 1, "rate": 24000}
        assert page.receive_bytes()
        page.send_text("garbage")
        while (message := page.receive())["type"] != "websocket.close":
            pass
        assert message["code"] == 1007
    assert keys == ["a key"]
