"""The words of a text: whether it has any, which they are, and whether two texts have the same.

Flux changes its mind about capitals, commas and spaces without the user having said anything new; turnkit therefore
compares words. What the digits say is never folded away: 3.5 is not 35. In scripts that put no spaces between words,
each letter with its marks counts as a word, and blanks between letters say nothing; full-width and half-width forms
are those of usual width.
"""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache

# Signs that Unicode calls punctuation and that yet are said, or stand for something said (Flux redacts to "*").
_SPOKEN = "%&@#*"
_SILENT = "".join(set(string.punctuation) - set(_SPOKEN) - set("$+<=>^`|~"))

_ASCII_LOWER = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
_ASCII_LOWER = _ASCII_LOWER.translate(bytes.maketrans(b"\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f", b" " * 9))
_ASCII_SILENT = _SILENT.encode()
LETTERS = {letter: letter.lower() for letter in string.ascii_letters + string.digits}
"""The letters and digits of ASCII, to their lower case."""
_TAIL = _SILENT + string.whitespace + "\x1c\x1d\x1e\x1f"

_SCRIPTS = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),  # Thai and Lao, Burmese
    *((0x1780, 0x17FF), (0x19E0, 0x19FF)),  # Khmer
    *((0x2E80, 0x312F), (0x31A0, 0x31FF), (0x1AFF0, 0x1B16F), (0xFF66, 0xFF9F)),  # signs, kana, bopomofo; not Hangul
    *((0x3190, 0x319F), (0x3200, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),  # Han
)
_WITHOUT_SPACES = "".join(f"{chr(first)}-{chr(last)}" for first, last in _SCRIPTS)
_MARKS = "\u0300-\u036f\u200c\u200d\u2060\ufe00-\ufe0f\U000e0100-\U000e01ef" + "".join(
    chr(code)
    for first, last in _SCRIPTS
    if last - first < 0x400  # there are none among Han
    for code in range(first, last + 1)
    if unicodedata.category(chr(code)).startswith("M")
)

_LETTER = rf"(?![{_MARKS}\d\s])[{_WITHOUT_SPACES}]"
LETTER_AS_WORD = rf"{_LETTER}[{_MARKS}]*"
"""A letter of a script without spaces between words, with its marks: a pattern of what counts as one word there.

Also a sign of such a script, which is no word unless it is said. Digits make up numbers in every script.
"""

_REVISED = 40  # characters at the end of a text in which Flux may still change its mind

_NUMBER = re.compile(r"(?:(?<!\S)-)?(?:(?<![^\s-])\.)?\d(?:[\d.,:/-]*\d)?")
_DIGIT = re.compile(r"\d")


_MAY_BE_SPACED = re.compile(r"[^\0-\u0dff\u2000-\u2dff]")  # quick, and never wrong to find
_MARK = re.compile(f"[{_MARKS}]")
_UNUSUAL_WIDTH = re.compile("[\uff01-\uffee]+")
_LETTER_APOSTROPHE = "\u02bc"
_ZERO_WIDTH_SPACE = "\u200b"


class _Fold(dict[int, str | None]):
    """A translation table that removes punctuation, and learns each character once."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kind = unicodedata.category(character)
        silent = kind.startswith("P") or kind == "Cf" or character == _LETTER_APOSTROPHE
        self[code] = None if silent and character not in _SPOKEN else character
        return self[code]


class _Apart(dict[int, str]):
    """A translation table that learns each character once: a letter that counts as a word gets blanks around it."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = f" {character} " if re.match(_LETTER, character) else character
        return self[code]


_FOLD = _Fold({ord(_ZERO_WIDTH_SPACE): " "})
_APART = _Apart()


@cache
def _parted_marks() -> re.Pattern[str]:
    """Marks that a blank has parted from their letter; compiled when first needed, as it takes its time."""
    return re.compile(rf"(?<={_LETTER}) ([{_MARKS}]+)")


def usual_width(text: str) -> str:
    """The text with the forms of usual width for full-width and half-width ones."""
    return _UNUSUAL_WIDTH.sub(lambda forms: unicodedata.normalize("NFKC", forms[0]), text)


def fold(text: str) -> bytes:
    """The words of a text without case and punctuation, parted by one blank each; empty if there are none."""
    if not text.isascii():
        words = unicodedata.normalize("NFC", _spaced(text)).casefold().translate(_FOLD).split()
        return " ".join(words).encode("utf-8", "surrogatepass")
    folded = text.encode().translate(_ASCII_LOWER, _ASCII_SILENT).strip()
    return folded if b"  " not in folded else b" ".join(folded.split())


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared, in order; empty if nothing is said in it."""
    return fold(text).decode("utf-8", "surrogatepass").split()


def numbers_of(text: str) -> list[str]:
    """The numbers of a text, in order, with the signs that are said in them."""
    return _NUMBER.findall(text if text.isascii() else _spaced(text))


def _spaced(text: str) -> str:
    """The text in usual width, with blanks around each letter of a script that has none."""
    if _MAY_BE_SPACED.search(text) is None:
        return text
    text = unicodedata.normalize("NFC", usual_width(text)).translate(_APART)
    return text if _MARK.search(text) is None else _parted_marks().sub(r"\1 ", text)


def last_letter(text: str) -> str:
    """The last letter or digit of a text in lower case; empty if there is none, or if it is not ASCII.

    Two texts whose last letters are known and differ do not say the same words: a cheap answer to the common case.
    """
    return LETTERS.get(text[-1:]) or LETTERS.get(text.rstrip(_TAIL)[-1:], "")


def has_words(text: str) -> bool:
    """Whether there is more to a text than white space and punctuation."""
    if not text or text[-1] in LETTERS:
        return text != ""  # nearly all texts: told at once
    first = text[:1]
    return bool(last_letter(text) or (first.isalnum() and first != _LETTER_APOSTROPHE) or fold(text))


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
    return _DIGIT.search(words.decode(errors="replace")) is None or numbers_of(one) == numbers_of(other)
