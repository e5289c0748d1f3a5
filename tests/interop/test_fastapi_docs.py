"""The lines of fastapi.md: calls of a page and of a phone in one application, and the mounted one with its lifespan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.doc_blocks import python_of
from tests.support.pages import MICROPHONE, voice
from tests.support.phone_calls import ScriptedFlux
from tests.support.sessions import turn
from turnkit.interop import browser, twilio
from turnkit.session import Reply

pytest.importorskip("fastapi", reason="needs FastAPI, which is not for development; .ci/interop has it")
pytest.importorskip("httpx", reason="FastAPI's own test client needs httpx; .ci/interop has it")
pytestmark = pytest.mark.filterwarnings("default:Using `httpx`")  # of some versions of Starlette, about their own parts

FIRST, SECOND = python_of("docs/fastapi.md", "tests/interop/test_fastapi_docs.py")


async def respond(reply: Reply) -> None:
    await reply.say("One")


def names(keys: list[str]) -> dict[str, Any]:
    return {"respond": respond, "tts": voice, "KEY": "a key", "keys": keys}


def test_the_lines_hold_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A page is answered and recorded; a phone is told where to call, and its websocket is a phone's."""
    from fastapi.testclient import TestClient

    monkeypatch.chdir(tmp_path)
    thresholds: list[float | None] = []

    def connect(options: Any, *, api_key: str) -> Any:
        assert api_key == "a key"
        thresholds.append(options.eager_eot_threshold)
        return ScriptedFlux(0.1, *turn(0, "Hello?")).connect(options)

    for world in (browser, twilio):
        held = world.hold_call
        monkeypatch.setattr(
            world, "hold_call", lambda *args, held=held, **settings: held(*args, **settings, connect=connect)
        )
    given = names([])
    exec(compile(FIRST.code, str(FIRST), "exec", dont_inherit=True), given)
    client = TestClient(given["app"])
    assert client.get("/turnkit.js").text == browser.script()
    assert 'url="wss://bot.example.com/phone"' in client.post("/answer").text
    with client.websocket_connect("/call") as page:
        page.send_bytes(MICROPHONE)
        assert page.receive_json() == {"type": "begin", "epoch": 1, "rate": 24000}
        assert page.receive_bytes()
    with client.websocket_connect("/phone") as phone:
        phone.send_text("garbage")
        assert phone.receive()["type"] == "websocket.close"
    assert thresholds == [0.5]
    assert len(list((tmp_path / "calls").iterdir())) == 1


def test_what_is_mounted_lives_and_ends_with_the_application() -> None:
    """It has room while it runs, and lets nobody in once it has ended."""
    pytest.importorskip("uvicorn", reason="turnkit.interop.web needs it; .ci/interop has it")
    from fastapi.testclient import TestClient

    given = names([])
    exec(compile(FIRST.code, str(FIRST), "exec", dont_inherit=True), given)
    exec(compile(SECOND.code, str(SECOND), "exec", dont_inherit=True), given)
    with TestClient(given["app"]) as client:
        assert client.get("/voice/ready").status_code == 200
        assert client.get("/voice/health").status_code == 200
        assert client.get("/voice/").status_code == 404
    assert given["calls"].state.admission.draining is True
