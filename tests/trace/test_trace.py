"""The format of traces: what is written is what is read, and what else can be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkit import (
    ENGLISH_BACKCHANNELS,
    Budget,
    ConfigError,
    EchoGuard,
    FluxOptions,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    LocalProtocolError,
    MinConfidence,
    MinDuration,
    MinWords,
    Never,
    NoSpeculation,
    OnEager,
    Overlap,
    TurnMachine,
    Verdict,
    all_of,
)
from turnkit.trace import (
    Closed,
    Fact,
    Fed,
    Frame,
    Recorder,
    TimedWord,
    Woken,
    parse,
    policy_from_text,
    policy_to_text,
    read,
)
from turnkit.trace.redaction import Pseudonyms
from turnkit.turns.events import (
    Commit,
    EndOfTurn,
    Event,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    Update,
)
from turnkit.turns.words import has_words, same_words
from turnkit.wire import TurnInfo, decode

SETTINGS: dict[str, Any] = {"barge_in": MinWords(2), "speculation": OnEager(), "idle_timeout": 5.0}
CALL: list[tuple[float, Event]] = [
    (10.1, StartOfTurn(0, "Tea", 0.1, 0.56)),
    (10.3, Update(0, "Tea for", 0.2, 0.8)),
    (10.1 + 0.2 + 1 / 3, EndOfTurn(0, "Tea for two.", 0.9, 1.1, "model")),
    (11.0, PlaybackStarted(0)),
    (11.5, PlaybackAdvanced(0, "Very")),
    (12.0, PlaybackFinished(0)),
]


def record(path: Path, events: list[tuple[float, Event]] = CALL, **options: Any) -> Path:
    """A call without a session, recorded."""
    recorder, machine = Recorder(path, **options), TurnMachine(**SETTINGS)
    recorder.begin("a call", "2026-11-20T18:00:00+00:00", 10.0, SETTINGS, turnkit="0.1.0")
    recorder.woken(10.0, machine.wake(10.0))
    for at, event in events:
        recorder.fed(at, event, machine.feed(event, at))
    recorder.closed(99.0, machine.close(99.0))
    recorder.end()
    return recorder.path


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
        recorder.fed(at, event, answer, message)
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
    (end,) = [record for record in trace.inputs() if isinstance(record, Fed) and isinstance(record.event, EndOfTurn)]
    assert end.words == (TimedWord("Tea.", 0.1, None, 0.0),)
    assert trace.ended == "closed"
    assert trace.skipped == 0


def test_every_signal_and_event_has_its_line(tmp_path: Path) -> None:
    """A signal's line begins with its name and holds its fields; nobody but the owner may read the file."""
    path = record(tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["trace"] == 1
    assert lines[1] == {"at": 10.0, "wake": True}
    assert lines[2] == {
        "at": 10.1,
        "event": "StartOfTurn",
        "turn_index": 0,
        "transcript": "Tea",
        "confidence": 0.1,
        "audio_end": 0.56,
    }
    assert lines[3] == {"signal": "TurnStarted", "at": 10.1, "turn": 0, "transcript": "Tea"}
    assert lines[-2:] == [{"at": 99.0, "close": True}, {"at": 99.0, "end": "closed"}]
    assert path.stat().st_mode & 0o077 == 0


@given(st.lists(st.floats(0, 1e9, allow_nan=False), min_size=1, max_size=20), st.text(max_size=30))
def test_times_and_texts_survive(times: list[float], text: str) -> None:
    """Whatever the clock says and whatever is said is read back as it was."""
    events = [(at, Update(0, text, at, at)) for at in sorted(times)]
    lines = [b'{"trace":1}']
    for at, event in events:
        recorder = Recorder.__new__(Recorder)
        recorder._words, recorder._at = None, 0.0
        lines += recorder._lines((at, event, (), None))
    assert list(parse(b"\n".join(lines) + b"\n").events()) == events


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
    with pytest.raises(ConfigError, match="a trace of format 2"):
        parse(b'{"trace":2,"turnkit":"9.0"}\n')


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


# Recordings made elsewhere ----------------------------------------------------------------------------------------


def test_raw_frames_are_a_trace(preamble: Path) -> None:
    """The frames of a real session: its turn events at the second of audio they cover, and its words."""
    trace = read(preamble)
    assert trace.raw
    assert len(list(trace.events())) == 103
    assert all(at == event.audio_end for at, event in trace.events() if isinstance(event, Update))
    assert isinstance(trace.records[-1], Closed)
    ends = [fed for fed in trace.inputs() if isinstance(fed, Fed) and isinstance(fed.event, EndOfTurn)]
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


# The recorder -----------------------------------------------------------------------------------------------------


def test_the_recorder_refuses_what_cannot_work(tmp_path: Path) -> None:
    """Before the call, and naming the setting; an existing file is never overwritten."""
    there = tmp_path / "there.jsonl"
    there.write_text("precious")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"path": there}, "exists already"),
        ({"path": tmp_path / "no" / "where.jsonl"}, "must be a directory"),
        ({"path": ""}, "must be the path"),
        ({"path": 7}, "must be the path"),
        ({"path": tmp_path / "a", "max_bytes": 10}, "at least 4096"),
        ({"path": tmp_path / "a", "options": {"token": "s3cret"}}, "must be FluxOptions, not dict"),
    ]
    for settings, rule in wrong:
        with pytest.raises(ConfigError, match=rule):
            Recorder(**settings)
    assert there.read_text() == "precious"


