"""The charts of `turnkit.turns.chart`, drawn from the very rows that are compiled into the table that runs.

Where a state stands and how an edge bends is said here; which edges there are, and what takes them, is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from turnkit.turns.chart import REPLY_EDGES, USER_EDGES, Edge

from .svg import Picture

HALF, TALL = 52, 20  # half the width and half the height of a state


class Route(NamedTuple):
    """How an edge goes.

    Attributes:
        path: as SVG has it.
        x: the middle of its words.
        y: their first base line.
        columns: how many words stand beside each other.
    """

    path: str
    x: float
    y: float
    columns: int = 1


def _moving(edges: Iterable[Edge]) -> dict[tuple[str, str], list[Edge]]:
    """The edges that move something, by where from and where to."""
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        if edge.dest is not None:
            found.setdefault((edge.source.value, edge.dest.value), []).append(edge)
    return found


def _draw(
    picture: Picture,
    states: dict[str, tuple[int, int]],
    edges: Iterable[Edge],
    routes: dict[tuple[str, str], Route],
    initial: str,
) -> Picture:
    moving = _moving(edges)
    if missing := moving.keys() ^ routes.keys():
        raise ValueError(f"the chart and its picture differ in {sorted(missing)}")
    for pair, route in routes.items():
        picture.add(f'<g data-from="{pair[0]}" data-to="{pair[1]}">')
        picture.arrow(route.path, "soft")
        words = moving[pair]
        for start in range(0, len(words), route.columns):
            y = route.y + 16 * (start // route.columns)
            part = words[start : start + route.columns]
            for count, edge in enumerate(part):
                x = route.x + (count - (len(part) - 1) / 2) * 92
                picture.text(x, y, edge.move.value, css="small slant" if edge.surprise else "small")
        picture.add("</g>")
    x, y = states[initial]
    picture.add(f'<circle cx="{x - HALF - 30}" cy="{y}" r="5" style="fill:var(--tk-ink)"/>')
    picture.arrow(f"M{x - HALF - 25},{y} L{x - HALF - 2},{y}", "ink")
    for name, (x, y) in states.items():
        ink = _INKS[name]
        picture.box(x - HALF, y - TALL, 2 * HALF, 2 * TALL, f"{ink}-tint", ink, radius=TALL)
        picture.text(x, y + 5, name, css="strong", ink=ink)
    return picture


_INKS = {
    "listening": "flux",
    "speaking": "caller",
    "ending": "turnkit",
    "drafting": "llm",
    "pending": "turnkit",
    "audible": "voice",
    "held": "caller",
    "closed": "stop",
}


def user() -> Picture:
    """The user, moved by Flux."""
    picture = Picture(
        800,
        284,
        "The user, moved by Flux",
        "listening, speaking, ending: StartOfTurn opens a turn, EagerEndOfTurn says that it has probably ended, "
        "TurnResumed takes that back, EndOfTurn ends it; and what else moves the user when these are missing.",
    )
    states = {"listening": (140, 156), "speaking": (420, 156), "ending": (700, 156)}
    routes = {
        ("listening", "speaking"): Route("M193,146 L366,146", 280, 98),
        ("speaking", "ending"): Route("M473,146 L646,146", 560, 134),
        ("ending", "speaking"): Route("M650,168 C600,190 520,190 470,168", 560, 204),
        ("speaking", "listening"): Route("M370,168 C320,190 240,190 190,168", 280, 204, 2),
        ("ending", "listening"): Route("M700,136 C680,6 160,6 140,136", 420, 30, 6),
    }
    picture = _draw(picture, states, USER_EDGES, routes, "listening")
    picture.text(16, 268, "slanted: a surprise, which is noted", css="small slant", anchor="start")
    return picture


def reply() -> Picture:
    """A reply, moved by signals and playback."""
    picture = Picture(
        800,
        330,
        "A reply, moved by signals and playback",
        "drafting becomes pending with Commit, audible with the first sound, held while an overlap is judged, closed "
        "when it is over, stopped or cancelled.",
    )
    states = {
        "drafting": (110, 170),
        "pending": (302, 170),
        "audible": (536, 170),
        "held": (536, 286),
        "closed": (732, 170),
    }
    routes = {
        ("drafting", "pending"): Route("M163,170 L248,170", 206, 162),
        ("drafting", "closed"): Route("M110,150 C130,6 710,6 730,148", 420, 34),
        ("pending", "closed"): Route("M302,150 C330,62 670,62 714,148", 510, 76, 2),
        ("pending", "audible"): Route("M355,170 L482,170", 418, 146),
        ("audible", "closed"): Route("M589,170 L678,170", 634, 146),
        ("audible", "held"): Route("M522,191 L522,264", 500, 232),
        ("held", "closed"): Route("M589,286 C690,286 732,250 732,193", 648, 306),
        ("held", "audible"): Route("M550,265 L550,192", 580, 232),
    }
    return _draw(picture, states, REPLY_EDGES, routes, "drafting")
