"""The picture of a call: what is in it, and that a browser draws it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from tests.support.browser import needs_browser
from turnkit import TurnMachine
from turnkit.cli import app
from turnkit.errors import ConfigError
from turnkit.tools.viewer import Scene, page, scene
from turnkit.tools.viewer.perfetto import perfetto
from turnkit.trace import Closed, Fact, Fed, Header, Trace, read
from turnkit.turns.events import (
    EagerEndOfTurn,
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
    TimedWord,
    TurnResumed,
    Update,
)
from turnkit.turns.policy import HoldThenDecide, IgnoreBackchannels

HOSTILE = '</script><script>alert(1)</script><!-- & "quoted" \''
BEGAN = 1000.0


class Call:
    """A call that a machine decides and that is written down as it goes."""

    def __init__(self) -> None:
        self.machine = TurnMachine(barge_in=HoldThenDecide(IgnoreBackchannels(), 0.5))
        self.records: list[Any] = []

    def feed(self, at: float, event: Event, words: tuple[TimedWord, ...] = ()) -> None:
        event = msgspec.structs.replace(event, words=words) if words else event
        self.records.append(Fed(BEGAN + at, event))
        self.records += self.machine.feed(event, BEGAN + at)

    def ended(self, at: float, turn: int | None, reply: int, outcome: Outcome, heard: str) -> None:
        self.records.append(ReplyEnded(turn, reply, outcome, heard, at=BEGAN + at))

    def trace(self) -> Trace:
        header = Header(
            session="a call",
            began="2026-11-20T18:00:00+00:00",
            began_at=BEGAN,
            settings={"barge_in": "HoldThenDecide(IgnoreBackchannels(), 0.5)", "stall_timeout": 8.0},
            options={"eot_threshold": 0.7, "eager_eot_threshold": 0.5},
        )
        return Trace(header=header, records=tuple(self.records), name="call.jsonl", ended="closed")


def conversation() -> Trace:
    """Three turns: drafted twice and answered, a backchannel, and one that takes the floor after a lost stream."""
    call = Call()
    call.feed(0.9, StartOfTurn(0, "A table", 0.1, 0.8))
    call.feed(1.4, Update(0, "A table for", 0.2, 1.3))
    call.feed(1.7, EagerEndOfTurn(0, "A table for", 0.55, 1.6))
    call.feed(2.0, TurnResumed(0, "A table for two", 0.1, 1.9))
    call.feed(2.4, EagerEndOfTurn(0, "A table for two", 0.6, 2.3))
    call.records.append(Fact(BEGAN + 2.5, "FirstChunk", {"reply": 1}))
    words = (
        TimedWord("A", 0.3, 0.5),
        TimedWord("table", 0.5, 0.9),
        TimedWord("for", 1.0, 1.3),
        TimedWord("two", 1.6, 1.9),
    )
    call.feed(2.6, EndOfTurn(0, "A table for two", 0.8, 2.5, "model"), words)
    call.feed(2.9, PlaybackStarted(1))
    call.feed(3.4, PlaybackAdvanced(1, "Certainly."))
    call.feed(4.0, StartOfTurn(1, "Mm-hm", 0.2, 3.9))
    call.feed(4.3, EndOfTurn(1, "Mm-hm.", 0.8, 4.2, "model"))
    call.feed(5.0, PlaybackAdvanced(1, "Certainly. For when?"))
    call.feed(5.2, PlaybackFinished(1))
    call.ended(5.2, 0, 1, Outcome.FINISHED, "Certainly. For when?")
    call.feed(6.0, StreamLost("dropped"))
    call.feed(6.8, StreamRestored("connected"))
    call.feed(7.5, StartOfTurn(0, HOSTILE, 0.3, 7.4))
    call.feed(8.0, EndOfTurn(0, HOSTILE, 0.7, 7.9, "timeout"))
    call.feed(8.6, PlaybackStarted(2))
    call.feed(9.5, StartOfTurn(1, "Stop, please", 0.3, 9.4))
    call.feed(10.1, Update(1, "Stop, please now", 0.3, 10.0))
    call.ended(9.5, 2, 2, Outcome.INTERRUPTED, "Well")
    call.records += [Closed(BEGAN + 11.0), *call.machine.close(BEGAN + 11.0)]
    return call.trace()


@pytest.fixture
def seen() -> Scene:
    return scene(conversation())


def test_turns_with_their_times_and_savings(seen: Scene) -> None:
    """Each turn has its words, its fate, and its spans, measured from the events alone."""
    first, second, third, fourth = seen.turns
    assert (first.fate, first.trigger, first.reply, first.text) == ("answered", "model", 1, "A table for two")
    assert (first.lead, first.gap, first.saved) == (0.2, 0.3, 0.1), "what was ready waited for the Commit"
    assert [word.text for word in first.words] == ["A", "table", "for", "two"]
    assert all(word.measured for word in first.words)
    assert first.last_word == pytest.approx(2.0)  # second 1.9 of the audio, which lags by 0.1
    assert first.wait == pytest.approx(0.9)
    assert (second.fate, second.reason, second.gap, second.saved) == ("dropped", "overlap_kept", None, None)
    assert (third.fate, third.trigger, third.lead) == ("answered", "timeout", None)
    assert (fourth.fate, fourth.reason) == ("dropped", "closed")


def test_a_reply_goes_through_its_phases(seen: Scene) -> None:
    """Withdrawn, drafted, pending, audible, held: from second to second, without gaps."""
    withdrawn, kept, interrupted = seen.replies
    assert [(phase.kind, phase.start, phase.end) for phase in withdrawn.phases] == [("withdrawn", 1.7, 2.0)]
    assert withdrawn.outcome == "cancelled: resumed"
    assert [phase.kind for phase in kept.phases] == ["draft", "pending", "audible", "held", "audible"]
    assert all(one.end == other.start for one, other in zip(kept.phases, kept.phases[1:], strict=False))
    assert [(piece.text, piece.end) for piece in kept.pieces] == [("Certainly.", 3.4), ("For when?", 5.0)]
    assert (kept.outcome, interrupted.outcome) == ("finished", "interrupted")
    assert interrupted.phases[-1].end == 9.5


def test_signals_are_marks_with_their_reasons(seen: Scene) -> None:
    """Every signal but the reports of words is a mark, and says why."""
    kinds = [mark.kind for mark in seen.signals]
    assert kinds.count("Speculate") == 2
    assert kinds.count("TurnUpdated") == 0
    (barge_in,) = [mark for mark in seen.signals if mark.kind == "BargeIn"]
    assert barge_in.details["why"]
    assert seen.lost == [type(seen.lost[0])(6.0, 6.8, "dropped")]
    figures = seen.figures
    assert (figures.turns, figures.answered, figures.dropped, figures.failed) == (4, 2, 2, 0)
    assert (figures.drafts, figures.kept, figures.barge_ins, figures.outages) == (2, 1, 1, 1)
    assert (figures.from_commit, figures.saved) == (0.6, 0.1)
    assert seen.turns[3].cut_off == 2


def test_raw_frames_are_shown_with_what_turnkit_makes_of_them(preamble: Path) -> None:
    """A recording made elsewhere has no signals: the machine gives them."""
    seen = scene(read(preamble))
    assert [mark.kind for mark in seen.signals][:3] == ["TurnStarted", "Speculate", "Commit"]
    assert seen.turns[0].lead == pytest.approx(0.16, abs=0.005)
    assert len(seen.turns[0].words) > 50
    assert "Only Flux's frames" in seen.notices[0]


def test_a_call_in_a_hurry_keeps_words_and_turns_together() -> None:
    """Played at four times the pace, the audio's clock is stretched onto the machine's; it is said."""
    call = Call()
    words = (TimedWord("A", 2.0, 2.4), TimedWord("table", 2.4, 3.2))
    call.feed(1.0, StartOfTurn(0, "A", 0.1, 4.0))
    call.feed(2.0, EndOfTurn(0, "A table", 0.9, 8.0, "model"), words)
    seen = scene(call.trace())
    assert [(word.start, word.end) for word in seen.turns[0].words] == [(0.5, 0.6), (0.6, 0.8)]
    assert "4.0 times" in seen.notices[0]


def test_nothing_recorded_is_nothing_to_see() -> None:
    with pytest.raises(ConfigError, match="nothing was recorded"):
        scene(Trace(header=Header(), records=(), name="empty.jsonl"))


def test_the_page_stands_alone_and_quotes_what_was_said(seen: Scene) -> None:
    """No address to fetch from is in it; words cannot end the script they are in."""
    html = page(seen)
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert html.count("</script>") == 2
    assert "{{" not in html
    assert 'data-theme="dark"' in page(seen, "dark")


def test_perfetto_has_a_lane_each(seen: Scene) -> None:
    """Slices with non-negative times, a thread name for each lane, the confidence as a counter."""
    events = json.loads(perfetto(seen))["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X", "i", "C"}
    assert all(event["dur"] > 0 for event in events if event["ph"] == "X")
    named = {event["tid"] for event in events if event["name"] == "thread_name"}
    assert {event["tid"] for event in events if event["ph"] in "Xi"} <= named


def test_the_command_writes_what_it_says(tmp_path: Path, preamble: Path) -> None:
    """A page beside the trace, and a file for Perfetto; the trace itself is never overwritten."""
    copy = tmp_path / "call.jsonl"
    copy.write_bytes(preamble.read_bytes())
    result = CliRunner().invoke(app, ["view", str(copy), "--no-open", "--perfetto", str(tmp_path / "p.json")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "call.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "p.json").read_text())["traceEvents"]
    refused = CliRunner().invoke(app, ["view", str(copy), "--no-open", "--out", str(copy)])
    assert refused.exit_code == 1
    assert "is a trace that is read, and would be overwritten" in refused.stderr
    missing = CliRunner().invoke(app, ["view", str(tmp_path / "none.jsonl"), "--no-open"])
    assert missing.exit_code == 1
    assert "cannot be read" in missing.stderr


@needs_browser
def test_a_picture_is_a_png(tmp_path: Path, preamble: Path) -> None:
    """--png has a browser draw the page."""
    result = CliRunner().invoke(
        app, ["view", str(preamble), "--out", str(tmp_path / "p.html"), "--no-open", "--png", str(tmp_path / "p.png")]
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "p.png").stat().st_mode & 0o777 == 0o600
