"""Policies by short names, as options spell them."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ConfigError
from ..trace import policy_from_text
from ..turns.policy import BARGE_IN_POLICIES, SPECULATION_POLICIES, BargeInPolicy, BuiltIn, SpeculationPolicy
from ..turns.policy.built_in import PolicyT


def _forms(built_ins: Iterable[BuiltIn[PolicyT]]) -> str:
    return ", ".join(built_in.option for built_in in built_ins)


SPECULATION_HELP = _forms(SPECULATION_POLICIES)
BARGE_IN_HELP = _forms(BARGE_IN_POLICIES)


def speculation_policy(text: str) -> SpeculationPolicy:
    """The policy that `--speculation` names; raises ConfigError if it names none."""
    return _named("--speculation", text, SPECULATION_POLICIES)


def barge_in_policy(text: str) -> BargeInPolicy:
    """The policy that `--barge-in` names; raises ConfigError if it names none."""
    return _named("--barge-in", text, BARGE_IN_POLICIES)


def _named(option: str, text: str, built_ins: Iterable[BuiltIn[PolicyT]]) -> PolicyT:
    if "(" in text:
        # As turnkit itself prints it: MinWords(count=2), all_of(Grace(0.5), MinWords(2)).
        policy: PolicyT = policy_from_text(text, option)
        return policy
    name, colon, argument = text.partition(":")
    for built_in in built_ins:
        if built_in.option.partition(":")[:2] == (name, colon):
            try:
                return built_in.made_from(argument)
            except ConfigError as error:
                raise ConfigError(f"{option} {text}: {error}") from None
            except ValueError:
                raise ConfigError(f"{option} {text}: {argument!r} is not a number, as in {built_in.option}") from None
    raise ConfigError(f"{option} {text}: must be one of {_forms(built_ins)}")
