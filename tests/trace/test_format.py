"""The format of traces: what is written is what is read, and what else can be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.recorded_call import CALL, SETTINGS, record
from turnkit import ConfigError, FluxOptions, TurnMachine
from turnkit.trace import Closed, Fact, Frame, Recorder, parse, read, replay
from turnkit.turns.events import (
    BargeIn,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Outcome,
    PlaybackAdvanced,
    PlaybackStarted,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TimedWord,
    TurnStarted,
    Update,
)
from turnkit.wire import TurnInfo, decode


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Header, inputs, signals, facts and frames come back equal, times to the last bit."""
    recorder, machine = Recorder(tmp_path / "a.jsonl", frames=True), TurnMachine(**SETTINGS)
    recorder.begin("a call", "2026-11-20", 10.0, SETTINGS, options=FluxOptions(keyterm=("tea",)), turnkit="0.1.0")
    message = decode('{"type":"TurnInfo","event":"EndOfTurn","turn_index":0,"words":[{"word":"Tea.","start":0.1}]}')
    assert isinstance(message, TurnInfo)
    signals = list(machine.wake(10.0))
    recorder.woken(10.0, ())
    recorder.frame(10.05, message)
    for at, event in CALL:
        answer = machine.feed(event, at)
        recorder.fed(at, event, answer)
        signals += answer
    ended = ReplyEnded(0, 0, Outcome.FINISHED, "Very", at=12.5)
    recorder.told(ended)
    recorder.fact(13.0, "TokensUsed", reply=0, tokens=21)
    recorder.end()
    trace = read(tmp_path / "a.jsonl")
    assert trace.header.session == "a call"
    assert trace.header.settings == {"barge_in": "MinWords(count=2)", "speculation": "OnEager()", "idle_timeout": 5.0}
    assert trace.options == FluxOptions(keyterm=("tea",))
    assert list(trace.events()) == CALL
    assert trace.signals() == [*signals, ended]
    assert trace.facts("TokensUsed") == [Fact(13.0, "TokensUsed", {"reply": 0, "tokens": 21})]
    (frame,) = [record for record in trace.records if isinstance(record, Frame)]
    assert isinstance(frame.message, TurnInfo)
    assert frame.message.words == message.words
    assert trace.ended == "closed"
    assert trace.skipped == 0


def test_every_signal_and_event_has_its_line(tmp_path: Path) -> None:
    """A signal's line begins with its name and holds its fields; nobody but the owner may read the file."""
    path = record(tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["trace"] == 2
    assert lines[1] == {"at": 10.0, "wake": True}
    assert lines[2] == {
        "at": 10.1,
        "event": "StartOfTurn",
        "turn_index": 0,
        "transcript": "Tea",
        "confidence": 0.1,
        "audio_end": 0.56,
    }
    assert lines[3] == {"signal": "TurnStarted", "at": 10.1, "turn": 0, "transcript": "Tea", "overlaps": None}
    assert lines[-2:] == [{"at": 99.0, "close": True}, {"at": 99.0, "end": "closed"}]
    assert path.stat().st_mode & 0o077 == 0


@given(st.lists(st.floats(0, 1e9, allow_nan=False), min_size=1, max_size=20), st.text(max_size=30))
def test_times_and_texts_survive(times: list[float], text: str) -> None:
    """Whatever the clock says and whatever is said is read back as it was."""
    events = [(at, Update(0, text, at, at)) for at in sorted(times)]
    with TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder) / "a.jsonl")
        recorder.begin("s", "", 0.0, {})
        for at, event in events:
            recorder.fed(at, event, ())
        recorder.end()
        assert list(read(recorder.path).events()) == events


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_file_cut_off_reads_up_to_the_cut(tmp_path: Path, cut: int) -> None:
    """What a crash leaves is a trace that says so."""
    whole = record(tmp_path / "a.jsonl").read_bytes()
    trace = parse(whole[:-cut], "a")
    assert trace.ended == ("closed" if cut == 1 else "")
    lines = whole[:-cut].count(b"\n")
    assert len(trace.records) in (lines - 1, lines - 2)


def test_a_trace_cut_anywhere_reads_or_is_refused(tmp_path: Path) -> None:
    """No cut raises anything but ConfigError, and that only where not even the header is whole."""
    whole = record(tmp_path / "a.jsonl").read_bytes()
    header = whole.index(b"\n")
    for cut in range(len(whole)):
        if cut < header:
            with pytest.raises(ConfigError, match="'a'"):
                parse(whole[:cut], "a")
        else:
            parse(whole[:cut], "a")