def test_a_directory_takes_a_file_a_session(tmp_path: Path) -> None:
    """It is named after the session, whatever the session is called."""
    recorder = Recorder(tmp_path)
    recorder.begin("../../etc/a b", "", 0.0, {})
    recorder.end()
    assert recorder.path == tmp_path / ".._.._etc_a_b.jsonl"
    assert read(recorder.path).header.session == "../../etc/a b"


def test_namesakes_do_not_cost_a_recording(tmp_path: Path) -> None:
    """Sessions of one id, one after the other, have a file each."""
    for _ in range(3):
        recorder = Recorder(tmp_path)
        recorder.begin("a caller", "", 0.0, {})
        recorder.end()
        assert recorder.failure is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a_caller-2.jsonl",
        "a_caller-3.jsonl",
        "a_caller.jsonl",
    ]


def test_a_recorder_records_one_call(tmp_path: Path) -> None:
    """The second begin is refused; a second end is harmless, and what comes after it is counted as lost."""
    recorder = Recorder(tmp_path / "a.jsonl")
    recorder.begin("s", "", 0.0, {})
    recorder.end()
    with pytest.raises(LocalProtocolError, match="one call"):
        recorder.begin("s", "", 0.0, {})
    recorder.woken(1.0, ())
    recorder.end()
    assert recorder.lost == 1
    assert read(recorder.path).ended == "closed"


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """At the bound the last line says so, the rest is counted, and what is there can be read."""
    events = [(float(at), Update(0, f"word {at}", 0.5, float(at))) for at in range(1000)]
    path = tmp_path / "a.jsonl"
    recorder = Recorder(path, max_bytes=20_000)
    recorder.begin("s", "", 0.0, {})
    for at, event in events:
        recorder.fed(at, event, ())
    recorder.end()
    assert 19_000 < path.stat().st_size <= 20_000
    trace = read(path)
    assert trace.ended == "full"
    assert recorder.full
    kept = list(trace.events())
    assert kept == events[: len(kept)]
    assert recorder.lost == len(events) - len(kept)


