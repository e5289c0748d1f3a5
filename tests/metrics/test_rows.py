"""Figures for people and programs: rows of text, JSON, and nothing that was said in either."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from tests.support.measured_call import MeasuredCall, exchange, talking
from turnkit import (
    BargeIn,
    Commit,
    ConfigError,
    EndOfTurn,
    Event,
    HoldThenDecide,
    IgnoreBackchannels,
    PlaybackFinished,
    ReplyEnded,
    StartOfTurn,
    StreamLost,
    StreamRestored,
)
from turnkit.metrics import CallMetrics, FalseBargeIn, Metrics, seconds
from turnkit.metrics.collector import _HANDLERS
from turnkit.turns.events import SIGNALS


def test_rows_of_a_call() -> None:
    """Every row of a call in which something of everything happened, in order."""
    call = talking(barge_in=HoldThenDecide(IgnoreBackchannels()), idle_timeout=60.0)
    call.feed(2.0, StartOfTurn(1, "Mm-hm"))
    call.feed(2.5, EndOfTurn(1, "Mm-hm"))
    call.feed(3.0, PlaybackFinished(0))
    exchange(call, 4.0, 2, 1)
    call.fact(8.0, "TokensUsed", reply=1, tokens=1200)
    call.feed(8.0, StreamLost())
    call.feed(10.5, StreamRestored())
    figures = call.close(128.0)
    assert figures.rows() == [
        ("calls", "1, 2 min 08 s"),
        ("turns", "3: 2 committed, 1 dropped (1 overlap kept)"),
        ("replies", "2: 2 finished"),
        ("last word to commit", "1.31 s median, 1.31 s p95, 1 turn"),
        ("last new words to commit", "≥ 1.25 s median, 1.25 s p95, 1 turn"),
        ("response gap", "250 ms median, 1.00 s p95, 2 turns"),
        ("last word to first sound", "1.56 s median, 1.56 s p95, 1 turn"),
        ("time to first chunk", "125 ms median, 125 ms p95, 1 reply"),
        ("drafts", "1: 1 kept, hit rate 100 %"),
        ("eager lead", "500 ms median, 500 ms p95, 1 draft"),
        ("saved by drafts", "125 ms median, 125 ms p95, 1 draft, 125 ms in all"),
        ("tokens", "1,200, 0 of them wasted"),
        ("barge-ins", "0"),
        ("start of turn to barge-in", "–"),
        ("barge-in to silence", "–"),
        ("interrupts by the host", "0"),
        ("holds", "1: 1 resumed (1 backchannel), 500 ms in all"),
        ("stalls", "0"),
        ("stream losses", "1, 2.50 s without a stream"),
        ("user idle", "never"),
        ("surprises", "1: 1 missing start"),
    ]


def test_rows_of_nothing() -> None:
    """Where nothing was measured there is a dash, never a number."""
    rows = dict(CallMetrics().rows())
    dashes = {label for label, text in rows.items() if text == "–"}
    assert dashes == {
        "last word to commit",
        "last new words to commit",
        "response gap",
        "last word to first sound",
        "time to first chunk",
        "eager lead",
        "saved by drafts",
        "tokens",
        "start of turn to barge-in",
        "barge-in to silence",
    }
    assert rows["turns"] == rows["drafts"] == "0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0 ms"),
        (0.2124, "212 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (9.99, "9.99 s"),
        (9.999, "10.0 s"),
        (119.9, "119.9 s"),
        (119.96, "2 min 00 s"),
        (3661.4, "61 min 01 s"),
    ],
)
def test_seconds_for_people(value: float | None, text: str) -> None:
    """Milliseconds, seconds or minutes, never "1000 ms" or "1 min 60 s"."""
    assert seconds(value) == text


def test_figures_are_json() -> None:
    """Every field is there for a program, durations by their parts, None as null, reasons as words."""
    call = MeasuredCall()
    exchange(call)
    plain = json.loads(json.dumps(call.close(4.0).figures()))
    assert plain["response_gap"] == {
        "count": 1,
        "median": 0.25,
        "p95": 0.25,
        "least": 0.25,
        "greatest": 0.25,
        "total": 0.25,
    }
    assert plain["silence"]["median"] is None
    assert plain["replies"] == {"finished": 1}
    assert set(plain) >= {*CallMetrics.__struct_fields__, "open_turns", "open_drafts", "hit_rate"}


def test_nothing_quotes_what_was_said() -> None:
    """No figure, row or repr of a call or a turn has a word of the conversation in it."""
    call = talking()
    call.feed(2.0, StartOfTurn(1, "tangerine"))
    call.feed(3.0, EndOfTurn(1, "tangerine"))
    figures = call.close(4.0)
    for text in (repr(figures), repr(figures.rows()), repr(call.turns), repr(call.metrics)):
        assert "tangerine" not in text
        assert "green tea" not in text


def test_every_kind_of_item_is_known() -> None:
    """No signal or event of turnkit is refused, so that a new one cannot be forgotten here."""
    assert {*SIGNALS, ReplyEnded, *get_args(Event)} == set(_HANDLERS)


def test_backchannels_are_one_phrase_or_several() -> None:
    """A string is a phrase, not its letters; what is no phrase is refused."""
    for phrases in ("genau", ["genau"], {"genau"}):
        metrics = Metrics(backchannels=phrases)
        for signal in (BargeIn(1, 0, "genau", at=1.0), Commit(1, 1, "Genau.", False, "model", at=2.0)):
            metrics.take(signal)
        assert metrics.call.false_barge_ins == {FalseBargeIn.BACKCHANNEL: 1}
    with pytest.raises(ConfigError, match="backchannels"):
        Metrics(backchannels=[7])  # type: ignore[list-item]