def test_gzip_is_read_also_cut_off(tmp_path: Path) -> None:
    """A gzipped trace is the same trace; two files one after the other are what they were before."""
    whole = record(tmp_path / "a.jsonl").read_bytes()
    packed = gzip.compress(whole)
    assert parse(packed).records == parse(whole).records
    assert parse(gzip.compress(whole[:300]) + gzip.compress(whole[300:])).records == parse(whole).records
    assert parse(packed[: len(packed) - 40]).records == parse(whole).records[: len(parse(packed[:-40]).records)]


def as_version_1(line: str) -> str:
    """The line as it was written before facts had a place of their own, and signals said what they overlap."""
    fields = json.loads(line)
    if "trace" in fields:
        fields["trace"] = 1
    elif "fact" in fields:
        fields |= fields.pop("fields")
    elif "event" in fields and not fields.get("words"):
        fields.pop("words", None)
    for new in ("languages", "overlaps", *(("words", "heard", "unanswered") if "signal" in fields else ())):
        if fields.get("signal") != "Commit" or new != "unanswered":
            fields.pop(new, None)
    return json.dumps(fields)


def test_version_1_is_read_and_replays(tmp_path: Path) -> None:
    """The same events with the same words, the same facts; what signals did not say then is not held against them."""
    recorder, machine = Recorder(tmp_path / "a.jsonl"), TurnMachine(**SETTINGS)
    recorder.begin("a call", "", 10.0, SETTINGS)
    words = (TimedWord("Tea", 0.1, 0.3, 0.9), TimedWord("two.", 0.5, None, 0.0))
    events: list[tuple[float, Event]] = [
        *CALL[:2],
        (10.4, EagerEndOfTurn(0, "Tea for", 0.5, 0.9, words=words[:1])),
        (10.6, EndOfTurn(0, "Tea for two.", 0.9, 1.1, "model", words=words)),
        (11.0, PlaybackStarted(1)),
        (11.5, PlaybackAdvanced(1, "Very well, for two")),
        (11.6, StartOfTurn(1, "no no no", 0.1, 2.0)),
        (11.8, EagerEndOfTurn(1, "no no no", 0.5, 2.2)),
    ]
    for at, event in events:
        recorder.fed(at, event, machine.feed(event, at))
    recorder.fact(12.0, "TokensUsed", reply=0, tokens=21)
    recorder.closed(13.0, machine.close(13.0))
    recorder.end()
    new = read(recorder.path)
    old = parse("\n".join(map(as_version_1, recorder.path.read_text().splitlines())).encode() + b"\n", "old")
    assert old.header.trace == 1
    assert old.skipped == 0
    assert list(old.events()) == list(new.events()) == events
    assert old.facts() == new.facts() == [Fact(12.0, "TokensUsed", {"reply": 0, "tokens": 21})]
    changed = {type(one) for one, was in zip(new.signals(), old.signals(), strict=True) if one != was}
    assert changed == {TurnStarted, Commit, BargeIn, Speculate}
    assert replay(old).verified
    assert replay(new).verified


def test_what_newer_versions_write_is_skipped_and_counted() -> None:
    """Unknown kinds, events, signals and fields do not stop the reader; a newer format does."""
    lines = [
        '{"trace":1,"session":"s","mood":"fine"}',
        '{"at":1.0,"event":"StartOfTurn","turn_index":0,"transcript":"tea","mood":"fine"}',
        '{"signal":"TurnStarted","at":1.0,"turn":0,"transcript":"tea"}',
        '{"at":2.0,"event":"Laughter","turn_index":0}',
        '{"signal":"Laugh","at":2.0}',
        '{"at":2.0,"laughter":true}',
        '{"at":2.0,"frame":{"no":"type"}}',
    ]
    trace = parse("\n".join(lines).encode())
    assert trace.skipped == 4
    assert [record.at for record in trace.records] == [1.0, 1.0]
    with pytest.raises(ConfigError, match="a trace of format 3"):
        parse(b'{"trace":3,"turnkit":"9.0"}\n')


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("no json", "is no line of a trace"),
        ("[1]", "is no line of a trace"),
        ('{"event":"Update","turn_index":0}', "is no line of a trace: .*`at`"),
        ('{"at":1.0,"event":"Update"}', "Update does not have the fields it must have: .*`turn_index`"),
        ('{"at":1.0,"event":"Update","turn_index":"0"}', "Expected `int`, got `str`"),
        ('{"at":1.0,"signal":"Cancel","turn":0,"reply":0,"reason":"whim"}', "Invalid enum value"),
        ('{"at":0.5,"wake":true}', "time goes back, from 1.0 to 0.5"),
        ('{"at":1.0,"event":"Update","turn_index":9007199254740993}', "must be a whole number"),
    ],
)
def test_a_damaged_line_is_named(line: str, rule: str) -> None:
    """File, line and rule; the last line alone may be broken."""
    lines = ['{"trace":1}', '{"at":1.0,"wake":true}', line, '{"at":2.0,"close":true}']
    with pytest.raises(ConfigError, match=f"trace 'x', line 3: .*{rule}"):
        parse("\n".join(lines).encode(), "x")
    assert len(parse("\n".join(lines[:3]).encode(), "x").records) == 1


