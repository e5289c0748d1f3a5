"""The tests keep house too: what they share stands in `tests/support`, and each file is short and says what it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
FILES = sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py") if path.stat().st_size)
LONGEST = 400  # lines


def imported_tests(source: str, folder: tuple[str, ...]) -> list[str]:
    """The test modules that a file of this folder imports, wherever in it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        found += [name for name in names if name.startswith("tests.") and name.split(".")[-1].startswith("test_")]
    return found


# One test for all files, not one for each: 1,200 that only read would take longer than many that do something.


def test_no_file_imports_a_test_module() -> None:
    """What two of them need stands in a module of its own."""
    sources = {path: (TESTS / path).read_text("utf-8") for path in FILES}
    found = {path: imported_tests(text, ("tests", *Path(path).parts[:-1])) for path, text in sources.items()}
    assert {path: names for path, names in found.items() if names} == {}


def test_a_test_file_is_short() -> None:
    """What does not fit is about more than one thing."""
    lines = {path: len((TESTS / path).read_text("utf-8").splitlines()) for path in FILES}
    tests = {path: count for path, count in lines.items() if Path(path).name.startswith("test_")}
    assert {path: count for path, count in tests.items() if count > LONGEST} == {}


def test_a_test_file_says_what_it_is_about() -> None:
    """In the first line of its docstring, a sentence."""
    said = {path: ast.get_docstring(ast.parse((TESTS / path).read_text("utf-8"))) or "" for path in FILES}
    assert [path for path, text in said.items() if not text.partition("\n")[0].endswith((".", ":"))] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import tests.flux.test_audio", ["tests.flux.test_audio"]),
        ("from tests.flux.test_audio import speak", ["tests.flux.test_audio"]),
        ("from tests.flux import test_audio", ["tests.flux.test_audio"]),
        ("from .test_audio import speak", ["tests.house.test_audio"]),
        ("from . import test_audio", ["tests.house.test_audio"]),
        ("from ..flux.test_audio import speak", ["tests.flux.test_audio"]),
        ("def use():\n    from tests.flux.test_audio import speak", ["tests.flux.test_audio"]),
        ("from tests.support.audio import speak\nimport pytest", []),
    ],
)
def test_an_import_of_a_test_module_is_found(source: str, found: list[str]) -> None:
    """In every form there is."""
    assert imported_tests(source, ("tests", "house")) == found
