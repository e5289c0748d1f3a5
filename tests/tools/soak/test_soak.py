"""The soak accounts for every word: what is lost is noticed, what Flux never said is not held against turnkit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.soak_faults import BREAKS
from tests.support.transports import anyio_backend
from turnkit.flux.audio_buffer import AudioBuffer
from turnkit.tools.soak import Ledger, Plan, Speech, soak
from turnkit.tools.soak.gauges import Slice
from turnkit.turns.events import Commit, DropReason, TurnDropped, TurnStarted
from turnkit.wire import Connected, TurnInfo

__all__ = ["anyio_backend"]  # over every transport

pytestmark = pytest.mark.anyio


def small(**changes: Any) -> Plan:
    return Plan(**{"sessions": 2, "seconds": 35.0, "call_seconds": 25.0, "processes": 0, "slices": 3, **changes})


# Whole soaks, on virtual time ---------------------------------------------------------------------------------------


@pytest.mark.sampled(3)
async def test_every_word_is_accounted_for_whatever_ends_the_connections() -> None:
    """Three connections lost in each long call: every word is answered or dropped all the same, none is lost."""
    report = await soak(small(named=BREAKS))
    assert not report.broken, report.verdict
    assert report.counts["words"] > 40
    assert report.counts["words_lost"] == report.counts["turns_lost"] == 0
    assert report.withheld == {}
    assert report.counts["reconnects"] >= 4
    assert report.faults["drop"] >= 2
    assert report.faults == report.survived
    assert report.counts["replayed"] > 0
    assert report.counts["finished"] == report.counts["begun"] >= 2


@pytest.mark.sampled(3)
async def test_what_flux_never_said_is_withheld_and_not_lost() -> None:
    """Empty Updates for ever: the words after that are counted as Flux's fault, by its name."""
    report = await soak(small(named=("chatty_stall@turn2.mid",), seconds=30.0))
    assert not report.broken, report.verdict
    assert set(report.withheld) == {"chatty_stall"}
    assert report.withheld["chatty_stall"] > 5


@pytest.mark.sampled(3)
async def test_a_session_that_is_not_told_loses_turns() -> None:
    """Turns that Flux told of and the session never saw are lost, and the report says that Flux had said them."""

    def lossy(source: Any) -> AsyncIterator[object]:
        return _without_turn(source, 1)

    report = await soak(small(), through=lossy)
    assert report.broken
    assert report.counts["turns_lost"] >= 2
    assert report.counts["words_lost"] >= 2
    assert all(lost.heard and lost.faults == () for lost in report.lost)


async def _without_turn(source: Any, index: int) -> AsyncIterator[object]:
    async for item in source:
        if not isinstance(item, TurnInfo) or item.turn_index != index:
            yield item


