"""Calls that go on where their last connection had covered them."""

from __future__ import annotations

import anyio
import pytest

from tests.support.faulty_wire import QUERY, TALK, Messages, at, ring
from tests.support.simulator_client import CLOSE, FORCE, audio, dial
from turnkit.errors import ConfigError
from turnkit.simulator import Recording, marked_silence, serve

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_steps")]


def _texts(messages: Messages) -> list[str]:
    return [message["transcript"] for message in messages if message.get("event") == "EndOfTurn"]


async def test_a_call_goes_on_where_its_last_connection_had_covered_it() -> None:
    """A client that replays from its last word hears the rest; windows and indexes are of the new connection."""
    async with serve(TALK, faults=["drop@turn1.after/1"], continues=True) as flux:
        first = await ring(flux, query=f"{QUERY}&tag=a")
        covered = first.messages[-1]["words"][-1]["end"]
        second = await ring(flux, query=f"{QUERY}&tag=a")
        again = await ring(flux, query=f"{QUERY}&tag=a")
    assert _texts(first.messages) == ["I'd like a table for two, please."]
    assert _texts(second.messages) == ["Under the name of Smith.", "That is all."]
    assert second.messages[1]["turn_index"] == 0
    assert second.messages[1]["audio_window_end"] <= 0.24
    assert covered == 2.48
    assert [connection.start for connection in flux.connections] == [0.0, pytest.approx(covered), 0.0]
    assert _texts(again.messages) == _texts(first.messages)  # CloseStream ended the call; this is another, cut again


async def test_marked_audio_says_itself_where_it_begins() -> None:
    """Cut anywhere: what a client leaves out is not heard, and what it sends again is heard again."""
    marked = marked_silence(12.0)
    whole = [marked[i : i + 2560] for i in range(0, len(marked), 2560)]
    async with serve(TALK, faults=["drop@turn2.mid/1"], continues=True) as flux:
        await ring(flux, whole)
        skipping = marked[round(6.4 * 32000) + 334 :]
        heard = await ring(flux, [*(skipping[i : i + 700] for i in range(0, len(skipping), 700))])
        assert _texts(heard.messages) == ["That is all."]
        assert flux.connections[1].start == pytest.approx(6.4 + 334 / 32000)
        assert flux.connections[1].number == 2
        repeating = await ring(flux, [marked[32000:], FORCE, CLOSE])
    assert _texts(repeating.messages)[:2] == ["a table for two, please.", "Under the name of Smith."]


async def test_marks_join_and_come_at_any_rate() -> None:
    """Pieces made one by one are the same as the whole, whatever the rate."""
    for rate in (8000, 32000, 96000):
        whole = marked_silence(1.0, start=2.0, bytes_per_second=rate)
        pieces = [marked_silence(0.1, start=2.0 + n / 10, bytes_per_second=rate) for n in range(10)]
        assert b"".join(pieces) == whole
        assert len(whole) == rate


async def test_calls_at_once_go_on_each_for_itself() -> None:
    """By their tags."""
    texts: dict[str, list[str]] = {}
    faults = ["drop@turn1.after/1", "close:1011@turn1.after/2"]
    async with serve(TALK, faults=faults, continues=True) as flux, anyio.create_task_group() as group:

        async def call(tag: str) -> None:
            texts[tag] = []
            for _ in range(3):
                texts[tag] += _texts((await ring(flux, query=f"{QUERY}&tag={tag}")).messages)

        for number in range(5):
            group.start_soon(call, str(number))
    said = [utterance.transcript for utterance in TALK.utterances]
    assert texts == {str(number): said for number in range(5)}


async def test_a_caller_without_a_tag_goes_on_too() -> None:
    """One after the other; a stalled connection that is still open counts as broken off."""
    async with serve(TALK, faults=["stall@turn1.after/1"], continues=True) as flux, dial(flux, QUERY) as socket:
        for frame in audio(4.0):
            await socket.send(frame)
        await anyio.sleep(1)
        heard = await ring(flux)
        assert [connection.number for connection in flux.connections] == [1, 2]
        assert _texts(heard.messages) == ["Under the name of Smith.", "That is all."]


async def test_a_stream_may_resume_with_an_update() -> None:
    """The first turn of another connection has no StartOfTurn; the first connection is as ever."""
    async with serve(TALK, faults=["drop@turn2.mid/1", "resume_with_update"], continues=True) as flux:
        first, second = await ring(flux), await ring(flux)
    assert at(first.messages, "StartOfTurn", 2)
    events = [m["event"] for m in second.messages[1:] if m["turn_index"] == 0]
    assert "StartOfTurn" not in events
    assert events[-1] == "EndOfTurn"


async def test_what_cannot_be_served_is_told_at_once() -> None:
    """Before anything listens."""
    with pytest.raises(ConfigError, match="faults='stall': must be a list"):
        async with serve(TALK, faults="stall"):
            pass
    with pytest.raises(ConfigError, match="faults: 7 is none"):
        async with serve(TALK, faults=[7]):  # type: ignore[list-item]
            pass
    with pytest.raises(ConfigError, match="continues=True: play must be a Script"):
        async with serve(Recording(()), continues=True):
            pass
