"""Pages: one HTML file that holds its data and needs nothing else, no network and no other file."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Literal

import msgspec

from .scene import Scene

_HERE = Path(__file__).parent
Theme = Literal["light", "dark"]


def page(scene: Scene, theme: Theme | None = None) -> str:
    """The call as a page; `theme` None follows the reader's system."""
    return fill("call", scene, f"{scene.title} · turnkit", theme)


def fill(name: str, data: object, title: str, theme: Theme | None = None) -> str:
    """The page whose body is `name`.html and whose script is `name`.js, with `data` for the script to draw."""
    parts = {
        "title": escape(title),
        "style": _read("page.css"),
        "body": _read(f"{name}.html"),
        # In a script element only `</` and `<!--` mean anything, and what was said may hold either.
        "data": msgspec.json.encode(data).decode().replace("<", "\\u003c"),
        "script": _read(f"{name}.js"),
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
