"""Help without columns, for where there is no room for them: nothing is cut off, and no name is broken at a hyphen."""

from __future__ import annotations

import re
from typing import Any

_WHOLE = "\N{NON-BREAKING HYPHEN}"
_AS_IT_IS = "\b\n"  # what click calls a paragraph whose lines are not to be joined


def plain_help(command: Any, ctx: Any) -> str:
    """The help of a command of typer's, 80 columns wide at most."""
    command.rich_markup_mode = None
    command.help = "\n\n".join(
        _AS_IT_IS + paragraph if paragraph.startswith("    ") else paragraph
        for paragraph in (command.help or "").split("\n\n")
    )
    for part in (command, *command.params):
        if part.help:
            part.help = re.sub(r"(?<=\w)-(?=\w)", _WHOLE, part.help)
    told: str = type(command).get_help(command, ctx)
    return told.replace(_WHOLE, "-").replace(r"\[", "[")  # escaped for rich, which is not asked
