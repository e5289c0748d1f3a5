"""The machine against the plain reading of its rules: both get the same events, and must answer the same."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proof import oracle
from tests.proof.oracle import said
from tests.proof.scripts import (
    COURSE,
    MACHINE_NOTES,
    MENDED,
    SECRETS,
    WORDS,
    Author,
    by_hand,
    note_details,
    play,
    scripts,
)
from tests.support.effort import tries
from turnkit.turns.events import (
    SIGNALS,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EndOfTurn,
    Note,
    Resume,
    ResumeReason,
    StartOfTurn,
    TurnDropped,
)
from turnkit.turns.words import has_words, same_words


@pytest.mark.parametrize("first", range(0, 3000, 500))
def test_the_machine_answers_as_its_rules_say(first: int) -> None:
    """3000 random courses of a call: the same signals, deadlines, questions to policies, and state, step by step."""
    for seed, script in enumerate(scripts(first, first + 500), first):
        assert (difference := play(script)) is None, f"Author(Random({seed})), {script.settings}: {difference}"


@settings(max_examples=tries(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_no_course_of_a_call_tells_the_machine_from_its_rules(random: Random, length: int) -> None:
    """The same, with Hypothesis as the author: it looks for the smallest script that differs."""
    script = Author(random).write(length)
    assert (difference := play(script)) is None, f"{difference}\n{script}"


@pytest.mark.parametrize("defect", MENDED)
def test_what_was_once_wrong(defect: str) -> None:
    """The smallest course that showed a defect of the machine comes out as the rules say."""
    assert play(by_hand(MENDED[defect])) is None


def test_the_scripts_reach_every_cell_of_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """No row of the oracle's tables is there untested."""
    reached: set[tuple[str, Any, str]] = set()

    class Row(dict[str, str]):
        def __init__(self, table: str, name: Any, cells: dict[str, str]) -> None:
            super().__init__(cells)
            self.path = table, name

        def __getitem__(self, column: str) -> str:
            steps = super().__getitem__(column)
            reached.add((*self.path, column))
            return steps

        def get(self, column: str, default: Any = None) -> Any:
            with suppress(KeyError):
                return self[column]
            return default

    everything = set()
    for table in ("TURN_EVENTS", "PLAYBACK", "VERDICTS"):
        rows = getattr(oracle, table)
        everything |= {(table, name, column) for name, cells in rows.items() for column in cells}
        monkeypatch.setattr(oracle, table, {name: Row(table, name, cells) for name, cells in rows.items()})
    for seed in range(500):
        Author(Random(seed)).write(40)
    assert everything - reached == set()


def test_every_signal_and_reason_comes_up() -> None:
    """A signal, reason, trigger or surprise of the machine that no script provokes would go untested."""
    signals = [
        signal
        for script in scripts(0, 500)
        for step in script.steps
        if isinstance(step.answer.signals, tuple)
        for signal in step.answer.signals
    ]
    assert {type(signal) for signal in signals} == set(SIGNALS)
    cancels, drops, resumes = (
        {signal.reason for signal in signals if type(signal) is kind} for kind in (Cancel, TurnDropped, Resume)
    )
    # The draft of a turn that stalls becomes its answer.
    assert cancels == {*CancelReason} - {CancelReason.STALLED}
    assert (drops, resumes) == ({*DropReason}, {*ResumeReason})
    assert {signal.trigger for signal in signals if isinstance(signal, Commit)} >= {
        "unanswered",
        *("model", "manual", "timeout", "", "missed", "stalled", "stream_lost", "initiate"),
    }
    assert {signal.kind for signal in signals if isinstance(signal, Note)} == MACHINE_NOTES


def test_notes_tell_what_was_surprising_and_nothing_that_was_said() -> None:
    """The details of Notes, which the oracle leaves open, are not empty and quote nobody, not even a policy's error."""
    details = [detail for script in scripts(0, 500) for detail in note_details(script)]
    assert len(details) > 1000
    assert all(details)
    assert not [detail for detail in details for secret in SECRETS if secret in detail]


def test_the_oracle_compares_words_as_turnkit_does() -> None:
    """Two ways to tell whether two texts say the same agree on all texts of the scripts."""
    texts = [*WORDS, *COURSE]
    assert [has_words(text) for text in texts] == [bool(said(text)) for text in texts]
    pairs = [(one, other) for one in texts for other in texts]
    assert [same_words(*pair) for pair in pairs] == [said(one) == said(other) for one, other in pairs]


def test_a_difference_is_told() -> None:
    """A machine that answers wrongly is found out, and how."""
    script = by_hand([("feed", StartOfTurn(0, "tea"), 0.0), ("feed", EndOfTurn(0, "tea"), 1.0)])
    assert play(script) is None
    wrong = script._replace(settings={**script.settings, "stall_timeout": 3.0})
    assert str(play(wrong)) == "step 0: deadline: oracle 8.0, machine 3.0"
