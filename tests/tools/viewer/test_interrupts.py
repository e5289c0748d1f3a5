"""The picture of what the host does in a call: it interrupts, types for the user, answers without a sound."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Page, browser, needs_browser
from turnkit import TurnMachine
from turnkit.tools.viewer import Scene, page, scene
from turnkit.tools.viewer.perfetto import perfetto
from turnkit.trace import Fed, Header, Trace
from turnkit.turns.events import (
    EndOfTurn,
    Event,
    Interrupt,
    Note,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    StartOfTurn,
    TimedWord,
    Update,
)

LINE = 11  # pixels from one line of text to the next, at least
WORDS = (TimedWord("A", 0.1, 0.3), TimedWord("table", 0.3, 0.9))
STEPS: list[tuple[float, Event | ReplyEnded | Note]] = [
    (0.6, StartOfTurn(0, "A table", 0.1, 0.6)),
    (
        1.5,
        EndOfTurn(0, "A table", 0.9, 1.5, "model", (TimedWord("A", 0.1, 0.3), TimedWord("table", 0.3, 0.9)), ("en",)),
    ),
    (2.0, PlaybackStarted(0)),
    (2.5, PlaybackAdvanced(0, "For how")),
    (2.6, Interrupt()),
    (3.5, Interrupt("for four, please")),
    (4.0, PlaybackStarted(1)),
    (4.5, PlaybackAdvanced(1, "A table for four")),
    (5.0, Interrupt("no, five")),
    (5.4, PlaybackFinished(2)),
    (6.0, StartOfTurn(1, "Hello", 0.1, 6.0)),
    (6.5, EndOfTurn(1, "Hello?", 0.9, 6.5, "model", (TimedWord("Hello?", 5.6, 6.1),))),
    (7.5, PlaybackAdvanced(3, "Hello!")),
    (7.5, ReplyEnded(3, 3, Outcome.FINISHED, "Hello!", reported=False, at=7.5)),
    (7.5, PlaybackFinished(3)),
    (8.0, Update(2, "", 0.4, 8.0)),
]


def trace(steps: Sequence[tuple[float, Event | ReplyEnded | Note]] = STEPS) -> Trace:
    machine = TurnMachine()
    records: list[Any] = []
    for at, step in steps:
        records += [step] if isinstance(step, ReplyEnded | Note) else [Fed(at, step), *machine.feed(step, at)]
    return Trace(header=Header(session="a call"), records=tuple(records), name="call.jsonl", ended="closed")


@pytest.fixture
def seen() -> Scene:
    return scene(trace())


def test_an_interrupt_is_a_mark_and_no_barge_in(seen: Scene) -> None:
    """The marks tell what was typed; the figures keep the host's apart from the user's."""
    marks = [mark for mark in seen.signals if mark.kind == "Interrupt"]
    assert [(mark.at, mark.label, mark.details) for mark in marks] == [
        (2.0, "interrupt", {}),
        (2.9, "interrupt", {"words": "for four, please"}),
        (4.4, "interrupt", {"words": "no, five"}),
    ]
    (stop, again) = [mark for mark in seen.signals if mark.kind == "BargeIn"]
    assert (stop.details["turn"], stop.details["heard"], again.details["turn"]) == ("–", "For how", "2")
    assert (seen.figures.interrupts, seen.figures.barge_ins) == (3, 0)
    assert [turn.cut_off for turn in seen.turns] == [None] * 4, "no turn of the user's stopped the agent by talking"


def test_a_typed_turn_has_no_words_that_were_spoken(seen: Scene) -> None:
    """It is over as it begins, and the words of Flux stay with the turns that were spoken."""
    spoken, typed, again, last = seen.turns
    assert [turn.typed for turn in seen.turns] == [False, True, True, False]
    assert (typed.text, typed.fate, typed.trigger, typed.start, typed.end) == (
        *("for four, please", "answered", "typed"),
        *(2.9, 2.9),
    )
    assert (typed.words, typed.last_word, typed.wait, typed.gap) == ([], None, None, 0.5)
    assert [word.text for word in spoken.words] == ["A", "table"]
    assert [word.text for word in last.words] == ["Hello?"]
    assert again.sound is None


def test_without_its_event_a_typed_turn_is_told_by_its_commit() -> None:
    """As where another version wrote the trace."""
    whole = trace()
    bare = [record for record in whole.records if not (isinstance(record, Fed) and isinstance(record.event, Interrupt))]
    seen = scene(Trace(header=whole.header, records=tuple(bare), name="call.jsonl"))
    assert [turn.typed for turn in seen.turns] == [False, True, True, False]


def test_what_nobody_reported_has_no_first_sound(seen: Scene) -> None:
    """When it was heard is not known, so there is no gap to draw; the reply says so."""
    assert (seen.turns[-1].sound, seen.turns[-1].gap, seen.turns[-1].wait) == (None, None, None)
    assert seen.replies[-1].outcome == "finished; nobody reported what was heard"
    assert [mark.details["reported"] for mark in seen.signals if mark.kind == "ReplyEnded"] == ["False"]


def test_details_have_no_lists_of_times(seen: Scene) -> None:
    """The words are drawn where they were said; languages are shown as they are called."""
    commit = next(mark for mark in seen.signals if mark.kind == "Commit")
    assert commit.details["languages"] == "en"
    assert not {"words", "error"} & {name for mark in seen.signals if mark.kind != "Interrupt" for name in mark.details}


def test_a_reply_that_failed_before_it_was_heard_has_failed() -> None:
    """Without the session's own report the event tells."""
    machine = TurnMachine()
    records: list[Any] = []
    for at, event in ((1.0, EndOfTurn(0, "tea")), (2.0, PlaybackFinished(0, failed=True))):
        records += [Fed(at, event), *machine.feed(event, at)]
    seen = scene(Trace(header=Header(), records=tuple(records), name="call.jsonl"))
    assert (seen.replies[0].outcome, seen.replies[0].failed) == ("failed", True)
    assert (seen.turns[0].fate, seen.figures.answered, seen.figures.failed) == ("failed", 0, 1)


