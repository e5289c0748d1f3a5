"""The filter between what a reply says and its TTS, and the ready-made one for markdown and emoji."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.loudspeakers import SAID, WORD, Loudspeaker, PlaybackLog, Step, at, make, run, voice
from turnkit.errors import LocalProtocolError
from turnkit.speaking import speakable

REPLY = """# Our *menu* #

Great 😀 news: **very important. Really** yes, see [our site](https://example.com/a_(b)/our) and ![x](y.png)!
- one_two _three_ `code` 5 * 3 is 2*3
- [ ] to \\*do\\*
1. First ~~no~~
> quoted [1][2]
---
| Dish | Price |
|---|---:|
| Soup | 5 € |
```python
x = 1  # not said
```
Bye 👍🏽 👨‍👩‍👧 1️⃣ 🇩🇪! ❤️"""
SPOKEN = """Our menu

Great news: very important. Really yes, see our site and x!
one_two three code 5 * 3 is 2*3
to *do*
1. First no
quoted 1

Dish, Price

Soup, 5 €

Bye 1!"""


def test_markdown_and_emoji_are_left_out() -> None:
    """Bold, italics, headings, lists, quotations, links, pictures, code, rules, tables, emoji of several parts."""
    assert speakable(REPLY) == SPOKEN


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("plain, as it is.", "plain, as it is."),
        ("", ""),
        ("😀", ""),
        ("**", ""),
        ("It is #1, and 3 > 2 (or so) - fine", "It is #1, and 3 > 2 (or so) - fine"),
        ("a <break/> b", "a <break/> b"),
        ("```\nx", ""),
        ("```x``` y", "x y"),
        ("你好😀。", "你好。"),
        ("***", ""),
        ("C# and F#", "C# and F#"),
        ("snake_case __init__", "snake_case init"),
    ],
)
def test_what_a_voice_is_given(text: str, spoken: str) -> None:
    """What only looks like markup stays."""
    assert speakable(text) == spoken


def test_what_was_given_is_not_taken_back() -> None:
    """However far a reply has come: what is made of more of it begins with what was made of less."""
    text = REPLY.replace("![x](y.png)", "[x](y.png)")
    made = [speakable(text[:length]) for length in range(len(text) + 1)]
    for less, more in pairwise(made):
        assert more.startswith(less)


async def asked(*steps: Step, **settings: Any) -> tuple[list[str], PlaybackLog]:
    """What the TTS was given for these chunks, and what was heard of them."""
    texts, playback = list[str](), PlaybackLog()
    await run(make(voice(asked=texts), Loudspeaker(), **settings), playback, *steps)
    return texts, playback


@pytest.mark.anyio
async def test_the_voice_gets_what_the_filter_makes_and_the_history_what_was_said() -> None:
    """Markup that is split over chunks and over sentences; what is heard is told word by word as it was said."""
    texts, playback = await asked("So **b", "old. And", " so** [on](http:", "//x.org).", text_filter=speakable)
    assert texts == ["So bold.", "And so on."]
    assert playback.log == at(
        [
            (0.01, "<started>"),
            (SAID, "So"),
            (WORD + SAID, "So **bold."),
            (2 * WORD + SAID, "So **bold. And"),
            (3 * WORD + SAID, "So **bold. And so**"),
            (4 * WORD + SAID, "So **bold. And so** [on](http://x.org)."),
        ]
    )


@pytest.mark.anyio
@pytest.mark.parametrize("timed", [True, False])
async def test_a_piece_of_which_nothing_is_left_is_passed_over(timed: bool) -> None:
    """A line of emoji and a block of code: no sound, no failure, and what follows is heard."""
    texts, playback = list[str](), PlaybackLog()
    chunks = ["😀\n", "Yes. ", "```\nx = 1\n```\n", "No.", " 👍"]
    await run(make(voice(asked=texts, timed=timed), Loudspeaker(), text_filter=speakable), playback, *chunks)
    assert texts == ["Yes.", "No."]
    assert playback.heard == "".join(chunks)
    playback = PlaybackLog()
    await run(make(voice(), Loudspeaker(), text_filter=speakable), playback, "😀 👍")
    assert playback.log == []


@pytest.mark.anyio
async def test_with_sentence_off_each_chunk_is_filtered() -> None:
    """By what came before it: half a link is known for one."""
    texts, _ = await asked("**Go", "** [he", "re](http", "://x.org) now", sentence=False, text_filter=speakable)
    assert texts == ["Go", "he", "re", "now"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text_filter", "expected"),
    [
        (str.upper, ["ONE.", "TWO."]),
        (lambda text: text.replace("One", "A 1"), ["A 1.", "Two."]),
        (lambda text: text[::-1], [".enO", ".owT"]),  # takes back what it made: asked for the piece alone
        (lambda text: "", []),
    ],
)
async def test_any_function_is_a_filter(text_filter: Callable[[str], str], expected: list[str]) -> None:
    """What it adds to its last answer is what the TTS gets."""
    assert (await asked("One. Two.", text_filter=text_filter))[0] == expected


@pytest.mark.anyio
async def test_a_filter_that_returns_no_text_is_named() -> None:
    """As what the caller made, and by its type."""
    with pytest.raises(LocalProtocolError, match="the text filter returned NoneType; must be text"):
        await asked("secret", text_filter=lambda text: None)


@given(st.text(alphabet="ab*_`#[]()|-~>!. \n😀\\1", max_size=60))
def test_any_text_can_be_spoken(text: str) -> None:
    """No letter is lost but in code and in the targets of links, and none is made up."""
    spoken = speakable(text)
    letters = [letter for letter in text if letter.isalnum()]
    left = [letter for letter in spoken if letter.isalnum()]
    if "](" not in text and "][" not in text and "```" not in text and "~~~" not in text:
        assert left == letters
    assert len(left) <= len(letters)
