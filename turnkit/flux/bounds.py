"""The bounds of a stream: how long each wait may last, and how much audio is kept for the next connection."""

from __future__ import annotations

from math import inf

import msgspec

from ..checks import is_number, shown
from ..errors import ConfigError

_MAY_BE_OFF = {"message_timeout": inf, "silence_after": inf, "reconnect_timeout": 0.0, "replay_seconds": 0.0}


class Bounds(msgspec.Struct, gc=False, kw_only=True):
    """The bounds of a stream, in seconds; `connect` says what each is for. Raises ConfigError for what cannot work."""

    connect_timeout: float = 10.0
    send_timeout: float = 5.0
    answer_timeout: float = 5.0
    close_timeout: float = 2.0
    message_timeout: float = 10.0
    silence_after: float = 0.5
    reconnect_timeout: float = 60.0
    backoff_first: float = 0.5
    backoff_max: float = 8.0
    replay_seconds: float = 15.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _check(name, getattr(self, name))
        if self.backoff_first > self.backoff_max:
            raise ConfigError(f"backoff_first={self.backoff_first!r}: must be at most backoff_max={self.backoff_max!r}")


def _check(name: str, value: object) -> None:
    off = _MAY_BE_OFF.get(name)
    if (is_number(value) and value > 0) or (not isinstance(value, bool) and off is not None and value == off):
        return
    rule = "" if off is None else f", or {off:g} to do without"
    raise ConfigError(f"{name}={shown(value)}: must be a positive, finite number of seconds{rule}")
