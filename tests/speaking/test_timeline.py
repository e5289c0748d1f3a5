"""How much was heard: exact with the timings of words, in proportion without, and never a word too many."""

from __future__ import annotations

import re
from itertools import accumulate, pairwise
from math import inf, nan

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.speaking.alignment import WordTiming
from turnkit.speaking.timeline import Timeline

WORDS = [("Hello", 0.0, 0.3), ("there", 0.4, 0.8)]


def timeline(*pieces: tuple[str, float | None] | tuple[str, float | None, list[WordTiming]]) -> Timeline:
    line = Timeline()
    for piece in pieces:
        line.add(*piece)
    return line


# What is exact ----------------------------------------------------------------------------------------------------


def test_word_timings_are_exact() -> None:
    """A word, with the punctuation at it, is heard at its own end and not before; spacing stays as it was said."""
    line = timeline(("Hello,  there! ", 1.2, WORDS))
    times = [0, 0.29, 0.3, 0.79, 0.8, 1.19, 1.2]
    assert [line.heard(at) for at in times] == ["", "", "Hello,", "Hello,", *["Hello,  there!"] * 2, "Hello,  there! "]
    assert not line.estimated
    assert (line.duration, line.text) == (1.2, "Hello,  there! ")


def test_next_end_is_when_more_will_have_been_heard() -> None:
    """Asked again at each of its answers, it goes from word to word."""
    line = timeline(("Hello there", None, WORDS), (" you", 0.5))
    assert [line.next_end(at) for at in (0, 0.3, 0.8, 1.3)] == [0.3, 0.8, pytest.approx(1.3), inf]
    assert Timeline().next_end(0) == inf


def test_pieces_follow_each_other() -> None:
    """A piece begins where the one before it ended; one without text is sound that says nothing we know."""
    line = timeline(("Hello there.", 1.0, WORDS), ("", 2.0), (" Hello there?", None, WORDS))
    assert line.heard(2.9) == "Hello there."
    assert line.heard(3.3) == "Hello there. Hello"
    assert line.heard(3.8) == "Hello there. Hello there?"
    assert line.duration == pytest.approx(3.8)


@pytest.mark.parametrize(
    ("text", "words", "at", "heard"),
    [
        ("It is 3.5 km", [("It", 0, 0.1), ("is", 0.1, 0.2), ("three", 0.2, 0.4), ("km", 1, 1.2)], 1.2, "It is 3.5 km"),
        ("It is 3.5 km", [("It", 0, 0.1), ("is", 0.1, 0.2), ("three", 0.2, 0.4), ("km", 1, 1.2)], 0.2, "It is"),
        ("It is 3.5 km", [("It", 0, 0.1), ("is", 0.1, 0.2), ("km", 1, 1.2)], 0.95, "It is"),
        ("It is 3.5 km", [("It", 0, 0.1), ("is", 0.1, 0.2), ("km", 1, 1.2)], 1.0, "It is 3.5"),
        ("HELLO — you", [("hello,", 0, 0.3), ("you", 0.5, 0.8)], 0.3, "HELLO"),
        ("a well-known man", [("a", 0, 0.1), ("well", 0.1, 0.3), ("known", 0.3, 0.6), ("man", 0.6, 1)], 0.5, "a"),
        (
            "a well-known man",
            [("a", 0, 0.1), ("well", 0.1, 0.3), ("known", 0.3, 0.6), ("man", 0.6, 1)],
            0.6,
            "a well-known",
        ),
        ("the other", [("the", 0, 0.2), ("he", 0.2, 0.3), ("other", 0.4, 0.9)], 0.5, "the"),
        ("no no", [("no", 0, 0.2), ("no", 0.5, 0.9)], 0.2, "no"),
        ("hi you", [(c, i / 10, (i + 1) / 10) for i, c in enumerate("hi you")], 0.2, "hi"),
        ("hi you", [(c, i / 10, (i + 1) / 10) for i, c in enumerate("hi you")], 0.55, "hi"),
        ("hi you", [("hi", 0, 0.2), ("...", 0.2, 0.5), ("you", 0.1, 0.15)], 0.2, "hi you"),
    ],
)
def test_timings_find_their_words(text: str, words: list[WordTiming], at: float, heard: str) -> None:
    """Case, punctuation, spelt-out numbers, parts of words, letters, and timings that overlap are all coped with."""
    assert timeline((text, None, words)).heard(at) == heard


