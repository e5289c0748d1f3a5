"""The page of a call in a browser: lanes, words at every zoom, search, jumps, keys, and what a reader of it hears."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.browser import Page, browser, needs_browser
from tests.support.long_call import long_call
from tests.support.simulated_call import record
from turnkit.tools.viewer import page, scene
from turnkit.trace import read

MARKS = "[...new Set([...document.querySelectorAll('#lanes [data-mark]')].map((node) => node.dataset.mark))]"
MEANINGS = "[...document.querySelectorAll('#legend [data-legend]')].map((node) => node.dataset.legend)"
WORDS = """[...document.querySelectorAll('#lanes text.words')].map((node) => {
    const box = node.getBBox(); return [box.y, Math.max(box.x, gutter), box.x + box.width, node.textContent]; })"""
PICKED = "document.querySelector('#transcript .picked .spoken').textContent"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("pages")
    with browser(folder / "profile") as opened:
        yield opened


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("call")
    seen = scene(read(record(folder / "call.jsonl")))
    (folder / "call.html").write_text(page(seen, "light"), encoding="utf-8")
    return folder / "call.html"


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A call of forty minutes."""
    folder = tmp_path_factory.mktemp("hours")
    seen = scene(long_call(40.0))
    assert seen.seconds > 40 * 60
    (folder / "long.html").write_text(page(seen, "light"), encoding="utf-8")
    return folder / "long.html"


def opened(tab: Page, path: Path, width: int = 1280, height: int = 900) -> Page:
    tab.resize(width, height)
    tab.open(path)
    return tab


def window(tab: Page) -> list[float]:
    found: list[float] = tab.ask("[view.from, view.to]")
    return found


@needs_browser
def test_every_lane_is_drawn_without_complaint(tab: Page, call: Path) -> None:
    """Each lane has something in it, each turn and reply is in the transcript, and the console is silent."""
    opened(tab, call)
    lanes = tab.ask("Object.fromEntries(LANES.map((lane) => [lane.id, $('lane-' + lane.id).childElementCount]))")
    assert lanes.keys() == {"user", "flux", "confidence", "drafts", "agent", "signals", "waits"}
    assert all(lanes.values()), lanes
    assert tab.ask("document.querySelectorAll('#transcript .by-user').length") == tab.ask("scene.turns.length")
    assert tab.complaints == []


@needs_browser
def test_every_mark_is_in_the_legend(tab: Page, call: Path, hours: Path) -> None:
    """Whatever is drawn, near and far, has its meaning."""
    for path in (call, hours):
        opened(tab, path)
        meanings = set(tab.ask(MEANINGS))
        seen: set[str] = set()
        for span in (4000, 600, 60, 8, 1):
            tab.ask(f"show(20, {20 + span})")
            tab.drawn()
            seen |= set(tab.ask(MARKS))
        assert len(seen) > 15
        assert seen <= meanings
    assert tab.complaints == []


@needs_browser
def test_a_reply_that_failed_looks_like_it(tab: Page, call: Path) -> None:
    """In the lanes, in the figures and in the transcript, where what it was an answer to does not count as answered."""
    opened(tab, call)
    assert tab.ask("document.querySelectorAll('#lane-agent [data-mark=failed-end]').length") == 1
    assert tab.ask("document.querySelectorAll('#lane-agent [data-mark=failed]').length") == 1
    assert tab.ask("document.querySelectorAll('#lane-user [data-mark=turn-failed]').length") == 1
    figures = tab.ask(
        "Object.fromEntries([...$('tallies').children].map((pair) => [...pair.children].map((n) => n.textContent)))"
    )
    assert figures["failed"] == "1"
    assert int(figures["answered"]) + 2 == int(figures["turns"]), "one failed, and one was a backchannel"
    assert "failed" in tab.ask("document.querySelector('#transcript .by-agent.bad').innerText")
    assert "reply failed" in tab.ask("document.querySelector('#transcript .by-user.bad').innerText")


@needs_browser
def test_words_are_legible_at_every_zoom(tab: Page, hours: Path) -> None:
    """Of forty minutes, none run into each other or are cut to slivers, and some are there from far and near."""
    opened(tab, hours)
    for span in (2500, 1200, 600, 240, 60, 20, 6, 2):
        tab.ask(f"show(300, {300 + span})")
        tab.drawn()
        words = sorted(tab.ask(WORDS))
        assert len(words) >= 2 or span < 20, span
        for (row, _, end, _), (other, begin, _, _) in pairwise(words):
            assert row != other or end <= begin + 1.5, span
        assert all(len(text) >= 4 or "…" not in text for *_, text in words), span
    size = tab.ask("getComputedStyle(document.querySelector('#lanes text.words')).fontSize")
    assert float(size.removesuffix("px")) >= 12


