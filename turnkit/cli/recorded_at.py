"""Where a call was recorded, and what can be done with that."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from ..checks import os_problem
from .called_as import called_as

if TYPE_CHECKING:
    from ..trace import Recorder


def hint_at(console: Console, recorder: Recorder) -> None:
    """Show what can be done with the recording, as commands to copy; nothing if no call has begun."""
    if recorder.failure is None and not recorder.path.is_file():
        return
    path = quote(str(recorder.path))
    console.print()
    if recorder.failure is not None:
        reason = os_problem(recorder.failure)
        console.print(f"  not recorded: {escape(f'{path}: {reason}')}", highlight=False, soft_wrap=True)
        return
    for what, command in (("see the call", "view"), ("decide it again", "replay")):
        line = f"  {what + ':':<17}[bold]{escape(called_as())} {command} {escape(path)}[/bold]"
        console.print(line, highlight=False, soft_wrap=True)
