"""Every example says what it shows and how to run it; the two smallest run."""

from __future__ import annotations

import ast
from pathlib import Path

import anyio
import pytest

from tests.support.examples import EXAMPLES, load

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_its_docstring_says_what_it_shows_and_how_to_run_it(path: Path) -> None:
    """In at most eight lines, with the command; and a test of examples, or of its framework, runs it."""
    said = ast.get_docstring(ast.parse(path.read_text("utf-8")))  # not imported: some need a framework
    assert said is not None
    assert len(said.splitlines()) <= 8
    assert f"python examples/{path.name}" in said
    rooms = ("house", "examples", "interop")
    tests = [test.read_text() for room in rooms for test in TESTS.joinpath(room).rglob("test_*.py")]
    assert any(f'load("{path.stem}")' in text for text in tests)


def test_hello_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """One draft withdrawn, one kept, a backchannel, a barge-in, silence."""
    load("hello_machine").main()
    names = [line.split("(")[0] for line in capsys.readouterr().out.splitlines()]
    assert [name for name in names if name not in ("TurnUpdated", "TurnStarted", "")] == [
        "Speculate",
        "Cancel",
        "Speculate",
        "Commit",
        "TurnDropped",
        "BargeIn",
        "Commit",
        "UserIdle",
        "UserIdle",
    ]


@pytest.mark.anyio
async def test_smallest_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """A draft withdrawn in the pause, an answer interrupted, an answer heard to its end."""
    with anyio.fail_after(120):
        await load("smallest_bot").main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[:2] == ["bot cancelled: ", "caller: Good morning. I'd like to know when you open."]
    assert lines[2].startswith("bot interrupted: You said: Good")
    assert not lines[2].endswith("open.")
    assert lines[3:] == ["caller: And on Sundays?", "bot finished: You said: And on Sundays?"]
