"""What runs at night alone has a reason that is on the list, and something near it runs by day."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.effort import SLOW, left_to_the_night, tries
from tests.support.package_source import ROOT

TESTS = ROOT / "tests"


def marks(tree: ast.AST) -> Iterator[tuple[str, object]]:
    """The marks of a file that leave tests to the night, each with what it was given first, wherever it stands."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="slow" | "sampled" as name)):
                yield name, ast.literal_eval(node.args[0])


def functions(tree: ast.Module) -> int:
    """How many tests a file has."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return sum(isinstance(node, kinds) and node.name.startswith("test_") for node in ast.walk(tree))


@cache
def every_file() -> dict[Path, tuple[list[tuple[str, object]], int]]:
    """Of each file of the tests its marks, and how many tests it has."""
    trees = ((path, ast.parse(path.read_text("utf-8"))) for path in TESTS.rglob("*.py"))
    return {path: (list(marks(tree)), functions(tree)) for path, tree in trees}


def test_every_mark_has_a_reason_that_is_on_the_list() -> None:
    """Slow by a kind that is known; a sample is of two at least, and of not so many that it is none."""
    found = [mark for those, _ in every_file().values() for mark in those]
    kinds = {given for name, given in found if name == "slow"}
    shares = {given for name, given in found if name == "sampled"}
    assert kinds <= set(SLOW)
    assert set(SLOW) <= kinds, "a kind that nothing has any more"
    assert all(isinstance(share, int) and 2 <= share <= 10 for share in shares)


def test_no_file_is_left_to_the_night_whole() -> None:
    """But for what draws pages: of all else the day knows at once when it is broken."""
    for path, (those, tests) in every_file().items():
        slow = sum(name == "slow" for name, _ in those)
        assert slow < tests or not slow or not path.name.startswith("test_"), path


def item(name: str, *found: pytest.Mark) -> pytest.Item:
    """A test as pytest collects it, as far as it matters here."""
    by_name = {mark.name: mark for mark in found}
    return cast(pytest.Item, SimpleNamespace(nodeid=name, get_closest_marker=by_name.get, add_marker=lambda mark: None))


def test_a_sample_is_one_in_so_many_and_always_the_same() -> None:
    """Of each function by itself, begun where its name says; never none."""
    share = pytest.mark.sampled(4).mark
    items = [item(f"test_{name}[{number}]", share) for name in "abcdefgh" for number in range(20)]
    items += [item("test_single", share), item("test_quick")]
    left = left_to_the_night(items)["sampled"]
    assert left_to_the_night(items)["sampled"] == left
    ran = [one.nodeid for one in items if one not in left]
    assert len(ran) == 8 * 5 + 2
    assert {"test_single", "test_quick"} <= set(ran)
    assert len({name.partition("[")[2] for name in ran if "[" in name}) > 5, "they begin at different ones"


def test_the_slow_are_told_by_kind() -> None:
    """And a random test tries less by day, though never next to nothing."""
    browser = item("test_page", pytest.mark.slow("browser").mark)
    assert left_to_the_night([browser, item("test_quick")]) == {"browser": [browser]}


def test_random_tests_try_a_share_by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole at night; never so few that they try nothing."""
    monkeypatch.setenv("TURNKIT_TESTS", "all")
    assert tries(400) == 400
    monkeypatch.delenv("TURNKIT_TESTS")
    assert tries(400) == 100
    assert tries(20) == 10
