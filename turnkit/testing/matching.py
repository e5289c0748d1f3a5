"""Whether a text has some words in it, by turnkit's own comparison of words."""

from __future__ import annotations

import re

from ..turns.words import fold, numbers_of

_SENTENCE_BEGINS = re.compile(r"(?<=[^\W\d_]{2}[.!?…])[^\W\d_]")


def contains_words(text: str, words: str) -> bool:
    """Whether the words are in the text, in a row; case and punctuation aside, but "35" is not in "3.5".

    Sentences that were said without a blank between them, as "One moment.Yes." by two tokens, are parted;
    letters with points, as "U.S.A.", are not.
    """
    parted = _SENTENCE_BEGINS.sub(_with_blank, text)
    if not any(b" %b " % fold(words) in b" %b " % fold(form) for form in (text, parted)):
        return False
    wanted, there = numbers_of(words), numbers_of(text)
    return any(there[start : start + len(wanted)] == wanted for start in range(len(there) - len(wanted) + 1))


def _with_blank(letter: re.Match[str]) -> str:
    return f" {letter[0]}" if letter[0].isupper() else letter[0]
