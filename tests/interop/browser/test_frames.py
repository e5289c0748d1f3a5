"""The frames between a page and a call, whatever comes."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkit.errors import RemoteProtocolError
from turnkit.interop import browser
from turnkit.interop.browser.frames import Message, PageDialect, Played, message, read

PAGE = Path(__file__).parents[3] / "docs" / "browser.md"
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NEARLY = st.fixed_dictionaries(
    {"type": st.sampled_from(["played", "message", "begin"]) | ANY_JSON},
    optional={"epoch": ANY_JSON, "played": ANY_JSON, "data": ANY_JSON},
)


def test_what_the_page_is_told() -> None:
    """A frame for each thing, with the epoch; sound as it is."""
    dialect = PageDialect(24000)
    told = [*dialect.begin(3), *dialect.clear(3), *(dialect.pause(3) or ()), *dialect.resume(3)]
    assert [json.loads(frame) for frame in told] == [
        {"type": "begin", "epoch": 3, "rate": 24000},
        {"type": "clear", "epoch": 3},
        {"type": "pause", "epoch": 3},
        {"type": "resume", "epoch": 3},
    ]
    assert list(dialect.audio(3, b"\1\2", 0.1)) == [b"\1\2"]


def test_what_the_page_tells() -> None:
    """Sound, what was played, and data of the user's own, which goes both ways alike."""
    assert read(b"\1\2\3\4") == b"\1\2\3\4"
    assert read('{"type": "played", "epoch": 2, "played": 0.5}') == Played(2, 0.5)
    assert read(message({"a": ["ü", None]})) == Message({"a": ["ü", None]})


def test_what_the_page_never_sends_is_not_quoted() -> None:
    """The error says what is wrong with it, and none of it: it may be what somebody said."""
    with pytest.raises(RemoteProtocolError, match=r"^the page sent a text that is none of its frames$") as raised:
        read('{"type": "secret"}')
    assert raised.value.__cause__ is None
    with pytest.raises(RemoteProtocolError, match="3 bytes of sound; samples have 2"):
        read(b"\1\2\3")
    with pytest.raises(RemoteProtocolError, match="a frame of 65537; at most 65536"):
        read("x" * 65537)


@given(st.text() | st.binary() | NEARLY.map(json.dumps) | ANY_JSON.map(json.dumps))
def test_whatever_comes_is_read_or_refused(frame: str | bytes) -> None:
    """Nothing raises anything but a RemoteProtocolError."""
    try:
        told = read(frame)
    except RemoteProtocolError:
        return
    assert isinstance(told, (bytes, Played, Message))
    assert isinstance(told, bytes) == isinstance(frame, bytes)


def test_the_script_is_part_of_the_package() -> None:
    """A file beside the code, within what the wheel is made of."""
    script = files("turnkit.interop.browser") / "turnkit.js"
    assert script.is_file()
    assert browser.script() == script.read_text(encoding="utf-8")


def test_each_thing_that_can_happen_is_in_the_table() -> None:
    """Every code that the script knows is explained, and no other."""
    script, page = browser.script(), PAGE.read_text()
    words = script[script.index("const WORDS") : script.index("const MICROPHONE_ERRORS")]
    table = page[page.index("| event | code") : page.index('"ended" comes exactly once')]
    known = set(re.findall(r"^  (\w+):", words, re.M))
    assert known == set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", table))
