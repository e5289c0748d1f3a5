"""What was heard where a voice reads in another way than it is written: never ahead of it, and caught up with it."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnkit.speaking import Timeline
from turnkit.speaking.alignment import WordTiming


def read_out(spoken: str) -> list[WordTiming]:
    """A second a word, of which nine tenths are sound."""
    return [(word, float(at), at + 0.9) for at, word in enumerate(spoken.split())]


def heard_by_word(line: Timeline, spoken: str) -> list[str]:
    """The last word that has been heard at the end of each spoken one."""
    return [(line.heard(end).split() or [""])[-1] for _, _, end in read_out(spoken)]


@pytest.mark.parametrize(
    ("text", "spoken", "heard"),
    [
        ("Table 4 costs 40 euros.", "table four costs forty euros", "Table 4 costs 40 euros."),
        (
            "Dr. Wu comes, e.g. at 5:30",
            "Doctor Wu comes for example at five thirty",
            "Dr. Wu comes, comes, e.g. at at 5:30",
        ),
        ("50% off: $5 each", "fifty percent off five dollars each", "- 50% off: off: $5 each"),
        ("It is the 3rd, 1 of 2", "it is the third one of two", "It is the 3rd, 1 of 2"),
        ("On 3 May 2026 we", "on the third of may twenty twenty six we", "On On On 3 May May May 2026 we"),
        ("I have 1 one-way ticket", "I have one one way ticket", "I have 1 1 one-way ticket"),
        ("No. 5 or No. 6", "number five or number six", "No. 5 or No. 6"),
        ("The 7 and the 8 of it", "the seven and the eight of it", "The 7 and the 8 of it"),
        ("Es sind 45 Euro", "es sind fünfundvierzig euro", "Es sind 45 Euro"),
        ("नमस्ते, 5 बजे", "नमस्ते पाँच बजे", "नमस्ते, 5 बजे"),
        ("5 or so", "5 or so", "5 or so"),
        ("21 in on 22 on in", "twenty one in on twenty two on in", "- 21 in on on 22 on in"),
        ("40 one 2 we", "forty one one we", "40 one 2 we"),  # a number is read as a word that was
        ("40 one x 2 5", "forty one x six one five oh five", "40 one x x x x x 5"),
        ("21 in in", "twenty one in in", "- 21 in in"),
        ("1 x2 one", "one ex two uno", "- - - one"),  # and as one that is read in another way, before it
        ("5 one y3 z4", "five uno six one", "5 one y3 z4"),  # and behind it
    ],
)
def test_numbers_are_read_out(text: str, spoken: str, heard: str) -> None:
    """At the end of each spoken word: that of a number that is read as several is the last one; `-` is nothing yet."""
    line = Timeline()
    line.add(text, None, read_out(spoken))
    assert heard_by_word(line, spoken) == ["" if word == "-" else word for word in heard.split()]


def test_a_number_at_the_end_is_heard_with_its_last_word() -> None:
    """Once it is known that it was the last; and if too little was timed to tell, at the end of the audio."""
    line = Timeline()
    line.add("It costs 45")
    line.extend(5.0, read_out("it costs forty five"))
    assert line.heard(4.5) == "It costs"
    line.settle()
    assert [line.heard(at) for at in (3.8, 3.9)] == ["It costs", "It costs 45"]
    assert not line.estimated
    line = Timeline()
    line.add("It costs 45 or so", 5.0, read_out("it costs"))
    assert [line.heard(at) for at in (4.9, 5.0)] == ["It costs", "It costs 45 or so"]
    assert line.estimated


def test_letters_may_be_timed() -> None:
    """Of what is spoken, with the blanks: a number does not keep the rest from being found."""
    spoken = "it is forty euros"
    line = Timeline()
    line.add("It is 40 euros", None, [(letter, at / 10, (at + 1) / 10) for at, letter in enumerate(spoken)])
    assert [line.heard(at) for at in (0.45, 0.5, 1.0, 1.1, 1.65, 1.7)] == [
        "It",
        "It is",
        "It is",
        "It is 40",
        "It is 40",
        "It is 40 euros",
    ]
    line = Timeline()
    line.add("It is 1 e or euros")
    for at, letter in enumerate("it is one e or "):
        line.extend(0.1, [(letter, at / 10, (at + 1) / 10)])
        assert line.heard(9.0) in ("", "It", "It is", "It is 1 e", "It is 1 e or")
    assert line.heard(9.0) == "It is"  # there may be more to the number
    line.settle()
    assert line.heard(1.2) == "It is 1 e"


def test_a_script_without_blanks_is_caught_up_with() -> None:
    """Letter by letter, where a number is read in others."""
    line = Timeline()
    line.add("では8時に会う", None, read_out("で は は ち じ に 会 う"))
    assert [line.heard(at) for at in (1.9, 3.9, 4.9, 5.9, 6.9, 7.9)] == [
        "では",
        "では",
        "では8時",
        "では8時に",
        "では8時に会",
        "では8時に会う",
    ]


def test_a_word_may_be_timed_with_the_next() -> None:
    """Of several words in one timing none is heard before its end."""
    line = Timeline()
    line.add("New York is far", None, [("New York", 0.0, 1.0), ("is far", 1.0, 2.0)])
    assert [line.heard(at) for at in (0.9, 1.0, 1.9, 2.0)] == ["", "New York", "New York", "New York is far"]


# What a filter or SSML keeps from the voice -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "given", "spoken", "heard"),
    [
        (
            "See [our site](https://x.org/our) **now**!",
            "See our site now!",
            "see our site now",
            ["See", "See [our", "See [our site](https://x.org/our)", "See [our site](https://x.org/our) **now**!"],
        ),
        ("Ask Dr 😀 Wu", "Ask Doctor Wu", "ask doctor wu", ["Ask", "Ask Dr", "Ask Dr 😀 Wu"]),
        (
            "It is 5 € now",
            "It is five euros now",
            "it is five euros now",
            ["It", "It is", "It is", "It is 5", "It is 5 € now"],
        ),
        ("| a | b |", "a, b", "a b", ["| a", "| a | b |"]),
    ],
)
def test_what_was_left_out_is_heard_with_its_neighbours(text: str, given: str, spoken: str, heard: list[str]) -> None:
    """The times are those of what the voice was given, the text is that which was said."""
    line = Timeline()
    line.add(text, None, read_out(spoken), spoken=given)
    assert [line.heard(end) for _, _, end in read_out(spoken)] == heard


def test_without_times_what_was_left_out_takes_none() -> None:
    """An address of forty letters is not waited for; a piece of which nothing is left is over at once."""
    line = Timeline()
    line.add("four [sixes](https://example.com/a/long/address)", 1.0, spoken="four sixes")
    line.add(" 😀", 0.0, spoken="")
    line.add(" end", 0.4)
    assert [line.heard(at) for at in (0.39, 0.4, 0.99, 1.0)] == [
        "",
        "four",
        "four",
        "four [sixes](https://example.com/a/long/address) 😀",
    ]
    assert line.heard(1.4) == line.text


def test_a_piece_without_a_sound_is_never_heard() -> None:
    """The others are, also where it would have to be passed over."""
    line = Timeline()
    line.add("One.")
    line.extend(1.0)
    line.settle()
    line.add(" Two.")
    line.drop()
    line.add(" Three.", 1.0)
    assert [line.heard(at) for at in (1.0, 1.9, 2.0, float("inf"))] == ["One.", "One.", "One. Three.", "One. Three."]
    assert (line.text, line.duration) == ("One. Two. Three.", 2.0)


# What always holds ------------------------------------------------------------------------------------------------

PLAIN = ["we", "have", "the", "table", "for", "one", "two", "of", "you"]
OTHERS = ["forty", "twelve", "oh", "hundred"]


@st.composite
def readings(draw: st.DrawFn) -> tuple[list[tuple[str, list[str]]], list[WordTiming]]:
    """A text, each of its words with what it is read as, and times: numbers may be read as words of the text."""
    words = draw(st.lists(st.sampled_from([*PLAIN, "1", "2", "40", "Dr."]), min_size=1, max_size=12))
    # What a number is read as is by accident a word that comes later, or one that does not come at all.
    accidents = st.lists(st.sampled_from([*(word for word in words if word in PLAIN), *OTHERS]), min_size=1, max_size=3)
    read = [(word, [word] if word in PLAIN else draw(accidents)) for word in words]
    lengths = draw(st.lists(st.integers(1, 900), min_size=40, max_size=40))
    spoken = [part for _, parts in read for part in parts]
    ends = [0, *accumulate(lengths)]
    return read, [(part, ends[at] / 1000, ends[at + 1] / 1000) for at, part in enumerate(spoken)]


def true_ends(read: list[tuple[str, list[str]]], timings: list[WordTiming]) -> list[float]:
    """When each word of the text is over."""
    return [timings[count - 1][2] for count in accumulate(len(parts) for _, parts in read)]


@given(readings(), st.floats(0, 12), st.booleans())
@example(([("1", ["one"]), ("one", ["one"])], [("one", 0.0, 0.1), ("one", 0.1, 0.2)]), 0.1, True)
@example(([("40", ["forty", "one"]), ("2", ["two"]), ("one", ["one"])], read_out("forty one two one")), 2.0, False)
def test_heard_is_never_ahead_of_the_voice(
    reading: tuple[list[tuple[str, list[str]]], list[WordTiming]], played: float, streamed: bool
) -> None:
    """Whatever a number is read as, and however many of the times are known: of every word heard the end was played."""
    read, timings = reading
    line = Timeline()
    text = " ".join(word for word, _ in read)
    if not streamed:
        line.add(text, None, timings)
    else:
        line.add(text)
        for timing in timings:
            line.extend(timing[2] - timing[1], [timing])
            count = len(line.heard(played).split())
            assert all(end <= played + 1e-6 for end in true_ends(read, timings)[:count])
        line.settle()
    count = len(line.heard(played).split())
    assert all(end <= played + 1e-6 for end in true_ends(read, timings)[:count])


@given(readings(), st.booleans())
def test_it_is_caught_up_at_every_certain_word(
    reading: tuple[list[tuple[str, list[str]]], list[WordTiming]], streamed: bool
) -> None:
    """A word that is written once, and spoken once: when it has been played, all up to it has been heard."""
    read, timings = reading
    line = Timeline()
    text = " ".join(word for word, _ in read)
    if streamed:
        line.add(text)
        for timing in timings:
            line.extend(timing[2] - timing[1], [timing])
        line.settle()
    else:
        line.add(text, None, timings)
    written, spoken = Counter(word for word, _ in read), Counter(word for word, *_ in timings)
    for index, end in enumerate(true_ends(read, timings)):
        word = read[index][0]
        if written[word] == spoken[word] == 1:
            assert len(line.heard(end).split()) >= index + 1
    assert line.heard(timings[-1][2]) == text
