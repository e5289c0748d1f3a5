"""Checks of the settings of built-in policies: a ConfigError names policy, setting, value and rule."""

from __future__ import annotations

from inspect import iscoroutinefunction

from ... import checks
from ...errors import ConfigError

_FOREVER = 1e9  # seconds


def check_whole(policy: str, name: str, value: object) -> None:
    """Raise ConfigError unless the value is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{policy}({name}={checks.shown(value)}): must be a whole number of at least 1")


def check_seconds(policy: str, name: str, value: object) -> None:
    """Raise ConfigError unless the value is a number of seconds, 0 or more and not infinite."""
    try:
        checks.check_seconds(name, value, most=_FOREVER)
    except ConfigError:
        raise ConfigError(f"{policy}({name}={checks.shown(value)}): must be a number of seconds, 0 or more") from None


def check_share(policy: str, name: str, value: object, *, zero: bool = True) -> None:
    """Raise ConfigError unless the value is a number from 0 to 1, or without `zero` above 0 and up to 1."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value <= 1
        or (value == 0 and not zero)
    ):
        rule = "must be a number from 0 to 1" if zero else "must be a number above 0, up to 1"
        raise ConfigError(f"{policy}({name}={checks.shown(value)}): {rule}")


def check_policy(policy: str, name: str, value: object) -> None:
    """Raise ConfigError unless the value is a callable that can be a policy."""
    check_callable(f"{policy}({name}={checks.shown(value)})", value)


def check_callable(shown: str, value: object) -> None:
    """Raise ConfigError for no callable, a class, the likely slip for an instance, and an async function."""
    if isinstance(value, type) or not callable(value):
        raise ConfigError(f"{shown}: must be a policy, that is a callable such as Immediate()")
    if iscoroutinefunction(value):
        raise ConfigError(f"{shown}: must be a plain function, not async: a policy decides at once")
