"""`turnkit view DIR`: a page a call and an index of them, private, whatever lies in the directory; and in a browser."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zstandard
from typer.testing import CliRunner

from tests.support.browser import Page, browser, needs_browser
from tests.support.long_call import long_call
from tests.support.recorded_call import record
from turnkit.cli import app
from turnkit.tools.viewer import scene
from turnkit.tools.viewer.index import index_page, indexed
from turnkit.turns.events import EndOfTurn, Event, PlaybackFinished, StartOfTurn

FAILING: list[tuple[float, Event]] = [
    (10.1, StartOfTurn(0, "Tea", 0.1, 0.56)),
    (10.6, EndOfTurn(0, "Coffee, please.", 0.9, 1.1, "model")),
]
SHOWN = "[...document.querySelectorAll('#calls tbody tr a')].map((link) => link.textContent)"


def view(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["view", *map(str, arguments), "--no-open"])
    assert result.exit_code == 0, result.output
    return result.output


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Three calls, one in a folder of its own, one cut off; and a file that is none."""
    folder = tmp_path / "calls"
    (folder / "monday").mkdir(parents=True)
    record(folder / "tea.jsonl")
    record(folder / "monday" / "a b#1.jsonl", [*FAILING, (11.0, PlaybackFinished(0, failed=True))])
    whole = record(folder / "cut.jsonl").read_bytes()
    (folder / "cut.jsonl").write_bytes(whole[: len(whole) // 2])
    (folder / "broken.jsonl").write_text("no trace\n")
    return folder


def test_a_directory_becomes_an_index_and_a_page_a_call(calls: Path) -> None:
    """Names that addresses cannot hold are quoted; what cannot be read is named, and costs nothing else."""
    assert "index.html and 3 pages; 1 left out" in view(calls).replace("\n", " ")
    index = (calls / "index.html").read_text()
    assert "index-pages/monday/a%20b%231.jsonl.html" in index
    assert (calls / "index-pages" / "monday" / "a b#1.jsonl.html").exists()
    assert "../../index.html" in (calls / "index-pages" / "monday" / "a b#1.jsonl.html").read_text()
    assert "broken.jsonl" in index
    view(calls)  # again: nothing of what was written is taken for a call
    assert len(list((calls / "index-pages").rglob("*.html"))) == 3


def test_a_packed_call_is_called_as_any_other(tmp_path: Path) -> None:
    """In the index, and beside itself."""
    plain = record(tmp_path / "plain.jsonl").read_bytes()
    (tmp_path / "calls").mkdir()
    packed = tmp_path / "calls" / "packed.jsonl.zst"
    packed.write_bytes(zstandard.compress(plain))
    view(tmp_path / "calls")
    assert '"packed"' in (tmp_path / "calls" / "index.html").read_text()
    view(packed)
    assert (tmp_path / "calls" / "packed.html").exists()


def test_pages_are_as_private_as_recordings(calls: Path, tmp_path: Path) -> None:
    """Also over a file that others could read."""
    (calls / "index.html").write_text("old")
    (calls / "index.html").chmod(0o644)
    view(calls)
    for path in (calls / "index.html", *(calls / "index-pages").rglob("*.html")):
        assert mode(path) == 0o600
    assert mode(calls / "index-pages") == 0o700
    view(calls / "tea.jsonl", "--out", tmp_path / "tea.html", "--perfetto", tmp_path / "tea.json")
    assert (mode(tmp_path / "tea.html"), mode(tmp_path / "tea.json")) == (0o600, 0o600)


def test_the_figures_are_those_of_the_page() -> None:
    """A row holds what the page of the call counts, and its words as far as they can be searched."""
    seen = scene(long_call(40.0))
    row = indexed(seen, "long", "long.html")
    assert row.figures == seen.figures
    assert row.figures.failed > 10
    assert row.figures.answered + row.figures.failed + row.figures.unheard + row.figures.dropped <= row.figures.turns
    assert "My sister is allergic" in row.words
    assert len(row.words) == 20_000


def test_what_is_no_directory_of_calls_is_said(tmp_path: Path) -> None:
    """An empty one, one in which nothing can be read, and options of a single call."""
    empty, bad = tmp_path / "empty", tmp_path / "bad"
    empty.mkdir()
    bad.mkdir()
    (bad / "x.jsonl").write_text("no trace\n")
    for arguments, rule in (
        ([empty], "there are no recordings in"),
        ([bad], "x.jsonl"),
        ([bad, "--perfetto", tmp_path / "p"], "for one call"),
    ):
        result = CliRunner().invoke(app, ["view", *map(str, arguments), "--no-open"])
        assert result.exit_code == 1
        assert rule in result.stderr.replace("\n", "")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """An index of three hundred calls."""
    folder = tmp_path_factory.mktemp("index")
    first = indexed(scene(long_call(1.0)), "call", "call.html")
    rows = []
    for i in range(300):
        figures = msgspec.structs.replace(
            first.figures, failures=i % 3, longest=i / 100 if i else None, barge_ins=int(i % 10 == 0)
        )
        words = "a talk of llamas" if i == 42 else first.words
        row = msgspec.structs.replace(first, name=f"call-{i:03}", href=f"call-{i}.html", figures=figures, words=words)
        rows.append(msgspec.structs.replace(row, began=f"2026-11-20T18:{i // 60:02}:{i % 60:02}+00:00"))
    (folder / "index.html").write_text(index_page("calls", rows, ["x.jsonl: is none"], "light"), encoding="utf-8")
    with browser(folder / "profile") as opened:
        opened.resize(1280, 900)
        opened.open(folder / "index.html")
        yield opened


def sort_by(tab: Page, column: str) -> str:
    tab.ask(f"document.querySelector('th.{column} button').click()")
    found: str = tab.ask(f"document.querySelector('th.{column}').getAttribute('aria-sort')")
    return found


@needs_browser
def test_it_sorts_by_any_column(tab: Page) -> None:
    """The newest first; a click turns the order round; what is not known comes last either way."""
    tab.ask("history.replaceState(null, '', '#'); recall()")
    assert tab.ask(SHOWN)[0] == "call-299"
    assert sort_by(tab, "longest") == "descending"
    assert tab.ask(SHOWN)[0] == "call-299"
    assert sort_by(tab, "longest") == "ascending"
    assert (tab.ask(SHOWN)[0], tab.ask(SHOWN)[-1]) == ("call-001", "call-000")
    assert sort_by(tab, "call") == "ascending"
    assert tab.ask(SHOWN) == [f"call-{i:03}" for i in range(300)]
    assert tab.ask("[...document.querySelectorAll('th[aria-sort]')].filter((h) => h.ariaSort !== 'none').length") == 1


@needs_browser
def test_it_filters_and_searches(tab: Page) -> None:
    """By what went wrong, by waits, by what was said, all at once; the count says how many are left."""
    tab.ask("history.replaceState(null, '', '#'); recall()")
    tab.ask("FILTERS[0].button.click()")
    assert len(tab.ask(SHOWN)) == 200
    tab.ask("$('over').value = '1.5'; $('over').dispatchEvent(new Event('input'))")
    assert len(tab.ask(SHOWN)) == sum(i % 3 > 0 and i > 150 for i in range(300))
    tab.ask("$('over').value = ''; $('over').dispatchEvent(new Event('input')); FILTERS[0].button.click()")
    tab.press("/")
    tab.call("Input.insertText", text="Llamas")
    tab.drawn()
    assert tab.ask(SHOWN) == ["call-042"]
    assert tab.ask("document.querySelector('#calls mark').textContent") == "llamas"
    assert tab.ask("$('shown').textContent") == "1 of 300 calls"
    tab.press("Enter")
    assert tab.ask("document.activeElement.getAttribute('href')") == "call-42.html"
    assert tab.complaints == []


@needs_browser
def test_whoever_comes_back_finds_it_as_it_was(tab: Page) -> None:
    """The address keeps order and filters; nonsense in it does nothing."""
    tab.ask("history.replaceState(null, '', '#'); recall(); FILTERS[1].button.click()")
    sort_by(tab, "wait")
    kept = tab.ask("location.hash")
    tab.ask("history.replaceState(null, '', '#sort=nothing&only=x+y&over=z'); recall()")
    assert len(tab.ask(SHOWN)) == 300
    tab.ask(f"history.replaceState(null, '', {kept!r}); recall()")
    assert (len(tab.ask(SHOWN)), tab.ask("state.sort")) == (30, "wait")


@needs_browser
def test_a_phone_shows_the_index_too(tab: Page) -> None:
    """Without scrolling sideways, and with keys as on a desk."""
    tab.resize(390, 844)
    assert tab.ask("document.documentElement.scrollWidth") <= 390
    tab.ask("history.replaceState(null, '', '#'); recall(); document.activeElement.blur()")
    tab.press("j")
    tab.press("j")
    assert tab.ask("document.activeElement.textContent") == "call-298"
    tab.resize(1280, 900)
    assert tab.complaints == []
