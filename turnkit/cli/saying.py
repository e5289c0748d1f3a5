"""Plain text on standard output, for every command: whoever reads it, and in whatever encoding."""

from __future__ import annotations

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
    """Have these streams show `?` for a character that their encoding lacks, instead of raising.

    Args:
        streams: those of the process; one that is closed, or is no longer its own, is left alone.
    """
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and not stream.closed and stream.errors == "strict":
            stream.reconfigure(errors="replace")