class FullDisk:
    """A file that takes half of what it is given, once, and then no more."""

    closed = False

    def __init__(self, file: Any) -> None:
        self.file, self.writes = file, 0

    def write(self, data: bytes) -> int:
        self.writes += 1
        if self.writes > 1:
            raise OSError(28, "No space left on device")
        return int(self.file.write(data[: len(data) // 2]))

    def close(self) -> None:
        self.closed = True
        self.file.close()


def test_a_disk_that_fails_is_told_once_and_nothing_raises(tmp_path: Path) -> None:
    """What had been written can be read; the rest is counted."""
    recorder = Recorder(tmp_path / "a.jsonl")
    recorder.begin("s", "", 0.0, {})
    recorder._file = disk = FullDisk(recorder._file)
    for at in range(10):
        recorder.woken(float(at), ())
    recorder.flush()
    recorder.woken(11.0, ())
    recorder.flush()
    recorder.end()
    assert isinstance(recorder.failure, OSError)
    assert disk.writes == 2
    assert disk.closed
    assert recorder.lost == 11
    assert all(isinstance(record, Woken) for record in read(recorder.path).records)


def test_a_file_that_cannot_be_made_is_a_failure_not_an_error(tmp_path: Path) -> None:
    """Between the check and the call the directory went: the call must not end for that."""
    (tmp_path / "d").mkdir()
    recorder = Recorder(tmp_path / "d" / "a.jsonl")
    (tmp_path / "d").rmdir()
    recorder.begin("s", "", 0.0, {})
    recorder.woken(1.0, ())
    recorder.end()
    assert isinstance(recorder.failure, FileNotFoundError)
    assert recorder.lost == 1


class Seconds(float):
    """A number of somebody's own."""


def test_what_hosts_make_of_events_is_written(tmp_path: Path) -> None:
    """Numbers of a type of their own, half a surrogate pair; what no JSON can carry is lost alone, and counted."""
    recorder = Recorder(tmp_path / "a.jsonl")
    recorder.begin("s", "", 0.0, {"hold_timeout": Seconds(2)})
    recorder.fed(1.0, Update(0, "tea \ud83d", Seconds(0.5), 1.0), ())
    recorder.fed(2.0, PlaybackAdvanced(True, 7), ())  # type: ignore[arg-type]
    recorder.fed(2.5, EndOfTurn(0, "tea", trigger=None), ())  # type: ignore[arg-type]
    recorder.fed(2.6, PlaybackStarted("first"), ())  # type: ignore[arg-type]
    recorder.fed(3.0, Update(0, "tea", 0.5, 1.0), ())
    recorder.end()
    trace = read(tmp_path / "a.jsonl")
    assert [event for _, event in trace.events()] == [
        Update(0, "tea \ufffd", 0.5, 1.0),
        PlaybackAdvanced(1, "7"),
        EndOfTurn(0, "tea", trigger="None"),
        Update(0, "tea", 0.5, 1.0),
    ]
    assert trace.header.settings == {"hold_timeout": 2.0}
    assert recorder.lost == 1


def test_facts_are_plain(tmp_path: Path) -> None:
    """A fact without a name, with the line's own fields or with what no JSON can carry is the host's mistake."""
    recorder = Recorder(tmp_path / "a.jsonl")
    wrong: list[tuple[str, dict[str, Any]]] = [("", {}), ("X", {"at": 1}), ("X", {"fact": 1}), ("X", {"y": object()})]
    for name, fields in wrong:
        with pytest.raises(LocalProtocolError, match="fact"):
            recorder.fact(1.0, name, **fields)
    assert recorder.pending == []


# Policies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy",
    [
        *(Immediate(), Never(), MinWords(3), MinDuration(0.25), Grace(1.5), HoldThenDecide(MinWords(4), 0.5)),
        *(OnEager(), NoSpeculation(), MinConfidence(0.6), Budget(1, 2.5), Budget()),
        *(IgnoreBackchannels(), IgnoreBackchannels(ENGLISH_BACKCHANNELS | {"righty-o"}), EchoGuard(Grace(1.0), 0.5, 2)),
        *(IgnoreBackchannels({"はい"}, then=all_of(Grace(0.5), MinWords(2))), all_of(OnEager(), Budget(2))),
    ],
    ids=repr,
)
def test_policies_come_back(policy: Any) -> None:
    """Every policy of turnkit's own is rebuilt from its text."""
    assert policy_from_text(policy_to_text(policy)) == policy


def judge(overlap: Overlap) -> Verdict:
    return Verdict.KEEP


@pytest.mark.parametrize("policy", [judge, all_of(Immediate(), judge), HoldThenDecide(then=judge)])
def test_a_policy_of_somebodys_own_is_only_named(policy: Any) -> None:
    """Its repr, which may hold anything, is not written; to bring it back is the caller's."""
    text = policy_to_text(policy)
    assert text.startswith("<")
    assert "0x" not in text
    with pytest.raises(ConfigError, match="pass the policy itself as barge_in="):
        policy_from_text(text, "barge_in")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "MinWords(count=__import__('os'))",
        "MinWords.__class__",
        "MinWords(**{'count': 2})",
        "(lambda: 1)()",
        "MinWords(count=2)" * 2,
        "[" * 5000,
        "MinWords(2) | MinWords(3)",
        "1 + 1",
        "x" * 200_000,
        "MinWords(0)",
        "MinWords('two')",
        "\0",
    ],
)
def test_nothing_is_executed(text: str) -> None:
    """Only whitelisted names with literals are built; all else is refused."""
    with pytest.raises(ConfigError):
        policy_from_text(text)


