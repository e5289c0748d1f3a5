"""Sessions that are recorded, on both libraries: whole, killed half-way, on a disk that fails."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog

from tests.support.sessions import script
from turnkit import ConfigError, FluxOptions, LocalProtocolError, MinWords, Playback, Reply, Session, TimedWord
from turnkit.trace import Closed, Fed, Frame, Recorder, Trace, Woken, read, replay
from turnkit.turns.events import (
    SIGNALS,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Note,
    NoteKind,
    ReplyEnded,
    StartOfTurn,
    TurnResumed,
    Update,
)
from turnkit.wire import decode

pytestmark = pytest.mark.anyio

CALL: list[tuple[float, object]] = [
    (0.0, {"type": "Connected", "request_id": "r-1", "sequence_id": 0}),
    (0.5, StartOfTurn(0, "tea", 0.2, 0.6)),
    (0.3, EagerEndOfTurn(0, "tea", 0.5, 0.9)),
    (0.2, TurnResumed(0, "tea for", 0.1, 1.1)),
    (0.3, EagerEndOfTurn(0, "tea for two", 0.6, 1.4)),
    (0.2, EndOfTurn(0, "Tea for two.", 0.8, 1.6, "model")),
    (0.7, StartOfTurn(1, "mm-hm", 0.2, 2.4)),
    (0.2, EndOfTurn(1, "Mm-hm.", 0.9, 2.6, "model")),
    (0.5, StartOfTurn(2, "no", 0.1, 3.2)),
    (0.2, Update(2, "no wait", 0.1, 3.4)),
    (0.4, {"type": "ConfigureSuccess", "thresholds": {"eot_threshold": 0.8}}),
    (0.1, "no json"),
    (20.0, EndOfTurn(2, "No, wait.", 0.9, 5.0, "timeout")),
    (9.0, Update(3, "", 0.9, 14.0)),
]


async def source(steps: list[tuple[float, object]] = CALL) -> AsyncIterator[object]:
    for lapse, item in steps:
        await anyio.sleep(lapse)
        yield item


async def respond(reply: Reply) -> None:
    await anyio.sleep(0.3)
    await reply.say("With milk, ")
    await reply.say("or without?")


async def speak(reply: Reply, chunks: AsyncIterator[str | bytes], playback: Playback) -> None:
    heard = ""
    async for chunk in chunks:
        for word in str(chunk).split():
            await playback.wait_resumed()
            playback.started()
            await anyio.sleep(0.4)
            heard = f"{heard} {word}".strip()
            playback.advance(heard)


async def hold(record: Any, steps: list[tuple[float, object]] = CALL, **settings: Any) -> list[object]:
    """A recorded call; what its callbacks heard."""
    session = Session(
        respond=respond,
        speak=speak,
        **{"barge_in": MinWords(2), "idle_timeout": 4.0, "record": record, **settings},
    )
    heard: list[object] = []
    for kind in (*SIGNALS, ReplyEnded):
        session.on(kind, heard.append)
    await session.run(source(steps))
    return heard


async def test_a_session_is_recorded_and_replays_to_the_same_signals(tmp_path: Path) -> None:
    """Everything that happened, in order, and the signals that callbacks heard; stalls and idle times too."""
    heard = await hold(tmp_path / "a.jsonl")
    trace = read(tmp_path / "a.jsonl")
    assert trace.ended == "closed"
    assert trace.signals() == heard
    kinds = {type(signal).__name__ for signal in heard}
    assert kinds >= {"Speculate", "Cancel", "Commit", "BargeIn", "TurnDropped", "TurnStalled", "UserIdle", "ReplyEnded"}
    assert isinstance(trace.records[0], Woken)
    replayed = replay(trace)
    assert replayed.verified
    assert len(replayed.signals) == sum(not isinstance(s, ReplyEnded) and not _own(s) for s in heard)


def _own(signal: object) -> bool:
    return isinstance(signal, Note) and signal.kind is NoteKind.MALFORMED_MESSAGE


async def test_what_the_machine_is_not_told_is_recorded_too(tmp_path: Path) -> None:
    """Connections, settings in force, the first chunk of each reply, and facts of the host's own."""
    session = Session(respond=respond, speak=speak, record=tmp_path / "a.jsonl")
    session.on(ReplyEnded, lambda ended: session.record("TokensUsed", reply=ended.reply, tokens=7))
    session.record("TooEarly")
    await session.run(source())
    session.record("TooLate")
    trace = read(tmp_path / "a.jsonl")
    assert [fact.fields for fact in trace.facts("Connected")] == [{"request_id": "r-1"}]
    (configured,) = trace.facts("Configured")
    assert configured.fields["thresholds"] == {"eot_threshold": 0.8}
    ended = [signal for signal in trace.signals() if isinstance(signal, ReplyEnded)]
    assert [fact.fields["reply"] for fact in trace.facts("TokensUsed")] == [reply.reply for reply in ended]
    first = {fact.fields["reply"]: fact.at for fact in trace.facts("FirstChunk")}
    assert first
    assert len(first) == len(trace.facts("FirstChunk"))
    assert {fact.fields["reply"] for fact in trace.facts("RespondEnded")} >= set(first)
    assert not trace.facts("TooEarly") + trace.facts("TooLate")


