"""Text that is safe to print, and JSON that says the same."""

from __future__ import annotations

import json
import sys
import unicodedata

import msgspec
import pytest

from turnkit.printable import printable, printable_json

EVERYTHING = "".join(map(chr, range(sys.maxunicode + 1)))
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def steers(letter: str) -> bool:
    """Whether a terminal obeys it, or turns what stands around it; by what Unicode itself says of it."""
    kind, direction = unicodedata.category(letter), unicodedata.bidirectional(letter)
    return kind in ("Cc", "Zl", "Zp", "Cs") or direction in BIDI or letter in "\u061c\u200e\u200f"


def test_nothing_that_steers_a_terminal_is_left() -> None:
    """No C0, C1 or bidi control, of all letters there are; line ends and tabs, and all else, stay."""
    text = printable(EVERYTHING)
    assert {letter for letter in text if steers(letter)} == {"\n", "\t"}
    lost = set(EVERYTHING) - set(text)
    assert {letter for letter in lost if not steers(letter)} == set()
    text.encode()  # no halves of a character either


@pytest.mark.parametrize("text", ["", "A table for two.", "ağrı, 표, नमस्ते, 👩‍👩‍👧, می‌خواهم", "a\tb\n"])
def test_what_people_say_is_left_as_it_is(text: str) -> None:
    """Letters that join others are no controls."""
    assert printable(text) == text


@pytest.mark.parametrize("at", range(0, sys.maxunicode + 1, 0x8000))
def test_json_says_the_same_without_them(at: int) -> None:
    """What programs read is not changed."""
    said = "".join(letter for letter in EVERYTHING[at : at + 0x8000] if unicodedata.category(letter) != "Cs")
    line = printable_json(msgspec.json.encode({said: [said]}).decode())
    assert not [letter for letter in line if steers(letter)]
    assert json.loads(line) == {said: [said]}
