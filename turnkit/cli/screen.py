"""`Screen`: the console that every command prints on."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ..printable import printable


class Screen(Console):
    """A console that others cannot steer: a transcript, a recording or an error may hold what a terminal obeys.

    Everything passes here on its way out, tables, progress and live panels included. What rich itself says to the
    terminal is no text, and stays.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as any console does, without what would steer the terminal."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)
