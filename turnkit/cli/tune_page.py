"""The tuner's page: the fields that `tune --json` prints, and what a reader is told of parts of the calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..tools.tuner import Segment
from .private_file import write_private

_WHAT = {"tag": "each tag", "language": "each language", "hour": "each hour"}


def write_page(fields: dict[str, Any], path: Path, segments: tuple[Segment, ...], by: str | None, zone: str) -> None:
    """Write the page.

    Args:
        fields: The tuning, the policies and the files left out, as plain fields.
        path: The HTML file.
        segments: Parts of the calls.
        by: By what these are told apart; None if they are not.
        zone: The time zone of hours; empty for that of the recordings.
    """
    from ..tools.viewer.tuning import tuning_page

    tuning = fields["tuning"]
    if by is not None:
        tuning["by"] = _WHAT[by] + (f", {zone or 'UTC'}" if by == "hour" else "")
        for row, segment in zip(tuning["segments"], segments, strict=True):
            row["label"] = (f"{segment.name}:00" if by == "hour" and segment.name else segment.name) or "not known"
            row["own"] = segment.shown
            row["recommended"] = str(segment.setting) if segment.shown else "as for all"
    write_private(path, tuning_page(fields).encode(), "--html")
