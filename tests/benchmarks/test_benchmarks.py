"""The benchmarks run, and what they print can be believed; how fast turnkit is, is not asked here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio import client

from benchmarks import answers, audio, flux_frames, listeners, live, machine, resident, rows, start, wire
from benchmarks.__main__ import main
from benchmarks.rows import Effort, Row
from turnkit.turns.events import BargeIn, Signal
from turnkit.turns.machine import TurnMachine
from turnkit.wire import TurnInfo, decode

TINY = Effort(
    rounds=2,
    decodes=20,
    machines=20,
    calls=1,
    turns=4,
    crowds=1,
    crowd=3,
    crowd_turns=1,
    audio_seconds=0.4,
    settle=0.0,
    residents=3,
    resident_runs=1,
    starts=1,
)


@pytest.mark.parametrize(
    "measure",
    [
        wire.measure,
        machine.measure_feed,
        machine.measure_size,
        live.measure_barge_in,
        answers.measure,
        live.measure_cpu,
        audio.measure,
        resident.measure,
        start.measure,
    ],
    ids=lambda measure: f"{measure.__module__.partition('.')[2]}.{measure.__name__}",
)
@pytest.mark.sampled(3)
def test_a_benchmark_measures_both_sides(measure: Callable[[Effort], list[Row]]) -> None:
    """Every row with a floor has a ratio, and both sides cost something."""
    measured = measure(TINY)
    assert measured
    for row in measured:
        assert (row.floor is None) == (row.ratio is None)
        assert row.how
        if row.ratio is not None and row.name != "session, resident":  # three sessions need not take a page
            assert row.floor is not None
            assert row.floor > 0
            assert row.turnkit > 0
            assert row.ratio > 0


def test_a_verdict_compares_the_ratio_or_without_a_floor_the_value() -> None:
    """A bound is for the ratio where there is one; at the bound is within."""
    row = Row(name="x", unit="ns", turnkit=30, floor=20, ratio=1.5, bound=1.5, how="y")
    assert row.verdict == "within"
    assert Row(name="x", unit="ns", turnkit=3, floor=2, ratio=1.6, bound=1.5, how="y").verdict == "over"
    assert Row(name="x", unit="bytes", turnkit=1001, bound=1000, how="y").verdict == "over"
    assert Row(name="x", unit="bytes", turnkit=1001, how="y").verdict == ""


def test_the_ratio_is_the_median_of_the_rounds_own() -> None:
    """One noisy round changes neither the medians nor the ratio."""
    row = rows.compared("x", "ns", [(10, 20), (1000, 2000), (10, 30)], "y")
    assert (row.floor, row.turnkit, row.ratio) == (10, 30, 2)


def test_floor_and_subject_take_turns_at_going_first() -> None:
    """What the second of a pair gains or loses, both gain or lose."""
    order: list[str] = []

    def note(name: str) -> float:
        order.append(name)
        return 1.0 if name == "floor" else 2.0

    assert rows.alternate(lambda: note("floor"), lambda: note("subject"), 2) == [(1.0, 2.0), (1.0, 2.0)]
    assert order == ["floor", "subject", "subject", "floor"]


def test_the_typical_frame_is_an_update_of_twelve_words_in_the_order_of_the_wire() -> None:
    """The input is what the budget speaks of: about 930 bytes."""
    frame = flux_frames.typical()
    assert 900 <= len(frame) <= 960
    message = decode(frame)
    assert isinstance(message, TurnInfo)
    assert len(message.words) == 12
    assert " ".join(word.word for word in message.words) == message.transcript
    assert list(json.loads(frame)) == [
        "type",
        "request_id",
        "event",
        "turn_index",
        "audio_window_start",
        "audio_window_end",
        "transcript",
        "words",
        "end_of_turn_confidence",
        "sequence_id",
    ]


def test_a_conversation_is_one_that_flux_could_have_sent() -> None:
    """The machine meets no surprise in it, and one in so many replies is interrupted."""
    for barge_ins, expected in ((1, 9), (5, 1)):
        machine_ = TurnMachine()
        signals: list[Signal] = []
        for event, at in machine.timed(flux_frames.conversation(10, 8, 4), barge_ins):
            signals += machine_.feed(event, at)
        assert not [signal for signal in signals if type(signal).__name__ == "Note"]
        assert expected == sum(isinstance(signal, BargeIn) for signal in signals)


async def _refuse(url: str, listen: listeners.Listener) -> None:
    with pytest.raises(OSError, match="refused"):
        await listen(url, lambda send: None, lambda heard: None, lambda heard: None)


def test_both_clients_open_their_sockets_with_the_same_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the comparison would be one of websockets' settings."""
    import asyncio

    opened: list[dict[str, Any]] = []

    class Connect:
        def __init__(self, uri: str, **options: Any) -> None:
            opened.append({"path": uri.partition("/v2")[2], **{name: options[name] for name in listeners.OPTIONS}})
            raise OSError("refused")

    monkeypatch.setattr(client, "connect", Connect)
    for listen in listeners.LISTENERS.values():
        asyncio.run(_refuse("ws://127.0.0.1:9", listen))
    assert len(opened) == 2
    assert opened[0] == opened[1]


def test_json_is_one_object_a_line_the_environment_first(capsys: pytest.CaptureFixture[str]) -> None:
    """A program may read it; what was not asked for is not measured."""
    assert main(["--quick", "--json", "--only", "decode"]) == 0
    about, row = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert {"date", "python", "machine", "packages"} == set(about["environment"])
    assert row["name"] == "decode"
    assert row["verdict"] in ("within", "over")


def test_strict_fails_for_a_row_over_its_bound(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `--strict`, benchmarks report and do not judge."""
    over = Row(name="x", unit="ns", turnkit=3, floor=2, ratio=1.6, bound=1.5, how="y")
    monkeypatch.setitem(main.__globals__["BENCHMARKS"], "decode", lambda effort: [over])
    assert main(["--only", "decode"]) == 0
    assert "over" in capsys.readouterr().out
    assert main(["--only", "decode", "--strict"]) == 1
