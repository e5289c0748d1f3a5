"""Each fault at each moment, through the whole chain: what the session is told, what its caller hears, what is left."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.field.fault_matrix import Row, families, rows, text
from tests.support.faulty_call import TALK, Deed, Seen, Words, hold_call, words
from tests.support.transports import anyio_backend
from turnkit.errors import FluxError
from turnkit.simulator import FAULTS, Fault
from turnkit.turns.events import Commit, StreamLost, TurnDropped
from turnkit.wire import Configure, Thresholds

__all__ = ["anyio_backend"]  # over every transport

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
PATIENCE = 3.0  # seconds after the caller's last that a call may take to end: `close_timeout`, and an answer
ROUND = 0.35  # seconds that an answer may be late and still count as in time: one Update and a frame

DEEDS: dict[str, Deed] = {
    "configure": lambda stream: stream.configure(Configure(thresholds=Thresholds(eot_threshold=0.72))),
    "force": lambda stream: stream.force_end_turn(),
}


def decided(seen: Seen) -> Words:
    """The words that ended in a Commit or a TurnDropped."""
    texts = [text for commit in seen.of(Commit) for text in (commit.transcript, *commit.unanswered)]
    texts += [dropped.transcript for dropped in seen.of(TurnDropped)]
    return words(" ".join(texts))


def answered(seen: Seen) -> dict[str, float]:
    """When each word was first answered aloud, in seconds of the call."""
    first: dict[str, float] = {}
    for at, _, texts in seen.spoken:
        for word in words(" ".join(texts)):
            first.setdefault(word, at - seen.began)
    return first


def repeated(seen: Seen) -> Words:
    """The words that answers were given more than once."""
    count = Counter(word for _, _, texts in seen.spoken for text in texts for word in words(text))
    return frozenset(word for word, times in count.items() if times > 1)


def said(until: float) -> Words:
    """What the caller has finished saying at that second."""
    spoken = [word.text for utterance in TALK.utterances for word in utterance.words if word.end <= until]
    return words(" ".join(spoken))


def heard_out(seen: Seen) -> Words:
    """What the caller said while there was somebody to say it to."""
    if seen.error is None or seen.closed:
        return said(TALK.end)
    losses = [at for at, thing in seen.told if isinstance(thing, StreamLost)]
    return said(losses[-1] - seen.began) if losses else frozenset()


def check_always(seen: Seen) -> None:
    """What holds whatever happens."""
    turns = Counter(over.turn for over in seen.of(Commit, TurnDropped) if over.turn is not None)
    assert max(turns.values(), default=0) <= 1
    replies = Counter(reply for _, reply, _ in seen.spoken)
    assert max(replies.values(), default=0) <= 1
    assert seen.left == []


async def in_time() -> dict[str, float]:
    """When the words of an undisturbed call are answered; always the same, so found out once."""
    if not _in_time:
        seen = await hold_call()
        check_always(seen)
        assert seen.story == ["Commit model"] * 3
        _in_time.update(answered(seen))
    return _in_time


_in_time: dict[str, float] = {}


# The matrix -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows(), ids=str)
@pytest.mark.sampled(7)
async def test_the_session_sees_what_the_matrix_says(row: Row) -> None:
    """All told in order, every word decided, answers as late as said and no later, nothing left behind."""
    usual = await in_time()
    deed = DEEDS[row.deed] if row.deed else None
    seen = await hold_call(*row.faults, deed=deed, deed_at=row.at, tail=row.tail)
    check_always(seen)
    first = str(Fault.parse(row.faults[0]))
    assert (first in seen.struck) == row.strikes

    assert tuple(seen.story) in row.stories
    assert type(seen.error).__name__ == (row.error or "NoneType")
    assert row.attempts in (None, seen.attempts)
    if isinstance(seen.error, FluxError) and "refuse" in row.faults[-1]:
        assert seen.error.status == Fault.parse(row.faults[-1]).amount
        assert seen.error.advice
    outcomes = [str(what) if isinstance(what, bool) else type(what).__name__ for what in seen.commands]
    assert outcomes == ([row.result] if row.deed else [])

    assert bool(seen.lost_audio) == row.lost_audio
    lost = heard_out(seen) - decided(seen)
    assert lost == row.missing or (row.lost_audio and lost)
    heard = answered(seen)
    assert heard_out(seen) - set(heard) - lost == row.unanswered
    assert repeated(seen) == row.twice

    late = max((heard[word] - usual[word] for word in heard.keys() & usual.keys()), default=0.0)
    assert late <= max(row.late + 0.1, ROUND)
    assert late > row.late * 0.7 - ROUND
    assert seen.ended <= seen.opened + TALK.end + row.tail + PATIENCE


def test_every_fault_has_a_row() -> None:
    """And every row a fault: nothing that the simulator can do is left to luck."""
    named = {Fault.parse(fault).name for row in rows() for fault in row.faults}
    assert named == set(FAULTS)


def test_every_row_is_another() -> None:
    """No fault and moment twice, and each family says what turnkit does."""
    given = [(row.faults, row.deed, row.at) for row in rows()]
    assert len(given) == len(set(given))
    assert all(family.what and family.does and family.rows for family in families())
    assert len(families()) <= 25


def test_the_page_of_faults_says_what_the_matrix_says() -> None:
    """What stands between its markers is made from the rows."""
    between = PAGE.read_text(encoding="utf-8").split("<!-- faults -->")
    assert len(between) == 2, "run `python -m tests.field.fault_matrix` and put what it prints into docs/faults.md"
    assert between[1].split("<!-- /faults -->")[0].strip() == text(), "run `python -m tests.field.fault_matrix`"


# Wherever it is cut -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(4))
@pytest.mark.sampled(9)
async def test_wherever_the_connection_is_cut_the_words_are_whole(part: int) -> None:
    """What the open turn had and what the next connection hears are all that was said; a cut word may come twice."""
    for number in range(part, 96, 4):
        seconds = 0.08 * (number + 1)
        seen = await hold_call(f"drop@{seconds:.2f}s/1")
        check_always(seen)
        assert seen.struck, seconds
        assert decided(seen) == said(TALK.end), seconds
        assert set(answered(seen)) == said(TALK.end), seconds
        assert len(repeated(seen)) <= 1, seconds
        assert seen.lost_audio == 0, seconds


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.sampled(9)
async def test_faults_by_chance_lose_no_words(seed: int) -> None:
    """Any number of mendable faults in one call: it ends in time, nothing is raised and nothing is lost."""
    kinds = "drop,close:1011,error_then_close,duplicate,swap,delay:1,split,malformed,unknown_type,unknown_event"
    seen = await hold_call(f"random:0.03:{kinds},waver,empty_start,empty_eager,update_first,lose,burst", seed=seed)
    check_always(seen)
    assert seen.error is None
    assert said(TALK.end) - decided(seen) == frozenset()
    assert seen.ended <= TALK.end + 4.0 + PATIENCE


async def test_the_caller_may_hang_up_at_any_moment_of_an_outage() -> None:
    """The run ends within `close_timeout`, and what was kept for the next connection is told to be lost."""
    for tail in (-6.0, -5.5, -5.0, -4.0, -2.0):
        seen = await hold_call("drop@turn2.mid/1", "stall@connect/2", tail=tail)
        check_always(seen)
        assert seen.error is None
        assert seen.ended <= TALK.end + tail + PATIENCE
