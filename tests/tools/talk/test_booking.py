"""The bot that takes a booking: what it asks next follows from what has been said, and from nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkit.tools.talk.booking import Booking, next_sentences


def call(*said: str) -> list[str]:
    """The last answer to a caller who has said all of this."""
    messages: list[dict[str, str]] = [{"role": "assistant", "content": Booking.greeting}]
    answer: list[str] = []
    for text in said:
        messages.append({"role": "user", "content": text})
        answer = next_sentences(messages)
        messages.append({"role": "assistant", "content": " ".join(answer)})
    return answer


FOR_TWO = ("For two, please.", "Tomorrow.", "At eight o'clock.", "It's Smith.")


def test_one_thing_after_the_other() -> None:
    """Each answer asks for the next; the end says what was understood, and a yes books it."""
    asked = [call(*FOR_TWO[: count + 1])[-1] for count in range(4)]
    assert asked == ["For which day?", "At what time?", "Under what name may I book it?", "Is that right?"]
    assert call(*FOR_TWO)[-2] == "That is a table for two, tomorrow at eight o'clock, under Smith."
    assert call(*FOR_TWO, "Yes, please.")[-1] == "Your table is booked. Thank you, and goodbye."
    assert call(*FOR_TWO, "No, that is wrong.")[-1] == "For how many people?"
    assert call(*FOR_TWO, "Hm, whatever.") == ["Sorry, I did not get that.", *call(*FOR_TWO)[-2:]]


def test_all_at_once() -> None:
    """In one sentence, in any order."""
    said = "The name is Mary Jones, and I'd like a table for four on Friday at half past seven."
    assert call(said)[1] == "That is a table for four, Friday at half past seven, under Mary Jones."


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("a table for to", "two"),  # as a recogniser of words writes it
        ("For 6 people", "six"),
        ("three", "three"),
        ("we are five", "five"),
        ("for for", "four"),
        ("got an eagle to people the", "two"),
    ],
)
def test_numbers_of_people(said: str, understood: str) -> None:
    """However they are written down."""
    answer = call(said, *FOR_TWO[1:])
    assert answer[-2].startswith(f"That is a table for {understood}, ")


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("at nine", "nine o'clock"),
        ("seven thirty", "seven thirty"),
        ("half past eight", "half past eight"),
        ("10", "ten o'clock"),
        ("eight o'clock in the evening", "eight o'clock"),
    ],
)
def test_times(said: str, understood: str) -> None:
    """As one says them."""
    answer = call(*FOR_TWO[:2], said, FOR_TWO[3])
    assert f" at {understood}, " in answer[-2]


def test_nothing_understood() -> None:
    """It says so, and asks again."""
    assert call("What a lovely day.") == ["Sorry, I did not get that.", "For how many people?"]


def test_an_ear_that_mishears() -> None:
    """After it has asked twice it guesses, and says so: the call comes to its end."""
    misheard = "i typed o'clock"
    assert call("a table for to people the", "oh really")[0] == "Sorry, I did not get that."
    assert call("a table for to people the", "oh really", "no idea") == [
        "I do not understand it, so I take it that it is tomorrow.",
        "At what time?",
    ]
    assert call(*FOR_TWO[:2], misheard, misheard)[-1] == "Under what name may I book it?"


def test_an_ear_that_knows_no_words() -> None:
    """It counts syllables and turns, takes something for granted, and says what."""
    assert call("bla bla bla") == [
        "I heard 3 syllables and know no words, so I take it that it is two.",
        "For which day?",
    ]
    unknown = ("bla bla", "bla", "bla bla", "bla")
    assert call(*unknown)[-2] == "That is a table for two, tomorrow at eight o'clock, under Smith."
    assert call(*unknown, "bla")[-1] == "Your table is booked. Thank you, and goodbye."


@given(
    st.lists(
        st.text(max_size=40) | st.sampled_from([*FOR_TWO, "bla bla", "mm", "no", "yes", "for 99", "at 0"]), min_size=1
    )
)
def test_whatever_is_said(said: list[str]) -> None:
    """There is an answer."""
    answer = call(*said)
    assert answer
    assert all(sentence.strip() for sentence in answer)