def test_a_timed_word_is_not_sought_far_on() -> None:
    """A word that the text has only much later was spelt out from something else, and moves nothing."""
    text = "1 " + "and so on " * 8 + "one"
    assert timeline((text, 10.0, [("one", 0.0, 0.2)])).heard(0.5) != text


# What is reckoned -------------------------------------------------------------------------------------------------


def test_words_without_timings_share_the_length_by_their_own() -> None:
    """Ten characters in a second: the word of four ends at 0.4."""
    line = timeline(("four fives", 1.0))
    assert [line.heard(at) for at in (0.39, 0.4, 0.99, 1.0)] == ["", "four", "four", "four fives"]
    assert line.estimated


def test_a_length_not_known_is_reckoned_by_the_pace() -> None:
    """Ten characters at five a second take two; once the length is known, that counts."""
    line = Timeline(rate=5.0)
    line.add("four fives")
    assert (line.duration, line.heard(0.8), line.heard(2.0)) == (2.0, "four", "four fives")
    line.settle(4.0)
    assert (line.duration, line.heard(1.59), line.heard(1.6)) == (4.0, "", "four")
    assert line.estimated


def test_the_last_word_of_a_growing_piece_is_unheard() -> None:
    """However much of its audio has come and been played: more may come, until it is settled."""
    line = Timeline(rate=100.0)
    line.add("four fives ")
    for _ in range(8):
        line.extend(0.5)
    assert [line.heard(at) for at in (1.5, 1.6, 4.0, 99.0, inf)] == ["", "four", "four", "four", "four fives "]
    assert line.next_end(1.6) == inf
    line.settle()
    assert line.heard(3.99) == "four"
    assert line.heard(4.0) == "four fives "


def test_timings_may_come_with_the_audio() -> None:
    """What they tell is exact at once, even of the last word."""
    line = Timeline()
    line.add("Hello there")
    line.extend(0.4, WORDS[:1])
    assert (line.heard(0.3), line.estimated) == ("Hello", True)
    line.extend(0.6, WORDS[1:])
    assert (line.heard(0.79), line.heard(0.8), line.estimated) == ("Hello", "Hello there", False)
    line.settle()
    assert line.duration == pytest.approx(1.0)


def test_adding_a_piece_closes_the_one_before() -> None:
    """One that grew lasts as long as it grew; one of which nothing was said, as long as was reckoned."""
    line = Timeline(rate=1.0)
    line.add("five.")
    line.extend(2.0)
    line.add(" six")
    assert (line.heard(1.99), line.heard(2.0), line.duration) == ("", "five.", 5.0)
    line.add(" end", 1.0)
    assert (line.heard(4.99), line.heard(5.0), line.duration) == ("five.", "five. six", 6.0)


def test_a_piece_may_start_within_a_word() -> None:
    """The words are those of the whole text: as an LLM's tokens come, a word ends where its last letter is played."""
    line = timeline((" hel", 0.3), ("lo", 0.2), (" you", 0.4))
    assert [line.heard(at) for at in (0.3, 0.49, 0.5, 0.9)] == ["", "", " hello", " hello you"]


def test_a_word_ends_where_it_is_told_to() -> None:
    """And is heard with its piece, whatever letter comes next; the end may be told twice."""
    line = timeline(("to be", 1.0))
    line.end_word()
    line.end_word()
    line.add("gin.", 1.0)
    assert [line.heard(at) for at in (0.9, 1.0, 1.9, 2.0)] == ["to", "to be", "to be", "to begin."]


