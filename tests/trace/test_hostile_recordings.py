"""Recordings of what only a host can come up with: whatever is written, the file is read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from math import inf, nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from turnkit import FluxOptions, LocalProtocolError, TimedWord, TurnMachine, Verdict
from turnkit.errors import ConfigError
from turnkit.trace import Fact, Fed, Frame, Recorder, Trace, read
from turnkit.trace.records import Header
from turnkit.turns.events import (
    BargeIn,
    Busy,
    DraftDiscarded,
    EagerEndOfTurn,
    EndOfTurn,
    Initiate,
    Interrupt,
    Note,
    NoteKind,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    StreamLost,
    TurnUpdated,
    Update,
)
from turnkit.wire import ErrorMessage, TurnInfo, decode


def recorded(work: Callable[[Recorder], object], **options: Any) -> tuple[Trace, Recorder]:
    """What is read of the recording that `work` adds to."""
    with TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder) / "a.jsonl", **options)
        recorder.begin("s", "", 0.0, {})
        work(recorder)
        recorder.end()
        assert recorder.failure is None
        trace = read(recorder.path)
        assert trace.ended == "closed"
        assert trace.skipped == 0
        return trace, recorder


# Facts --------------------------------------------------------------------------------------------------------------

FORMAT = sorted({*Header.__struct_fields__, "at", "event", "signal", "wake", "close", "fact", "frame", "end", "words"})
names = st.one_of(st.sampled_from([*FORMAT, "fields", "self", "name", "turn", "reply"]), st.text(min_size=1))
numbers = st.one_of(st.integers(), st.integers(-(10**5000), 10**5000), st.floats())
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(), st.binary(max_size=4), st.just(datetime(2026, 1, 1))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def as_json(value: object) -> object:
    """The value as JSON gives it back."""
    return msgspec.json.decode(msgspec.json.encode(value))


@settings(max_examples=tries(300), deadline=None)
@given(names, st.dictionaries(names, plain, max_size=5), st.floats(0, 1e9))
def test_a_fact_is_read_back_or_refused_at_once(name: str, fields: dict[str, Any], at: float) -> None:
    """Whatever its fields are called; a number that JSON cannot carry is refused, and nothing is recorded."""
    refused = False

    def work(recorder: Recorder) -> None:
        nonlocal refused
        try:
            recorder.fact(at, name, **fields)
        except LocalProtocolError:
            refused = True

    trace, recorder = recorded(work)
    assert trace.records == (() if refused else (Fact(at, name, as_json(fields)),))  # type: ignore[arg-type]
    assert recorder.lost == 0
    assert not refused or any(map(cannot_be_carried, fields.values()))


def cannot_be_carried(value: Any) -> bool:
    """Whether JSON would lose it: a number that is none, or one of more digits than Python reads."""
    if isinstance(value, (list, dict)):
        return any(map(cannot_be_carried, value.values() if isinstance(value, dict) else value))
    return value != value or value in (inf, -inf) or (isinstance(value, int) and abs(value) >= 10**4000)


@pytest.mark.parametrize("name", FORMAT)
@pytest.mark.parametrize("value", ["Update", True, 7, None, [["tea", 0.0]], {"type": "Connected"}])
def test_a_field_may_be_called_as_the_format_calls_its_own(name: str, value: object) -> None:
    """It is that fact's field, and no event, signal, wake, close, frame or end; what follows is read too."""

    def work(recorder: Recorder) -> None:
        recorder.fact(1.0, "ToolCalled", **{name: value})
        recorder.fed(2.0, Busy(True), ())

    trace, _ = recorded(work)
    assert trace.records == (Fact(1.0, "ToolCalled", {name: value}), Fed(2.0, Busy(True)))


class Half(float):
    """A number of somebody's own."""


class Text(str):
    """A text of somebody's own, which stays one whoever asks."""

    def __str__(self) -> str:
        return self


def test_a_fact_may_hold_what_is_plain_in_the_end() -> None:
    """Numbers and texts of types of their own, tuples and sets; half a surrogate pair is replaced."""
    said = {"a": Half(0.5), "b": Text("tea"), "c": (1, 2), "d": {3}, "e": Decimal("1.5"), "f": "\ud83d", "\ud83d": 1}
    trace, _ = recorded(lambda recorder: recorder.fact(1.0, Text("X"), **said))
    (fact,) = trace.facts()
    assert fact.name == "X"
    assert fact.fields == {"a": 0.5, "b": "tea", "c": [1, 2], "d": [3], "e": "1.5", "f": "\ufffd", "\ufffd": 1}


