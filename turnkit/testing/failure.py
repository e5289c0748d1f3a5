"""How a rehearsal fails: with an error that shows the conversation, and counts as a failed assertion."""

from __future__ import annotations

from ..errors import TurnkitError


class RehearsalFailed(TurnkitError, AssertionError):
    """A rehearsed conversation went wrong; unlike other messages of turnkit's this one shows what was said.

    It also tells of a test that can never go on, or does not let time go on, and of where its tasks wait.
    """