@pytest.mark.parametrize(
    ("text", "seconds", "at", "heard"),
    [
        ("今日は、晴れ。", 7.0, 4.0, "今日は、"),
        ("今日は、晴れ。", 7.0, 3.5, "今日"),
        ("สวัสดี", 6.0, 2.0, "ส"),
        ("ㄅㄆㄇ 好", 5.0, 2.0, "ㄅㄆ"),
        ("AIは3.5です", 8.0, 6.0, "AIは3.5"),
        ("안녕 하세요", 6.0, 5.0, "안녕"),
    ],
)
def test_scripts_without_spaces_go_by_character(text: str, seconds: float, at: float, heard: str) -> None:
    """With its marks and punctuation; Korean has spaces."""
    assert timeline((text, seconds)).heard(at) == heard


def test_nothing_to_say() -> None:
    """No piece, an empty one, white space, and text whose audio is empty."""
    line = Timeline()
    assert (line.heard(0), line.heard(inf), line.duration, line.estimated) == ("", "", 0.0, False)
    line.add("")
    line.add(" \n", 0.5)
    assert (line.heard(0.4), line.heard(0.5), line.duration) == ("", " \n", 0.5)
    line.add("*", 0.0)
    assert line.heard(0.5) == " \n*"
    assert not line.estimated


# What cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0, -1.0, nan, inf])
def test_a_pace_must_be_one(rate: float) -> None:
    """Zero, negative, not a number, infinite."""
    with pytest.raises(ConfigError, match=r"rate=.*positive number of characters per second"):
        Timeline(rate=rate)


@pytest.mark.parametrize("seconds", [-0.1, nan, inf])
def test_lengths_that_cannot_be_change_nothing(seconds: float) -> None:
    """Whichever call they come by; the error names the call and the value."""
    line = Timeline()
    line.add("secret", None)
    with pytest.raises(LocalProtocolError, match=r"add\(\): seconds are"):
        line.add("more", seconds)
    with pytest.raises(LocalProtocolError, match=r"extend\(\)"):
        line.extend(seconds)
    with pytest.raises(LocalProtocolError, match=r"settle\(\)"):
        line.settle(seconds)
    if seconds != inf:
        with pytest.raises(LocalProtocolError, match=r"heard\(\)"):
            line.heard(seconds)
        with pytest.raises(LocalProtocolError, match=r"next_end\(\)"):
            line.next_end(seconds)
    assert line.text == "secret"
    assert line.duration == 6 / 15


@pytest.mark.parametrize(("start", "end"), [(-1, 0), (2, 1), (0, inf), (nan, 1), (0, nan)])
def test_timings_that_cannot_be_change_nothing(start: float, end: float) -> None:
    """The error names the word by its number, never by what it says."""
    line = Timeline()
    with pytest.raises(LocalProtocolError, match="word 1 is timed") as caught:
        line.add("ok secret", None, [("ok", 0, 1), ("secret", start, end)])
    assert "secret" not in str(caught.value)
    assert line.text == ""
    line.add("ok secret")
    with pytest.raises(LocalProtocolError, match=r"extend\(\): word 0"):
        line.extend(1.0, [("secret", start, end)])
    line.settle()
    assert line.duration == 0


def test_only_an_open_piece_can_grow() -> None:
    """There must be a last piece, and its length must not be known."""
    for line in (Timeline(), timeline(("a", 1.0)), timeline(("a", None, [("a", 0, 1)]))):
        with pytest.raises(LocalProtocolError, match="length is open"):
            line.extend(1.0)
        with pytest.raises(LocalProtocolError, match="length is open"):
            line.settle()
        with pytest.raises(LocalProtocolError, match=r"drop\(\): .* length is open"):
            line.drop()


# What always holds ------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet="ab I'm3.5,-! \n今はส", max_size=12)
LENGTHS = st.floats(0, 30, allow_subnormal=False)
TIMES = st.lists(st.floats(0, 40) | st.just(inf), min_size=2, max_size=12).map(sorted)


