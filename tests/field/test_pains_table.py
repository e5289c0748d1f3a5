"""The table of pains against the tests: each row has its test, each test its row, and both the same sources."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).resolve().parent
MODULES = (
    "test_pains_turns",
    "test_pains_replies",
    "test_pains_life",
    "test_pains_tools",
    "test_pains_speculation",
    "test_production_failures",
    "test_hazards_silence",
    "test_hazards_drafts",
    "test_hazards_events",
)
IDS = {
    *(f"P{number}" for number in range(1, 36)),
    *(f"S{number}" for number in (1, 2, 3, 4, 6, 8, 10, 13)),
    *"abcdefghi",
    *"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
}
RECORDED = "seen in a recorded session"
URL = re.compile(r"https://[^\s<>]+")


class Row(NamedTuple):
    """A line of the table."""

    id: str
    pain: str
    source: str
    test: str
    guarantee: str


def rows() -> list[Row]:
    """All lines of the table, without its heads."""
    found = []
    for line in (TESTS / "PAINS.md").read_text().splitlines():
        if line.startswith("| ") and not line.startswith(("| |", "| ---")):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert len(cells) == len(Row._fields), line
            found.append(Row(*cells))
    return found


@cache
def documented() -> dict[str, str]:
    """Every test of these modules, as `file.py::name`, and its docstring on one line."""
    found = {}
    for module in MODULES:
        for node in ast.parse((TESTS / f"{module}.py").read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                found[f"{module}.py::{node.name}"] = " ".join((ast.get_docstring(node) or "").split())
    return found


def test_every_pain_has_one_row_and_one_test() -> None:
    """No pain is missing or listed twice, no row is without its test, and no test without its row."""
    table = rows()
    assert sorted(row.id for row in table) == sorted(IDS)
    assert sorted(row.test.strip("`") for row in table) == sorted(documented())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_a_row_and_its_test_say_the_same(row: Row) -> None:
    """The test's name has the row's id, its docstring each source of the row, and no other."""
    test = row.test.strip("`")
    kind, number = ("pains", int(row.id[1:])) if row.id[1:] else ("hazard" if row.id.isupper() else "failure", 0)
    prefix = f"test_{row.id[0].lower()}{number:02d}_" if kind == "pains" else f"test_{kind}_{row.id.lower()}_"
    assert test.partition("::")[2].startswith(prefix)
    fact = documented()[test]
    urls = URL.findall(row.source)
    assert set(urls) == {url.rstrip(".,)") for url in URL.findall(fact)}
    assert (RECORDED in row.source) == (RECORDED in fact)
    assert urls or row.source == RECORDED, "a source that can be looked up, or the recorded session"
    assert row.pain
    assert row.guarantee
