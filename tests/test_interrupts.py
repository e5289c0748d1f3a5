"""Ctrl-C in the first moment of the command, in a process of its own, at one moment after the other."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import turnkit
from turnkit.cli.live_view import View
from turnkit.cli.screen import Screen

_LATE = """
import os, signal, sys
sys.argv = ["turnkit", *{arguments!r}]
left = {calls}
def count(frame, event, argument):
    global left
    left -= 1
    if left == 0:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGINT)
{before}
sys.setprofile(count)
{entry}
"""
_ENTRY = "turnkit.interrupts.end_at_once()\nfrom turnkit.cli import main\nmain()"  # as turnkit.__main__ has it
_GUARD = "import turnkit.interrupts"  # what comes before it is Python's own start, and a millisecond
_MOMENTS = [5, 30, 300, 2_000, 10_000, 40_000, 90_000, 150_000, 250_000]


def interrupted(arguments: list[str], calls: int, entry: str = _ENTRY) -> subprocess.CompletedProcess[str]:
    """The command, interrupted after so many calls of functions; signals come as from a terminal."""
    code = _LATE.format(arguments=arguments, calls=calls, before=_GUARD, entry=entry)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("calls", _MOMENTS)
@pytest.mark.parametrize("arguments", [["demo", "--speed", "50"], ["--help"]], ids=str)
def test_it_ends_without_a_word(arguments: list[str], calls: int) -> None:
    """While it loads and when it has begun: 130 and no traceback; one that was over by then had done its work."""
    done = interrupted(arguments, calls)
    assert done.stderr == ""
    if done.returncode != 0:
        assert done.returncode == 130
        assert "╭" not in done.stdout or done.stdout.rstrip().endswith("╯") or "--help" in arguments


def test_it_would_be_shown_otherwise() -> None:
    """Such a moment does raise where nothing stands guard."""
    done = interrupted(["demo"], 3_000, "from turnkit.cli import commands")
    assert "KeyboardInterrupt" in done.stderr


def test_the_command_begins_with_it() -> None:
    """Nothing is loaded before it but what it stands in; and it is what the package installs."""
    body = ast.parse(Path(turnkit.__file__).with_name("__main__.py").read_text(encoding="utf-8")).body
    assert [ast.unparse(node) for node in body[2:5]] == [
        "from .interrupts import end_at_once",
        "end_at_once()",
        "from .cli import main",
    ]
    (command,) = entry_points(group="console_scripts", name="turnkit")
    assert command.value == "turnkit.__main__:main"


def test_whoever_ignores_it_still_does() -> None:
    """As what a shell starts in the background: the command goes on to its end."""
    code = _LATE.format(
        arguments=["--version"],
        calls=500,
        before=f"{_GUARD}\nsignal.signal(signal.SIGINT, signal.SIG_IGN)",
        entry=_ENTRY,
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("turnkit ")


def test_a_library_leaves_it_alone() -> None:
    """Only the command takes it."""
    code = "import signal, sys; was = sys.excepthook\nimport turnkit.cli.commands, turnkit.interrupts\n"
    code += "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and sys.excepthook is was"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_view_that_is_interrupted_as_it_begins_gives_the_cursor_back(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The panel is half there at most, and taken away."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    view = View(screen, "a title")
    real = type(view).__rich__

    def interrupted_once(self: View) -> object:
        monkeypatch.setattr(View, "__rich__", real)
        os.kill(os.getpid(), signal.SIGINT)
        return real(self)

    monkeypatch.setattr(View, "__rich__", interrupted_once)
    with pytest.raises(KeyboardInterrupt), view:
        pass
    shown = capfd.readouterr().out
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
