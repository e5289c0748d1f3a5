"""Where a call was recorded, and what can be done with that."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from ..checks import os_problem

if TYPE_CHECKING:
    from ..trace import Recorder


def hint_at(console: Console, recorder: Recorder) -> None:
    """Show what can be done with the recording, as commands to copy."""
    path = quote(str(recorder.path))
    console.print()
    if recorder.failure is not None:
        reason = os_problem(recorder.failure)
        console.print(f"  not recorded: {escape(f'{path}: {reason}')}", highlight=False, soft_wrap=True)
        return
    for what, command in (("see the call", "view"), ("decide it again", "replay")):
        line = f"  {what + ':':<17}[bold]turnkit {command} {escape(path)}[/bold]"
        console.print(line, highlight=False, soft_wrap=True)
