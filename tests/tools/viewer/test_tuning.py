"""The page of a tuning: small, whatever the fields are; in a browser: what to do, intervals, no empty box."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Page, browser, needs_browser
from turnkit.tools.viewer.tuning import tuning_page

CURRENT = "eot 0.70, eager off, timeout 5 s"
BEST = "eot 0.70, eager 0.40, timeout 1.5 s"


def near(value: float, reach: float | None = 0.1) -> dict[str, float | None]:
    """An estimate with its interval; without one, as of a single call, if there is no reach."""
    low, high = (None, None) if reach is None else (value * (1 - reach), value * (1 + reach))
    return {"value": value, "low": low, "high": high}


def outcome(name: str, wait: float, cuts: float, extra: float, knowledge: str = "exact", **more: Any) -> dict[str, Any]:
    """What a setting would bring."""
    thresholds = {"eot": 0.7, "eager": None, "timeout": 5.0}
    return {
        "setting": {"thresholds": thresholds, "drafts": None},
        "knowledge": knowledge,
        "response": near(wait),
        "median": wait * 0.9,
        "p95": wait * 3,
        "best_response": wait * 0.7,
        "saved_median": None,
        "saved_p95": None,
        "hits": 0.5,
        "extra": near(extra),
        "cut_offs": near(cuts),
        "best_cut_offs": cuts * 0.5,
        "cost": wait / 100 + cuts * 0.03 + extra / 1000,
        "on_front": False,
        "name": name,
        **more,
    }


def fields(**more: Any) -> dict[str, Any]:
    """A tuning as `turnkit tune --json` prints it, with as many settings as it asks about."""
    front = [
        outcome(f"eot 0.{50 + i}, eager 0.40, timeout 2 s", 2 - i / 40, 0.02 + i / 400, 0.1 + i / 150, "rough")
        for i in range(40)
    ]
    for one in front:
        one["on_front"] = True
    beaten = [outcome(f"eot 0.5, eager 0.{i}, timeout 3 s", 3.0, 0.3, 0.5) for i in range(1100)]
    bounds = [outcome(f"eot 0.8, eager 0.{i}, timeout 5 s", 1.2, 0.1, 0.2, "bounds") for i in range(60)]
    current, best = outcome(CURRENT, 1.8, 0.02, 0.01), outcome(BEST, 1.0, 0.03, 0.2, on_front=True)
    bins = [
        {
            "low": 0.4 + i / 20,
            "high": 0.45 + i / 20,
            "drafts": 30 - i,
            "confirmed": near(0.5 + i / 20),
            "rising": 0.5 + i / 20,
        }
        for i in range(8)
    ]
    tuning = {
        "conversations": 120,
        "utterances": 1100,
        "worth": {"second": 0.01, "call": 0.001, "cut_off": 3.0},
        "outcomes": [best, *front, current, *beaten, *bounds],
        "current": current,
        "recommendation": {
            "name": BEST,
            "gain": near(0.004),
            "shown": True,
            "min_confidence": 0.5,
            "why": "it costs 0.004 less a turn",
        },
        "calibration": {"bins": bins, "drafts": 200, "confirmed": near(0.8), "brier": 0.1},
        "caveats": ["what is above 0.7 is not known"],
    }
    overlaps = {
        "overlaps": 50,
        "meant": 20,
        "false_stops": near(0.1),
        "missed": near(0.2),
        "reaction": 0.3,
        "pauses": 0,
    }
    return {"tuning": {**tuning, **more}, "barge_in": [{"policy": "immediate", **overlaps}], "unreadable": []}


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def opened(tab: Page, tmp_path: Path, data: dict[str, Any], width: int = 1280) -> Page:
    (tmp_path / "tune.html").write_text(tuning_page(data, "light"), encoding="utf-8")
    tab.resize(width, 900)
    tab.open(tmp_path / "tune.html")
    return tab


def ticks(tab: Page, plot: str, axis: str) -> list[str]:
    found: list[str] = tab.ask(
        f"[...document.querySelectorAll('#{plot} .{axis}-tick')].map((tick) => tick.textContent)"
    )
    return found


def test_it_is_small_however_many_settings_were_asked_about() -> None:
    """Of some twelve hundred it has those that somebody may choose, the running and the recommended among them."""
    page = tuning_page(fields())
    assert len(page.encode()) <= 60_000
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    names = [one["name"] for one in data["tuning"]["outcomes"]]
    assert {CURRENT, BEST} <= set(names)
    assert len(names) == len(set(names)) < 30
    assert sum(one["knowledge"] == "bounds" for one in data["tuning"]["outcomes"]) == 1, "they all have the same bounds"


@needs_browser
def test_it_says_what_to_do_and_what_that_rests_on(tab: Page, tmp_path: Path) -> None:
    """The setting by name, the reason, how much is known, and both settings side by side."""
    opened(tab, tmp_path, fields())
    assert tab.ask("$('do').textContent") == f"Run {BEST} instead of {CURRENT}.".replace("eot", "end")
    rests = tab.ask("$('rests').textContent")
    for part in ("1100 utterances in 120 calls", "it costs 0.004 less a turn", "but for chance", "confidence of 0.50"):
        assert part in rests
    compared = tab.ask(
        "[...document.querySelectorAll('#compare tbody tr')].map((row) => row.innerText.replace(/\\s+/g, ' '))"
    )
    assert compared[0].startswith("waits, mean 1.80 s 1.62 s to 1.98 s 1.00 s")
    assert compared[0].endswith("800 ms less")
    assert compared[1].endswith("1.0 more")
    assert tab.complaints == []


@needs_browser
def test_uncertainty_is_drawn_and_bounds_differently(tab: Page, tmp_path: Path) -> None:
    """Running and recommended have names and whiskers; rough looks other than exact; bounds are areas."""
    opened(tab, tmp_path, fields())
    for plot in ("cuts", "costs"):
        labels = tab.ask(f"[...document.querySelectorAll('#{plot} .halo')].map((text) => text.textContent)")
        assert labels == ["running now", "recommended"]
        assert tab.ask(f"document.querySelectorAll('#{plot} .now line, #{plot} .pick line').length") == 4
        assert tab.ask(f"document.querySelectorAll('#{plot} rect.box[data-known=bounds]').length") == 1
        assert tab.ask(f"document.querySelectorAll('#{plot} circle.known-rough').length") == 18
        assert tab.ask(f"document.querySelectorAll('#{plot} line.whisker').length") == 36
    tab.hover("#cuts .pick circle")
    assert "known" in tab.ask("$('tip').innerText")


@needs_browser
@pytest.mark.parametrize("span", [0.004, 0.05, 0.3, 2.0, 40.0])
def test_ticks_differ(tab: Page, tmp_path: Path, span: float) -> None:
    """Whatever the range is, no two of an axis read the same."""
    data = fields()
    for i, one in enumerate(data["tuning"]["outcomes"]):
        one["response"], one["cut_offs"], one["extra"] = (
            near(1 + i % 7 * span / 7),
            near(0.02 * span),
            near(span * (1 + i % 3) / 3),
        )
    opened(tab, tmp_path, data)
    for plot in ("cuts", "costs", "reliability"):
        for axis in ("x", "y"):
            found = ticks(tab, plot, axis)
            assert len(found) >= 3, (plot, axis, found)
            assert len(set(found)) == len(found), (plot, axis, found)
    assert tab.complaints == []


@needs_browser
def test_money_is_on_the_axis_where_it_is_given(tab: Page, tmp_path: Path) -> None:
    """In the currency that was said, a thousand turns at a time."""
    opened(tab, tmp_path, fields(currency="EUR"))
    assert "EUR a 1,000 turns" in tab.ask("$('costs').textContent")
    opened(tab, tmp_path, fields())
    assert "EUR" not in tab.ask("document.body.innerText")


@needs_browser
def test_nothing_is_an_empty_box(tab: Page, tmp_path: Path) -> None:
    """What there is no data for is not there: bins, overlaps, segments, drift, a recommendation, intervals."""
    data = fields(calibration={"bins": []}, recommendation=None)
    data["barge_in"] = []
    for one in data["tuning"]["outcomes"]:
        one["response"], one["extra"] = near(one["response"]["value"], None), near(one["extra"]["value"], None)
    opened(tab, tmp_path, data)
    for part in ("reliability-figure", "overlaps", "segments", "drift"):
        assert tab.ask(f"$('{part}').hidden"), part
    assert tab.ask("$('do').textContent").startswith("Too little is known")
    assert (
        tab.ask(
            "[...document.querySelectorAll('figure')].filter((f) => !f.hidden && !f.querySelector('circle')).length"
        )
        == 0
    )
    assert tab.complaints == []


@needs_browser
def test_parts_say_what_to_run_and_what_it_saves(tab: Page, tmp_path: Path) -> None:
    """One of its own is marked; what it saves is money a 1,000 turns, and a saving that rounds to none has no sign."""
    about = {"response": near(0.9), "extra": near(0.2), "cut_offs": near(0.05)}
    own = {"name": "de", "own": True, "recommended": "eot 0.60, eager 0.40, 1 a turn, timeout 2 s"}
    rows = [
        {**own, "calls": 40, "gain": {"value": 0.0033, "low": 0.001, "high": 0.005}, **about},
        {"name": "en", "recommended": "as for all", "gain": {"value": -1e-9, "low": -0.002, "high": 0.001}, **about},
    ]
    opened(tab, tmp_path, fields(segments=rows, by="each language", currency="EUR"))
    told = tab.ask("$('segments').innerText")
    assert "of each language" in told
    assert "end 0.60, eager 0.40, at most 1 draft a turn, timeout 2 s" in told
    assert "as for all" in told
    assert "its own saves, EUR a 1,000 turns" in told
    assert "3.30" in told
    assert "-0.00" not in told
    assert tab.ask("document.querySelectorAll('#segments tr.best').length") == 1


@needs_browser
def test_segments_and_drift_are_tables_with_intervals(tab: Page, tmp_path: Path) -> None:
    """Whatever has an interval is a column."""
    rows = [
        {"name": "language=en", "turns": 90, "response": near(1.0)},
        {"name": "language=de", "turns": 9, "response": near(1.5)},
    ]
    opened(tab, tmp_path, fields(segments=rows, weeks=[{"week": "2026-W47", "cut_offs": near(0.05)}]))
    assert "language=de" in tab.ask("$('segments').innerText")
    assert tab.ask("document.querySelectorAll('#segments .reach').length") == 2
    assert "2026-W47" in tab.ask("$('drift').innerText")
    assert tab.complaints == []


@needs_browser
def test_a_phone_shows_it_without_scrolling_sideways(tab: Page, tmp_path: Path) -> None:
    """At 390 pixels; and staying is said as such."""
    data = fields()
    data["tuning"]["recommendation"]["name"] = CURRENT
    opened(tab, tmp_path, data, 390)
    assert tab.ask("document.documentElement.scrollWidth") <= 390
    assert tab.ask("$('do').textContent") == f"Stay with {CURRENT}.".replace("eot", "end")
    assert tab.complaints == []
