"""The command line: arguments to calls, results to people and programs.

People get colour and a live view where a terminal is there, and plain lines where it is not. Programs get `--json`:
one object a line on standard output. What goes wrong is said in a sentence on standard error, and the exit code is 1;
2 means that the command was called wrongly.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from .. import __version__
from ..interrupts import INTERRUPTED
from ..lazy import on_first_use
from .saying import say, takes_any_text

if TYPE_CHECKING:
    from .commands import app

__all__ = ["app", "main"]

__getattr__, __dir__ = on_first_use(__name__, {"app": "commands"})
_BROUGHT_BY_EXTRA = ("click", "rich", "shellingham", "typer")


def main() -> None:
    """The entry point of the `turnkit` command, which loads no more than the command takes."""
    try:
        takes_any_text(sys.stdout, sys.stderr)
        if sys.argv[1:] == ["--version"]:  # asked by scripts, often
            say(f"turnkit {__version__}")
        else:
            _run()
    except KeyboardInterrupt:  # while all that was loading: what a command does then is its own
        sys.exit(INTERRUPTED)


def _run() -> None:
    try:
        import rich  # noqa: F401  (typer does without, the commands do not)

        from .commands import app
    except ModuleNotFoundError as missing:
        _fail_without(missing)
    app()


def _fail_without(missing: ModuleNotFoundError) -> NoReturn:
    """Say what to install, if that is what is missing."""
    if (missing.name or "").partition(".")[0] not in _BROUGHT_BY_EXTRA:
        raise missing
    sys.exit("error: the commands of turnkit need typer and rich, which are not installed: pip install 'turnkit[cli]'")
