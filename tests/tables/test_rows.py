"""Rows of the tables: what they say of a call is what its trace and its metrics say."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.many_calls import call
from turnkit.metrics import DURATIONS, measure
from turnkit.tables import COLUMNS, rows_of
from turnkit.trace import parse, turn_histories
from turnkit.turns.events import Speculate

TRACE = parse(call(1), "one.jsonl")


def test_the_columns_are_those_that_are_documented() -> None:
    """In every row, and those with words only where they are asked for."""
    plain, spoken = rows_of(TRACE), rows_of(TRACE, words=True)
    for table, columns in COLUMNS.items():
        assert plain[table]
        for row in plain[table]:
            assert set(row) == {column.name for column in columns if not column.words}
        for row in spoken[table]:
            assert set(row) == {column.name for column in columns}
    assert "table" not in repr(plain).replace("tables", "")


def test_a_row_a_turn() -> None:
    """With the figures that the metrics have."""
    rows = {row["turn"]: row for row in rows_of(TRACE, words=True)["turns"]}
    figures = measure(TRACE.records)[1]
    histories = turn_histories(TRACE.signals())
    assert len(rows) == len(figures) == len(histories) > 5
    for turn in figures:
        row = rows[turn.turn]
        assert [row[f"{name}_s"] for name in DURATIONS] == [getattr(turn, name) for name in DURATIONS]
        assert row["transcript"] == histories[turn.turn].transcript
        assert (row["result"] == "committed") == (histories[turn.turn].committed is not None)
        assert row["wall_clock"] > row["call_began"] == datetime(2026, 11, 2, 1, 1, tzinfo=UTC)


def test_overlaps_are_told_by_what_was_meant() -> None:
    """A kept overlap of a backchannel, and a barge-in that wanted the floor; what is no overlap means nothing."""
    rows = [row for number in range(4) for row in rows_of(parse(call(number)), words=True)["turns"]]
    kept = [row for row in rows if row["dropped"] == "overlap_kept"]
    cut = [row for row in rows if row["barged_in"] is not None]
    assert kept
    assert cut
    assert {row["meant"] for row in kept} == {"backchannel"}
    assert {row["meant"] for row in cut} <= {"floor", "backchannel"}
    assert {row["meant"] for row in rows if not row["overlap"]} == {None}
    assert all(row["overlap"] for row in kept + cut)


def test_a_row_a_draft() -> None:
    """Each kept or wasted, once, with the confidence that it was begun at."""
    drafts = rows_of(TRACE)["drafts"]
    assert len(drafts) == sum(isinstance(signal, Speculate) for signal in TRACE.signals())
    figures = measure(TRACE.records)[0]
    assert sum(row["result"] == "kept" for row in drafts) == figures.kept
    assert sum(row["result"] == "wasted" for row in drafts) == figures.wasted.total()
    assert {row["reason"] for row in drafts if row["result"] == "wasted"} == {str(kind) for kind in figures.wasted}
    assert all(0.4 <= row["confidence"] <= 1 and row["lived_s"] >= 0 for row in drafts)


def test_a_row_a_signal() -> None:
    """In their order."""
    rows = rows_of(TRACE)["signals"]
    signals = TRACE.signals()
    assert [(row["signal"], row["number"]) for row in rows] == [
        (type(signal).__name__, number) for number, signal in enumerate(signals)
    ]
    assert [row["at_s"] for row in rows] == [signal.at - TRACE.began_at for signal in signals]
    assert {row["reason"] for row in rows if row["signal"] == "Commit"} <= {"model", "timeout"}


def test_a_call_without_a_wall_clock_has_rows_too() -> None:
    """And frames alone have none: they hold no decisions."""
    unknown = parse(call(1).replace(b'"began":"2026-11-02T01:01:00.000+00:00"', b'"began":"yesterday"'))
    (at,) = {row["wall_clock"] for row in rows_of(unknown)["turns"]}
    assert at is None
    raw = b'{"type":"TurnInfo","event":"StartOfTurn","turn_index":0,"audio_window_end":1.0,"transcript":"hi"}'
    assert rows_of(parse(raw))["signals"] == []
