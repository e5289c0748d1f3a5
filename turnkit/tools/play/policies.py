"""The barge-in policies that the page offers, and one that asks whichever of them is chosen just then."""

from __future__ import annotations

from ...errors import ConfigError
from ...turns.policy import (
    BargeInPolicy,
    EchoGuard,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    MinWords,
    Never,
    Overlap,
    Verdict,
)

POLICIES: dict[str, tuple[BargeInPolicy, str]] = {
    "ignore-backchannels": (IgnoreBackchannels(), "any word but “mm-hm”, “yeah”, “I see” stops the bot"),
    "echo-guard": (EchoGuard(IgnoreBackchannels()), "so, but not the bot's own words, come back from the loudspeaker"),
    "hold-then-decide": (HoldThenDecide(IgnoreBackchannels()), "it pauses at a word, then goes on or stops"),
    "immediate": (Immediate(), "the first word stops the bot"),
    "min-words": (MinWords(3), "three words stop the bot"),
    "never": (Never(), "it says all it has to say, and answers afterwards"),
}
"""By name: the policy, and what it does in a few words."""

DEFAULT = "ignore-backchannels"


class ChosenPolicy:
    """A barge-in policy that asks another one, which may be replaced in the middle of a call.

    A session has its policy for good, and the machine asks it anew at each event of an overlap: what is chosen now
    counts from the next event on.

    Args:
        name: which of `POLICIES` it is at first.

    Raises:
        ConfigError: there is none of that name.

    Attributes:
        name: which one it is now.
    """

    def __init__(self, name: str = DEFAULT) -> None:
        self.name = name
        self.choose(name)

    def choose(self, name: str) -> None:
        """Ask another one from now on.

        Raises:
            ConfigError: there is none of that name; the old one stays.
        """
        if name not in POLICIES:
            raise ConfigError(f"policy={name[:40]!r}: must be one of {', '.join(POLICIES)}")
        self.name, self._policy = name, POLICIES[name][0]

    @property
    def text(self) -> str:
        """The one it is now, as `turnkit replay --barge-in` takes it."""
        return repr(self._policy)

    def __call__(self, overlap: Overlap) -> Verdict | tuple[Verdict, str]:
        """What the chosen one answers."""
        return self._policy(overlap)
