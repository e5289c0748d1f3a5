"""A source that is pushed into: from handlers and threads, in order, bounded, and to its end."""

from __future__ import annotations

import json
import threading

import anyio
import pytest
from anyio import to_thread

from tests.support.sessions import TURN, listen, turn
from tests.support.voices import Voice, echo
from tests.support.waiting import settle
from turnkit import Feed
from turnkit.errors import ConfigError, ConnectionFailed, LocalProtocolError
from turnkit.session import Session
from turnkit.turns.events import Commit, DropReason, NoteKind, StartOfTurn, TurnDropped

pytestmark = pytest.mark.anyio


def message(event: str, text: str, number: int) -> str:
    """A TurnInfo as Flux sends it."""
    return json.dumps({"type": "TurnInfo", "event": event, "turn_index": 0, "transcript": text, "sequence_id": number})


class ThreadedClient:
    """Flux's client in the manner of an SDK: it calls a handler with each message, in a thread of its own."""

    def __init__(self, messages: list[str]) -> None:
        self.messages = messages
        self.ident = 0

    def start_listening(self, feed: Feed) -> None:
        self.ident = threading.get_ident()
        for text in self.messages:
            feed.push(text)
        feed.close()


async def test_a_threaded_client_holds_a_call() -> None:
    """Its handler pushes, the session answers; the end of the client is the end of the source."""
    updates = [message("Update", f"a {number}", number) for number in range(2, 60)]
    client = ThreadedClient([message("StartOfTurn", "a", 1), *updates, message("EndOfTurn", "a table", 60)])
    voice, feed = Voice(), Feed()
    session = Session(respond=echo, speak=voice.speak)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_thread.run_sync, client.start_listening, feed)
        await session.run(feed)
    assert client.ident != threading.get_ident()
    assert voice.heard == "You said: a table"
    assert not session.notes, "nothing was lost, and nothing came out of order"


async def test_who_waits_is_woken_by_each_message_from_any_thread() -> None:
    """The session does not poll: it has taken one before the next is pushed."""
    feed, session = Feed(), Session()
    seen: list[int] = []
    taken = threading.Event()

    def count(_: object) -> None:
        seen.append(threading.get_ident())
        taken.set()

    session.on(Commit, count)

    def push() -> None:
        for index in range(20):
            taken.clear()
            for event in turn(index, "tea"):
                feed.push(event)
            assert taken.wait(60)
        feed.close()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_thread.run_sync, push)
        await session.run(feed)
    assert seen == [threading.get_ident()] * 20


async def test_handlers_in_the_loop_itself_push_too() -> None:
    """Where a client calls them there; and what was pushed before the run waits for it."""
    feed, session = Feed(), Session()
    signals = listen(session)
    assert feed.push(TURN[0])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run, feed)
        await settle()
        assert session.user == "speaking"
        assert feed.push(TURN[1])
        assert feed.push(TURN[2])
        await settle()
        assert session.floor == (0, "pending")
        feed.close()
        await settle()
    assert not feed.push(StartOfTurn(1, "late")), "nobody is there to hear it"
    assert [type(signal).__name__ for signal in signals] == ["TurnStarted", "Speculate", "Commit", "Cancel"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ConnectionResetError("gone"), ConnectionResetError), ("words of theirs", ConnectionFailed)],
)
async def test_a_client_that_fails_loses_the_stream_after_what_it_had_brought(
    error: object, raised: type[Exception]
) -> None:
    """Its error comes out of the run; what is no exception is told by its type."""
    feed, session = Feed(), Session(lost_turn_grace=0)
    committed: list[str] = []
    session.on(Commit, lambda commit: committed.append(commit.transcript))
    feed.push(StartOfTurn(0, "half a sentence"))
    feed.fail(error)
    feed.fail(ValueError("a second one says nothing new"))
    with pytest.raises(raised) as caught:
        await session.run(feed)
    assert committed == ["half a sentence"]
    assert "words of theirs" not in str(caught.value)


@pytest.mark.parametrize("hangs_up", [True, False])
async def test_the_end_of_the_session_closes_the_feed(hangs_up: bool) -> None:
    """Hung up or cancelled: the client's thread learns that nobody takes any more, and what waits is given up."""
    feed, session = Feed(), Session()
    dropped: list[TurnDropped] = []
    session.on(TurnDropped, dropped.append)
    feed.push(StartOfTurn(0, "hello"))
    with anyio.move_on_after(3):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.run, feed)
            await anyio.sleep(1)
            if hangs_up:
                session.hang_up()
    assert not feed.push(StartOfTurn(1, "anybody there"))
    assert [signal.reason for signal in dropped] == [DropReason.CLOSED]


async def test_a_burst_lets_the_others_run() -> None:
    """Of many that wait, the session takes one after the other: who hangs up meanwhile is heard."""
    feed, session = Feed(), Session()
    for index in range(100):
        feed.push(StartOfTurn(index, "tea"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run, feed)
        await settle()
        session.hang_up()
    assert 0 < session.notes[NoteKind.MISSED_END] < 90


async def test_a_full_feed_refuses_and_loses_nothing_that_it_had_taken() -> None:
    """Who pushes is told what is wrong; the gap in the numbers is noted."""
    feed, session = Feed(limit=2), Session()
    numbered = [message("Update", "", number) for number in range(1, 6)]
    assert feed.push(numbered[0])
    assert feed.push(numbered[1])
    with pytest.raises(LocalProtocolError, match=r"2 messages wait already \(limit\)"):
        feed.push(numbered[2])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run, feed)
        await settle()
        assert not session.notes
        assert feed.push(numbered[3]), "there is room again"
        await settle()
        feed.close()
    assert session.notes == {NoteKind.SEQUENCE_GAP: 1}


async def test_it_is_taken_from_once_and_has_a_limit() -> None:
    """Another run is told so."""
    feed = Feed()
    feed.close()
    await Session().run(feed)
    with pytest.raises(LocalProtocolError, match="taken from before"):
        await Session().run(feed)
    with pytest.raises(ConfigError, match="limit=0"):
        Feed(limit=0)
