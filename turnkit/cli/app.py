"""The application that every command is registered with."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from ..logs import log_to_stderr
from .output import say

app = typer.Typer(
    help="Decide, from Deepgram Flux turn events, when a voice bot may think, may speak and must stop.",
    epilog="Start with: turnkit demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(asked: bool) -> None:
    if asked:
        say(f"turnkit {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    log_level: Annotated[
        str, typer.Option(help="debug, info, warning or error; logs go to standard error.")
    ] = "warning",
) -> None:
    if log_level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter(f"{log_level!r}: must be debug, info, warning or error", param_hint="--log-level")
    log_to_stderr(log_level)
