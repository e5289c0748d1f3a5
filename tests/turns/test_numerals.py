"""Numbers in words and in digits have one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkit.turns.numerals import Said, as_written
from turnkit.turns.policy.phrases import parted_words_of


def forms(text: str) -> list[str]:
    """The forms of a text's words."""
    return [said.form for said in as_written(parted_words_of(text))]


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("table four costs forty euros", "Table 4 costs 40 euros"),
        ("it is five dollars or fifty percent", "It is $5, or 50%."),
        ("nineteen ninety nine", "1999"),
        ("two thousand and twenty-six", "2026"),
        ("twenty twenty six", "2,026"),
        ("one hundred and forty five people", "145 people"),
        ("twelve hundred", "1200"),
        ("four hundred thousand", "400000"),
        ("four million", "4 million"),
        ("five five five one two", "555-12"),
        ("the third of May", "the 3rd of May"),
        ("three point five", "3.5"),
        ("at five thirty", "at 5:30"),
        ("Doctor Smith, no one", "Dr. Smith, no 1"),
        ("ten per cent", "10%"),
        ("fünfundvierzig Euro", "45 €"),
        ("zweihundertdreißig", "230"),
        ("zweitausendsechsundzwanzig", "2026"),
        ("neunzehnhundertneunundneunzig", "1999"),
        ("vijfenveertig", "45"),
        ("tweehonderd", "200"),
        ("quatre-vingt-dix-sept euros", "97 euros"),
        ("soixante et onze", "71"),
        ("dix-sept", "17"),
        ("trois cent douze", "312"),
        ("deux mille vingt-six", "2026"),
        ("treinta y cinco por ciento", "35 %"),
        ("mil novecientos noventa y nueve", "1999"),
        ("quarenta e cinco", "45"),
        ("cento e vinte", "120"),
        ("quarantacinque", "45"),
        ("duecento", "200"),
        ("millenovecentonovantanove", "1999"),
        ("сто двадцать три", "123"),
        ("四十五円", "45円"),
        ("二千二十六", "2026"),
        ("十二", "12"),
        ("三百", "300"),
    ],
)
def test_what_is_said_is_what_is_written(spoken: str, written: str) -> None:
    """In ten languages: cardinals, years, digits one by one, times, amounts and shares, and English ordinals."""
    assert forms(spoken) == forms(written)


@pytest.mark.parametrize(
    ("one", "other"),
    [("four", "5"), ("forty five", "54"), ("fifty", "15"), ("five dollars", "5 €"), ("a word4", "a word five")],
)
def test_other_numbers_are_others(one: str, other: str) -> None:
    """And so are other signs."""
    assert forms(one) != forms(other)


def test_words_are_counted() -> None:
    """A number counts as the words that it was; "and" is part of one only within it."""
    assert as_written(["twenty", "five", "and", "six", "and", "more"]) == [
        Said("256", 4),
        Said("and", 1),
        Said("more", 1),
    ]
    assert as_written([]) == []
    assert as_written(["hundert" * 5000]) == [Said("hundert" * 5000, 1)]
    assert as_written(["9" * 5000, "million"]) == [Said("9" * 5000 + "0" * 6, 2)]


UNITS = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


@given(st.integers(1, 9), st.integers(0, 9), st.integers(2, 9), st.integers(0, 9))
def test_every_cardinal_is_read(thousands: int, hundreds: int, tens: int, units: int) -> None:
    """Up to ten thousand, with every gap."""
    words = [
        UNITS[thousands],
        "thousand",
        *([UNITS[hundreds], "hundred"] if hundreds else []),
        TENS[tens],
        UNITS[units],
    ]
    assert forms(" ".join(words)) == [str(thousands * 1000 + hundreds * 100 + tens * 10 + units)]


@given(st.lists(st.sampled_from(["one", "and", "40", "cent", "per", "vingt", "quatre", "million", "$5", "十", "no"])))
def test_no_word_is_lost(words: list[str]) -> None:
    """Every word is counted once, whatever follows what."""
    said = as_written(words)
    assert sum(word.words for word in said) == len(words)
    assert all(word.form for word in said)
