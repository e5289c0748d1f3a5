"""An option that takes all names that follow it, as a shell makes many of a pattern."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

OPTION = "--against"


class SpreadOption(TyperCommand):
    """A command whose `--against` takes every name up to the next option, and none that stands before it.

    A shell spreads `tune A/*.jsonl --against B/*.jsonl`: without this, most of B would be taken for A.
    """

    # The context is one of a click that typer has, or in older versions knows.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, each name after the option as if the option stood before it."""
        try:
            return list(super().parse_args(ctx, spread(args)))
        except typer.BadParameter as error:
            if OPTION not in args or type(error).__name__ != "MissingParameter":
                raise
            why = (
                f"it takes all names that follow it, and none is left: name the first set before {OPTION}, or after --"
            )
            raise typer.BadParameter(why, ctx=ctx, param_hint=OPTION) from None


def spread(args: list[str]) -> list[str]:
    """The same command line with the option before each name that it takes."""
    found: list[str] = []
    taking = first = False
    for place, arg in enumerate(args):
        if arg == "--":
            return [*found, *args[place:]]
        if arg.startswith("-") and arg != "-":
            taking = first = arg == OPTION
            found.append(arg)
        else:
            found += [OPTION, arg] if taking and not first else [arg]
            first = False
    return found
