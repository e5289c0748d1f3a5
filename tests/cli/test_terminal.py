"""What others wrote does not reach the terminal as commands: not from Flux, not from a recording, not from a log."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from typer.testing import CliRunner

from turnkit import cli
from turnkit.cli.live_view import View
from turnkit.cli.output import say_json
from turnkit.cli.saying import say
from turnkit.cli.screen import Screen
from turnkit.errors import FluxError
from turnkit.logs import log_to_stderr, logger
from turnkit.turns.events import BargeIn, Commit, DropReason, Note, NoteKind, TurnDropped, TurnStarted, TurnUpdated

HOSTILE = "a\x1b]0;owned\x07b\x1b[2Jc\x9b3Jd\u202ee\u2066f\x08\rg\u2028h\x00i"
LEFT = "a]0;ownedb[2Jc3Jdefghi"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
RICHS_OWN = re.compile(r"\x1b\[[0-9;?]*[mKAhlJHG]|\r")  # colours, and moving about, of which 2J is not


def steering(text: str) -> list[str]:
    """What steers the terminal, but for what the view itself says to it."""
    assert "\x1b[2J" not in text
    return STEERING.findall(RICHS_OWN.sub("", text))


def signals() -> list[TurnStarted | TurnUpdated | Note | BargeIn | TurnDropped | Commit]:
    return [
        TurnStarted(0, HOSTILE, at=1.0),
        TurnUpdated(0, HOSTILE, 0.5, at=1.1),
        Note(NoteKind.UNKNOWN_MESSAGE, HOSTILE, at=1.2),
        BargeIn(0, 0, HOSTILE, HOSTILE, at=1.3),
        TurnDropped(0, HOSTILE, DropReason.OVERLAP_KEPT, HOSTILE, at=1.4),
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_the_view_of_a_call(terminal: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The lines and the live panel, on a terminal and on a pipe: a transcript sets no title and clears nothing."""
    monkeypatch.setenv("COLUMNS", "80")
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    assert screen.is_terminal is terminal
    with View(screen, f"turnkit run {HOSTILE}") as view:
        for signal in signals():
            view.show(signal, signal.at)
        view.play(HOSTILE, HOSTILE)
        view.tick(2.0)
    shown = capfd.readouterr().out
    assert LEFT in shown
    assert steering(shown) == []
    edges = re.findall("╭[^╮]*╮|╰[^╯]*╯|│[^│]*│", RICHS_OWN.sub("", shown))
    assert {len(edge) for edge in edges} <= {
        77,
        78,
    }  # ^C has room beside them; what is left out takes no room, or hardly any in old releases
    assert bool(edges) is terminal


def test_whatever_is_printed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A table, a panel that lives, plain text, on either stream."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)
    for screen in (Screen(), Screen(stderr=True)):
        screen.print(table, HOSTILE, f"[bold]{HOSTILE}[/bold]")
        with Live(Panel(HOSTILE, title=HOSTILE), console=screen, auto_refresh=False) as live:
            live.refresh()
    say(HOSTILE)
    say_json({HOSTILE: HOSTILE})
    for shown in capfd.readouterr():
        assert "owned" in shown
        assert steering(shown) == []


def test_json_for_programs_says_what_was_said(capfd: pytest.CaptureFixture[str]) -> None:
    """Escaped, not left out."""
    say_json({"transcript": HOSTILE})
    assert json.loads(capfd.readouterr().out) == {"transcript": HOSTILE}


def test_a_log_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Also as it is before anybody configures it."""
    logger().warning("flux_lost", reason=str(FluxError(HOSTILE, HOSTILE, request_id=HOSTILE)))
    log_to_stderr()
    logger(session=HOSTILE).error("callback_failed", personal_message=HOSTILE)
    shown = capfd.readouterr().err
    assert "owned" in shown
    assert steering(shown) == []


def forged(**fields: object) -> str:
    header = {"trace": 2, "turnkit": HOSTILE, "session": HOSTILE, "began": HOSTILE, "at": 0.0, "settings": {}, **fields}
    lines = [
        header,
        {"at": 1.0, "event": "StartOfTurn", "turn_index": 0, "transcript": HOSTILE},
        {"at": 2.0, "event": "EndOfTurn", "turn_index": 0, "transcript": HOSTILE, "trigger": HOSTILE},
        {"at": 2.0, "fact": HOSTILE, "fields": {HOSTILE: HOSTILE}},
        {"at": 3.0, "close": True},
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


FORGED: dict[str, Callable[[], str]] = {
    "words": lambda: forged(),
    "a version": lambda: forged(trace=99),
    "settings": lambda: forged(settings={HOSTILE: HOSTILE, "barge_in": HOSTILE, "speculation": HOSTILE}),
    "a policy": lambda: forged(settings={"barge_in": f"{HOSTILE}()", "hold_timeout": HOSTILE}),
    "options": lambda: forged(options={"model": HOSTILE}),
    "no fields": lambda: json.dumps({"trace": HOSTILE}) + "\n",
    "a kind": lambda: forged() + json.dumps({"at": 4.0, "event": "StartOfTurn", HOSTILE: HOSTILE}) + "\n\n",
    "no trace": lambda: json.dumps({"type": HOSTILE, "event": HOSTILE}) + "\n",
    "no JSON": lambda: HOSTILE + "\n\n",
}


COMMANDS = ["replay", "replay --json", "replay --hold-timeout 1", "view", "tune", "tune --json"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", FORGED)
def test_a_forged_recording(command: str, what: str, tmp_path: Path) -> None:
    """Whatever is forged in it, and its name too: it is told, and tells the terminal nothing."""
    path = tmp_path / f"call{HOSTILE.replace(chr(0), '')}.jsonl"
    path.write_text(FORGED[what](), encoding="utf-8", newline="")
    name, *options = command.split()
    out = [f"--out={tmp_path / 'page.html'}"] if name == "view" else []
    done = CliRunner().invoke(cli.app, [name, str(path), *options, *out], env={"COLUMNS": "300"})
    assert done.exit_code in (0, 1)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.output
    assert steering(done.output) == []


def test_no_command_prints_on_anything_else() -> None:
    """There is one place that prints."""
    for path in Path(cli.__file__).parent.glob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {call.id for call in calls if isinstance(call, ast.Name)}
        names |= {
            f"{call.value.id}.{call.attr}"
            for call in calls
            if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)
        }
        assert not names & {"Console", "typer.echo", "typer.secho", "rich.print", "get_console"}, path.name
        assert "print" not in names or path.name == "saying.py", path.name
