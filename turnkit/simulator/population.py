"""Populations: callers by habit, from which scripts are drawn; how they pause, and how their turns end.

    script = EOT_BENCH_LIKE.script(seed=7)    # one call; the same seed is the same call

`EOT_BENCH_LIKE` is calibrated: with the detector it comes out, within a tolerance that its test states, where
https://github.com/livekit/eot-bench saw Flux on recorded human turns in English (`python -m benchmarks.eot_bench`).
How long its pauses are is read off the silence-only baseline of the same report, whose cut-offs at a timeout are the
share of pauses that are longer. `HESITANT` and `DECIDED` are two ends of a scale, not measured on anybody: their eager
ends of turn are taken back most of the time, and hardly ever.
"""

from __future__ import annotations

from itertools import pairwise
from math import log
from random import Random

import msgspec

from ..checks import is_number, shown
from ..errors import ConfigError
from .script import Pace, Script, Utterance, say

_BEGINNINGS = ("I'd like", "Could you", "Please", "I was wondering", "Maybe we", "My name is", "We need", "It's about")
_GOINGS_ON = (
    "a table",
    "the booking",
    "two rooms",
    "an appointment",
    "my order",
    "the invoice",
    "some help",
    "a refund",
)
_ENDINGS = ("for tomorrow", "on Friday evening", "as soon as possible", "under Smith", "near the station", "if you can")
_MOST_PAUSES = 6  # in one utterance


class Population(msgspec.Struct, frozen=True, kw_only=True):
    """Callers of one kind.

    Attributes:
        name: what they are called.
        pace: how they speak.
        pauses: how long they pause within a turn, as seconds and the share of pauses that are longer: from a share of
            1 down to a share above 0, which is that of the longest ones. Between two of them the logarithm of the share
            is a straight line.
        goes_on: the chance that a turn has a pause in it, and after that another, 0 to 1 (excluded).
        unfinished: the chance that a turn ends on words that do not, 0 to 1.
        gap: seconds from the end of one turn to the next, in which the agent would answer.

    Raises:
        ConfigError: for values that are not as said here.
    """

    name: str
    pace: Pace = "talk"
    pauses: tuple[tuple[float, float], ...]
    goes_on: float
    unfinished: float = 0.0
    gap: float = 7.0

    def __post_init__(self) -> None:
        for field in ("goes_on", "unfinished"):
            value = getattr(self, field)
            if not is_number(value) or not 0 <= value <= 1 or (field == "goes_on" and value == 1):
                rule = "a chance from 0 to 1, not 1 itself" if field == "goes_on" else "a chance from 0 to 1"
                raise ConfigError(f"{field}={shown(value)}: must be {rule}")
        if not is_number(self.gap) or self.gap <= 0:
            raise ConfigError(f"gap={shown(self.gap)}: must be a number of seconds above 0")
        seconds, shares = [one for one, _ in self.pauses], [share for _, share in self.pauses]
        rises = all(a < b for a, b in pairwise(seconds))
        falls = all(a > b for a, b in pairwise(shares))
        if len(seconds) < 2 or seconds[0] <= 0 or shares[0] != 1 or shares[-1] <= 0 or not (rises and falls):
            raise ConfigError(
                f"pauses={shown(self.pauses)}: must be rising seconds with falling shares, from 1 to above 0"
            )

    def script(self, seed: int, *, utterances: int = 8) -> Script:
        """Draw a call.

        Args:
            seed: the same one gives the same call, and has it heard the same way.
            utterances: how many turns the caller takes, 8 by default.

        Raises:
            ConfigError: for a number of turns below 1.
        """
        if type(utterances) is not int or utterances < 1:
            raise ConfigError(f"utterances={shown(utterances)}: must be a whole number of at least 1")
        chance = Random(f"{self.name} {seed}")
        said: list[Utterance] = []
        at = 1.0
        for _ in range(utterances):
            said.append(say(self._line(chance), at=at, pace=self.pace))
            # Spread over a second, so that ends fall anywhere within a frame of the detector.
            at = said[-1].end + self.gap + chance.random()
        return Script(tuple(said), seed=seed)

    def _line(self, chance: Random) -> str:
        parts = [f"{chance.choice(_BEGINNINGS)} {chance.choice(_GOINGS_ON)}"]
        while len(parts) <= _MOST_PAUSES and chance.random() < self.goes_on:
            parts.append(f"({self._pause(chance):.3f}) {chance.choice(_GOINGS_ON)} {chance.choice(_ENDINGS)}")
        return " ".join(parts) + ("" if chance.random() < self.unfinished else ".")

    def _pause(self, chance: Random) -> float:
        share = chance.random()
        for (low, more), (high, less) in pairwise(self.pauses):
            if share > less:
                return low + (high - low) * log(more / share) / log(more / less)
        return self.pauses[-1][0]


EOT_BENCH_LIKE = Population(
    name="eot-bench-like",
    pace="task",
    pauses=((0.2, 1.0), (0.3, 0.556), (0.6, 0.217), (1.0, 0.099), (1.6, 0.049), (5.0, 0.003)),
    goes_on=0.6,
    unfinished=0.016,
)
"""Turns and pauses as in LiveKit's eot-bench, English: where Flux was measured in the open."""

HESITANT = Population(name="hesitant", pauses=((0.5, 1.0), (1.0, 0.6), (3.0, 0.03)), goes_on=0.87, unfinished=0.4)
"""Callers who think aloud, and trail off: most drafts for them are wasted."""

DECIDED = Population(name="decided", pauses=((0.2, 1.0), (0.6, 0.2), (1.5, 0.02)), goes_on=0.25, unfinished=0.05)
"""Callers who say what they want in one go: nearly every draft for them is kept."""

POPULATIONS = {one.name: one for one in (EOT_BENCH_LIKE, HESITANT, DECIDED)}
"""All of them by name."""