@needs_browser
def test_search_goes_through_what_is_found(tab: Page, call: Path) -> None:
    """Slash goes to the field, Enter to the next place, which the lanes show; Escape ends it."""
    opened(tab, call)
    tab.press("/")
    assert tab.ask("document.activeElement.id") == "search"
    tab.call("Input.insertText", text="NINE")
    tab.drawn()
    count = tab.ask("hits.length")
    assert count >= 1
    assert tab.ask("$('found').textContent") == f"{count} found"
    assert tab.ask("document.querySelectorAll('#transcript mark').length") >= count
    tab.press("Enter")
    assert "nine" in tab.ask(PICKED).lower()
    assert tab.ask("$('found').textContent") == f"1 of {count}"
    begin, end = window(tab)
    assert begin < tab.ask("hits[0].at") < end
    tab.press("Escape")
    assert tab.ask("document.querySelectorAll('#transcript mark').length") == 0
    assert tab.ask("document.activeElement.id") != "search"
    tab.ask("$('search').value = 'nobody said this'; search()")
    assert tab.ask("$('found').textContent") == "nowhere"
    assert tab.complaints == []


@needs_browser
def test_jumps_lead_to_waits_failures_and_barge_ins(tab: Page, call: Path) -> None:
    """By key and by button, round and round; the longest wait comes first."""
    opened(tab, call)
    tab.press("w")
    longest = tab.ask("Math.max(...scene.turns.map((turn) => waitOf(turn) ?? 0))")
    assert tab.ask("waitOf(picked)") == longest
    tab.press("w")
    assert tab.ask("waitOf(picked)") <= longest
    tab.press("f")
    assert tab.ask("chosen.reply.failed") is True
    begin, end = window(tab)
    assert begin < tab.ask("chosen.at") < end
    tab.ask("$('jump-b').click()")
    tab.drawn()
    assert tab.ask("picked.cut_off") is not None
    assert tab.ask("$('jump-b').textContent") == f"barge-in 1 of {tab.ask('JUMPS[2].entries.length')}"
    assert tab.ask("$('detail').innerText").startswith("Turn ")


@needs_browser
def test_keys_and_wheel_zoom_and_move(tab: Page, call: Path) -> None:
    """Plus narrows the window, the wheel narrows it around the pointer, arrows move it, 0 shows the whole call."""
    opened(tab, call)
    whole = window(tab)
    tab.press("+")
    closer = window(tab)
    assert closer[1] - closer[0] < whole[1] - whole[0]
    tab.press("ArrowRight")
    assert window(tab)[0] > closer[0]
    before = window(tab)
    left, y = tab.ask("(() => { const r = lanesSvg.getBoundingClientRect(); return [r.x, r.y + 100]; })()")
    under = tab.ask("at(500)")
    tab.wheel(left + 500, y, -240)
    after = window(tab)
    assert after[1] - after[0] < before[1] - before[0]
    assert tab.ask("at(500)") == pytest.approx(under)
    tab.press("0")
    assert window(tab) == pytest.approx(whole)


@needs_browser
def test_n_and_p_go_through_the_transcript(tab: Page, call: Path) -> None:
    """The picked entry is marked, told to who cannot see it, and in the window; keys in the search field are text."""
    opened(tab, call)
    tab.press("n")
    first = tab.ask(PICKED)
    tab.press("n")
    assert tab.ask(PICKED) != first
    assert tab.ask("document.querySelectorAll('#transcript [aria-current=true]').length") == 1
    tab.press("p")
    assert tab.ask(PICKED) == first
    tab.ask("$('search').focus()")
    tab.press("n")
    assert tab.ask(PICKED) == first


@needs_browser
def test_what_was_not_heard_is_told_apart(tab: Page, call: Path) -> None:
    """By a line through it, and in words for a screen reader."""
    opened(tab, call)
    rest = tab.ask("document.querySelector('#transcript .by-agent:not(.draft) .rest').textContent")
    assert rest.startswith(" not heard: ")
    assert "terrace" in rest or "evening" in rest
    assert tab.ask(
        "[...document.querySelectorAll('button, input, svg[role]')].every((node) =>"
        " node.getAttribute('aria-label') || node.textContent.trim() || node.closest('label'))"
    )


@needs_browser
def test_hovering_and_clicking_tell_why(tab: Page, call: Path) -> None:
    """What a mark is about comes up beside the pointer, and stays below the lanes after a click."""
    opened(tab, call)
    tab.press("b")
    tab.hover('#lane-signals [data-kind="BargeIn"] circle')
    told = tab.ask("tip.hidden ? '' : tip.innerText")
    assert "BargeIn" in told
    assert "why" in told


@needs_browser
def test_a_phone_shows_it_without_scrolling_sideways(tab: Page, call: Path) -> None:
    """At 390 pixels nothing sticks out, and every lane is there with its name."""
    opened(tab, call, 390, 844)
    assert tab.ask("document.documentElement.scrollWidth") <= 390
    assert tab.ask("document.querySelectorAll('.lane-name').length") == tab.ask("LANES.length")
    assert tab.complaints == []


@needs_browser
def test_light_and_dark(tab: Page, call: Path) -> None:
    """The theme key turns the ground over; a picture of it is not one colour."""
    opened(tab, call)
    light = tab.picture()
    tab.press("t")
    dark = tab.picture()
    assert tab.ask("document.documentElement.dataset.theme") == "dark"
    assert light != dark
    assert min(len(light), len(dark)) > 20_000  # an even surface of this size packs to a tenth of that
