"""Where the referee was before it shipped."""

from turnkit.referee import Fate, Referee

__all__ = ["Fate", "Referee"]
