"""Hours and days of calls as people there know them: recordings tell them by UTC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ..errors import ConfigError
from ..tools.tuner import CallSilences


def zone_of(name: str) -> tzinfo | None:
    """The time zone of that name, such as Europe/Berlin; None of no name. Raises ConfigError if there is none."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"--time-zone {name}: is no time zone that this machine knows; must be a name such as Europe/Berlin"
        ) from None


def in_zone(calls: Iterable[CallSilences], zone: tzinfo | None) -> Iterator[CallSilences]:
    """The same calls, with when they began told in a time zone; those of no known clock are left alone."""
    for call in calls:
        yield call if zone is None else _moved(call, zone)


def _moved(call: CallSilences, zone: tzinfo) -> CallSilences:
    try:
        began = datetime.fromisoformat(call.began)
    except ValueError:
        return call
    return call if began.tzinfo is None else msgspec.structs.replace(call, began=began.astimezone(zone).isoformat())
