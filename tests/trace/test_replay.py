"""Replay: to the same signals byte for byte, or to a readable difference."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.recorded_steps import TWO_TURNS, Steps, record
from turnkit import (
    Budget,
    EchoGuard,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    MinConfidence,
    MinWords,
    Never,
    NoSpeculation,
    TraceMismatch,
    TurnMachine,
    all_of,
)
from turnkit.trace import Recorder, parse, read, replay
from turnkit.trace.counterfactual import replay_under
from turnkit.turns.events import (
    Busy,
    DraftDiscarded,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Initiate,
    Interrupt,
    Note,
    NoteKind,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TimedWord,
    TurnResumed,
    Update,
)

# Any ordering -------------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "?!", "tea", "Tea.", "tea for two", "stop", "mm-hm", "3.5", "35", "no, the tea", "はい。"])
TURN_EVENTS = st.builds(
    lambda kind, index, text, confidence: kind(index, text, confidence, 0.0),
    st.sampled_from([StartOfTurn, Update, EagerEndOfTurn, TurnResumed, EndOfTurn]),
    st.integers(0, 4),
    TEXTS,
    st.sampled_from([0.2, 0.55, 0.9]),
)
WORDS = st.lists(st.builds(TimedWord, TEXTS, st.sampled_from([None, 0.5]), st.just(0.75)), max_size=2).map(tuple)
WORDED_ENDS = st.builds(
    lambda kind, index, text, words: kind(index, text, 0.6, 1.0, words=words, languages=("en",)),
    st.sampled_from([EagerEndOfTurn, EndOfTurn]),
    st.integers(0, 4),
    TEXTS,
    WORDS,
)
REPLIES = st.integers(0, 6)
EVENTS = st.one_of(
    TURN_EVENTS,
    TURN_EVENTS,
    WORDED_ENDS,
    st.builds(PlaybackStarted, REPLIES),
    st.builds(PlaybackAdvanced, REPLIES, TEXTS),
    st.builds(PlaybackFinished, REPLIES, st.booleans()),
    st.builds(Initiate, st.booleans(), st.booleans()),
    st.builds(Interrupt, TEXTS),
    st.builds(Protect, REPLIES, st.booleans()),
    st.builds(DraftDiscarded, REPLIES, st.sampled_from(["failed", "context_changed"])),
    st.builds(Busy, st.booleans()),
    st.just(StreamLost("gone")),
    st.just(StreamRestored("back")),
    st.just(True),
)
LAPSES = st.sampled_from([0.0, 0.08, 0.1, 1 / 3, 2.0, 9.0])
SETTINGS = st.fixed_dictionaries(
    {
        "barge_in": st.sampled_from(
            [
                Immediate(),
                Never(),
                MinWords(2),
                HoldThenDecide(),
                IgnoreBackchannels(),
                EchoGuard(),
                all_of(Never()),
            ]
        ),
        "speculation": st.sampled_from([NoSpeculation(), Budget(1), MinConfidence(0.5)]),
        "stall_timeout": st.sampled_from([1.0, 8.0]),
        "idle_timeout": st.sampled_from([None, 0.7]),
    }
)


def timed(events: list[tuple[float, Event | bool]]) -> Steps:
    at, steps = 0.0, []
    for lapse, event in events:
        at += lapse
        steps.append((at, event))
    return steps


@given(st.lists(st.tuples(LAPSES, EVENTS), max_size=40), SETTINGS)
def test_any_ordering_replays_to_the_same_signals(events: list[tuple[float, Event | bool]], settings: Any) -> None:
    """Legal or not: recorded, read and replayed, the signals are the same byte for byte."""
    with TemporaryDirectory() as folder:
        trace = parse(record(Path(folder) / "a", timed(events), settings))
    replayed = replay(trace)
    assert replayed.verified
    assert msgspec.json.encode(replayed.signals) == msgspec.json.encode(tuple(trace.signals()))
    assert replayed.changed == {}


@given(st.lists(st.tuples(LAPSES, EVENTS), max_size=40), SETTINGS)
def test_any_ordering_redacted_replays_too(events: list[tuple[float, Event | bool]], settings: Any) -> None:
    """The decisions are those of the call itself, words aside."""
    with TemporaryDirectory() as folder:
        plain = parse(record(Path(folder) / "a", timed(events), settings))
        hidden = parse(record(Path(folder) / "b", timed(events), settings, redact=True))
    replayed = replay(hidden)
    assert replayed.verified
    assert [(type(s), s.at) for s in replayed.signals] == [(type(s), s.at) for s in plain.signals()]


@given(st.lists(st.tuples(LAPSES, EVENTS), max_size=40), SETTINGS, SETTINGS)
def test_any_ordering_can_be_played_under_other_settings(
    events: list[tuple[float, Event | bool]], settings: Any, others: Any
) -> None:
    """Whatever was recorded, other settings raise nothing; and the same ones, played so, bring the same."""
    with TemporaryDirectory() as folder:
        trace = parse(record(Path(folder) / "a", timed(events), settings))
    replay(trace, **others)
    assert replay_under(trace, TurnMachine(**settings)) == trace.signals()


@given(st.lists(st.tuples(LAPSES, EVENTS), max_size=20), st.data())
def test_a_trace_cut_anywhere_replays(events: list[tuple[float, Event | bool]], data: st.DataObject) -> None:
    """What is left of a crash holds the beginning of the call, also where the cut fell among the signals of a step."""
    with TemporaryDirectory() as folder:
        whole = record(Path(folder) / "a", timed(events), {})
    cut = data.draw(st.integers(whole.index(b"\n"), len(whole)))
    assert replay(parse(whole[:cut])).verified


def test_what_the_session_notes_is_no_signal_of_the_machine() -> None:
    """Of whatever kind, also one that is newer than this test; the machine's own must come again."""
    own = {note.kind for note in _machine_notes()}
    with TemporaryDirectory() as folder:
        recorder, machine = Recorder(Path(folder) / "a"), TurnMachine()
        recorder.begin("s", "", 0.0, {})
        for kind in NoteKind:
            if kind not in own:
                recorder.told(Note(kind, "the session's", at=0.0))
        recorder.fed(1.0, TurnResumed(0, ""), machine.feed(TurnResumed(0, ""), 1.0))
        recorder.end()
        trace = read(recorder.path)
    assert replay(trace).verified
    assert len(trace.signals()) == len(NoteKind) - len(own) + 1