def test_a_fact_is_what_it_was_when_it_was_told() -> None:
    """What the host does to its list afterwards is another matter."""
    tools = ["book"]

    def work(recorder: Recorder) -> None:
        recorder.fact(1.0, "Tools", tools=tools)
        tools.append("cancel")

    trace, _ = recorded(work)
    assert trace.facts()[0].fields == {"tools": ["book"]}


# Names --------------------------------------------------------------------------------------------------------------

IDS = ["\ud800", "a\nb", "/../x/", "..", "", " ", "\x00", "x" * 100_000, "漢" * 300, "CON", "a\\b:c*?", 7, None]


@pytest.mark.parametrize("name", [*IDS, b"id", 1.5, ("a", "b")], ids=lambda name: repr(name)[:20])
def test_a_session_may_be_called_anything(tmp_path: Path, name: Any) -> None:
    """It has a file of its own in the directory, which is read, and says the name as far as a text can."""
    recorder = Recorder(tmp_path)
    recorder.begin(name, "", 0.0, {})
    recorder.fed(1.0, Busy(True), ())
    recorder.end()
    assert recorder.failure is None
    assert recorder.path.parent == tmp_path
    trace = read(recorder.path)
    assert trace.header.session == str(name).replace("\ud800", "\ufffd")
    assert len(trace.records) == 1


def test_a_header_that_could_not_be_read_is_refused(tmp_path: Path) -> None:
    """Before there is a file; options of texts of their own are what they say."""
    recorder = Recorder(tmp_path / "a.jsonl", options=FluxOptions(model=Text("flux-general-en"), tag=Text("\ud83d")))
    refused: list[tuple[float, dict[str, Any]]] = [(nan, {}), (inf, {}), (0.0, {"hold_timeout": object()})]
    for began_at, given_ in refused:
        with pytest.raises(LocalProtocolError, match="begin: the id, settings and times must be plain"):
            recorder.begin("s", "", began_at, given_)
    with pytest.raises(LocalProtocolError, match="begin: the id"):
        recorder.begin(Rude(), "", 0.0, {})  # type: ignore[arg-type]
    assert not recorder.path.exists()
    recorder.begin("s", Text("2026"), Half(1.5), {"hold_timeout": Half(2.0), "mood": Text("\ud83d")})
    recorder.end()
    header = read(recorder.path).header
    assert (header.began, header.began_at, header.settings) == ("2026", 1.5, {"hold_timeout": 2.0, "mood": "\ufffd"})
    assert header.options is not None
    assert (header.options["model"], header.options["tag"]) == ("flux-general-en", ["\ufffd"])


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b", "a\0b/"])
def test_a_path_that_no_file_can_have_is_refused(tmp_path: Path, path: str) -> None:
    """Before the call, and not in it."""
    with pytest.raises(ConfigError, match="characters that files can have"):
        Recorder(f"{tmp_path}/{path}")


class Awkward:
    """A policy that cannot even be looked at."""

    def __call__(self, _: object) -> Verdict:
        return Verdict.YIELD

    def __repr__(self) -> NoReturn:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> NoReturn:
        raise RuntimeError("no")

    __hash__ = object.__hash__


def test_a_policy_may_look_like_anything(tmp_path: Path) -> None:
    """It is its name."""
    recorder = Recorder(tmp_path / "a.jsonl")
    recorder.begin("s", "", 0.0, {"barge_in": Awkward()})
    recorder.end()
    assert read(recorder.path).header.settings == {"barge_in": f"<{__name__}.Awkward>"}


# Events and signals -------------------------------------------------------------------------------------------------


class Rude:
    """Something that raises what it likes when it is asked what it is."""

    def __str__(self) -> NoReturn:
        raise LookupError("no")

    __repr__ = __str__


WHYS = ["\ud83d", Text("because"), 7, None, b"why", ("a", "b"), "line\nbreak\u2028", "x" * 100_000, nan]