# Redaction --------------------------------------------------------------------------------------------------------

sayings = st.text(st.sampled_from("tea TEA.'’-35,:$%é ß我想。はいहाँ\n"), max_size=24)


@given(sayings, sayings)
def test_redacted_texts_are_equal_where_the_texts_are(one: str, other: str) -> None:
    """Turn-taking asks whether two texts say the same words, and whether there are any: the answers stay."""
    words = Pseudonyms()
    hidden, also = words.text(one), words.text(other)
    assert same_words(hidden, also) == same_words(one, other)
    assert has_words(hidden) == has_words(one)
    assert len(hidden.split()) == len(one.split())
    assert words.text(one) == hidden


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=60))
def test_no_two_words_become_one(texts: list[str]) -> None:
    """However many words of one shape there are."""
    words = Pseudonyms()
    hidden = [words.text(text) for text in texts]
    for one, its in zip(texts, hidden, strict=True):
        for other, others in zip(texts, hidden, strict=True):
            if not same_words(one, other) and not any(c.isdigit() and not c.isascii() for c in one + other):
                assert not same_words(its, others)


def test_redaction_hides_what_was_said() -> None:
    """Words go, their number, length and punctuation stay; floor words and the policies' own phrases stay too."""
    words = Pseudonyms(["righty-o"])
    hidden = words.text("Righty-o, no: call Mr. O'Neill at 555-0199, 5 p.m. Call O'Neill!")
    assert not {"call", "neill", "555", "0199"} & set(hidden.lower().replace("-", " ").replace("'", " ").split())
    assert hidden.startswith("Righty-o, no: ")
    assert [len(word) for word in hidden.split()] == [9, 3, 4, 3, 7, 2, 9, 1, 4, 4, 8]
    assert hidden.split()[2].lower() == hidden.split()[-2].lower()


def test_a_redacted_file_holds_none_of_the_words(tmp_path: Path) -> None:
    """In no event, signal, fact, frame, option or list of words."""
    recorder = Recorder(tmp_path / "a.jsonl", redact=True, frames=True)
    recorder.begin("s", "", 0.0, SETTINGS, options=FluxOptions(keyterm=("Zanzibar",), tag=("Zanzibar",)))
    frame = decode(
        '{"type":"TurnInfo","event":"EndOfTurn","turn_index":0,"transcript":"Zanzibar","words":[{"word":"Zanzibar"}]}'
    )
    assert isinstance(frame, TurnInfo)
    recorder.frame(0.5, frame)
    recorder.frame(0.6, decode('{"type":"New","text":"Zanzibar"}'))
    machine = TurnMachine(barge_in=lambda _: (Verdict.YIELD, "Zanzibar"))
    events: list[Event] = [StartOfTurn(0, "Zanzibar"), EndOfTurn(0, "Zanzibar, Zanzibar"), StartOfTurn(1, "Zanzibar")]
    events += [EndOfTurn(1, "Zanzibar"), PlaybackStarted(1), PlaybackAdvanced(1, "Zanzibar")]
    for at, event in enumerate(events):
        recorder.fed(at, event, machine.feed(event, at), frame)
    recorder.told(ReplyEnded(0, 1, Outcome.FINISHED, "Zanzibar", at=7.0))
    recorder.fact(8.0, "Said", texts=["Zanzibar", {"more": "Zanzibar"}])
    recorder.closed(9.0, machine.close(9.0))
    recorder.end()
    assert "zanzibar" not in recorder.path.read_text().lower()
    trace = read(recorder.path)
    assert trace.header.redacted
    commits = [signal for signal in trace.signals() if isinstance(signal, Commit)]
    assert [len(commit.transcript) for commit in commits] == [18, 8]
    assert commits[1].unanswered == (commits[0].transcript,)
    assert recorder.lost == 0
