"""Comparing texts by their words: whether a text has any, and whether two texts have the same.

Flux changes its mind about capitals, commas and spaces without the user having said anything new, so texts are not
compared letter by letter. What the digits say is never folded away: 3.5 is not 35.
"""

from __future__ import annotations

import re
import string
import unicodedata

# Signs that Unicode calls punctuation and that yet are said, or stand for something said (Flux redacts to "*").
_SPOKEN = "%&@#*"
_SILENT = "".join(set(string.punctuation) - set(_SPOKEN) - set("$+<=>^`|~"))

_ASCII_LOWER = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
_ASCII_LOWER = _ASCII_LOWER.translate(bytes.maketrans(b"\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f", b" " * 9))
_ASCII_SILENT = _SILENT.encode()
LETTERS = {letter: letter.lower() for letter in string.ascii_letters + string.digits}
"""The letters and digits of ASCII, to their lower case."""
_TAIL = _SILENT + string.whitespace + "\x1c\x1d\x1e\x1f"

WITHOUT_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
"""The scripts without spaces between words, for a character class; in texts of theirs each character counts as a word.

Thai and Lao, Burmese, Khmer, Han, bopomofo and kana with their signs and half-width forms.
"""

_REVISED = 40  # characters at the end of a text in which Flux may still change its mind

_NUMBER = re.compile(r"(?:(?<!\S)-)?(?:(?<![^\s-])\.)?\d(?:[\d.,:/-]*\d)?")
_DIGIT = re.compile(r"\d")


class _Fold(dict[int, str | None]):
    """A translation table that removes punctuation, and learns each character once."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        silent = character not in _SPOKEN and unicodedata.category(character).startswith("P")
        self[code] = None if silent else character
        return self[code]


_FOLD = _Fold()


def fold(text: str) -> bytes:
    """The words of a text without case, punctuation and superfluous white space; empty if there are none."""
    if not text.isascii():
        words = unicodedata.normalize("NFC", text).casefold().translate(_FOLD).split()
        return " ".join(words).encode("utf-8", "surrogatepass")
    folded = text.encode().translate(_ASCII_LOWER, _ASCII_SILENT).strip()
    return folded if b"  " not in folded else b" ".join(folded.split())


def last_letter(text: str) -> str:
    """The last letter or digit of a text in lower case; empty if there is none, or if it is not ASCII.

    Two texts whose last letters are known and differ do not say the same words: a cheap answer to the common case.
    """
    return LETTERS.get(text.rstrip(_TAIL)[-1:], "")


def has_words(text: str) -> bool:
    """Whether there is more to a text than white space and punctuation."""
    return bool(last_letter(text) or fold(text))


def same_words(one: str, other: str) -> bool:
    """Whether two texts have the same words, whatever their case, punctuation and spaces; numbers must be equal."""
    if one == other:
        return True
    end, other_end = one.rstrip(_TAIL)[-3:], other.rstrip(_TAIL)[-3:]
    if (end + other_end).isascii() and end.isalnum() and other_end.isalnum() and end.lower() != other_end.lower():
        return False
    alike = min(len(one), len(other)) - _REVISED
    if alike > 0 and one[:alike] == other[:alike] and (space := one.rfind(" ", 0, alike)) > 0:
        # Flux revises the end of a long text: what both begin with need not be folded.
        one, other = one[space:], other[space:]
    words = fold(one)
    if words != fold(other):
        return False
    return _DIGIT.search(words.decode(errors="replace")) is None or _NUMBER.findall(one) == _NUMBER.findall(other)
