"""The benchmark of the transports compares what it says it compares; how fast they are is not asked here."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from time import monotonic_ns

import pytest
from rich.console import Console
from websockets.asyncio import client

from benchmarks import answers, audio, comparison, peer, thousand, transports
from benchmarks.clients import ANSWERERS, FLOOR, LISTENERS, LOOPS, TALKERS
from benchmarks.comparison import Figure, Line, Measure, What
from benchmarks.listeners import Heard
from benchmarks.rows import QUICK, Effort
from turnkit.wire import FluxOptions, TurnInfo, decode

TINY = Effort(
    calls=2,
    turns=4,
    crowds=1,
    crowd=3,
    crowd_turns=1,
    flood_turns=3,
    audio_seconds=0.16,
    settle=0.0,
    residents=3,
    resident_runs=1,
)
MEASURED_HERE = [name for name in transports.measures(TINY) if name not in ("allocated", "resident")]


@pytest.mark.parametrize("name", MEASURED_HERE)
def test_every_client_takes_its_turn_on_every_loop(name: str) -> None:
    """A value for each row, in each of the rounds; and what is no difference of two costs something."""
    measure = transports.measures(TINY)[name]
    turns: list[int] = []
    with peer.peer() as url:
        taken = comparison.rounds_of(measure, url, LOOPS, TINY, turns.append)
    assert turns == list(range(measure.rounds))
    assert list(taken) == [(loop, kind) for loop in LOOPS for kind in LISTENERS]
    for rounds in taken.values():
        assert [len(values) for values in rounds] == [len(measure.rows)] * measure.rounds
        assert measure.net or all(value > 0 for values in rounds for value in values)


@pytest.mark.parametrize("what", ["allocated", "resident"])
def test_memory_is_measured_in_a_process_of_its_own(what: str) -> None:
    """Of both kinds, for a client of either transport; three sessions need not take a page."""
    with peer.peer() as url:
        [kilobytes] = transports.held(what, "asyncio", url, "turnkit picows", TINY)
    assert kilobytes > 1 or what == "resident"


# What the clients do --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ANSWERERS)
@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.sampled(4)
def test_replies_begin_and_are_cut_off(kind: str, eager: bool) -> None:
    """Once a turn at most, and later than what caused it was sent; busy machines may cut off one before it began."""
    begun = monotonic_ns()
    with peer.peer() as url:
        taken = asyncio.run(answers.delays(ANSWERERS[kind], url, 20, eager=eager))
    whole = monotonic_ns() - begun
    assert 10 <= len(taken.respond) <= 21
    assert 10 <= len(taken.speak) <= 20
    assert all(0 < delay < whole for delay in (*taken.respond, *taken.speak))


def test_words_that_a_voice_did_not_live_to_hear_are_not_put_down_to_the_next() -> None:
    """It would seem to have taken a whole turn to stop."""
    said: list[Heard] = [TurnInfo("StartOfTurn", 0, transcript="an old one")]
    told: list[object] = []

    async def interrupt() -> None:
        voice = asyncio.create_task(answers.speak_until_cancelled(said, told.append))
        await asyncio.sleep(0)
        voice.cancel()
        with pytest.raises(asyncio.CancelledError):
            await voice

    asyncio.run(interrupt())
    assert told == []


# The peer -------------------------------------------------------------------------------------------------------------


async def _frames(url: str, plan: peer.Plan) -> list[TurnInfo]:
    frames = []
    async with client.connect(f"{url}/v2/listen", compression=None) as socket:
        await socket.recv()
        await socket.send(json.dumps({name: getattr(plan, name) for name in plan.__struct_fields__}).encode())
        for _ in range(plan.messages):
            frame = decode(await socket.recv())
            assert isinstance(frame, TurnInfo)
            frames.append(frame)
    return frames


@pytest.mark.parametrize("interval", [0.001, 0])
def test_a_draft_and_its_end_have_the_same_words(interval: float) -> None:
    """The words of a draft hold the time it was sent, and have to stay as they are for it to be kept."""
    with peer.peer() as url:
        frames = asyncio.run(_frames(url, peer.Plan(turns=3, updates=1, idle=0, interval=interval)))
    assert [frame.event for frame in frames] == ["StartOfTurn", "Update", "EagerEndOfTurn", "EndOfTurn"] * 3
    stamps = [int(frame.transcript[: peer.STAMP]) for frame in frames if frame.event != "Update"]
    starts, drafts, ends = (stamps[first::3] for first in range(3))
    assert drafts == ends
    if interval:
        assert starts[0] < drafts[0] < starts[1] < drafts[1] < starts[2] < drafts[2] < monotonic_ns()
    else:
        assert set(stamps) == {0}  # all were built before


def test_without_drafts_an_end_holds_its_own_time() -> None:
    """Else it would seem as old as whatever was stamped before."""
    plan = peer.Plan(turns=2, updates=1, idle=0, interval=0.001, eager=False)
    with peer.peer() as url:
        frames = asyncio.run(_frames(url, plan))
    assert [frame.event for frame in frames] == ["StartOfTurn", "Update", "EndOfTurn"] * 2
    stamps = [int(frame.transcript[: peer.STAMP]) for frame in frames if frame.event != "Update"]
    assert stamps == sorted(set(stamps))


async def _leave_in_mid_sentence(url: str) -> None:
    options = FluxOptions().to_query()
    async with client.connect(f"{url}/v2/listen?{options}", compression=None, max_queue=None) as socket:
        for _ in range(300):
            await socket.send(bytes(32))


def test_the_peer_says_nothing_of_clients_that_leave(capfd: pytest.CaptureFixture[str]) -> None:
    """It still deals with what they sent when they are gone, and has nobody to answer then."""
    with peer.peer() as url:
        asyncio.run(_leave_in_mid_sentence(url))
    assert capfd.readouterr().err == ""


def test_audio_is_slower_than_what_is_written_without_a_breath() -> None:
    """Else another path than that of a live call would be measured."""
    from turnkit.flux import sending

    assert vars(sending)["_BREATH"] < audio.CLOSEST < audio.PACE


# What is made of it ---------------------------------------------------------------------------------------------------

ROUNDS = {
    ("asyncio", FLOOR): [[10.0], [100.0], [10.0]],
    ("asyncio", "turnkit websockets"): [[20.0], [200.0], [30.0]],
    ("asyncio", "bare picows"): [[5.0], [50.0], [5.0]],
    ("asyncio", "turnkit picows"): [[9.0], [90.0], [9.0]],
    ("uvloop", FLOOR): [[5.0], [50.0], [5.0]],
    ("uvloop", "turnkit websockets"): [[10.0], [100.0], [10.0]],
    ("uvloop", "bare picows"): [[4.0], [40.0], [4.0]],
    ("uvloop", "turnkit picows"): [[6.0], [60.0], [6.0]],
}
MEASURE = Measure((What("row", "so", (1.5, 0.9)),), lambda *_: [0.0], 3)


def test_each_figure_has_its_ratio_to_the_floor_on_both_loops() -> None:
    """Medians of the rounds' own: one noisy round changes nothing. Bounds are for the standard loop."""
    standard, other = comparison.lines_of(MEASURE, ROUNDS)
    assert (standard.loop, other.loop) == ("asyncio", "uvloop")
    assert [figure.value for figure in standard.figures] == [10, 30, 5, 9]
    assert [figure.ratio for figure in standard.figures] == [1, 2, 0.5, 0.9]
    assert [figure.verdict for figure in standard.figures] == ["", "over", "", "within"]
    assert [figure.ratio for figure in other.figures] == [0.5, 1, 0.4, 0.6]
    assert [figure.ratio_same_loop for figure in other.figures] == [1, 2, 0.8, 1.2]
    assert {figure.verdict for figure in other.figures} == {""}