@st.composite
def timings(draw: st.DrawFn, text: str) -> list[WordTiming]:
    """Timings for some of the text's words, and for some it does not have, at any times."""
    words = draw(st.lists(st.sampled_from([*text.split(), "three", "I"]), max_size=6))
    return [(word, *sorted((draw(LENGTHS), draw(LENGTHS)))) for word in words]  # type: ignore[misc]


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Any way of building one."""
    line = Timeline(rate=draw(st.floats(0.5, 50)))
    for _ in range(draw(st.integers(0, 5))):
        text = draw(TEXTS)
        how = draw(st.sampled_from(["length", "words", "both", "open", "grown", "settled"]))
        length = draw(LENGTHS) if how in ("length", "both") else None
        spoken = draw(st.none() | TEXTS)
        line.add(text, length, draw(timings(text)) if how in ("words", "both") else None, spoken=spoken)
        if how in ("grown", "settled"):
            for _ in range(draw(st.integers(0, 3))):
                line.extend(draw(LENGTHS), draw(timings(text)))
        if how == "settled":
            line.settle(draw(st.none() | LENGTHS))
        if draw(st.booleans()):
            line.add("\n")
            line.end_word()
    return line


@given(timelines(), TIMES)
def test_heard_grows_by_whole_words_to_the_whole_text(line: Timeline, times: list[float]) -> None:
    """What is heard is a prefix of the text, never shrinks with time, splits no word, and is all in the end."""
    heard = [line.heard(at) for at in times]
    for earlier, later in pairwise([*heard, line.heard(inf)]):
        assert later.startswith(earlier)
    assert line.heard(inf) == line.text
    for text in heard:
        rest = line.text[len(text) :]
        assert not re.search(r"[abIm35]$", text) or not re.match(r"[abIm35'.,!-]", rest)


@given(timelines(), LENGTHS)
def test_next_end_is_the_next_that_heard_tells(line: Timeline, played: float) -> None:
    """At the time it names more words are heard, and just before it no more than now."""
    end = line.next_end(played)
    assert end > played
    if end < inf:
        assert len(line.heard(end)) > len(line.heard(played)) or line.heard(played) == line.text
        before = played + (end - played) * 0.999 - 2e-6
        if before > played:
            assert line.heard(before) in (line.heard(played), line.text)


SAID = st.lists(
    st.tuples(st.sampled_from(["so", "it's", "Wonderful,", "3.5", "you?"]), st.integers(1, 900)), min_size=1
)


@given(st.lists(SAID, min_size=1, max_size=4), st.integers(0, 20_000))
@example([[("so", 100)], [("so", 200)]], 300)
def test_with_timings_it_is_exact(pieces: list[list[tuple[str, int]]], played: int) -> None:
    """Whatever was cut into pieces however: a word is heard if, and only if, its end was played."""
    line = Timeline()
    for words in pieces:
        ends = [0, *accumulate(length for _, length in words)]
        spans = [(word, a / 1000, b / 1000) for (word, _), (a, b) in zip(words, pairwise(ends), strict=True)]
        line.add("".join(" " + word for word, _ in words), None, spans)
    said = [word for piece in pieces for word in piece]
    count = sum(end <= played for end in accumulate(length for _, length in said))
    assert line.heard(played / 1000).split() == [word for word, _ in said[:count]]
    assert not line.estimated


@given(st.lists(SAID, min_size=1, max_size=4), st.floats(0, 20))
def test_with_known_lengths_it_errs_within_the_piece(pieces: list[list[tuple[str, int]]], played: float) -> None:
    """Whole pieces that were played are heard, and nothing of those that were not begun."""
    line = Timeline()
    lengths = [sum(length for _, length in words) / 1000 for words in pieces]
    for words, length in zip(pieces, lengths, strict=True):
        line.add("".join(" " + word for word, _ in words), length)
    ends = list(accumulate(lengths))
    done = sum(len(words) for words, end in zip(pieces, ends, strict=True) if end <= played)
    begun = sum(len(words) for words, end in zip(pieces, [0.0, *ends], strict=False) if end <= played + 1e-6)
    assert done <= len(line.heard(played).split()) <= begun
