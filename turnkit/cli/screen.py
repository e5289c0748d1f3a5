"""`Screen`: the console that every command prints on."""

from __future__ import annotations

import os
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ..printable import printable
from .layout import ENDLESS


class Screen(Console):
    """A console that others cannot steer: a transcript, a recording or an error may hold what a terminal obeys.

    Everything passes here on its way out, tables, progress and live panels included. What rich itself says to the
    terminal is no text, and stays.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, emoji=False)
        # A pipe has no width, not even where it is asked for colours and passes for a terminal.
        if not self.is_terminal or not (self.file.isatty() or os.environ.get("COLUMNS", "").isdigit()):
            self.width = ENDLESS

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as any console does, without what would steer the terminal."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)
