"""Lines as turnkit writes them are read in a shorter way: to the same records, and the same complaints."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from tests.support.many_calls import bodies
from turnkit.errors import ConfigError
from turnkit.trace import Fed, parse
from turnkit.trace.contents import blocks_of
from turnkit.trace.reader import _Reader
from turnkit.trace.timed import TIMED, plain
from turnkit.turns.events import Update


def outcome(data: bytes) -> tuple[Any, ...]:
    try:
        trace = parse(data, "x")
    except ConfigError as error:
        return (str(error),)
    return trace.records, trace.ended, trace.skipped


def closely(data: bytes) -> tuple[Any, ...]:
    """What comes of looking at each line closely."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("turnkit.trace.reader._Reader._take_signal", lambda reader, line: False)
        patch.setattr("turnkit.trace.reader._Reader._take_events", lambda reader, lines: False)
        return outcome(data)


@pytest.mark.parametrize("number", range(4))
def test_whole_calls_are_the_same(number: int) -> None:
    """To the last bit."""
    assert outcome(bodies()[number]) == closely(bodies()[number])


LINES = bodies()[1].splitlines(keepends=True)
ODD = [
    b'{"at":1.0,"event":"Update"}\n',
    b'{"at":NaN,"event":"Update","turn_index":0}\n',
    b'{"at":1e999,"event":"Update","turn_index":0}\n',
    b'{"at":1_0,"event":"Update","turn_index":0}\n',
    b'{"at":"1.0","event":"Update","turn_index":0}\n',
    b'{"at":true,"event":"Update","turn_index":0}\n',
    b'{"at": 90.0 ,"event":"Update","turn_index":0}\n',
    b'{"at":90,"event":"Update","turn_index":1e400}\n',
    b'{"at":90,"event":"Newer","turn_index":0}\n',
    b'{"event":"Update","at":90.0,"turn_index":0}\r\n',
    b'{"signal":"Newer","at":90.0}\n',
    b'{"signal":"Commit","at":90.0}\n',
    b'{"signal":5}\n',
    b'{"at":90.0,"event":"Update","turn_index":0,"fact":"Both"}\n',
    b'{"at":90.0,"event":"Update","turn_index":0,"wake":true}\n',
    b'{"at":90.0,"event":"Update","turn_index":0,"newer":[1]}\n',
    b'{"at":90.0,"event":"Update","turn_index":9007199254740992}\n',
    b'{"at":90.0,"event":"Update","turn_index":0,"confidence":1e301}\n',
    b'{"at":90.0,"event":"Update","turn_index":0,"confidence":1.5e308,"audio_end":1.5e308}\n',
    b'{"at":90.0,"fact":"FirstChunk","fields":{"event":"Update","turn_index":0}}\n',
    b'{"at":95.0,"close":true}\n',
    b'{"at":95.0,"wake":true}\n',
    b'{"at":1.0,"end":"full"}\n',
    b"  \n",
    b"{\n",
    b"\xff\n",
    b"[1,2]\n",
    b'{"at":',
]


@settings(deadline=None, max_examples=tries(300))
@given(
    st.lists(st.sampled_from(LINES[1:]) | st.sampled_from(ODD), max_size=8),
    st.integers(0, 40),
    st.integers(0, 60),
)
def test_whatever_stands_between_them(odd: list[bytes], whole: int, cut: int) -> None:
    """Lines out of order, of other kinds, of newer versions, and damaged ones, up to a last one that was cut off."""
    data = b"".join([*LINES[: whole + 1], *odd])
    data = data[: len(data) - cut]
    assert outcome(data) == closely(data)


def timed(data: bytes) -> tuple[Any, ...]:
    """What comes of going through it with timed events, told as records."""
    reader = _Reader("x", timed=True)
    try:
        for number, block, whole in blocks_of(BytesIO(data), "x"):
            reader.take(block, number, whole=whole)
        trace = plain(reader.trace())
    except ConfigError as error:
        return (str(error),)
    return trace.records, trace.ended, trace.skipped


@pytest.mark.parametrize("number", range(4))
def test_whole_calls_are_the_same_with_timed_events(number: int) -> None:
    """To the last bit; and it is these that are read."""
    assert timed(bodies()[number]) == closely(bodies()[number])
    reader = _Reader("x", timed=True)
    reader.take(bodies()[number], 1, whole=True)
    kinds = [type(record) for record in reader.trace().records]
    assert kinds.count(TIMED[Update]) > 500
    assert Fed not in kinds


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from(LINES[1:]) | st.sampled_from(ODD), max_size=8),
    st.integers(0, 40),
    st.integers(0, 60),
)
def test_timed_events_are_taken_as_events_are(odd: list[bytes], whole: int, cut: int) -> None:
    """With the same complaints."""
    data = b"".join([*LINES[: whole + 1], *odd])
    data = data[: len(data) - cut]
    assert timed(data) == closely(data)
