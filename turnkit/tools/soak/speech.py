"""Speech of the callers of a soak: each word comes once in a call, so that none can go missing unseen."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ...simulator import Script, SpokenWord, Utterance, marked_silence, say

FRAME_SECONDS = 0.08
_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_VOWELS = "aeiou"
_ALL = len(_CONSONANTS) ** 3 * len(_VOWELS) ** 2
_STRIDE = 7919  # has no factor in common with _ALL: neighbours differ in every letter, and none comes twice


def keyword(number: int) -> str:
    """Spell a word of five letters for each number.

    Five, because the simulator shows the half of longer ones first, and says shorter ones too fast to be sure that
    what one connection did not show is heard again by the next.
    """
    rest = number * _STRIDE % _ALL
    letters = []
    for place in range(5):
        alphabet = _VOWELS if place % 2 else _CONSONANTS
        rest, at = divmod(rest, len(alphabet))
        letters.append(alphabet[at])
    return "".join(letters)


class Speech:
    """What every caller says.

    Args:
        seconds: Seconds that it lasts at least.
        seed: Seed of the words; the same seed says the same.

    Attributes:
        script: Script for the simulator.
        words: Words of the script, in lower case and without punctuation.
        place: Place of each word among them.
        utterance: Number of the utterance of each word, from 0.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        self.script = Script(tuple(_utterances(seconds, Random(f"{seed} speech"))), seed=seed)
        self.words: list[SpokenWord] = []
        self.utterance: list[int] = []
        for number, utterance in enumerate(self.script.utterances):
            for word in utterance.words:
                self.words.append(SpokenWord(_bare(word.text), word.start, word.end))
                self.utterance.append(number)
        self.place = {word.text: place for place, word in enumerate(self.words)}
        # All at once: made as they are needed, they would look like a leak.
        self._frames = [
            marked_silence(FRAME_SECONDS, start=number * FRAME_SECONDS)
            for number in range(round(seconds / FRAME_SECONDS))
        ]
        self._silence = bytes(len(self._frames[0]))

    def places(self, text: str) -> set[int]:
        """The places of the words that are in a text."""
        return {place for token in text.split() if (place := self.place.get(_bare(token))) is not None}

    def frame(self, number: int) -> bytes:
        """The sound of 80 ms, the same bytes for every caller; after the end, silence."""
        return self._frames[number] if number < len(self._frames) else self._silence


def _bare(token: str) -> str:
    return token.strip(".,?!").lower()


def _utterances(seconds: float, chance: Random) -> Iterator[Utterance]:
    at, number = 1.0, 0
    while at < seconds:
        # One word alone may be a backchannel; a pause makes Flux think of an end too early.
        count = 1 if chance.random() < 0.15 else chance.randint(2, 9)
        said = [keyword(number + index) for index in range(count)]
        number += count
        if count > 3 and chance.random() < 0.35:
            said.insert(chance.randint(1, count - 1), f"({chance.uniform(0.4, 1.2):.2f})")
        utterance = say(" ".join(said) + ".", at=round(at, 2))
        yield utterance
        # Some go on before anybody could have answered, most let the agent speak, a few let it finish.
        at = utterance.end + (chance.uniform(0.7, 1.6) if chance.random() < 0.2 else chance.uniform(2.0, 5.5))
