"""The command as it was called, for hints that are to be copied: a shell may know no `turnkit`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from shlex import quote
from shutil import which


def called_as() -> str:
    """What calls this command again: `turnkit` where the shell finds this very one, else as it was typed."""
    typed = Path(sys.argv[0])
    if typed.name == "__main__.py" and typed.parent.name == "turnkit":
        return f"{quote(sys.orig_argv[0])} -m turnkit"
    found = which("turnkit")
    if typed.stem != "turnkit" or (found and typed.exists() and os.path.samefile(found, typed)):
        return "turnkit"
    return quote(sys.argv[0])
