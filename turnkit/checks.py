"""The checks of settings: each raises ConfigError naming the setting, its value and the rule."""

from __future__ import annotations

import sys
from math import inf

from .errors import ConfigError


def check_seconds(setting: str, value: object, *, zero: bool = True, most: float = inf) -> float:
    """Check a number of seconds; infinity, NaN and booleans are none.

    Args:
        setting: its name, as the caller of the setting knows it.
        value: what was given.
        zero: whether 0 seconds make sense. Default True.
        most: the largest number that makes sense, in seconds. Default `inf`: any that is finite.

    Returns:
        The value, as a float.

    Raises:
        ConfigError: it is not such a number.
    """
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 <= value <= min(most, sys.float_info.max)  # some whole numbers are larger than any float
        and (zero or value != 0)
    ):
        return float(value)
    rule = "0 or more" if zero else "more than 0"
    bound = "" if most == inf else f", up to {most:g}"
    raise ConfigError(f"{setting}={value!r}: must be a number of seconds, {rule}{bound}")
