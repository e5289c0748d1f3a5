"""What things are worth to you: the money behind a recommendation."""

from __future__ import annotations

import msgspec

from ...checks import is_number, shown
from ...errors import ConfigError


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What things are worth to you; all prices are in one currency.

    Attributes:
        second: Value of a second less of waiting for an answer.
        call: Cost of a call of the LLM, whatever its length.
        token: Cost of a token of the LLM.
        tokens: Number of tokens of a call, those of the prompt included.
        cut_off: Seconds of waiting that an answer into the middle of a sentence is as bad as.
        currency: What the prices are in, such as `EUR`; empty if it does not matter.

    Raises:
        ConfigError: a price, or a number of seconds or tokens, is below 0, or none.
    """

    second: float = 0.01
    call: float = 0.001
    token: float = 0.0
    tokens: int = 1000
    cut_off: float = 3.0
    currency: str = ""

    def __post_init__(self) -> None:
        for name in ("second", "call", "token", "tokens", "cut_off"):
            value = getattr(self, name)
            if not is_number(value) or value < 0:
                raise ConfigError(f"Worth({name}={shown(value)}): must be a number, 0 or more")

    @property
    def per_call(self) -> float:
        """Cost of a call with its tokens."""
        return self.call + self.token * self.tokens