async def test_facts_of_the_host_may_be_called_as_it_likes(tmp_path: Path) -> None:
    """Names that the format has for its own lines are fields like any other; what could not be read back is refused."""
    names = [
        "event",
        "signal",
        "frame",
        "wake",
        "close",
        "end",
        "trace",
        "words",
        "at",
        "fact",
        "fields",
        "name",
        "self",
        "verb",
    ]
    session = Session(respond=respond, speak=speak, record=tmp_path / "a.jsonl", id="a\nb\ud83d")
    refused: list[str] = []

    def told(_: ReplyEnded) -> None:
        for name in names:
            session.record("ToolCalled", **{name: ["StartOfTurn"]})
        try:
            session.record("ToolCalled", seconds=float("nan"))
        except LocalProtocolError as error:
            refused.append(str(error))

    session.on(ReplyEnded, told)
    await session.run(source(CALL[:6]))
    trace = read(tmp_path / "a.jsonl")
    calls = [fact.fields for fact in trace.facts("ToolCalled")]
    assert len(calls) >= len(names)
    assert calls[: len(names)] == [{name: ["StartOfTurn"]} for name in names]
    assert refused
    assert trace.header.session == "a\nb\ufffd"
    assert replay(trace).verified


async def test_words_and_their_times_are_kept_where_a_turn_ends(tmp_path: Path) -> None:
    """Flux sends them with every message; the end has them all. With frames=True every message is kept whole."""
    word = {"word": "Tea.", "confidence": 0.9, "start": 0.25, "end": 0.5}
    frames: list[tuple[float, object]] = [
        (0.1, {"type": "TurnInfo", "event": kind, "turn_index": 0, "transcript": "Tea.", "words": [word]})
        for kind in ("Update", "StartOfTurn", "EagerEndOfTurn", "EndOfTurn")
    ]
    await hold(Recorder(tmp_path / "a.jsonl", frames=True), frames)
    trace = read(tmp_path / "a.jsonl")
    ends = [fed.event for fed in trace.inputs() if isinstance(fed, Fed) and hasattr(fed.event, "words")]
    assert [type(end) for end in ends] == [EagerEndOfTurn, EndOfTurn]
    assert [end.words for end in ends] == [(TimedWord("Tea.", 0.25, 0.5, 0.9),)] * 2
    kept = [record.message for record in trace.records if isinstance(record, Frame)]
    assert [getattr(message, "words", None) for message in kept] == [
        getattr(decode(frame), "words", None) for _, frame in frames
    ]


class Source:
    """A stream that knows its options, as FluxStream does."""

    def __init__(self, options: object) -> None:
        self.options = options

    def __aiter__(self) -> AsyncIterator[object]:
        return source(CALL[:3])


async def test_the_header_has_the_options_and_no_secret(tmp_path: Path) -> None:
    """FluxOptions are taken from the source; anything else that is called so is left alone."""
    options = FluxOptions(eot_threshold=0.8, keyterm=("tea",))
    for name, given in (("a", options), ("b", {"api_key": "s3cret"})):
        session = Session(record=tmp_path / name, id=name)
        await session.run(Source(given))
        assert "s3cret" not in (tmp_path / name).read_text()
        assert read(tmp_path / name).options == (options if name == "a" else None)
    header = read(tmp_path / "a").header
    assert header.session == "a"
    assert header.turnkit
    assert header.began.startswith("20")
    assert header.settings["barge_in"] == "Immediate()"


async def test_a_cancelled_call_is_recorded_to_its_end(tmp_path: Path) -> None:
    """The close and what it brings are in it, and the last line."""
    with anyio.move_on_after(1.6):
        await hold(tmp_path / "a.jsonl")
    trace = read(tmp_path / "a.jsonl")
    assert trace.ended == "closed"
    assert isinstance(trace.inputs()[-1], Closed)
    assert "closed" in {str(getattr(signal, "reason", "")) for signal in trace.signals()}
    assert replay(trace).verified


async def test_it_is_written_while_the_call_goes_on(tmp_path: Path) -> None:
    """Half a second after something happened it is in the file, whole lines only."""
    path = tmp_path / "a.jsonl"
    seen: list[tuple[float, Trace]] = []

    async def watched() -> AsyncIterator[object]:
        async for item in source():
            yield item
            await anyio.sleep(0.6)
            assert path.read_bytes().endswith(b"\n")
            seen.append((anyio.current_time(), read(path)))

    await Session(record=path).run(watched())
    for (_, before), (now, after) in pairwise(seen):
        assert after.records[: len(before.records)] == before.records
        assert now - after.records[-1].at < 10
    counts = [len(list(trace.events())) for _, trace in seen]
    events = [item for _, item in CALL if isinstance(item, Event)]
    assert counts[-1] == len(events)
    assert all(count > 0 for count in counts[1:])


