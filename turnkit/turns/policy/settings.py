"""What the settings of built-in policies must be: each raises ConfigError naming policy, setting, value and rule."""

from __future__ import annotations

from ...errors import ConfigError

_FOREVER = 1e9  # seconds


def check_whole(policy: str, name: str, value: object) -> None:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{policy}({name}={value!r}): must be a whole number of at least 1")


def check_seconds(policy: str, name: str, value: object) -> None:
    """Seconds, 0 or more; infinity is no number of seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _FOREVER:
        raise ConfigError(f"{policy}({name}={value!r}): must be a number of seconds, 0 or more")


def check_share(policy: str, name: str, value: object, *, zero: bool = True) -> None:
    """A number from 0 to 1; without `zero`, above 0."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value <= 1
        or (value == 0 and not zero)
    ):
        rule = "must be a number from 0 to 1" if zero else "must be a number above 0, up to 1"
        raise ConfigError(f"{policy}({name}={value!r}): {rule}")


def check_policy(policy: str, name: str, value: object) -> None:
    """A callable that is not a class: the class where an instance belongs is the likely slip."""
    if isinstance(value, type) or not callable(value):
        raise ConfigError(f"{policy}({name}={value!r}): must be a policy, that is a callable such as Immediate()")