@pytest.mark.parametrize("why", WHYS, ids=lambda why: repr(why)[:20])
def test_a_policy_may_give_any_reason(why: Any) -> None:
    """The reason is in the recording, as a text."""
    machine = TurnMachine(barge_in=lambda _: (Verdict.YIELD, why), speculation=lambda _: (True, why))
    steps: list[Any] = [EndOfTurn(0, "tea"), PlaybackStarted(0), PlaybackAdvanced(0, "Very \ud83d")]
    steps += [StartOfTurn(1, "no"), EagerEndOfTurn(1, "no")]

    def work(recorder: Recorder) -> None:
        for at, event in enumerate(steps):
            recorder.fed(at, event, machine.feed(event, at))

    trace, recorder = recorded(work)
    (barge_in,) = [signal for signal in trace.signals() if isinstance(signal, BargeIn)]
    assert barge_in.why == str(why).replace("\ud83d", "\ufffd")
    assert barge_in.heard == "Very \ufffd"
    assert [signal.why for signal in trace.signals() if isinstance(signal, Speculate)] == [barge_in.why]
    assert recorder.lost == 0


def made(kind: type, *given: Any, **fields: Any) -> Any:
    return kind(*given, **fields)


HOSTILE: list[object] = [
    made(EndOfTurn, 0, "tea", words=[("tea", 0.0, 1.0)]),
    made(EndOfTurn, 0, "tea", words="tea", languages="en"),
    made(EndOfTurn, 0, "tea", words=None, languages=None, trigger=7),
    made(EndOfTurn, 0, "tea", words=(TimedWord("tea", nan, inf, nan),), languages=("\ud83d", 7)),
    made(EndOfTurn, 0, "tea", words=(made(TimedWord, 7, "x", None, None),), languages={"en"}),
    made(EndOfTurn, 0, Text("tea\ud83d"), Half(0.5), trigger=Text("model")),
    made(StartOfTurn, True, "tea"),
    made(PlaybackAdvanced, True, 7),
    made(PlaybackAdvanced, 0, b"\xff"),
    made(PlaybackFinished, 0, failed="yes"),
    made(PlaybackFinished, 0, failed=None),
    made(PlaybackStarted, "first"),
    made(PlaybackStarted, nan),
    made(PlaybackStarted, 2**80),
    made(Initiate, protected="yes", wait=None),
    made(Interrupt, 7),
    made(Interrupt, Text("book it\n")),
    made(Interrupt, Rude()),
    made(Protect, 0, on=2),
    made(DraftDiscarded, 0, None),
    made(StreamLost, reason=ValueError("x")),
    made(StreamLost, reason=Rude()),
    made(Update, 0, "tea" * 50_000),
]
TOLD: list[object] = [
    made(Note, NoteKind.FLUX_WARNING, "half \ud83d", at=1.0),
    made(Note, NoteKind.FLUX_WARNING, 7, at=1.0),
    made(Note, "whim", "x", at=1.0),
    made(Note, NoteKind.FLUX_WARNING, "x", at=nan),
    made(Note, NoteKind.FLUX_WARNING, "x", at=inf),
    made(Note, NoteKind.FLUX_WARNING, "x", at=None),
    made(ReplyEnded, 0, 0, Outcome.FAILED, "Very \ud83d", error=ValueError("tea"), at=1.0),
    made(ReplyEnded, "turn", 0, Outcome.FAILED, "", at=1.0),
    made(ReplyEnded, None, Half(1), Outcome.FAILED, Rude(), at=1.0),
    made(Speculate, 0, 1, "tea", nan, at=1.0),
    made(Speculate, 0, 1, Text("tea"), 1, unanswered=["a", Text("b")], at=1.0),
    made(TurnUpdated, 0, "tea", Half(0.5), at=Half(1)),
]
WORD = {"word": "tea", "start": 0.1, "end": 0.2, "confidence": 1.0}
TURN = {"type": "TurnInfo", "event": "EndOfTurn", "turn_index": 0, "transcript": "tea", "words": [WORD]}
FRAMES: list[object] = [
    decode(json.dumps(TURN, indent=2)),
    decode(json.dumps({**TURN, "words": [{**WORD, "deep": 7777}]}).replace("7777", "[" * 500 + "]" * 500)),
    decode(json.dumps(TURN).encode().replace(b'"word": "tea"', b'"word": "\xff"')),
    decode({"type": "\ud83d", "x": nan}),
    decode({"type": "New\n", "text": "tea"}),
    decode({"type": "TurnInfo", "text": "no event"}),
    made(TurnInfo, event=7, turn_index="x"),
    made(TurnInfo, event="EndOfTurn", turn_index=0, transcript="\ud83d", raw_words=msgspec.Raw(b"no json\n")),
    made(ErrorMessage, code="\ud83d", description=7),
]
entries = st.one_of(
    st.tuples(st.just("fed"), st.sampled_from(HOSTILE)),
    st.tuples(st.just("told"), st.sampled_from(TOLD)),
    st.tuples(st.just("frame"), st.sampled_from(FRAMES)),
    st.tuples(st.just("woken"), st.sampled_from([1.0, nan, inf, -inf, None, "x"])),
)


