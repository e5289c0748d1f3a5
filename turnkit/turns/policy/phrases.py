"""Phrases as they are spoken.

Here words are those that turnkit compares, parted also at hyphens and other marks inside, apostrophes aside: "Uh-huh."
and "uh huh" are the same two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..words import fold, words_of

_INSIDE_A_WORD = "'’ʼ＇"


class _Parted(dict[int, str]):
    """A translation table that learns each character once: what is not said parts words."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = character if character in _INSIDE_A_WORD or fold(character) else " "
        return self[code]


_PARTED = _Parted()


def parted_words_of(text: str) -> list[str]:
    """The words of a text, in order, parted at hyphens too; empty if nothing is said in it."""
    return words_of(text.translate(_PARTED))


class Phrases:
    """A set of phrases, each with words, against which lists of words are held."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._whole = frozenset(tuple(parted_words_of(phrase)) for phrase in phrases)
        self._begun = frozenset(phrase[:size] for phrase in self._whole for size in range(1, len(phrase)))
        self._sizes = sorted({len(phrase) for phrase in self._whole})

    def make_up(self, words: Sequence[str]) -> bool:
        """Whether the words are nothing but these phrases, one or several, one after the other."""
        return bool(words) and len(words) in self._reached(words)

    def may_make_up(self, words: Sequence[str]) -> bool:
        """Whether they are not yet, but further words could make them so; a word itself is not expected to grow."""
        return any(tuple(words[start:]) in self._begun for start in self._reached(words))

    def occur_in(self, words: Sequence[str]) -> bool:
        """Whether any of the phrases stands somewhere in the words."""
        return any(
            tuple(words[start : start + size]) in self._whole for start in range(len(words)) for size in self._sizes
        )

    def _reached(self, words: Sequence[str]) -> set[int]:
        """How many of the words can be taken off the front in whole phrases; in more than one way, so try all."""
        reached = {0}
        for start in range(len(words)):
            if start in reached:
                for size in self._sizes:
                    if tuple(words[start : start + size]) in self._whole:
                        reached.add(start + size)
        return reached
