"""The view: a line a signal, and who has the floor; plain text where no terminal is."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from turnkit.cli.live_view import View, describe
from turnkit.cli.output import JsonLines
from turnkit.turns.events import (
    SIGNALS,
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    Hold,
    Note,
    NoteKind,
    Outcome,
    ReplyEnded,
    Resume,
    ResumeReason,
    Signal,
    Speculate,
    TimedWord,
    TurnDropped,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    UserIdle,
)

ONE_OF_EACH: list[Signal | ReplyEnded] = [
    TurnStarted(0, "Hi", at=1.0),
    TurnUpdated(0, "Hi [bold]there", 0.1, at=1.2),
    Speculate(0, 0, "Hi [bold]there", 0.6, "eager end of turn", at=1.4),
    Cancel(0, 0, CancelReason.RESUMED, at=1.5),
    Commit(0, 1, "Hi [bold]there :smile:", False, "model", ("before",), at=2.0),
    TurnStarted(1, "mm", at=3.0),
    Hold(1, 1, "perhaps", at=3.0),
    Resume(1, 1, ResumeReason.TIMEOUT, at=5.0),
    BargeIn(1, 1, "mm stop", "2 words", at=5.5),
    TurnStalled(1, "mm stop", at=13.0),
    TurnDropped(1, "mm stop", DropReason.STALLED, at=15.0),
    UserIdle(2, at=30.0),
    Note(NoteKind.STALE_TURN, "Update of turn_index 0, which is over", at=31.0),
    Note(NoteKind.FLUX_WARNING, "EAR_HEARS_NO_SPEECH", at=31.5),
    Commit(None, 2, "", False, "initiate", at=32.0),
    ReplyEnded(0, 1, Outcome.INTERRUPTED, "Good day", at=33.0),
    TurnStarted(2, "stop it", 3, at=34.0),
    BargeIn(2, 3, "stop it", "the host interrupted", "Good", at=34.0),
    Commit(2, 4, "stop it", False, "typed", at=34.0),
    BargeIn(None, 4, "", "the host interrupted", at=35.0),
    ReplyEnded(2, 4, Outcome.FAILED, "", error=TimeoutError("stop it"), at=36.0),
    ReplyEnded(2, 5, Outcome.FINISHED, "Good day", reported=False, at=37.0),
]


def shown(console: Console) -> None:
    with View(console, "a title") as view:
        for signal in ONE_OF_EACH:
            view.show(signal, signal.at)
            if isinstance(signal, Resume):
                view.play("", "Good day to you")
                view.play("Good day", "to you")
        view.show(ReplyEnded(None, 2, Outcome.CANCELLED, "", at=34.0), 34.0)
        view.tick(34.0)


def test_every_signal_has_words() -> None:
    """describe() knows all signals, and no two of them look alike."""
    assert {type(signal) for signal in ONE_OF_EACH} == {*SIGNALS, ReplyEnded}
    texts = [describe(signal) for signal in ONE_OF_EACH]
    assert all(texts)
    assert len(set(texts)) == len(texts)


def test_what_the_host_does_is_said_as_such() -> None:
    """Nobody's turn stops the agent, a turn was typed, a turn began over a reply; an error is its kind."""
    told = [describe(signal) for signal in ONE_OF_EACH[-6:]]
    assert told == [
        "turn 2  over reply 3  “stop it”",
        "turn 2  stops reply 3: the host interrupted",
        "turn 2  reply 4 begins, typed  “stop it”",
        "nobody  stops reply 4: the host interrupted",
        "turn 2  reply 4 failed: TimeoutError, nothing heard",
        "turn 2  reply 5 finished, nobody reported what was heard",
    ]


def test_programs_get_the_kind_of_an_error_and_both_times(capsys: pytest.CaptureFixture[str]) -> None:
    """What it says may be about anything; `seconds` are those of the call, `at` is the clock's."""
    lines = JsonLines(lambda: 2.5)
    lines.show(ReplyEnded(0, 1, Outcome.FAILED, "", error=TimeoutError("x"), at=812.25), 1.23456)
    lines.show(Commit(0, 1, "tea", False, "model", (), (TimedWord("tea", 0.5),), ("en",), at=812.5), 1.5)
    failed, commit = map(json.loads, capsys.readouterr().out.splitlines())
    assert list(failed)[:3] == ["signal", "seconds", "at"]
    assert (failed["seconds"], failed["at"], failed["error"], failed["audio_end"]) == (
        1.235,
        812.25,
        "TimeoutError",
        2.5,
    )
    assert (commit["words"], commit["languages"]) == ([["tea", 0.5, None, 0.0]], ["en"])


def test_without_a_terminal_it_is_plain_lines() -> None:
    """No escape codes, one line a signal, texts as they are: nothing in them is markup."""
    console = Console(file=io.StringIO(), width=60, emoji=False)
    shown(console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0] == "a title"
    assert len(lines) == len(ONE_OF_EACH) - 1 + 2, "a line each but TurnUpdated, the title, what the agent says"
    assert "“Hi [bold]there :smile:”" in text
    assert "with 1 unanswered" in text
    assert "stops reply 1: 2 words" in text
    assert "reply 1 interrupted, heard “Good day”" in text


@pytest.mark.parametrize("width", [40, 100])
def test_on_a_terminal_the_floor_is_shown_below(width: int) -> None:
    """The panel says who has the floor, what is drafted and what has been heard, at any width."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, emoji=False)
    shown(console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for phrase in ("the floor:", "drafting", "held", "listening"):
        assert phrase in text
    assert width < 100 or "agent, disputed" in text
