"""Every block of code in the README and docs keeps its word: it runs, or says who runs it, or why nobody can."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests.support.doc_blocks import ROOT, Block, blocks, pages, python_of
from turnkit.cli import app

EVERY = [block for page in pages() for block in blocks(page)]
SHELL = [block for block in EVERY if block.language == "sh" and not block.how]
NOT_RUN: Counter[str] = Counter()  # by reason; a page that needs one says so here
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


@pytest.mark.parametrize("page", [page for page in pages() if python_of(page)])
def test_the_python_of_a_page_runs(page: str, tmp_path: Path) -> None:
    """From top to bottom, in a fresh interpreter, warnings being errors, where it can leave what it makes."""
    code = f"from tests.support.doc_blocks import run_page; run_page({page!r})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        cwd=tmp_path,
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_each_block_is_of_a_kind_that_is_held_to_its_word() -> None:
    """A language that nobody looks at would be a hole in this."""
    runs = {"python", "given", "then", "sh"}
    others = [str(block) for block in EVERY if block.language not in runs and not block.how]
    assert others == []


def test_what_another_test_runs_it_runs() -> None:
    """The test is there, reads the page, and is of the house or needs something that is not installed here."""
    foreign = {(block.page, block.why) for block in EVERY if block.how == "run by"}
    assert len(foreign) >= 8
    for page, test in foreign:
        if test.startswith(".ci/"):
            continue
        source = (ROOT / test).read_text("utf-8")
        assert page.rpartition("/")[2] in source, (page, test)
        assert test.startswith("tests/house/") or "importorskip" in source or "subprocess" in source, test


def test_what_ci_runs_it_runs() -> None:
    """The command is a script of CI's itself, or its parts stand in the one that is named."""
    by_ci = [block for block in EVERY if block.how == "run by" and block.why.startswith(".ci/")]
    assert {block.page for block in by_ci} >= {"README.md", "CONTRIBUTING.md"}
    run = (ROOT / ".ci" / "run").read_text("utf-8")
    (steps,) = re.findall(r'^ +for step in ([\w ]+); do\n +"\.ci/\$step"', run, re.MULTILINE)
    for block in by_ci:
        script = (ROOT / block.why).read_text("utf-8")
        assert block.why == ".ci/run" or block.why.removeprefix(".ci/") in steps.split()
        for command in block.code.strip().split(" && "):
            words = command.removeprefix("python -m ").removeprefix("pip ")
            assert command == block.why or words in script, command


def test_what_nobody_runs_is_known() -> None:
    """By its reason, and how often: who adds one says so here."""
    assert Counter(block.why for block in EVERY if block.how == "not run") == NOT_RUN


def test_what_a_failing_assertion_shows_is_what_it_shows() -> None:
    """The lines of testing.md, in their order, but for those left out where it says "..."."""
    (shown,) = [block for block in blocks("docs/testing.md") if block.language == "text"]
    first = next(block for block in blocks("docs/testing.md") if block.language == "python")
    names: dict[str, Any] = {}
    exec(first.code, names)
    with pytest.raises(AssertionError) as failed:
        names["call"].assert_heard("for three")
    told = [line.strip() for line in str(failed.value).splitlines()]
    lines = [line for line in shown.code.splitlines() if line != "..."]
    assert [line for line in told if line in lines] == lines


def test_fences_are_closed() -> None:
    """So that none is swallowed by the one before, and none missed."""
    for page in pages():
        fences = re.findall(r"^```", (ROOT / page).read_text("utf-8"), re.MULTILINE)
        seen = [block for block in blocks(page) if block.language not in ("given", "then")]
        assert len(fences) == 2 * len(seen), page


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_a_command_can_be_given(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is one that there is, with arguments that it takes."""
    monkeypatch.chdir(tmp_path)
    for line in block.code.splitlines():
        for command in line.partition("  #")[0].split("&&"):
            check_command(shlex.split(command))


def test_what_a_block_installs_has_the_commands_that_it_gives() -> None:
    """A bot is installed without typer and rich: where `turnkit` is to be run, an extra brings them."""
    both = [
        block for block in EVERY if block.language == "sh" and "pip install" in block.code and "turnkit " in block.code
    ]
    assert {"README.md", "docs/start.md"} <= {block.page for block in both}
    for block in both:
        given = {extra for found in re.findall(r"\[([\w,]+)\]'", block.code) for extra in found.split(",")}
        assert any(brings_the_commands(extra) for extra in given), block


def brings_the_commands(extra: str) -> bool:
    """Whether an extra is that of the command line, or has it."""
    inside = {
        one
        for wanted in EXTRAS[extra]
        if (found := re.match(r"turnkit\[(.*)\]", wanted))
        for one in found[1].split(",")
    }
    return extra == "cli" or any(brings_the_commands(one) for one in inside)


def test_extras_for_a_command_bring_the_command_line() -> None:
    """And turnkit by itself does not."""
    assert {extra for extra in EXTRAS if brings_the_commands(extra)} == {
        *("cli", "dask", "dev", "mic", "parquet", "tune", "wav", "web")
    }
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert not {"typer", "rich"} & {re.split(r"\W", one)[0] for one in needed}


def check_command(words: list[str]) -> None:
    """Say what is wrong with a command line, if anything is."""
    match words:
        case []:
            pass
        case ["export", *given]:
            assert all("=" in one for one in given)
        case ["turnkit" | ".venv/bin/turnkit", *arguments]:
            check_turnkit(arguments)
        case ["pip" | ".venv/bin/pip", "install", *what] | ["python", "-m", "pip", "install", *what]:
            for one in what:
                if found := re.fullmatch(r"(?:turnkit|\.)\[([\w,]+)\]", one):
                    assert set(found[1].split(",")) <= EXTRAS.keys(), one
        case ["python3", "-m", "venv", ".venv"]:
            pass
        case ["python" | ".venv/bin/python", "-m", module, *_]:
            assert find_spec(module), module
        case ["python", script, *_]:
            assert (ROOT / script).exists(), script
        case _:
            raise AssertionError(f"nobody knows what this does: {' '.join(words)}")


def check_turnkit(arguments: list[str]) -> None:
    """Have the command line read them, and do nothing."""
    group: Any = get_command(app)
    command = group.get_command(None, arguments[0])
    assert command, f"No such command: {arguments[0]}"
    command.make_context(arguments[0], arguments[1:])


@pytest.mark.parametrize(
    "line", ["turnkit replay", "turnkit nonsense", "turnkit tune calls/ --nonsense 1", "rm -r calls"]
)
def test_a_command_that_cannot_be_given_is_found(line: str) -> None:
    """Without its argument, of no command, with an option that there is not, of another program."""
    with pytest.raises((AssertionError, Exception), match=r"Missing|No such|nobody knows"):
        check_command(shlex.split(line))


def test_names_that_pages_import_are_public() -> None:
    """What a page shows comes from where the reference has it."""
    for block in EVERY:
        if block.language == "python":
            for node in ast.walk(
                compile(block.code, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            ):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("turnkit"):
                    assert not any(part.startswith("_") for part in (node.module or "").split(".")), str(block)
                    assert not any(alias.name.startswith("_") for alias in node.names), str(block)