@settings(max_examples=tries(200), deadline=None)
@given(st.lists(entries, max_size=30), st.booleans())
def test_no_line_costs_the_recording(items: list[tuple[str, Any]], redact: bool) -> None:
    """What cannot be read is lost alone, and counted; all the rest is there, in order."""

    def work(recorder: Recorder) -> None:
        for at, (verb, item) in enumerate(items):
            match verb:
                case "fed":
                    recorder.fed(float(at), item, (TurnUpdated(0, "tea", 0.5, at=float(at)),))
                case "woken":
                    recorder.woken(float(at) if item == 1.0 else item, ())
                case _:
                    (recorder.told if verb == "told" else lambda it: recorder.frame(1.0, it))(item)

    with TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder) / "a.jsonl", frames=True, redact=redact)
        recorder.begin("s", "", 0.0, {})
        work(recorder)
        recorder.end()
        trace = read(recorder.path)
    fed = sum(isinstance(record, Fed) for record in trace.records)
    assert trace.ended == "closed"
    assert len(trace.records) - fed + trace.skipped + recorder.lost == len(items)


@pytest.mark.parametrize("item", HOSTILE, ids=lambda item: type(item).__name__)
def test_an_event_is_recorded_as_what_the_machine_takes_it_for(item: Any) -> None:
    """Flags, numbers and texts are what they mean; words and languages that are none are left out."""
    trace, recorder = recorded(lambda recorder: recorder.fed(1.0, item, ()))
    unreadable = isinstance(item, PlaybackStarted) or "LookupError" in _reason(item)
    assert recorder.lost == int(unreadable and item != made(PlaybackStarted, 2**80))
    for _, event in trace.events():
        assert type(event) is type(item)
        if isinstance(event, EndOfTurn):
            assert all(type(word) is TimedWord for word in event.words)
            assert type(event.trigger) is str


def _reason(item: Any) -> str:
    try:
        return str(getattr(item, "reason", "")) + str(getattr(item, "transcript", ""))
    except LookupError as error:
        return type(error).__name__


def test_what_no_machine_takes_is_lost_alone() -> None:
    """Whoever drives a machine by hand may record what it refused: time that goes back, and what follows the close."""

    def work(recorder: Recorder) -> None:
        for at in (1.0, 0.5, 2.0):
            recorder.fed(at, Busy(True), ())
        recorder.woken(1.5, ())
        recorder.closed(3.0, ())
        recorder.woken(4.0, ())
        recorder.fact(0.25, "Late")

    trace, recorder = recorded(work)
    assert [record.at for record in trace.records] == [1.0, 2.0, 3.0, 0.25]
    assert recorder.lost == 3


def test_frames_are_one_line_each() -> None:
    """Line breaks between Flux's words are no line breaks of the file; fields that turnkit does not know are kept."""
    message = decode(json.dumps({**TURN, "words": [{**WORD, "speaker": 1}]}, indent=2))
    trace, _ = recorded(lambda recorder: recorder.frame(1.0, message), frames=True)
    (frame,) = trace.records
    assert isinstance(frame, Frame)
    assert isinstance(frame.message, TurnInfo)
    assert isinstance(message, TurnInfo)
    assert frame.message.words == message.words
    assert msgspec.json.decode(frame.message.raw_words) == [{**WORD, "speaker": 1}]


def test_the_error_of_a_reply_is_not_recorded(tmp_path: Path) -> None:
    """It is no plain value, and may quote what was said; that nobody reported the playback is."""
    ended = ReplyEnded(0, 0, Outcome.FAILED, "Very", reported=False, error=ValueError("tangerine"), at=1.0)
    recorder = Recorder(tmp_path / "a.jsonl")
    recorder.begin("s", datetime.now(UTC).isoformat(), 0.0, {})
    recorder.told(ended)
    recorder.end()
    line = json.loads(recorder.path.read_text().splitlines()[1])
    assert "error" not in line
    assert line["reported"] is False
    assert read(recorder.path).signals() == [msgspec.structs.replace(ended, error=None)]
