"""A barge-in policy that was replaced in the middle of a call, brought back from the facts of its recording."""

from __future__ import annotations

from ..errors import ConfigError
from ..turns.policy import BargeInPolicy, Overlap, Verdict
from .policy_text import policy_from_text
from .records import Fact, Trace

CHOSEN = "PolicyChosen"
"""The fact that tells of it: `barge_in` is the policy from here on, as text."""


class ChosenPolicy:
    """Asks the policy that was in force where the replay has come to.

    Args:
        first: The policy until another one was chosen.
    """

    def __init__(self, first: BargeInPolicy) -> None:
        self._policy = first

    def __call__(self, overlap: Overlap) -> Verdict | tuple[Verdict, str]:
        """What the policy in force answers."""
        return self._policy(overlap)

    def heed(self, fact: Fact) -> None:
        """Go by what was chosen here, if this is such a fact."""
        self._policy = _chosen(fact) or self._policy


def chosen_policy(trace: Trace) -> ChosenPolicy | None:
    """The policy of a call in which it was chosen; None if its recording does not tell."""
    first = next(filter(None, map(_chosen, trace.facts(CHOSEN))), None)
    return None if first is None else ChosenPolicy(first)


def _chosen(fact: Fact) -> BargeInPolicy | None:
    text = fact.fields.get("barge_in")
    if fact.name != CHOSEN or not isinstance(text, str):
        return None
    try:
        policy: BargeInPolicy = policy_from_text(text, "barge_in")
    except ConfigError:
        return None
    return policy