@pytest.mark.sampled(3)
async def test_a_client_that_does_not_send_again_loses_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Audio that was under way when the connection broke, and is not sent again: its words are lost near that fault."""
    monkeypatch.setattr(AudioBuffer, "rewind", lambda self, covered: 0.0)
    report = await soak(small(named=("stall@turn1.mid/1",)))
    assert report.broken
    assert report.counts["words_lost"] >= 1
    assert any(not lost.heard and "stall" in lost.faults for lost in report.lost)


@pytest.mark.sampled(3)
async def test_audio_that_the_client_says_it_dropped_is_not_lost() -> None:
    """An outage that outlasts what is kept costs words, but they are announced: withheld, by that name."""
    report = await soak(small(named=("deaf@turn1.mid/1", *(f"refuse:503/{n}" for n in range(2, 8)))))
    assert report.counts["words_lost"] == 0, report.lost
    assert report.counts["dropped"] > 0
    assert report.withheld["audio dropped"] > 0


@pytest.mark.sampled(3)
async def test_a_crash_and_a_hang_are_told_and_never_quoted() -> None:
    """What no turnkit error is counts as a crash, by name and place; a call that never ends as hung."""

    async def crashing(source: Any) -> AsyncIterator[object]:
        async for item in source:
            yield item
            if isinstance(item, TurnInfo) and item.event == "EndOfTurn":
                raise ValueError(item.transcript)

    report = await soak(small(seconds=10.0), through=crashing)
    assert report.broken
    assert report.counts["begun"] - report.counts["finished"] == sum(report.crashed.values()) > 0
    assert all(name.startswith("ValueError at ") and "crashing" in name for name in report.crashed)

    async def hanging(source: Any) -> AsyncIterator[object]:
        async for item in source:
            yield item
        await anyio.sleep_forever()

    report = await soak(small(seconds=10.0), through=hanging)
    assert report.broken
    assert report.counts["cut"] == 2


@pytest.mark.sampled(3)
async def test_it_can_be_ended_early() -> None:
    """`stop` ends it with an account of what was said until then, and each slice was told as it was over."""
    stop = anyio.Event()
    slices: list[Slice] = []
    async with anyio.create_task_group() as tasks:

        async def end() -> None:
            await anyio.sleep(15.0)
            stop.set()

        tasks.start_soon(end)
        report = await soak(small(), stop=stop, on_slice=slices.append)
    assert report.early
    assert not report.broken, report.verdict
    assert 15.0 <= report.seconds < 30.0
    assert report.counts["turns"] > 0
    assert tuple(slices) == report.slices


@pytest.mark.sampled(3)
async def test_idle_connections_say_nothing() -> None:
    """Without audio there are calls, and no messages but the greeting."""
    report = await soak(small(audio=False, call_seconds=10.0))
    assert not report.broken, report.verdict
    assert report.counts["messages"] == report.counts["words"] == 0
    assert report.counts["finished"] >= 6


# The account --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def speech() -> Speech:
    return Speech(60.0, seed=1)


def told(index: int, event: str, end: float, *words: str, connection: str = "") -> TurnInfo:
    return TurnInfo(
        request_id=connection,
        sequence_id=1,
        event=event,
        turn_index=index,
        audio_window_end=end,
        transcript=" ".join(words),
    )


def test_no_word_comes_twice(speech: Speech) -> None:
    """Every word is unique, of five letters, and found in a text whatever its case and punctuation."""
    texts = [word.text for word in speech.words]
    assert len(texts) == len(set(texts)) > 40
    assert {len(text) for text in texts} == {5}
    assert speech.places(f"{texts[3].title()}, nothing {texts[7]}?") == {3, 7}
    assert [word.text for word in Speech(60.0, seed=1).words] == texts


def test_a_word_is_settled_by_a_commit_as_unanswered_or_by_a_drop(speech: Speech) -> None:
    """Four words, three fates; the fourth is lost, and twice in a Commit is told."""
    ledger = Ledger(speech, "7.1")
    a, b, c, d = (word.text for word in speech.words[:4])
    until = speech.words[3].end
    ledger.take_signal(TurnStarted(0, a, at=1.0))
    assert ledger.turns_open == 1
    ledger.take_signal(Commit(0, 0, f"{a}.", False, "model", (b,), at=2.0))
    ledger.take_signal(TurnStarted(1, c, at=3.0))
    ledger.take_signal(TurnDropped(1, c, DropReason.OVERLAP_KEPT, at=4.0))
    judgement = ledger.account(until)
    assert [(lost.word, lost.heard) for lost in judgement.lost] == [(d, False)]
    assert not ledger.settled(until)
    assert (judgement.said, judgement.twice, ledger.turns_open, ledger.turns_wrong) == (4, 0, 0, 0)
    ledger.take_signal(TurnStarted(2, d, at=5.0))
    ledger.take_signal(Commit(2, 1, f"{a} {d}", False, "model", at=6.0))
    assert ledger.settled(until)
    assert ledger.account(until).twice == 1
    ledger.take_signal(Commit(2, 2, d, False, "model", at=6.0))
    assert ledger.turns_wrong == 1


def test_words_that_flux_takes_back_are_its_own(speech: Speech) -> None:
    """Gone from EndOfTurn, or from the Updates before any turn: taken back. Said again after that: owed."""
    ledger = Ledger(speech, "7.1")
    a, b, c = (word.text for word in speech.words[:3])
    ledger.take_message(told(0, "Update", 1.2, a))
    ledger.take_message(told(0, "Update", 1.4))
    ledger.take_message(told(0, "StartOfTurn", 2.0, b, c))
    ledger.take_message(told(0, "EndOfTurn", 2.5, "otherwise", c))
    judgement = ledger.account(speech.words[2].end)
    assert judgement.taken_back == 2
    assert [lost.word for lost in judgement.lost] == [c]
    ledger.take_message(told(1, "StartOfTurn", 3.0, a))
    assert [lost.word for lost in ledger.account(speech.words[2].end).lost] == [a, c]


def test_what_flux_said_last_of_a_turn_is_what_it_said(speech: Speech) -> None:
    """A turn without an end: a word gone from its last message is taken back, until it is said again. None: no news."""
    ledger = Ledger(speech, "7.1")
    a, b, c = (word.text for word in speech.words[:3])
    until = speech.words[2].end
    ledger.take_message(told(0, "StartOfTurn", 1.2, a, b))
    ledger.take_message(told(0, "Update", 1.6, a, b, c))
    ledger.take_message(told(0, "Update", 1.4, a, b))
    ledger.take_message(told(0, "Update", 1.8))
    ledger.add_connection(Connected(request_id="two"))
    judgement = ledger.account(until)
    assert [lost.word for lost in judgement.lost] == [a, b]
    assert judgement.taken_back == 1
    ledger.take_message(told(0, "StartOfTurn", 1.9, b, c))
    assert [lost.word for lost in ledger.account(until).lost] == [a, b, c]


@pytest.mark.parametrize(
    ("events", "owed"),
    [
        ((), False),
        (("EagerEndOfTurn",), False),
        (("TurnResumed",), False),
        (("TurnPaused",), False),
        (("StartOfTurn",), True),
    ],
)
def test_an_end_without_words_takes_back_those_of_a_turn_that_never_began(
    speech: Speech, events: tuple[str, ...], owed: bool
) -> None:
    """Words of Updates alone, then an end that has none: Flux thought better of them. Those of a turn are owed."""
    ledger = Ledger(speech, "7.1")
    word = speech.words[0].text
    ledger.take_message(told(0, "Update", 1.2, word))
    for event in events:
        ledger.take_message(told(0, event, 1.3, *([f"{word}."] if event == "TurnPaused" else [])))
    ledger.take_message(told(0, "Update", 1.4, word))
    ledger.take_message(told(0, "EndOfTurn", 1.5))
    judgement = ledger.account(speech.words[0].end)
    assert (judgement.taken_back, len(judgement.lost)) == ((0, 1) if owed else (1, 0))


def test_a_fault_excuses_only_what_was_never_heard_near_it(speech: Speech) -> None:
    """A lost message excuses a word that no other message had; a dropped connection excuses nothing."""
    first, later = speech.words[2], speech.words[20]
    until = speech.words[20].end

    def lost(name: str, *heard: str) -> set[str]:
        ledger = Ledger(speech, "7.1")
        ledger.add_connection(Connected(request_id="one"))
        ledger.add_fault("one", name, first.end)
        ledger.add_fault("another", "lose", later.start)
        for word in heard:
            ledger.take_message(told(0, "StartOfTurn", first.end, word))
        return {lost.word for lost in ledger.account(until).lost}

    assert first.text not in lost("lose")
    assert later.text in lost("lose")
    assert first.text in lost("lose", first.text)
    # Emptied, and the connection lost before another message could say the word again.
    assert first.text not in lost("empty_start")
    assert first.text not in lost("empty_eager")
    # In an event that nobody knows.
    assert first.text not in lost("unknown_event")
    # Covered by the end of a turn that nobody spoke, and the connection lost before the word's own message.
    assert first.text not in lost("false_start")
    assert first.text in lost("empty_start", first.text)
    assert first.text in lost("drop")
    assert later.text not in lost("chatty_stall")


def test_a_connection_that_says_connected_twice_is_one(speech: Speech) -> None:
    """What faults did to it until its end is known, and its turns are counted on."""
    ledger = Ledger(speech, "7.1")
    a, b = speech.words[0], speech.words[-1]
    ledger.add_connection(Connected(request_id="one"))
    ledger.take_message(told(3, "StartOfTurn", 1.2, a.text))
    ledger.take_message(told(3, "EndOfTurn", 1.4, a.text))
    ledger.add_connection(Connected(request_id="one", sequence_id=1))
    ledger.take_message(told(2, "StartOfTurn", 1.5, b.text))  # of a turn that is over
    ledger.add_fault("one", "chatty_stall", a.end)
    judgement = ledger.account(b.end)
    assert [lost.word for lost in judgement.lost] == [a.text]
    assert judgement.withheld["chatty_stall"] == judgement.said - 1
