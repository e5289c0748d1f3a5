"""The page of the client matrix says what its script checks; the calls themselves are made by the script."""

from __future__ import annotations

from pathlib import Path

from tests.interop.client_matrix import CASES, KNOWN, Heard, faults, table

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "client-matrix.md").read_text("utf-8")


def test_the_table_is_that_of_what_is_known() -> None:
    """A row a case, a column a client, and a no where, and only where, it is known why."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    clients = [name.strip() for name in lines[0].split("|")[2:-1]]
    known = {name: next((cases for start, cases in KNOWN.items() if name.startswith(start)), set()) for name in clients}
    results = {name: {case.name: (case.name not in known[name], "") for case in CASES} for name in clients}
    assert lines == table(results)
    assert faults(results) == []
    assert all(any(name.startswith(start) for name in clients) for start in KNOWN)


def test_what_is_not_as_known_is_found() -> None:
    """A yes where a no is known, too: then the page is out of date."""
    results = {"Chromium 1 (a page)": {"five events": (False, "no sound"), "key as Token": (True, "")}}
    assert faults(results) == ["Chromium 1 (a page), five events: no sound", "Chromium 1 (a page), key as Token: "]


def test_a_call_that_came_to_nothing_is_not_right() -> None:
    """Whatever the case: an answer that was not given counts for none of them, and a refusal must be told."""
    nothing: Heard = {"messages": [], "error": None, "closed": True}
    assert not any(case.right(nothing) for case in CASES)
