"""The page in a real Chromium: typed at by keys, interrupted, its sliders moved, its call opened in the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.browser import Page, browser, needs_browser
from tests.support.play_server import serving
from tests.support.served_page import eventually, microphone_flags
from turnkit.simulator import Script, serve

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")

pytestmark = [
    needs_browser,
    pytest.mark.filterwarnings("default::DeprecationWarning"),  # of some versions of uvicorn, their own
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The server, with a simulated Flux for the microphone; at most two calls at once."""
    with start_blocking_portal() as portal:
        caller = serve(Script.parse("0.5 Tell me a story."))
        with portal.wrap_async_context_manager(caller) as flux:
            settings: dict[str, Any] = {"flux": {"url": flux.url}, "max_calls": 2}
            with portal.wrap_async_context_manager(serving(**settings)) as server:
                yield f"http://127.0.0.1:{server.port}/"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder: Path = tmp_path_factory.mktemp("chromium")
    with browser(folder / "profile", *microphone_flags(folder)) as page:
        yield page


@pytest.fixture
def page(chromium: Page, address: str) -> Iterator[Page]:
    """The page, opened anew, in a call that has begun."""
    chromium.resize(1280, 860)
    chromium.complaints.clear()
    chromium.open(address)
    eventually(lambda: chromium.ask("window.call?.state") == "live")
    chromium.ask("document.getElementById('text').focus()")
    yield chromium
    chromium.open("about:blank")
    assert chromium.complaints == []


NAMES = """
const whole = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  if (/^(end|draft) [0-9]/.test(text)) {
    window.names = Object.fromEntries(Object.entries(window.names ?? {}).filter(([name]) => name[0] !== text[0]));
    window.names[text] = y;
  }
  whole.call(this, text, x, y);
};"""
"""Keeps the height at which the name of each threshold was drawn last."""


def keys(page: Page, text: str) -> None:
    for letter in text:
        page.call("Input.dispatchKeyEvent", type="keyDown", text=letter, key=letter)
        page.call("Input.dispatchKeyEvent", type="keyUp", key=letter)
        sleep(0.09)


def enter(page: Page) -> None:
    for kind, more in (("keyDown", {"text": "\r"}), ("keyUp", {})):
        page.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, **more)


def signals(page: Page) -> list[str]:
    """Their names, the newest first."""
    found: list[str] = page.ask("[...document.querySelectorAll('#signals li')].map((row) => row.dataset.signal)")
    return found


def lines(page: Page, of: str) -> list[str]:
    found: list[str] = page.ask(f"[...document.querySelectorAll('#lines .by-{of} p')].map((line) => line.innerText)")
    return found


def text_of(page: Page, name: str) -> str:
    found: str = page.ask(f"document.getElementById('{name}').innerText")
    return found


def move(page: Page, slider: str, value: float) -> None:
    page.ask(f"document.getElementById('{slider}').value = {value}")
    for event in ("input", "change"):
        page.ask(f"document.getElementById('{slider}').dispatchEvent(new Event('{event}'))")


def test_a_call_by_keys(page: Page) -> None:
    """A pause and its draft, a reply, an interruption in the middle of it, and the call in the viewer."""
    eventually(lambda: lines(page, "bot") and lines(page, "bot")[0].startswith("Hello! I am"))
    keys(page, "I'd like a table")
    eventually(lambda: "Speculate" in signals(page))
    assert text_of(page, "bot") == "drafting"
    keys(page, " for two, please")
    enter(page)
    eventually(lambda: "I'd like a table for two, please." in lines(page, "you"))
    assert "Cancel" in signals(page)
    eventually(lambda: page.ask("document.getElementById('text').value") == "")
    eventually(lambda: any(line.startswith("Let me see") for line in lines(page, "bot")))
    eventually(lambda: text_of(page, "bot") == "speaking")
    assert signals(page).count("BargeIn") == 1, "of the greeting"
    keys(page, "Sorry, wait")
    eventually(lambda: signals(page).count("BargeIn") == 2)
    eventually(lambda: page.ask("document.querySelectorAll('#lines .interrupted .cut').length") == 2)
    assert "words heard" in page.ask("[...document.querySelectorAll('#lines .interrupted small')].at(-1).innerText")
    enter(page)
    eventually(lambda: any(line.startswith("I stopped") for line in lines(page, "bot")))
    said = page.ask("[...document.querySelectorAll('#news p')].map((line) => line.textContent)")
    assert "You: I'd like a table for two, please." in said
    assert any(line.startswith("Bot: ") and line.endswith("(interrupted)") for line in said)
    sleep(0.8)  # until it is flushed
    page.open(page.ask("document.getElementById('viewer').href"))
    assert "for two, please." in page.ask("document.querySelector('#transcript').innerText")


