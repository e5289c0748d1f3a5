"""What the command loads before it does anything, and what it says where what it needs is not installed."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest
from typer.main import get_command

from turnkit import __version__
from turnkit.cli.commands import COMMANDS, app

MODULES = {f"turnkit.cli.{name}" for name in COMMANDS}
HEAVY = {"typer", "click", "rich", "numpy", "scipy", "msgspec", "anyio", "asyncio", "websockets", "structlog"} | {
    f"turnkit.{room}" for room in ("engine", "turns", "wire", "session", "flux", "simulator", "tools", "interop")
}
MISSING = "error: the commands of turnkit need typer and rich, which are not installed: pip install 'turnkit[cli]'\n"


def run(*arguments: str, before: str = "", after: str = "") -> subprocess.CompletedProcess[str]:
    """The command in an interpreter of its own, with lines of Python before it is loaded and after it has ended."""
    code = (
        f"import sys; sys.argv = ['turnkit', *{arguments!r}]\n{before}\n"
        f"try:\n    from turnkit.cli import main\n    main()\nfinally:\n    sys.stdout.flush()\n    {after or 'pass'}"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def loaded(*arguments: str) -> set[str]:
    """What it loads, of turnkit and of others."""
    done = run(*arguments, after="print(*sys.modules, file=sys.stderr)")
    return set(done.stderr.splitlines()[-1].split())


def test_the_version_takes_no_command_and_no_library() -> None:
    """Scripts ask for it, and it is quick: `main` prints it itself."""
    assert run("--version").stdout == f"turnkit {__version__}\n"
    assert (HEAVY | MODULES) & loaded("--version") == set()


def test_the_version_is_the_same_beside_other_options() -> None:
    """Where the whole command line reads it."""
    assert run("--log-level", "debug", "--version").stdout == f"turnkit {__version__}\n"
    assert MODULES & loaded("--log-level", "debug", "--version") == set()


def test_a_command_loads_no_other() -> None:
    """And nothing that it does not need."""
    there = loaded("chart")
    assert MODULES & there == {"turnkit.cli.chart"}
    assert not {"numpy", "scipy", "websockets", "turnkit.simulator", "turnkit.session"} & there


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []], ids=str)
def test_help_loads_no_command(arguments: list[str]) -> None:
    """They are listed by a table."""
    assert (MODULES | {"turnkit.engine", "turnkit.session", "structlog", "numpy"}) & loaded(*arguments) == set()


def test_the_table_says_what_each_command_says() -> None:
    """Its first sentence, word for word."""
    made: Any = get_command(app)
    context: Any = made.context_class(made)
    for name, summary in COMMANDS.items():
        told = " ".join(made.get_command(context, name).help.split())
        assert told.startswith(summary), name
        assert summary.endswith(".")


def test_a_wrong_command_is_told_what_it_may_have_been() -> None:
    """None is loaded for that."""
    assert MODULES & loaded("simulat") == set()
    done = run("simulat")
    assert done.returncode == 2
    assert "Did you mean 'simulate'" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=str)
def test_all_commands_are_listed(arguments: list[str]) -> None:
    """Each with the first line of its help; nothing asked for is help too, and says what to begin with."""
    done = run(*arguments, before="import os; os.environ['COLUMNS'] = '100'")
    told = done.stdout + done.stderr
    assert [name for name in COMMANDS if f" {name} " not in told] == []
    assert "Watch a whole conversation" in told
    assert "Start with turnkit demo" in told


def test_completion_knows_every_command_and_its_options() -> None:
    """As a shell asks for it."""
    ask = "import os; os.environ.update(_TURNKIT_COMPLETE='complete_bash', COMP_WORDS={!r}, COMP_CWORD='{}')"
    assert run(before=ask.format("turnkit s", 1)).stdout.split() == ["serve", "simulate", "soak"]
    assert "--speed" in run(before=ask.format("turnkit demo --s", 2)).stdout.split()


@pytest.mark.parametrize("missing", ["typer", "rich"])
@pytest.mark.parametrize("arguments", [[], ["demo"], ["--help"]], ids=str)
def test_without_the_extra_it_says_what_to_install(missing: str, arguments: list[str]) -> None:
    """In a line on standard error."""
    done = run(*arguments, before=f"sys.modules[{missing!r}] = None")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", MISSING)


def test_without_the_extra_the_version_is_printed() -> None:
    """It needs nothing."""
    done = run("--version", before="sys.modules['typer'] = sys.modules['rich'] = None")
    assert (done.returncode, done.stdout) == (0, f"turnkit {__version__}\n")


def test_what_else_is_missing_is_not_taken_for_the_extra() -> None:
    """An engine that is broken says so itself."""
    done = run("demo", before="sys.modules['msgspec'] = None")
    assert done.returncode == 1
    assert "turnkit[cli]" not in done.stderr
    assert "msgspec" in done.stderr


def test_an_interrupt_while_it_loads_ends_it_quietly() -> None:
    """Ctrl-C in the first moment: no traceback, and the exit code of an interrupt."""
    interrupts = (
        "import builtins, os, signal\nreal = builtins.__import__\n"
        "def load(name, *rest):\n"
        "    if name.endswith('typer'):\n        signal.raise_signal(signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = load"
    )
    done = run("demo", before=interrupts)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, "", "")
