"""Tables and lines at any width: whole in a pipe, nothing cut or broken in mid-word on a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from turnkit.cli.layout import Column, flowing, table_lines, tell, tell_table

FIGURES = (Column("seconds", right=True), Column("calls", right=True), Column("messages", right=True))
TEXTS = (Column("turn"), Column("words", flows=True), Column("different", flows=True))
ROWS = [
    ("0", "I'd like to book a table for two, please.", "1 draft fewer; answered without a draft"),
    ("12", "No.", ""),
]


def lines(*arguments: object, **options: object) -> list[str]:
    return [line.plain for line in table_lines(*arguments, **options)]  # type: ignore[arg-type]


def test_without_a_width_a_record_is_a_line() -> None:
    """Whatever is in it, line ends too."""
    rows = [(f"{at}", "word " * 100, "a\nb\r\nc\u2028d\te") for at in range(3)]
    heading, *records = lines(TEXTS, rows, None)
    assert heading.split() == ["turn", "words", "different"]
    assert len(records) == 3
    for at, record in enumerate(records):
        assert record == f"{at}     {('word ' * 100)}  a b c d e"


def test_where_there_is_room_it_is_a_table() -> None:
    """Figures to the right; no spaces at the ends of lines."""
    assert lines(FIGURES, [("0–5", "10", "1,234"), ("5–10", "9", "5")], 80) == [
        "seconds  calls  messages",
        "    0–5     10     1,234",
        "   5–10      9         5",
    ]


def test_texts_go_on_below_each_other() -> None:
    """In their own column, from word to word."""
    assert lines(TEXTS, ROWS, 60) == [
        "turn  words                       different",
        "0     I'd like to book a table    1 draft fewer; answered",
        "      for two, please.            without a draft",
        "12    No.",
    ]


def test_where_that_is_too_wide_a_record_is_a_paragraph() -> None:
    """With the headings beside what stood under them."""
    assert lines(TEXTS, ROWS, 36) == [
        "turn 0",
        "  words      I'd like to book a",
        "             table for two, please.",
        "  different  1 draft fewer; answered",
        "             without a draft",
        "turn 12",
        "  words      No.",
    ]


def test_figures_alone_stand_in_several_tables() -> None:
    """Each with the column that says whose row it is."""
    assert lines(FIGURES, [("0–5", "10", "1,234")], 20) == [
        "seconds  calls",
        "    0–5     10",
        "",
        "seconds  messages",
        "    0–5     1,234",
    ]


def test_a_word_is_never_broken() -> None:
    """A path or a command runs over, and is copied whole."""
    path = "/calls/" + "x" * 60 + ".jsonl"
    told = [line.plain for line in flowing(Text(f"wrote {path} and more of it"), 40, 6)]
    assert told == ["wrote", f"      {path}", "      and more of it"]


SAID = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=40)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(SAID, SAID, SAID), max_size=4),
    width=st.integers(8, 120),
    flows=st.tuples(st.booleans(), st.booleans()),
)
def test_nothing_is_lost_at_any_width(rows: list[tuple[str, str, str]], width: int, flows: tuple[bool, bool]) -> None:
    """Every word is there, and no line is longer than the width unless a word, or a figure, is."""
    columns = (Column("a"), Column("b", flows=flows[0]), Column("c", flows=flows[1]))
    shown = lines(columns, rows, width)
    told = "".join("".join(shown).split())
    for row in rows:
        for cell in row:
            for word in cell.split():
                assert word in told
    longest = max((cell_len(cell) for row in rows for cell in row), default=0)
    if longest * 3 + 4 <= width:
        assert max(map(cell_len, shown)) <= width


@pytest.mark.parametrize("terminal", [True, False])
def test_a_console_that_is_no_terminal_has_no_width(terminal: bool) -> None:
    """Tables and lines alike."""
    console = Console(file=io.StringIO(), width=30, force_terminal=terminal, color_system=None)
    tell_table(console, TEXTS, ROWS)
    tell(console, "[bold]note[/] what one should know of these figures", 5)
    said = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert (max(map(len, said)) <= 30) is terminal
    assert ("note what one should know of these figures" in said) is not terminal
    assert (len(said) == 4) is not terminal


# The demo no faster than that: a busy machine must not change how much is heard before the caller interrupts.
COMMANDS = {
    "chart": "PlaybackAdvanced  – !        → audible  –         –          –",
    "simulate --list-faults": "no_trigger",
    "metrics call.jsonl": "last word to first sound",
    "replay call.jsonl --speculation none": "I'd like to book a table for two, please.",
    "tune call.jsonl": "echo-guard+ignore-backchannels",
    "check --quick --only idle": "invariant",
    "demo --speed 10": "agent   “Tomorrow at eight. There is a table by the window, or one on the terrace, which",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a recording in it."""
    folder = tmp_path_factory.mktemp("layout")
    run("demo --speed 50 --json --record call.jsonl", folder)
    return folder


def run(command: str, folder: Path, **environment: str) -> list[str]:
    line = [sys.executable, "-m", "turnkit", *command.split()]
    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR", "NO_COLOR")}
    done = subprocess.run(
        line, capture_output=True, text=True, check=True, timeout=300, cwd=folder, env={**plain, **environment}
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_gets_whole_records(command: str, folder: Path) -> None:
    """Of each command with a table; nothing is cut, nothing is coloured, no line ends in spaces."""
    said = run(command, folder)
    assert sum(COMMANDS[command] in line for line in said) == 1
    text = "\n".join(said)
    assert "…" not in text
    assert "\x1b" not in text
    assert [line for line in said if line != line.rstrip()] == []


def test_a_pipe_that_wants_colours_is_no_terminal_either(folder: Path) -> None:
    """FORCE_COLOR in CI: colours, and whole lines; no panel that is drawn anew."""
    said = run("demo --speed 10", folder, FORCE_COLOR="1")
    assert "\x1b[" in "".join(said)
    assert any("There is a table by the window, or one on the terrace, which is heated, and both" in at for at in said)
    assert "╭" not in "".join(said)
