"""Page of a tuning: what to run, what it rests on, and what else there is, for whoever must choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .page import Theme, fill

_FRONT = 18  # settings worth running that are drawn: as many as one tells apart
_BOUNDS = 5  # settings of which only bounds are known
_DIGITS = 4
_DROPPED = frozenset({"setting", "on_front"})  # of a setting that is drawn: its name says it, or all of them are


def tuning_page(fields: Mapping[str, Any], theme: Theme | None = None) -> str:
    """The page of a tuning.

    Args:
        fields: The tuning, the scores of barge-in policies and more, as `turnkit tune --json` prints them; what is not
            there is not drawn.
        theme: Its colours; None follows the reader's system.

    Returns:
        The HTML.
    """
    tuning = dict(fields["tuning"])
    tuning["outcomes"] = [_short(one) for one in _worth_drawing(tuning)]
    tuning.pop("gate", None)
    return fill("tuning", {**fields, "tuning": _rounded(tuning)}, "Which thresholds to run · turnkit", theme)


def _worth_drawing(tuning: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The running and the recommended setting, the front evenly, and those that may be better yet for all one knows."""
    outcomes: list[Mapping[str, Any]] = list(tuning.get("outcomes") or [])
    named = {(tuning.get(one) or {}).get("name") for one in ("current", "recommendation")} - {None}
    special = [one for one in outcomes if one["name"] in named]
    others = [one for one in outcomes if one["name"] not in named]
    front = sorted((one for one in others if one.get("on_front")), key=lambda one: one["response"]["value"])
    last = max(len(front) - 1, 1)
    chosen = front if len(front) <= _FRONT else [front[i * last // (_FRONT - 1)] for i in range(_FRONT)]
    bounds = [one for one in others if one.get("knowledge") == "bounds"]
    return [*special, *chosen, *_beyond(bounds)]


def _beyond(bounds: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of settings with bounds only, one for each different range: the one that waits least at worst."""
    least: dict[Any, Mapping[str, Any]] = {}
    for one in sorted(bounds, key=lambda one: one["response"]["value"]):
        ends = (one.get("best_response"), one["response"]["value"], one.get("best_cut_offs"), one["cut_offs"]["value"])
        least.setdefault(tuple(round(end, 2) for end in ends if end is not None), one)
    return list(least.values())[:_BOUNDS]


def _short(outcome: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in outcome.items() if name not in _DROPPED}
    return {**kept, "on_front": True} if outcome.get("on_front") else kept


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, (list, tuple)) else value
