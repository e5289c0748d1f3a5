"""The application that every command is registered with, and which loads a command when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from .. import __version__
from .saying import say

COMMANDS = (
    "chart",
    "check",
    "demo",
    "export",
    "metrics",
    "play",
    "replay",
    "run",
    "serve",
    "simulate",
    "soak",
    "tune",
    "view",
)
"""Every command. Each registers itself with `app` in the module of its name, which is imported when it is needed."""


class Commands(TyperGroup):
    """The commands by name: one is loaded to be run, and all are to be listed."""

    # The contexts and commands are those of a click that typer has, or in older versions knows.
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; None if there is none, all being loaded then to suggest one."""
        self._load([cmd_name] if cmd_name in COMMANDS else COMMANDS)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name, as --help and completion show them."""
        self._load(COMMANDS)
        return list(COMMANDS)

    def _load(self, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in self.commands]
        for name in missing:
            import_module(f".{name}", __package__)
        if missing:
            made: Any = get_command(app)  # the group anew, with what has registered itself meanwhile
            self.commands.update(made.commands)


app = typer.Typer(
    cls=Commands,
    help="Decide, from Deepgram Flux turn events, when a voice bot may think, may speak and must stop.",
    epilog="Start with `turnkit demo`, a whole call to watch; then `turnkit play`, to talk to it yourself; and then "
    "`turnkit serve mybot:session`, for a bot of your own. `turnkit COMMAND -h` tells more of each.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
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
    from ..logs import log_to_stderr

    if log_level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter(f"{log_level!r}: must be debug, info, warning or error", param_hint="--log-level")
    log_to_stderr(log_level)
