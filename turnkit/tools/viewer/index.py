"""Index of calls: one page with a row a call, its figures and its words, to sort, to filter and to search."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .drawn import Figures, Scene
from .page import Theme, fill

_MOST_WORDS = 20_000  # characters of a call that can be searched: half an hour of talk


class IndexedCall(msgspec.Struct):
    """A call as a row of the index.

    Attributes:
        name: What it is called.
        href: Address of its page, relative to the index.
        began: Wall clock at the beginning, in ISO 8601.
        seconds: Seconds that it lasted.
        figures: The call in figures.
        notices: What to know about the recording, in sentences.
        words: What was said by user and agent, as far as it can be searched.
        audio: Whether there is audio to be heard.
    """

    name: str
    href: str
    began: str
    seconds: float
    figures: Figures
    notices: list[str]
    words: str
    audio: bool


def indexed(scene: Scene, name: str, href: str) -> IndexedCall:
    """The row of a call, called `name`, whose page is at `href`."""
    said = [(turn.start, turn.text) for turn in scene.turns] + [
        (reply.phases[0].start, reply.heard) for reply in scene.replies if reply.phases
    ]
    words = " · ".join(text for _, text in sorted(said) if text)
    return IndexedCall(
        name=name,
        href=href,
        began=scene.began,
        seconds=round(scene.seconds, 1),
        figures=scene.figures,
        notices=scene.notices,
        words=words[:_MOST_WORDS],
        audio=scene.sound is not None,
    )


def index_page(
    title: str, calls: Sequence[IndexedCall], unreadable: Sequence[str] = (), theme: Theme | None = None
) -> str:
    """The index as a page.

    Args:
        title: What the calls are called together.
        calls: The rows.
        unreadable: What could not be read, and why.
        theme: Its colours; None follows the reader's system.

    Returns:
        The HTML.
    """
    data = {"title": title, "calls": list(calls), "unreadable": list(unreadable)}
    return fill("index", data, f"{title} · turnkit", theme)
