"""Several policies as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import msgspec

from ...errors import ConfigError
from .asking import BargeInPolicy, Overlap, Pause, SpeculationPolicy, Verdict, ask_barge_in, ask_speculation
from .settings import check_policy


@overload
def all_of(first: BargeInPolicy, /, *others: BargeInPolicy) -> BargeInPolicy: ...
@overload
def all_of(first: SpeculationPolicy, /, *others: SpeculationPolicy) -> SpeculationPolicy: ...
def all_of(*policies: Any) -> Any:
    """The policy that goes ahead only if all of these do; the first that does not decides, and says why.

    Going ahead is YIELD at an overlap, and True at a pause. They are asked in order, and none after the one that
    decides; if all go ahead, the reasons of all are given.

    Args:
        policies: At least one, all for barge-in or all for speculation; any callable is one.

    Raises:
        ConfigError: There is none, or one that is no policy.
    """
    if not policies:
        raise ConfigError("all_of(): must be given at least one policy")
    for place, policy in enumerate(policies):
        check_policy("all_of", f"policies[{place}]", policy)
    return AllOf(policies)


class AllOf(msgspec.Struct, frozen=True):
    """Several policies as one, made by `all_of`; raises whatever one of them raises.

    Attributes:
        policies: Those policies, in the order in which they are asked.
    """

    policies: tuple[Callable[[Any], Any], ...]

    def __repr__(self) -> str:
        return f"all_of({', '.join(map(repr, self.policies))})"

    def __call__(self, situation: Overlap | Pause) -> tuple[Verdict | bool, str]:
        """The first answer that does not go ahead; if all do, that, with the reasons of all."""
        whys = []
        for policy in self.policies:
            answer, why = (
                ask_speculation(policy, situation) if isinstance(situation, Pause) else ask_barge_in(policy, situation)
            )
            if answer is not Verdict.YIELD and answer is not True:
                return answer, why
            whys.append(why)
        return True if isinstance(situation, Pause) else Verdict.YIELD, "; ".join(filter(None, whys))