def test_perfetto_says_what_was_typed(seen: Scene) -> None:
    """In the details of the turn."""
    events: list[dict[str, Any]] = json.loads(perfetto(seen))["traceEvents"]
    turns = [event for event in events if event["ph"] == "X" and event["tid"] == 0]
    assert [event["args"].get("typed") for event in turns] == [None, True, True, None]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("viewer")
    path = folder / "call.html"
    path.write_text(page(scene(trace()), "light"), encoding="utf-8")
    with browser(folder / "profile") as opened:
        opened.open(path)
        yield opened


@needs_browser
def test_a_typed_text_stands_beside_its_turn(tab: Page) -> None:
    """The turn has no width to hold it; the texts in one row do not run into each other."""
    tab.resize(1280, 900)
    tab.press("0")
    assert tab.ask("[...document.querySelectorAll('.typed-words')].map((node) => node.textContent).sort()") == [
        "⌨ for four, please",
        "⌨ no, five",
    ]
    boxes = tab.ask(
        "[...$('lane-user').querySelectorAll('text')].map((n) => n.getBBox()).map((b) => [b.y, b.x, b.x + b.width])"
    )
    boxes.sort()
    assert all(end <= begin for (row, _, end), (other, begin, _) in pairwise(boxes) if row == other), boxes
    tab.hover('#lane-signals [data-kind="Interrupt"] circle')
    assert "Interrupt" in tab.ask("tip.innerText")
    assert tab.complaints == []


@needs_browser
def test_a_reply_without_a_word_does_not_run_into_the_next_ones(tab: Page, tmp_path: Path) -> None:
    """It stands below the words of the next reply, where these are drawn one by one."""
    steps: list[tuple[float, Event | ReplyEnded | Note]] = [
        *STEPS[:2],
        (1.6, PlaybackStarted(0)),
        (1.7, Interrupt("for four")),
        (1.75, PlaybackStarted(1)),
        (2.2, PlaybackAdvanced(1, "A")),
        (3.0, PlaybackAdvanced(1, "A table")),
        (4.2, PlaybackAdvanced(1, "A table for four")),
        (9.0, PlaybackFinished(1)),
    ]
    (tmp_path / "call.html").write_text(page(scene(trace(steps))), encoding="utf-8")
    tab.resize(1280, 900)
    tab.open(tmp_path / "call.html")
    tab.press("0")
    boxes = tab.ask(
        "[...$('lane-agent').querySelectorAll('text')].map((n) => n.getBBox()).map((b) => [b.x, b.x + b.width, b.y])"
    )
    boxes.sort()
    assert boxes, "the words are drawn"
    assert all(end <= begin for (_, end, row), (begin, _, other) in pairwise(boxes) if abs(row - other) < LINE), boxes
