"""A stream that is lost while a session listens to it: the words are not lost, and the next stream is heard."""

from __future__ import annotations

import anyio
import pytest

from tests.support.kinds import kinds
from tests.support.sessions import EAGER, listen, script
from turnkit.errors import FluxError
from turnkit.session import Session
from turnkit.turns.events import Commit, DropReason, EndOfTurn, NoteKind, StartOfTurn, StreamLost, TurnDropped

pytestmark = pytest.mark.anyio


async def test_a_lost_stream_is_told_dealt_with_and_raised() -> None:
    """The source's error loses the stream: the words wait for their grace, are committed, handled, then it raises."""
    session = Session(lost_turn_grace=0.2)
    signals = listen(session)
    answered: list[str] = []

    @session.on(Commit)
    async def answer(signal: Commit) -> None:
        await anyio.sleep(0.2)
        answered.append(signal.transcript)

    with pytest.raises(FluxError, match="INTERNAL_SERVER_ERROR"):
        await session.run(script(*EAGER, FluxError("INTERNAL_SERVER_ERROR")))
    assert kinds(signals) == ["TurnStarted", "Speculate", "Cancel", "Commit", "Cancel"]
    assert answered == ["tea"]


async def test_an_error_message_loses_the_stream_and_connected_restores_it() -> None:
    """For sources that bring messages only: Error is the loss, the next Connected the return; counting starts anew."""
    session = Session()
    signals = listen(session)
    await session.run(
        script(
            {"type": "Connected", "sequence_id": 0},
            StartOfTurn(7, "tea"),
            {"type": "Error", "code": "INTERNAL_SERVER_ERROR", "sequence_id": 1},
            StreamLost("the same loss again"),
            {"type": "Connected", "sequence_id": 0},
            StartOfTurn(0, "with milk"),
            EndOfTurn(0, "with milk"),
        )
    )
    commits = [signal for signal in signals if isinstance(signal, Commit)]
    assert [(commit.turn, commit.unanswered) for commit in commits] == [(1, ("tea",))]
    assert session.notes == {NoteKind.FLUX_ERROR: 1}


async def test_a_second_connected_is_a_reconnect_that_nobody_told_of() -> None:
    """Turns are counted from 0 on the new connection: they are not taken for old ones, and an open one is carried."""
    connected = {"type": "Connected", "request_id": "r", "sequence_id": 0}

    def frame(event: str, index: int, text: str) -> dict[str, object]:
        return {"type": "TurnInfo", "event": event, "turn_index": index, "transcript": text}

    session = Session(lost_turn_grace=5.0)
    heard: list[object] = []
    session.on(Commit, heard.append)
    session.on(TurnDropped, heard.append)
    session.on(Commit, lambda commit: session.playback_started(commit.reply))
    session.on(Commit, lambda commit: session.playback_finished(commit.reply))
    first = [frame("StartOfTurn", 0, "one"), frame("EndOfTurn", 0, "one"), frame("StartOfTurn", 1, "half of")]
    second = [frame("StartOfTurn", 0, "a sentence"), frame("EndOfTurn", 0, "a sentence")]
    await session.run(script(connected, *first, connected, *second))
    assert NoteKind.STALE_TURN not in session.notes
    _, dropped, other = heard
    assert isinstance(dropped, TurnDropped)
    assert dropped.reason == DropReason.STREAM_LOST
    assert isinstance(other, Commit)
    assert (other.transcript, "half of" in other.unanswered) == ("a sentence", True)
