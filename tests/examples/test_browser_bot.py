"""The example browser_bot: its page in a real Chromium, from the click to the end of the simulated call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.browser import Page, browser, needs_browser
from tests.support.examples import load
from tests.support.served_page import eventually, microphone_flags

pytestmark = needs_browser


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Page]:
    """The page that the example serves, in a browser."""
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    example = load("browser_bot")
    with start_blocking_portal() as portal:
        running = portal.start_task_soon(example.main, 0)
        said = eventually(lambda: capsys.readouterr().out or (running.done() and running.result()))
        with browser(tmp_path / "profile", *microphone_flags(tmp_path)) as page:
            page.open(said.split()[1])
            yield page
        running.cancel()


def lines(page: Page) -> list[dict[str, Any]]:
    """What is written on the page: who said what, and what became of it."""
    line = "({ is: line.className, says: line.children[0].textContent })"
    written: list[dict[str, Any]] = page.ask(f"[...document.querySelectorAll('#talk li')].map((line) => {line})")
    return written


def test_browser_bot(page: Page) -> None:
    """Interrupted where it was heard to, not by "Mm-hm", asked by typing, and hung up on by the bot; at 390 px too."""
    page.ask("document.getElementById('call').click()", clicked=True)
    eventually(lambda: page.ask("document.body.dataset.state") == "live")
    eventually(lambda: "simulated" in page.ask("document.getElementById('notice').textContent"))
    eventually(lambda: any(line["is"] == "bot interrupted" for line in lines(page)))
    first, interrupted, mm = lines(page)[:3]
    assert first == {"is": "you answered", "says": "Hello there! Are you open on Sundays?"}
    answer = load("browser_bot").ANSWERS["sundays"]
    assert answer.startswith(interrupted["says"].strip())
    assert 0 < len(interrupted["says"]) < len(answer)
    assert mm == {"is": "you overlap_kept", "says": "Mm-hm."}
    page.resize(390, 780)
    assert page.ask("document.documentElement.scrollWidth") == 390
    eventually(lambda: lines(page)[-1]["says"].startswith("On public"))
    page.ask("void (document.getElementById('typed').value = 'Is <b>anybody</b> there?')")
    page.ask("document.getElementById('controls').requestSubmit()")
    eventually(lambda: any("You said: Is <b>anybody</b> there?" in line["says"] for line in lines(page)))
    eventually(lambda: page.ask("document.body.dataset.state") == "ended")
    assert page.ask("document.getElementById('state').textContent") == "The call was ended at the other side."
    assert lines(page)[-2:] == [
        {"is": "you answered", "says": "Wonderful, thank you. Goodbye!"},
        {"is": "bot finished", "says": "You are welcome. Goodbye!"},
    ]
    assert page.complaints == []
