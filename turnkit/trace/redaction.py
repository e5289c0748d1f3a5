"""Redaction of words: they cannot be read any more, and turn-taking decides by them as before.

Each word becomes another of the same length, the same one whenever it is said in the call: which words are equal, how
many there are and how long they are stays; letters stand for letters, digits for digits, and signs stay where they
are. Words that policies decide by (the built-in backchannels, "stop", "no" and the like, and the phrases of the
policies in force) stay what they are.

So a reader still learns how much was said and when, which words come again, that somebody said "yes", and may guess
frequent words by their frequency and length. It is no encryption.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable

from ..turns.policy import ENGLISH_BACKCHANNELS, NEVER_BACKCHANNELS
from ..turns.policy.phrases import parted_words_of
from ..turns.words import LETTER_AS_WORD, fold, usual_width

_LETTER_AS_WORD = re.compile(LETTER_AS_WORD)
_PIECES = re.compile(f"{LETTER_AS_WORD}|(?:(?!{LETTER_AS_WORD})[^\\s\u200b])+")
_IDEOGRAPHS = (0x4E00, 0xA000)
_SYLLABLES = 0xAC00  # of Hangul: a stock of letters for where those of ASCII do not suffice


class Pseudonyms:
    """The words of one call, and the words that stand for them.

    Args:
        kept: Phrases whose words stay what they are, besides the built-in ones.
    """

    def __init__(self, kept: Iterable[str] = ()) -> None:
        phrases = (*ENGLISH_BACKCHANNELS, *NEVER_BACKCHANNELS, *kept)
        self._kept = frozenset(word for phrase in phrases for word in parted_words_of(phrase))
        self._pieces: dict[str, str] = {}
        self._words: dict[bytes, str] = {}
        self._used: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """Replace every word of a text; its forms are then of usual width."""
        return _PIECES.sub(self._piece, usual_width(text))

    def _piece(self, match: re.Match[str]) -> str:
        piece = match[0]
        known = self._pieces.get(piece)
        if known is None:
            known = self._pieces[piece] = self._replaced(piece)
        return known

    def _replaced(self, piece: str) -> str:
        word = fold(piece)
        if not word or all(said in self._kept for said in parted_words_of(piece)):
            return piece
        other = self._words.get(word)
        if other is None:
            other = self._words[word] = self._new(word.decode("utf-8", "surrogatepass"))
        return _with_form_of(other, piece)

    def _new(self, word: str) -> str:
        """A new word that stands for no other, and is none of those that are kept."""
        shape = "".join(map(_kind, word))
        while True:
            count = self._used[shape]
            self._used[shape] += 1
            other = _spelled(count, shape)
            if not any(said in self._kept for said in parted_words_of(other)):
                return other


def _kind(character: str) -> str:
    """The kind of character that may stand for this one: letter, digit, ideograph; signs and marks stay themselves."""
    if _LETTER_AS_WORD.match(character):
        return "\u4e00"
    if _LETTER_AS_WORD.fullmatch(f"\u4e00{character}"):
        return character  # a mark: a letter in its place would be a word of its own
    if character.isdecimal():
        return "0"
    # Marks of scripts with spaces are part of a word, as letters are.
    return "a" if not character.isascii() or character.isalpha() else character


def _spelled(count: int, shape: str) -> str:
    """The `count`th word of a shape."""
    letters = list(shape)
    for place in range(len(letters) - 1, -1, -1):
        kind = letters[place]
        if kind == "a":
            count, digit = divmod(count, 26)
            letters[place] = string.ascii_lowercase[digit]
        elif kind == "0":
            count, digit = divmod(count, 10)
            letters[place] = string.digits[digit]
        elif kind == "\u4e00":
            low, high = _IDEOGRAPHS
            count, digit = divmod(count, high - low)
            letters[place] = chr(low + digit)
    if count:
        # More words of this shape than ASCII can spell: the first letter says which further round it is.
        letters[0] = chr(_SYLLABLES + count % 11_000)
    return "".join(letters)


def _with_form_of(word: str, piece: str) -> str:
    """The word with the capitals and the punctuation of the piece that it stands for."""
    out, letters = [], iter(word)
    left = len(word)
    for character in piece:
        if not fold(character):
            out.append(character)
        elif left:
            letter = next(letters)
            left -= 1
            out.append(letter.upper() if character.isupper() and letter.isascii() else letter)
    return "".join(out) + "".join(letters)
