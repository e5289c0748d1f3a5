"""Words as they are spoken, and the phrases they make up.

Here a text is a list of words: case, punctuation and apostrophes aside, and parted at hyphens, so that "Uh-huh." and
"uh huh" are the same two. In scripts that put no white space between words, each character counts as a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..words import WITHOUT_SPACES, fold

_INSIDE_A_WORD = "'’ʼ＇"
_IS_WORD = re.compile(f"[{WITHOUT_SPACES}]").match


class _Spelling(dict[int, str | None]):
    """A translation table that learns each character once: what is not said parts words, or goes."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        if character in _INSIDE_A_WORD:
            self[code] = None
        elif not fold(character):
            self[code] = " "
        else:
            self[code] = f" {character} " if _IS_WORD(character) else character
        return self[code]


_SPELLING = _Spelling()


def words_of(text: str) -> list[str]:
    """The words of a text, in order; empty if nothing is said in it."""
    return unicodedata.normalize("NFC", text).casefold().translate(_SPELLING).split()


class Phrases:
    """A set of phrases, each with words, against which lists of words are held."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._whole = frozenset(tuple(words_of(phrase)) for phrase in phrases)
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
