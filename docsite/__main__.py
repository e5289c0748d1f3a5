"""Draw the pictures of the documentation anew: `python -m docsite`."""

from __future__ import annotations

from pathlib import Path

from . import bots, charts, timelines
from .svg import stylesheet

DOCS = Path(__file__).resolve().parents[1] / "docs"


def files() -> dict[Path, str]:
    """What is drawn, by where it stands."""
    pictures = {
        "turn": timelines.turn(),
        "turn-narrow": timelines.turn_narrow(),
        "overlap": timelines.overlap(),
        "overlap-narrow": timelines.overlap_narrow(),
        "bot": bots.bot(),
        "user": charts.user(),
        "reply": charts.reply(),
    }
    drawn = {DOCS / "pictures" / f"{name}.svg": picture.svg() for name, picture in pictures.items()}
    return {**drawn, DOCS / "stylesheets" / "pictures.css": stylesheet()}


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCS.parent))
