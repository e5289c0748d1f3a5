"""Pages: one HTML file that holds its data and needs nothing else, no network and no other file but a call's audio."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Literal

import msgspec

from .drawn import Scene

_HERE = Path(__file__).parent
_SCRIPTS = {"call": ("shared", "call", "transcript", "hands")}  # others: shared, and the page's own
Theme = Literal["light", "dark"]


def page(scene: Scene, theme: Theme | None = None) -> str:
    """The call as a page.

    Args:
        scene: the call, as there is to be seen of it.
        theme: light or dark; None follows the reader's system.
    """
    return fill("call", scene, f"{scene.title} · turnkit", theme, audio=scene.sound is not None)


def fill(name: str, data: object, title: str, theme: Theme | None = None, *, audio: bool = False) -> str:
    """The page whose body is `name`.html, with `data` for its scripts to draw.

    Args:
        name: Which page it is.
        data: What its scripts are given, as JSON.
        title: Title of the page.
        theme: Its colours; None follows the reader's system.
        audio: Whether it may play a file beside it.

    Returns:
        The HTML.
    """
    parts = {
        "title": escape(title),
        "media": "media-src 'self' file:" if audio else "media-src 'none'",
        "style": _read("page.css") + _read(f"{name}.css"),
        "body": _read(f"{name}.html"),
        # In a script element only `</` and `<!--` mean anything, and what was said may hold either.
        "data": msgspec.json.encode(data).decode().replace("<", "\\u003c"),
        "script": "".join(_read(f"{script}.js") for script in _SCRIPTS.get(name, ("shared", name))),
    }
    text = _read("page.html")
    if theme is not None:
        text = text.replace('<html lang="en">', f'<html lang="en" data-theme="{theme}">')
    head, *rest = text.split("{{")
    for piece in rest:
        key, _, after = piece.partition("}}")
        head += parts[key] + after
    return head


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
