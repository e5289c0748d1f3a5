"""Plain text on standard output, for every command: whoever reads it, and in whatever encoding."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TextIO

from ..printable import printable


def say(text: str) -> None:
    """Print plain text on standard output; if its reader has gone, the command is over."""
    try:
        print(printable(text), flush=True)  # noqa: T201
    except BrokenPipeError:
        # What Python would flush on its way out must not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def takes_any_text(*streams: TextIO | None) -> None:
    """Have these streams show something like it for a character that their encoding lacks, instead of raising.

    Args:
        streams: those of the process; one that already knows what to do is left alone.
    """
    codecs.register_error(__name__, _stand_in)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors=__name__)


_LIKE = {
    **dict.fromkeys("–—‒―", "-"),
    **dict.fromkeys("“”", '"'),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}", " "),
    "→": ">",
    "»": ">",
    "×": "x",
    "±": "+-",
    "≥": ">=",
    "≤": "<=",
    "…": "...",
    "·": ".",
    "µ": "u",
    "●": "*",
    "○": "o",
    "◌": "o",
    "█": "#",
}


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """For `codecs`: what stands for the characters that cannot be had, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_LIKE.get(character, "?") for character in error.object[error.start : error.end]), error.end
