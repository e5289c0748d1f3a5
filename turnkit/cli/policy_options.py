"""Policies by short names, as options spell them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ConfigError
from ..trace import policy_from_text
from ..turns.policy import (
    BargeInPolicy,
    Budget,
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    MinConfidence,
    MinDuration,
    MinWords,
    Never,
    NoSpeculation,
    OnEager,
    SpeculationPolicy,
)

_SPECULATION: dict[str, Callable[[str], SpeculationPolicy]] = {
    "on-eager": lambda _: OnEager(),
    "none": lambda _: NoSpeculation(),
    "min-confidence:X": lambda text: MinConfidence(float(text)),
    "budget:N": lambda text: Budget(int(text)),
}
_BARGE_IN: dict[str, Callable[[str], BargeInPolicy]] = {
    "immediate": lambda _: Immediate(),
    "min-words:N": lambda text: MinWords(int(text)),
    "min-duration:SECONDS": lambda text: MinDuration(float(text)),
    "grace:SECONDS": lambda text: Grace(float(text)),
    "hold-then-decide": lambda _: HoldThenDecide(),
    "ignore-backchannels": lambda _: IgnoreBackchannels(),
    "echo-guard": lambda _: EchoGuard(),
    "never": lambda _: Never(),
}
SPECULATION_HELP = ", ".join(_SPECULATION)
BARGE_IN_HELP = ", ".join(_BARGE_IN)


def speculation_policy(text: str) -> SpeculationPolicy:
    """The policy that `--speculation` names; raises ConfigError if it names none."""
    policy: SpeculationPolicy = _named("--speculation", text, _SPECULATION)
    return policy


def barge_in_policy(text: str) -> BargeInPolicy:
    """The policy that `--barge-in` names; raises ConfigError if it names none."""
    policy: BargeInPolicy = _named("--barge-in", text, _BARGE_IN)
    return policy


def _named(option: str, text: str, forms: dict[str, Callable[[str], Any]]) -> Any:
    if "(" in text:
        # As turnkit itself prints it: MinWords(count=2), all_of(Grace(0.5), MinWords(2)).
        return policy_from_text(text, option)
    name, colon, argument = text.partition(":")
    for form, build in forms.items():
        if form.partition(":")[:2] == (name, colon):
            try:
                return build(argument)
            except ConfigError as error:
                raise ConfigError(f"{option} {text}: {error}") from None
            except ValueError:
                raise ConfigError(f"{option} {text}: {argument!r} is not a number, as in {form}") from None
    raise ConfigError(f"{option} {text}: must be one of {', '.join(forms)}")