def test_nothing_follows_the_close() -> None:
    """A machine that is closed takes no more events, so no trace can have held them."""
    with pytest.raises(ConfigError, match="line 3: comes after the close"):
        parse(b'{"trace":1}\n{"at":1.0,"close":true}\n{"at":2.0,"event":"Busy","on":true}\n{"at":3.0,"wake":true}\n')


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"RIFF\x00\xff", "is no JSON object"),
        (b'{"a":1}\n', "neither the first line of a trace nor a frame of Flux"),
        (b'{"trace":"one"}\n', "the header does not have the fields it must have"),
        (b"\x1f\x8b garbage", "is not gzip"),
        (b'{"type":"Connected"}\n', "holds no TurnInfo"),
        (b'{"type":"Connected"}\nnonsense\n', "line 2: is no JSON object"),
        (b"[" * 100_000, "is no JSON object"),
    ],
)
def test_what_is_no_trace_is_refused(data: bytes, rule: str) -> None:
    """In a sentence that names the file and the rule."""
    with pytest.raises(ConfigError, match=rule):
        parse(data, "x")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Missing, or a directory: ConfigError."""
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read(path)


# Recordings made elsewhere ------------------------------------------------------------------------------------------


def test_raw_frames_are_a_trace(preamble: Path) -> None:
    """The frames of a real session: its turn events at the second of audio they cover, and its words."""
    trace = read(preamble)
    assert trace.raw
    assert len(list(trace.events())) == 103
    assert all(at == event.audio_end for at, event in trace.events() if isinstance(event, Update))
    assert isinstance(trace.records[-1], Closed)
    ends = [event for _, event in trace.events() if isinstance(event, EndOfTurn)]
    assert [" ".join(word.word for word in end.words) for end in ends] == [
        event.transcript for _, event in trace.events() if isinstance(event, EndOfTurn)
    ]
    assert len(ends) == 1
    assert trace.header.session.startswith("019f4c80")
    assert "people" not in repr(trace)


def test_raw_frames_with_the_time_of_their_arrival() -> None:
    """`received` or `at`, beside the frame's fields or around the frame."""
    frame = {"type": "TurnInfo", "event": "Update", "turn_index": 0, "audio_window_end": 0.24}
    for name in ("received", "at"):
        for line in ({**frame, name: 7.5}, {name: 7.5, "frame": frame}, {name: 7.5, "message": frame}):
            trace = parse(json.dumps(line).encode() + b"\n")
            assert [at for at, _ in trace.events()] == [7.5]
    assert [at for at, _ in parse(json.dumps(frame).encode()).events()] == [0.24]


def test_raw_frames_have_words_and_languages() -> None:
    """Where a turn ends, eagerly or not; other events have none."""
    frame = {"type": "TurnInfo", "turn_index": 0, "transcript": "Tee", "languages": ["de"], "audio_window_end": 1.0}
    frame["words"] = [{"word": "Tee", "start": 0.25, "end": 0.5, "confidence": 0.75}]
    kinds = ("Update", "EagerEndOfTurn", "EndOfTurn")
    trace = parse("\n".join(json.dumps({**frame, "event": kind}) for kind in kinds).encode())
    update, *ends = [event for _, event in trace.events()]
    assert isinstance(update, Update)
    for end in ends:
        assert isinstance(end, (EagerEndOfTurn, EndOfTurn))
        assert (end.words, end.languages) == ((TimedWord("Tee", 0.25, 0.5, 0.75),), ("de",))


def test_raw_frames_of_several_connections() -> None:
    """Where the connection was made anew, or Flux gave it up, the machine is told; the clock goes on."""

    def frame(index: int, end: float) -> dict[str, Any]:
        return {"type": "TurnInfo", "event": "Update", "turn_index": index, "audio_window_end": end}

    frames = [{"type": "Connected"}, frame(0, 5.0), {"type": "Connected"}, frame(0, 1.0), {"type": "Error"}]
    trace = parse("\n".join(map(json.dumps, frames)).encode())
    assert [(at, type(event)) for at, event in trace.events()] == [
        *((5.0, Update), (5.0, StreamLost), (5.0, StreamRestored)),
        *((6.0, Update), (6.0, StreamLost)),
    ]