def test_without_the_standard_loop_nothing_is_judged() -> None:
    """There is no ratio that the bounds are for."""
    [line] = comparison.lines_of(MEASURE, {key: value for key, value in ROUNDS.items() if key[0] == "uvloop"})
    assert [figure.ratio for figure in line.figures] == [figure.ratio_same_loop for figure in line.figures]
    assert {figure.verdict for figure in line.figures} == {""}


def test_the_harness_is_taken_off_and_every_other_round_goes_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its turn in a round costs a client, its next turn gives back; one slow harness changes nothing."""
    monkeypatch.setattr(gc, "collect", lambda: 0)  # there is much to collect among other tests
    order: list[tuple[str, str]] = []

    def take(loop: str, url: str, kind: str, effort: Effort) -> list[float]:
        order.append((loop, kind))
        idle = (9.0 if len(order) > 30 else 1.0) + (loop == "uvloop")
        return [idle if kind == comparison.HARNESS else 5.0]

    loops = {"asyncio": None, "uvloop": None}
    taken = comparison.rounds_of(Measure(MEASURE.rows, take, 3, net=True), "", loops, TINY, lambda turn: None)
    assert list(taken) == [(loop, kind) for loop in loops for kind in LISTENERS]
    assert all(rounds == [[4.0 if loop == "asyncio" else 3.0]] * 3 for (loop, _), rounds in taken.items())
    warm_up, first, second, third = (order[begin : begin + 10] for begin in range(0, 40, 10))
    assert warm_up == first == second[::-1] == third
    assert (comparison.STANDARD, comparison.HARNESS) in first


def test_what_runs_in_a_fresh_process_is_not_tried_before() -> None:
    """It would only take its time."""
    kinds: list[str] = []

    def take(loop: str, url: str, kind: str, effort: Effort) -> list[float]:
        kinds.append(kind)
        return [1.0]

    comparison.rounds_of(Measure(MEASURE.rows, take, 1, apart=True), "", {"asyncio": None}, TINY, lambda turn: None)
    assert kinds == list(LISTENERS)


def test_what_tracemalloc_does_not_see_is_not_compared() -> None:
    """What uvloop allocates is none of Python's."""
    taken = comparison.rounds_of(
        Measure(MEASURE.rows, lambda *_: [1.0], 1, traced=True),
        "",
        {"asyncio": None, "uvloop": None},
        TINY,
        lambda turn: None,
    )
    assert {loop for loop, _ in taken} == {"asyncio"}