def test_a_slider_in_mid_call(page: Page) -> None:
    """Flux's answer is shown; a draft's threshold above the turn's takes that with it; off is not in mid-call."""
    page.ask(NAMES)
    move(page, "eot", 0.85)
    eventually(lambda: text_of(page, "configured") == "ConfigureSuccess: 0.85 and 0.40 are in force.")
    move(page, "eager", 0.9)
    eventually(lambda: text_of(page, "configured") == "ConfigureSuccess: 0.90 and 0.90 are in force.")
    page.drawn()
    names = sorted(page.ask("window.names").items(), key=lambda name: name[1])
    assert [name for name, _ in names] == ["end 0.90", "draft 0.90"]
    assert names[1][1] - names[0][1] >= 12, "one name stands on the other"
    move(page, "timeout", 1000)
    eventually(lambda: text_of(page, "configured") == "ConfigureSuccess: 1000 ms are in force.")
    move(page, "eager", 0.29)
    assert "from the next call on" in text_of(page, "configured")
    page.ask("document.getElementById('policy').value = 'immediate'")
    page.ask("document.getElementById('policy').dispatchEvent(new Event('change'))")
    eventually(lambda: "The first word stops the bot. In force" in text_of(page, "chosen"))
    keys(page, "well")
    eventually(lambda: page.ask("document.querySelector('#lines .by-you small')?.innerText ?? ''").endswith("timeout"))
    page.ask("document.getElementById('call').click()")
    eventually(lambda: page.ask("call.state") == "ended")
    page.ask("document.getElementById('call').click()")
    eventually(lambda: page.ask("call.state") == "live")
    keys(page, "Tell me a story.")
    eventually(lambda: "Commit" in signals(page)[:1])
    assert "Speculate" not in signals(page), "drafts are off in this one"


def test_what_is_typed_for_the_user(page: Page) -> None:
    """By a button: with a pause for thought, and the draft that it costs."""
    page.ask("document.querySelector('#tries button').click()")
    eventually(lambda: "I'd like a table for two, please." in lines(page, "you"))
    assert {"Speculate", "Cancel", "Commit"} <= set(signals(page))


def test_typing_after_the_call_calls_again(page: Page) -> None:
    """The words that began it are not lost."""
    page.ask("document.getElementById('call').click()")
    eventually(lambda: page.ask("call.state") == "ended")
    assert text_of(page, "state") == "The call is over."
    page.ask("document.getElementById('text').focus()")
    keys(page, "Hello.")
    eventually(lambda: page.ask("call.state") == "live")
    eventually(lambda: "Hello." in lines(page, "you"))


def test_a_page_that_leaves_frees_its_place(page: Page, address: str) -> None:
    """Of two at most: the third call is had by who comes after."""
    for _ in range(4):
        page.open(address)
        eventually(lambda: page.ask("window.call?.state") == "live")


@pytest.mark.parametrize("error", ["NotAllowedError", "NotFoundError"])
def test_without_a_microphone_nobody_is_asked_to_speak(page: Page, error: str) -> None:
    """Refused, or not there: the foot says why, its dot is not lit, and of no signal is there a count."""
    keys(page, "Hi.")
    eventually(lambda: page.ask("document.getElementById('count').textContent") != "")
    page.ask(f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{error}') }}; 1")
    page.ask("document.getElementById('mode').click()", clicked=True)
    eventually(lambda: page.ask("call.state") == "ended" and page.ask("call.mode") == "microphone")
    foot = page.ask("document.querySelector('#spoken p').innerText")
    assert foot == page.ask("document.getElementById('state').innerText")
    assert "icrophone was" in foot
    assert page.ask("document.getElementById('spoken').classList.contains('over')")
    assert page.ask("document.getElementById('count').textContent") == ""


@pytest.mark.parametrize("width", [360, 500, 700])
def test_no_button_is_cut_off(page: Page, width: int) -> None:
    """However narrow the window is."""
    page.resize(width, 860)
    right = (
        "Math.max(...[...document.querySelectorAll('#tries button')].map((one) => one.getBoundingClientRect().right))"
    )
    assert page.ask(right) <= page.ask("document.getElementById('form').getBoundingClientRect().right")


def test_with_the_microphone(page: Page) -> None:
    """What the simulated Flux hears in its place is answered on the same page, over the same sliders."""
    page.ask("document.getElementById('mode').click()", clicked=True)
    eventually(lambda: "Tell me a story." in lines(page, "you"))
    eventually(lambda: any("lighthouse" in line for line in lines(page, "bot")))
    assert page.ask("document.getElementById('form').hidden") is True
    move(page, "eot", 0.6)
    eventually(lambda: text_of(page, "configured").startswith("ConfigureSuccess: 0.60"))
    page.ask("document.getElementById('call').click()")
    eventually(lambda: page.ask("call.state") == "ended")


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844), (320, 640)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits(chromium: Page, address: str, width: int, height: int, theme: str) -> None:
    """No width scrolls sideways, nothing overlaps in the floor, and the system's colours are followed."""
    chromium.resize(width, height)
    chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    chromium.open(address)
    eventually(lambda: chromium.ask("window.call?.state") == "live")
    chromium.ask("document.querySelector('#tries button').click()")
    eventually(lambda: "Speculate" in signals(chromium))
    assert chromium.ask("document.documentElement.scrollWidth") <= width
    assert chromium.ask("document.documentElement.dataset.theme") == theme
    outside = """[...document.querySelectorAll("header *, #floor *, .knobs *, #lines p")].filter((element) => {
      const box = element.getBoundingClientRect();
      return box.width && (box.left < 0 || box.right > innerWidth + 0.5) }).map((element) => element.outerHTML)"""
    assert chromium.ask(outside) == []
    chromium.open("about:blank")
