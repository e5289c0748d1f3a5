"""Whether a text has some words in it, case and punctuation aside."""

from __future__ import annotations

from ..turns.words import fold


def contains_words(text: str, words: str) -> bool:
    """Whether the words are in the text, in a row; case and punctuation aside."""
    return b" %b " % fold(words) in b" %b " % fold(text)
