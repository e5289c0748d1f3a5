"""Text cut into sentences for a TTS."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnkit.speaking import sentences


@pytest.mark.parametrize(
    ("text", "pieces", "rest"),
    [
        ("Hello there. How are you? Fine", ["Hello there.", " How are you?"], " Fine"),
        ("It costs 3.5 euros, or 4. Anything else", ["It costs 3.5 euros, or 4."], " Anything else"),
        ("It costs 3.", [], "It costs 3."),
        ("Dr. Smith, Mr. J. Doe and St. Mary. Yes", ["Dr. Smith, Mr. J. Doe and St. Mary."], " Yes"),
        ("Fruit, e.g. Apples, at 5 p.m. Or not. so", ["Fruit, e.g. Apples, at 5 p.m."], " Or not. so"),
        ("The U.S. Army. Then I. Then", ["The U.S. Army.", " Then I."], " Then"),
        ("See No. 5. No. Never", ["See No. 5.", " No."], " Never"),
        ('He said "No!" Then left', ['He said "No!"'], " Then left"),
        ("Wait... what? Oh", ["Wait... what?"], " Oh"),
        ("1. Tea\n2. Milk, etc.\n- or", ["1. Tea", "\n2. Milk, etc."], "\n- or"),
        ("今日は晴れ。「はい。」そう", ["今日は晴れ。", "「はい。」"], "そう"),
        ("", [], ""),
    ],
)
def test_sentences(text: str, pieces: list[str], rest: str) -> None:
    """Cut where a sentence ends and the next begins, not at numbers and abbreviations."""
    assert sentences(text) == (pieces, rest)


def test_the_first_piece_may_be_a_clause() -> None:
    """If it is not all too short, and no sentence is complete."""
    assert sentences("Well, as I said, it is", first=True) == (["Well, as I said,"], " it is")
    assert sentences("Well, as I said, it is") == ([], "Well, as I said, it is")
    assert sentences("Well. As I said, it is", first=True) == (["Well."], " As I said, it is")
    assert sentences("It has 1,000,000", first=True) == ([], "It has 1,000,000")


@given(st.text(alphabet='aB.!?, \n3。、"', max_size=60) | st.sampled_from(["word " * 200, "a" * 700, "b, " * 300]))
@example("Now. " * 99)
def test_nothing_is_lost_between_sentences(text: str) -> None:
    """The pieces and the rest are the text; none is empty or too long; the rest alone has nothing complete."""
    pieces, rest = sentences(text)
    assert "".join(pieces) + rest == text
    assert all(0 < len(piece) <= 300 for piece in [*pieces, rest or "-"])


@given(
    st.lists(
        st.sampled_from(["Hello", " there", ".", " Dr", ". Who", "?", " 3", ".5", "\n", " Yes", "!", ","]), max_size=20
    )
)
def test_tokens_make_the_same_sentences(tokens: list[str]) -> None:
    """However the text is cut into chunks: what follows decides, and it is waited for."""
    said: list[str] = []
    rest = ""
    for token in tokens:
        pieces, rest = sentences(rest + token)
        said += pieces
    assert (said, rest) == sentences("".join(tokens)) or any(
        one + two == "\n" or two.startswith("\n") for one, two in pairwise([*tokens, ""])
    )
