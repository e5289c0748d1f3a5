"""Whether a text has some words in it, by turnkit's own comparison of words."""

from __future__ import annotations

from ..turns.words import fold, numbers_of


def contains_words(text: str, words: str) -> bool:
    """Whether the words are in the text, in a row; case and punctuation aside, but "35" is not in "3.5"."""
    if b" %b " % fold(words) not in b" %b " % fold(text):
        return False
    wanted, there = numbers_of(words), numbers_of(text)
    return any(there[start : start + len(wanted)] == wanted for start in range(len(there) - len(wanted) + 1))
