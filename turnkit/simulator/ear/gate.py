"""The gate: from the probability of speech, step by step, to stretches of speech."""

from __future__ import annotations

_OPENS = 0.5  # probability, as Silero's own
_CLOSES = 0.35
_OPENING_SECONDS = 0.12  # of speech without a break: less is a click, a cough, or chance


class SpeechGate:
    """Open while somebody speaks.

    Args:
        step: seconds of sound for each probability.

    Attributes:
        open: whether somebody speaks.
        start: the second at which the stretch of speech that was found last begins.
        end: the second up to which speech was found; 0 before there is any.
        now: the second up to which sound was heard.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._needed = max(1, round(_OPENING_SECONDS / step))
        self._steps = 0
        self._run = 0  # steps of speech without a break, before it opens
        self.open = False
        self.start = 0.0
        self.end = 0.0

    @property
    def now(self) -> float:
        """The second up to which sound was heard."""
        return self._steps * self._step

    def hear(self, probability: float) -> None:
        """Take the probability of the next step."""
        self._steps += 1
        if self.open:
            self.open = probability >= _CLOSES
        else:
            self._run = self._run + 1 if probability >= _OPENS else 0
            if self._run >= self._needed:
                self.open = True
                self.start = self.now - self._run * self._step
                self._run = 0
        if self.open:
            self.end = self.now
