"""What the rest of turnkit has to know of a policy that it ships: said once, beside the policy itself.

Recordings, the command line, the tuner and the strategies for tests are made from lists of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

PolicyT = TypeVar("PolicyT")


class BuiltIn(msgspec.Struct, Generic[PolicyT], frozen=True):
    """A policy that turnkit ships, with its names and some examples of it.

    Attributes:
        kind: The class; recordings spell the policy by its name and settings.
        option: The short form on the command line: a name, and if it takes an argument, a colon and what to put there,
            as in "min-words:N".
        examples: Policies of this kind for tests to draw from, the simplest first.
        argument: Makes the class's first setting from the text after the colon, and raises ValueError if that is no
            number; None if the short form takes no argument.
        compared: What `turnkit tune` tries on recorded calls, by the names it prints; what is made of several policies
            stands with the last of them.
    """

    kind: type
    option: str
    examples: tuple[PolicyT, ...]
    argument: Callable[[str], object] | None = None
    compared: Mapping[str, PolicyT] = {}

    def made_from(self, text: str) -> PolicyT:
        """The policy that the short form stands for.

        Args:
            text: What follows the colon; not looked at if the form takes no argument.

        Raises:
            ValueError: The text is no number where one is needed; ConfigError if the policy refuses the number.
        """
        # `type` says nothing of how its instances are made, so that they are called may be written down here only.
        make: Callable[..., Any] = self.kind
        policy: PolicyT = make() if self.argument is None else make(self.argument(text))
        return policy