def _machine_notes() -> list[Note]:
    """A Note of each kind that the machine gives."""
    kinds = "stale_turn missed_end missing_start duplicate_start missing_resume stray_resume blank_eager late_words"
    return [Note(NoteKind(kind), "", at=0.0) for kind in (*kinds.split(), "early_playback", "policy_failed")]


# Differences --------------------------------------------------------------------------------------------------------


KEPT_AND_EMPTY = ((b"Mm-hm.", b"overlap_kept"), (b"No.", b"empty"))


def altered(trace: bytes, old: bytes, new: bytes) -> bytes:
    assert trace.count(old) == 1
    return trace.replace(old, new)


def test_the_first_difference_is_told(tmp_path: Path) -> None:
    """With what came before it and the times, and without a word of what was said."""
    whole = record(tmp_path / "a", TWO_TURNS, {"barge_in": MinWords(2)})
    kept, empty = (b'"turn":1,"transcript":"%b","reason":"%b"' % pair for pair in KEPT_AND_EMPTY)
    wrong = altered(whole, kept, empty)
    with pytest.raises(TraceMismatch) as caught:
        replay(parse(wrong, "wrong.jsonl"))
    message = str(caught.value)
    assert message.splitlines()[0] == "trace 'wrong.jsonl': signal 5 of 7 comes out differently"
    assert "4.250 s  TurnDropped(turn=1, transcript=<3 characters, others>, reason='empty'" in message
    assert "4.250 s  TurnDropped(turn=1, transcript=<6 characters, others>, reason='overlap_kept'" in message
    assert "Commit(" in message
    assert "tea" not in message.lower()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"at":2.0}\n', b'"at":2.0000000000000004}\n', "(at=2.0000000000000004)"),
        (b'{"at":1.5,"event":"EagerEndOfTurn"', b'{"at":1.5,"event":"Laughter"', "1 lines of it are not known"),
        (b'"transcript":"Tea.","speculative"', b'"transcript":"tea.","speculative"', "<4 characters, others>"),
    ],
)
def test_the_smallest_difference_counts(tmp_path: Path, old: bytes, new: bytes, told: str) -> None:
    """A bit of a time, a letter; an event that is not known explains one."""
    whole = record(tmp_path / "a", TWO_TURNS, {"barge_in": MinWords(2)})
    with pytest.raises(TraceMismatch) as caught:
        replay(parse(altered(whole, old, new)))
    assert told in str(caught.value)


def test_a_signal_too_many_or_too_few(tmp_path: Path) -> None:
    """At the end of a whole trace too."""
    whole = record(tmp_path / "a", TWO_TURNS[:1], {})
    lines = whole.splitlines(keepends=True)
    for left in (lines[:-2] + lines[-1:], [*lines[:-1], lines[-2], lines[-1]]):
        with pytest.raises(TraceMismatch, match="nothing"):
            replay(parse(b"".join(left)))