def _lines(value: float) -> list[Line]:
    return [
        Line(
            name=what.name,
            loop=loop,
            how=what.how,
            figures=[
                Figure(client=kind, value=value, ratio=12.34, ratio_same_loop=12.34, bound=1.4) for kind in LISTENERS
            ],
        )
        for measure in transports.measures(QUICK).values()
        for what in measure.rows
        for loop in ("asyncio", "uvloop")
    ]


def test_the_tables_read_at_a_hundred_columns() -> None:
    """A row is a line, with nothing cut off and nothing wrapped."""
    lines = _lines(12345.6)
    console = Console(width=transports.WIDTH)
    assert transports.WIDTH <= 100
    with console.capture() as captured:
        console.print(comparison.table(lines))
    shown = captured.get()
    assert "…" not in shown
    rows = [row for row in shown.splitlines() if "uvloop" in row]
    assert len(rows) == len(lines) / 2
    assert all(row.count("12,346 12.3 12.3") == len(LISTENERS) for row in rows)
    with console.capture() as captured:
        console.print(comparison.judged(lines))
    assert captured.get().count("12.3 of 1.40 over") == len(lines) * 2


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the command was asked to measure; all that it measures is over its bound."""
    asked: list[list[str]] = []

    def measure(names: list[str], effort: Effort, loops: object, tell: object, done: object) -> list[Line]:
        asked.append(names)
        lines = comparison.lines_of(MEASURE, ROUNDS)
        for line in lines:
            assert callable(done)
            done(line)
        return lines

    monkeypatch.setattr(transports, "measure", measure)
    return asked


def test_json_is_one_object_a_line(measured: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """A program may read it, the environment first; what was not asked for is not measured."""
    assert transports.main(["--quick", "--json", "--only", "flood", "--only", "cpu"]) == 0
    about, standard, other = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "python" in about["environment"]
    assert (standard["name"], standard["loop"], other["loop"]) == ("row", "asyncio", "uvloop")
    assert standard["figures"][1] == {
        "client": "turnkit websockets",
        "value": 30,
        "ratio": 2,
        "spread": 0.25,
        "ratio_same_loop": 2,
        "bound": 1.5,
        "verdict": "over",
    }
    assert measured == [["flood", "cpu"]]


def test_strict_fails_for_a_row_over_its_bound(measured: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """Without it, the command reports and does not judge."""
    assert transports.main([]) == 0
    shown = capsys.readouterr().out
    assert "2.00 of 1.50 over" in shown
    assert "…" not in shown  # though there is no terminal to be so wide
    assert transports.main(["--strict"]) == 1
    assert measured == [list(transports.measures(QUICK))] * 2


def test_the_help_says_what_each_row_is(capsys: pytest.CaptureFixture[str]) -> None:
    """In a line each, with what asks for it."""
    with pytest.raises(SystemExit, match="0"):
        transports.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    for name, measure in transports.measures(QUICK).items():
        for what in measure.rows:
            assert any(line.startswith(f"{name}, {what.name}: ") for line in lines)


def test_the_bounds_are_those_that_were_to_be_reached() -> None:
    """So that none is forgotten, or moved."""
    rows = [what for measure in transports.measures(QUICK).values() for what in measure.rows]
    assert {what.name: what.bounds for what in rows if what.bounds != (None, None)} == {
        "barge-in p50": (1.1, 0.65),
        "barge-in p99": (1.2, 1.0),
        "draft→respond p50": (1.4, 0.9),
        "barge-in→speak p50": (1.4, 1.0),
        "audio alone": (1.25, 0.5),
        "audio and Updates": (1.15, 0.6),
        "allocated, kB": (1.4, 1.4),
    }


# A thousand -----------------------------------------------------------------------------------------------------------


def test_many_calls_at_once_are_as_late_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Every client is measured on every loop, and the process is free to run where it likes again afterwards."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    assert thousand.main(["--calls", "5", "--seconds", "0.2", "--json", "--freeze"]) == 0
    about, *rows = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "python" in about["environment"]
    assert [(row["loop"], row["client"]) for row in rows] == [(loop, kind) for loop in LOOPS for kind in TALKERS]
    for row in rows:
        assert row["core"] > 0
        assert 0 <= row["loop_p50"] <= row["loop_p99"] <= row["loop_most"]
        assert 0 <= row["audio_p99"] <= row["audio_most"]
    if cores:
        assert os.sched_getaffinity(0) == cores
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(("loop_p99", "audio_most", "code"), [(0.05, 0.5, 0), (0.051, 0.1, 1), (0.01, 0.51, 1)])
def test_a_thousand_calls_have_two_bounds(
    loop_p99: float, audio_most: float, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both for turnkit over picows on the standard loop; the others inform."""

    def measure(loop: str, kind: str, url: str, count: int, seconds: float, *, freeze: bool) -> thousand.Lateness:
        ours = (loop, kind) == ("asyncio", "turnkit picows")
        return thousand.Lateness(
            client=kind,
            loop=loop,
            core=0.5,
            loop_p50=0.0,
            loop_p99=loop_p99 if ours else 9.0,
            loop_most=9.0,
            audio_p99=0.0,
            audio_most=audio_most if ours else 9.0,
        )

    monkeypatch.setattr(thousand, "measure", measure)
    assert thousand.main(["--strict"]) == code
    assert thousand.main([]) == 0
