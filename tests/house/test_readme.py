"""The README keeps its word: it is short, its ten lines say what they print, its commands are CI's."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import turnkit
from turnkit import errors
from turnkit.turns import events

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
HOOKS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["metadata"]["hooks"]
SUBSTITUTIONS = HOOKS["fancy-pypi-readme"]["substitutions"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_it_is_short() -> None:
    """Whoever wants more finds it in docs."""
    assert len(README.splitlines()) < 150


def test_its_ten_lines_say_what_they_print() -> None:
    """The comments beside the first block are the signals that come."""
    code = blocks("python")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    result = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    printed = result.stdout.splitlines()
    promised = re.findall(r"# (TurnStarted|Speculate|Commit|BargeIn)", code)
    assert len(promised) == 4
    for name, line in zip(promised, printed, strict=False):
        assert f"{name}(" in line
    assert float(printed[-1]) == 11.0


def test_its_test_command_is_what_ci_runs() -> None:
    """The second command of the README stands in .ci/run word for word."""
    commands = [block.strip() for block in blocks("sh")]
    assert len(commands) == 3  # the last makes the site
    assert commands[0].endswith("turnkit demo")
    assert commands[1] in [line.strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()]


def test_the_page_of_the_package_leads_nowhere_that_is_not_there() -> None:
    """It shows the README by itself: whole links are left, of others the words, and nothing that is for tests."""
    page = shown_by_itself(SUBSTITUTIONS)
    targets = re.findall(r"\]\(([^)]+)\)", page)
    assert targets
    assert all(target.startswith("https://") for target in targets)
    assert "how it decides, policies, the rules" in page
    assert "<!--" not in page
    assert re.findall(r"```python\n.*?```", page, re.DOTALL) == re.findall(r"```python\n.*?```", README, re.DOTALL)


def test_one_line_gives_the_links_an_address() -> None:
    """As `pyproject.toml` says: then every link of the README leads there, to a file that there is."""
    address = r"[\1](https://forge.example/turnkit/\2)"
    assert "'[\\1](https://ADDRESS/\\2)'" in (ROOT / "pyproject.toml").read_text("utf-8")
    page = shown_by_itself([*SUBSTITUTIONS[:-1], {**SUBSTITUTIONS[-1], "replacement": address}])
    targets = re.findall(r"\]\(([^)]+)\)", page)
    assert all(target.startswith("https://") for target in targets)
    own = [target for target in targets if target.startswith("https://forge.example/turnkit/")]
    assert len(own) > 30
    assert all(
        (ROOT / target.removeprefix("https://forge.example/turnkit/").partition("#")[0]).exists() for target in own
    )


def shown_by_itself(substitutions: list[dict[str, str]]) -> str:
    """The README as the page of the package shows it."""
    page = README
    for change in substitutions:
        page = re.sub(change["pattern"], change["replacement"].replace("$", "\\"), page)
    return page


def test_what_it_links_to_exists() -> None:
    """Every relative link leads to a file of the repository."""
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_what_turnkit_exports_is_there() -> None:
    """All of __all__ can be had, nothing public is missing from it, and what is lazy says so when it is not there."""
    for name in turnkit.__all__:
        assert getattr(turnkit, name) is not None
    for module in (errors, events):
        public = {
            name
            for name, thing in vars(module).items()
            if isinstance(thing, type) and thing.__module__ == module.__name__ and not name.startswith("_")
        }
        assert public <= set(turnkit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        turnkit.nonsense  # noqa: B018


def test_the_pure_floors_load_without_the_others() -> None:
    """The engine starts neither anyio nor websockets nor structlog; asking for the session does."""
    code = (
        "import sys, turnkit\n"
        "turnkit.TurnMachine, turnkit.__all__\n"
        "assert not {'anyio', 'asyncio', 'websockets', 'structlog', 'rich', 'typer'} & set(sys.modules)\n"
        "turnkit.Session, turnkit.connect\n"
        "assert {'anyio', 'websockets', 'structlog'} <= set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
