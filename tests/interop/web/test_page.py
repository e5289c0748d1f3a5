"""The page of `turnkit serve` in a real Chromium with a fake microphone, and how it looks."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Page, browser, needs_browser
from tests.support.package_source import ROOT
from tests.support.served_page import eventually, microphone_flags

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")

pytestmark = needs_browser

LINES = "[...document.querySelectorAll('li')].map((line) => [line.className.trim(), line.textContent])"
STATE = "document.getElementById('state').textContent"
SPILLS = "document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight"
# How the ink of each element that has text stands out against what is behind it, least first.
CONTRAST = """(() => {
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
    .map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!colour.endsWith(", 0)")) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return Math.min(...[...document.querySelectorAll("h1, p, button, time, li.bot, li.answered")]
    .filter((element) => element.textContent && element.offsetParent)
    .map((element) => [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a))
    .map(([more, less]) => (more + 0.05) / (less + 0.05)));
})()"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "turnkit", "serve", "tests.support.web_page_bot:session", "--simulate"]
    with subprocess.Popen(
        [*command, "--port", "0", "--drain", "1", "--max-lag", "30"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+/", server.stdout.readline())
            assert found
            yield found[0]
            server.send_signal(signal.SIGTERM)
            server.wait(20)
        finally:
            server.kill()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, address: str) -> Iterator[Page]:
    folder: Path = tmp_path_factory.mktemp("chromium")
    with browser(folder / "profile", *microphone_flags(folder)) as page:
        page.open(address)
        yield page


def look(page: Page, name: str, pictures: Path) -> None:
    """Nothing spills over, and all can be read, on a desk and on a phone, in light and in dark."""
    for width, height in ((1280, 900), (390, 780)):
        page.resize(width, height)
        for scheme in ("light", "dark"):
            media = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
            features = [{"name": name, "value": value} for name, value in media.items()]
            page.call("Emulation.setEmulatedMedia", features=features)
            page.drawn()
            assert page.ask(SPILLS) is False
            assert page.ask(CONTRAST) >= 4.5
            (pictures / f"{name}-{width}-{scheme}.png").write_bytes(page.picture())


def test_a_call(page: Page, tmp_path: Path) -> None:
    """What the simulated caller says is written as it grows, the bot's answer as it is heard; then it is hung up."""
    look(page, "idle", tmp_path)
    assert page.ask(STATE) == "Ready when you are."
    page.ask("document.getElementById('call').click()", clicked=True)
    eventually(lambda: page.ask("document.body.dataset.state") == "live")
    assert page.ask("document.getElementById('call').textContent") == "Hang up"
    eventually(lambda: page.ask(LINES) and "answered" in page.ask(LINES)[0][0])
    assert page.ask(LINES)[0] == ["you answered", "I'd like to book a table for two, please."]
    eventually(lambda: page.ask(STATE) == "The bot speaks.")
    said = eventually(lambda: next((text for kind, text in page.ask(LINES) if kind == "bot"), None))
    eventually(lambda: any(kind == "bot" and len(text) > len(said) for kind, text in page.ask(LINES)))
    eventually(lambda: page.ask("Number(document.getElementById('orb').style.getPropertyValue('--level'))") > 0.1)
    look(page, "live", tmp_path)
    page.ask("document.getElementById('mute').click()", clicked=True)
    assert page.ask("[call.muted, document.getElementById('mute').textContent]") == [True, "Unmute"]
    page.ask("document.getElementById('call').click()", clicked=True)
    eventually(lambda: page.ask("document.body.dataset.state") == "ended")
    assert page.ask("document.getElementById('call').textContent") == "Call"
    look(page, "ended", tmp_path)
    assert page.complaints == []


def test_another_call_on_the_same_page(page: Page) -> None:
    """The lines of the last one are gone, and the microphone is on again."""
    page.ask("document.getElementById('call').click()", clicked=True)
    eventually(lambda: page.ask("document.body.dataset.state") == "live")
    assert page.ask(LINES) == []
    assert page.ask("call.muted") is False
    page.ask("document.getElementById('call').click()", clicked=True)
    eventually(lambda: page.ask("document.body.dataset.state") == "ended")
    assert page.complaints == []
