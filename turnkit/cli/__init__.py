"""The command line: arguments to calls, results to people and programs.

People get colour and a live view where a terminal is there, and plain lines where it is not. Programs get `--json`:
one object a line on standard output. What goes wrong is said in a sentence on standard error, and the exit code is 1;
2 means that the command was called wrongly.
"""

from __future__ import annotations

from . import (  # noqa: F401  (each registers its command)
    chart,
    check,
    demo,
    export,
    metrics,
    play,
    replay,
    run,
    serve,
    simulate,
    soak,
    tune,
    view,
)
from .app import app

__all__ = ["app", "main"]


def main() -> None:
    """The entry point of the `turnkit` command."""
    app()
