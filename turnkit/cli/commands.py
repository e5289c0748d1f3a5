"""The application that every command is registered with, and which loads a command when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from shutil import get_terminal_size
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from .. import __version__
from ..interrupts import INTERRUPTED, raise_again
from .examples import shown_examples
from .plain_help import plain_help
from .saying import say

COMMANDS = {
    "chart": "Show the two charts that turnkit runs on: the user's, moved by Flux, and a reply's.",
    "check": "Explore the state space of the turn machine and judge nine invariants at every step.",
    "demo": "Watch a whole conversation on this machine: no key, no network, half a minute.",
    "export": "Write recorded calls as Parquet tables: a row a turn, a row a draft, a row a signal.",
    "metrics": "Figures of recorded calls: how fast they answer, what drafts save and waste, whom they interrupt.",
    "play": "Talk to a bot in the browser, and see every decision as it falls: no key, no network.",
    "replay": "Replay recorded calls: the same decisions again, or what other settings would have made of them.",
    "run": "Stream a WAV file to Flux in real time and print what turnkit decides.",
    "serve": "Serve a bot to phones and pages.",
    "simulate": "Be Flux on this machine: a /v2/listen that a client cannot tell from the real one.",
    "soak": "Hold many calls at once against a simulated Flux that goes wrong, and account for every word.",
    "tune": "Find the thresholds to run, from your own recorded calls.",
    "view": "See a call: who had the floor when, what was decided, and why.",
}
"""Every command, and the first sentence of its help: none is loaded to be listed.

Each registers itself with `app` in the module of its name, which is imported when it is needed.
"""


_ROOMY = 120  # columns: in fewer, rich cuts the names of options off, and help that is piped is 80 wide


def _has_room() -> bool:
    """Whether help may be set in columns."""
    return sys.stdout.isatty() and get_terminal_size().columns >= _ROOMY


class Commands(TyperGroup):
    """The commands by name: one is loaded to be run, none to be listed."""

    # The contexts and commands are those of a click that typer has, or in older versions knows.
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; None if there is none."""
        if self._listing:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            import_module(f".{cmd_name}", __package__)
            made: Any = get_command(app)  # the group anew, with what has registered itself meanwhile
            self.commands.update(made.commands)
        command: Any = super().get_command(ctx, cmd_name)
        examples = shown_examples(cmd_name) if cmd_name in COMMANDS else ""
        if command is not None and examples not in command.help:
            command.help += f"\n\n{examples}"
        if command is not None:
            _unname_flags(command.params if ctx is None else command.get_params(ctx))
            if not _has_room():
                command.get_help = partial(plain_help, command)
        return command

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name, as --help and completion show them."""
        return list(COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with each command's name and first sentence."""
        with self._listed():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """What a shell offers."""
        with self._listed():
            return super().shell_complete(ctx, incomplete)

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        """Find the command that was asked for; one that there is not is told from those that there are."""
        if args and args[0] not in COMMANDS:
            self.commands = {name: TyperCommand(name) for name in COMMANDS}
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C ends it with 130, wherever it was."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    _listing = False

    @contextmanager
    def _listed(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


def _unname_flags(options: list[Any]) -> None:
    """Show no value beside the options that take none: typer writes `<bool>`, which takes the room of words."""
    for option in options:
        if getattr(option, "is_flag", False):
            option.metavar = ""


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
        str, typer.Option(metavar="LEVEL", help="debug, info, warning or error; logs go to standard error.")
    ] = "warning",
) -> None:
    from ..logs import log_to_stderr

    if log_level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter(f"{log_level!r}: must be debug, info, warning or error", param_hint="--log-level")
    log_to_stderr(log_level)
    raise_again()  # the command begins