async def test_a_disk_that_fails_does_not_stop_the_call(tmp_path: Path) -> None:
    """It is logged once, without what was said; the callbacks hear what they hear without a recording."""
    expected = await hold(None)
    recorder = Recorder(tmp_path / "a.jsonl")
    begin = recorder.begin

    def broken(*arguments: Any, **named: Any) -> None:
        begin(*arguments, **named)
        recorder._file.close()
        recorder._file = NoSpace()

    recorder.begin = broken  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as logs:
        heard = await hold(recorder)
    assert [type(one) for one in heard] == [type(one) for one in expected]
    failures = [entry for entry in logs if entry["event"] == "recording_failed"]
    assert [entry["error"] for entry in failures] == ["No space left on device"]
    assert recorder.lost > 10
    (incomplete,) = [entry for entry in logs if entry["event"] == "recording_incomplete"]
    assert incomplete["records_lost"] == recorder.lost
    assert "tea" not in str(logs).lower()


class NoSpace:
    closed = False

    def write(self, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        self.closed = True


async def test_a_full_recording_is_logged_and_the_call_goes_on(tmp_path: Path) -> None:
    """The file ends in a line that says so."""
    with structlog.testing.capture_logs() as logs:
        heard = await hold(Recorder(tmp_path / "a.jsonl", max_bytes=4096))
    assert read(tmp_path / "a.jsonl").ended == "full"
    assert (tmp_path / "a.jsonl").stat().st_size <= 4096
    assert [entry["event"] for entry in logs if "recording" in entry["event"]] == [
        "recording_full",
        "recording_incomplete",
    ]
    assert replay(read(tmp_path / "a.jsonl")).verified
    assert [type(one) for one in heard] == [type(one) for one in await hold(None)]


async def test_redacted_calls_replay_to_the_same_decisions(tmp_path: Path) -> None:
    """Same signals at the same times, words aside."""
    plain = await hold(tmp_path / "plain.jsonl")
    await hold(Recorder(tmp_path / "hidden.jsonl", redact=True))
    trace = read(tmp_path / "hidden.jsonl")
    assert replay(trace).verified
    shape = [(type(one), getattr(one, "turn", None), getattr(one, "reply", None)) for one in plain]
    hidden = [(type(one), getattr(one, "turn", None), getattr(one, "reply", None)) for one in trace.signals()]
    assert hidden == shape
    text = (tmp_path / "hidden.jsonl").read_text().lower()
    assert "two" not in text
    assert "milk" not in text


async def test_one_recorder_one_session(tmp_path: Path) -> None:
    """A recorder that has recorded is refused, before anything runs."""
    recorder = Recorder(tmp_path / "a.jsonl")
    await hold(recorder)
    with pytest.raises(LocalProtocolError, match="one call"):
        await hold(recorder)


async def test_many_calls_into_one_directory(tmp_path: Path) -> None:
    """A file each, all whole."""
    async with anyio.create_task_group() as tasks:
        for _ in range(40):
            tasks.start_soon(hold, tmp_path)
    paths = sorted(tmp_path.iterdir())  # noqa: ASYNC240 (the calls are over)
    assert len(paths) == 40
    assert all(replay(read(path)).verified for path in paths)


KILLED = """
import os, signal, sys, anyio
from turnkit import Session, StartOfTurn, Update, EndOfTurn

async def source():
    for turn in range(1000):
        yield StartOfTurn(turn, "tea")
        yield EndOfTurn(turn, "tea", 0.9, 1.0, "model")
        await anyio.sleep(0)
        session.playback_started(turn)
        session.playback_finished(turn)
        if turn == 700:
            os.kill(os.getpid(), signal.SIGKILL)

session = Session(record=sys.argv[1])
anyio.run(session.run, source())
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_killed_process_leaves_what_it_had_written(tmp_path: Path) -> None:
    """kill -9 in the middle of a call: the file reads, replays, and lacks only the last moments."""
    path = tmp_path / "a.jsonl"
    run = await anyio.run_process([sys.executable, "-c", KILLED, str(path)], check=False)
    assert run.returncode == -9
    trace = read(path)
    assert trace.ended == ""
    assert len(list(trace.events())) > 2000
    assert replay(trace).verified


async def test_a_path_that_ends_in_a_slash_is_a_directory(tmp_path: Path) -> None:
    """It is made, and each session has a file of its own in it; where a file stands, it is said."""
    folder = tmp_path / "new" / "calls"
    for name in ("one", "two"):
        await Session(record=f"{folder}/", id=name).run(script(StartOfTurn(0, "hi"), EndOfTurn(0, "hi")))
    assert sorted(path.name for path in folder.iterdir()) == ["one.jsonl", "two.jsonl"]
    with pytest.raises(ConfigError, match="must be a directory"):
        Session(record=f"{folder}/one.jsonl/")
