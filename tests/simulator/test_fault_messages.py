"""Faults in single messages, as a raw client sees them: twice, late, spoilt, split, false."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from tests.support.faulty_wire import (
    QUERY,
    TALK,
    TWO_TURNS,
    Messages,
    at,
    bare,
    numbered,
    ring,
    sound,
    undisturbed_talk,
    wire,
)
from tests.support.simulator_client import CLOSE, FORCE, audio, dial
from turnkit.simulator import FRAME, serve

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_steps")]


def put(messages: Messages, index: int, *instead: dict[str, Any]) -> Messages:
    return [*messages[:index], *instead, *messages[index + 1 :]]


def changed(messages: Messages, index: int, **fields: Any) -> Messages:
    return put(messages, index, {**messages[index], **fields})


def _swapped(messages: Messages, index: int) -> Messages:
    return [*messages[:index], messages[index + 1], messages[index], *messages[index + 2 :]]


def _delayed(messages: Messages) -> Messages:
    """The first EndOfTurn after all that is due within the next second."""
    index = at(messages, "EndOfTurn")
    end = messages[index]
    before = [m for m in messages[index + 1 :] if m["audio_window_end"] < end["audio_window_end"] + 1.0 - 1e-6]
    return [*messages[:index], *before, end, *messages[index + 1 + len(before) :]]


def _spoken_otherwise(messages: Messages) -> Messages:
    index = at(messages, "EndOfTurn")
    words = messages[index]["words"]
    return changed(
        messages,
        index,
        transcript="I'd like a table for two, otherwise",
        words=[*words[:-1], {**words[-1], "word": "otherwise"}],
    )


def _wavering(messages: Messages) -> Messages:
    index = at(messages, "EagerEndOfTurn")
    eager = messages[index]
    again = [{**eager, "event": "TurnResumed"}, eager]
    return put(messages, index, eager, *again, *again)


def _later(messages: Messages, index: int, **change: Callable[[Any], Any]) -> Messages:
    return [
        {key: change[key](message[key]) if key in change and i >= index else message[key] for key in message}
        for i, message in enumerate(messages)
    ]


def _without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: message[key] for key in message if key not in names}


def _quoted(message: dict[str, Any]) -> dict[str, Any]:
    if message["type"] != "TurnInfo":
        return message
    names = ("audio_window_start", "audio_window_end", "end_of_turn_confidence")
    words = [{**word, "confidence": str(word["confidence"])} for word in message["words"]]
    return {**message, **{name: str(message[name]) for name in names}, "words": words}


def _timeless(message: dict[str, Any]) -> dict[str, Any]:
    if "words" not in message:
        return message
    return {**message, "words": [_without(word, "start", "end") for word in message["words"]]}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("lose@start1", lambda m: put(m, at(m, "StartOfTurn"))),
        ("lose@eager*", lambda m: [message for message in m if message.get("event") != "EagerEndOfTurn"]),
        ("lose@turn2.end", lambda m: put(m, at(m, "EndOfTurn", 2))),
        ("lose@connected", lambda m: m[1:]),
        ("lose@4s", lambda m: put(m, [message.get("audio_window_end") for message in m].index(4.0))),
        ("duplicate@end1", lambda m: put(m, at(m, "EndOfTurn"), *[m[at(m, "EndOfTurn")]] * 2)),
        ("duplicate@message3", lambda m: put(m, 2, m[2], m[2])),
        ("delay:1@end1", _delayed),
        ("swap@eager1", lambda m: _swapped(m, at(m, "EagerEndOfTurn"))),
        ("swap@start2", lambda m: _swapped(m, at(m, "StartOfTurn", 2))),
        ("update_first", lambda m: changed(m, at(m, "StartOfTurn"), event="Update")),
        ("update_first@5s", lambda m: changed(m, at(m, "StartOfTurn", 2), event="Update")),
        ("stale_index@turn2.end", lambda m: changed(m, at(m, "EndOfTurn", 2), turn_index=0)),
        # There is none before the first turn: it waits for the next message that has one.
        ("stale_index@turn1.after", lambda m: changed(m, at(m, "EndOfTurn") + 1, turn_index=0)),
        ("empty_start", lambda m: changed(m, at(m, "StartOfTurn"), transcript="", words=[])),
        ("empty_eager@turn2.mid", lambda m: changed(m, at(m, "EagerEndOfTurn", 2), transcript="", words=[])),
        ("empty_end@turn1.start", lambda m: changed(m, at(m, "EndOfTurn"), transcript="", words=[])),
        ("other_words", _spoken_otherwise),
        ("waver:2", _wavering),
        (
            "unknown_event@turn1.start",
            lambda m: put(
                m,
                at(m, "StartOfTurn"),
                {**m[at(m, "StartOfTurn")], "event": "TurnPaused"},
                m[at(m, "StartOfTurn")],
            ),
        ),
        ("unknown_type@message5", lambda m: put(m, 4, {"type": "SpeakerChanged", "speaker": 1}, m[4])),
        ("unknown_trigger", lambda m: changed(m, at(m, "EndOfTurn"), trigger="semantic")),
        ("skip_index:3@turn2.before", lambda m: _later(m, at(m, "StartOfTurn", 2), turn_index=lambda i: i + 3)),
        ("no_trigger", lambda m: [_without(message, "trigger") for message in m]),
        ("no_word_times", lambda m: [_timeless(message) for message in m]),
        ("quoted_numbers", lambda m: [_quoted(message) for message in m]),
        # Order and words are as ever; when they come is told below.
        ("slow:1", lambda m: m),
        ("burst:1", lambda m: m),
    ],
)
async def test_messages_are_what_the_fault_makes_of_them(fault: str, expected: Callable[[Messages], Messages]) -> None:
    """All others are as they would have been, the numbers have no gap, and the close is as ever."""
    undisturbed = await undisturbed_talk()
    heard = await wire(fault)
    assert bare(heard.messages) == expected(undisturbed)
    assert numbered(heard.messages)
    assert heard.code == 1005


async def test_a_sequence_gap_is_in_the_numbers_alone() -> None:
    """Nothing is missing but numbers."""
    undisturbed = await undisturbed_talk()
    heard = await wire("sequence_gap:4@message6")
    assert bare(heard.messages) == undisturbed
    assert [m["sequence_id"] for m in heard.messages] == [*range(5), *range(9, len(undisturbed) + 4)]


@pytest.mark.parametrize("fault", ["slow:1@message2", "burst:1@turn1.eager"])
async def test_late_messages_come_when_their_audio_has_gone_on(fault: str) -> None:
    """Second by second of audio: nothing of what is held back comes before its time, and then it comes at once."""
    async with serve(TALK, faults=[fault]) as flux, dial(flux, QUERY) as socket:
        seconds = 0.0
        arrived: list[tuple[float, float]] = []

        async def read() -> None:
            async for text in socket:
                window = json.loads(text).get("audio_window_end")
                if window is not None:
                    arrived.append((window, round(seconds, 2)))

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            for frame in audio(6.0):
                seconds += FRAME
                await socket.send(frame)
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    eager = 2.64
    for window, second in arrived:
        held = eager <= window < eager + 1.0
        # The audio comes in frames: late by a second is with the first frame that is a second on.
        due = window + 1.0 if fault.startswith("slow") else eager + 1.0 if held else window
        assert 0 <= second - due < FRAME - 1e-6, (window, second)
    assert len(arrived) > 20


async def test_a_slow_connected_is_late_by_the_clock() -> None:
    """There is no audio yet to tell the time by."""
    async with serve(TALK, faults=["slow:3"]) as flux, dial(flux) as socket:
        began = anyio.current_time()
        assert json.loads(await socket.recv())["type"] == "Connected"
        assert 3.0 <= anyio.current_time() - began < 3.1


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ("text", lambda frame: not frame.startswith(("{", "["))),
        ("cut", lambda frame: frame.startswith('{"type":"TurnInfo"') and not frame.endswith("}")),
        ("array", lambda frame: isinstance(json.loads(frame), list)),
        ("binary", lambda frame: isinstance(frame, bytes)),
        ("types", lambda frame: json.loads(frame)["words"] == "none" and json.loads(frame)["event"] == 7),
        ("huge", lambda frame: len(frame) > 1 << 21),
    ],
)
async def test_a_spoilt_message(how: str, rule: Callable[[str | bytes], bool]) -> None:
    """One frame cannot be read, in the place of a message and with its number; the rest can."""
    undisturbed = await undisturbed_talk()
    async with serve(TALK, faults=[f"malformed:{how}@turn1.mid"]) as flux:
        heard = await ring(flux, TWO_TURNS, max_size=None)
    index = at(undisturbed, "StartOfTurn") + 1
    assert rule(heard.frames.pop(index))
    assert bare(heard.messages) == put(undisturbed, index)
    assert [m["sequence_id"] for m in heard.messages] == [i for i in range(len(undisturbed)) if i != index]


async def test_a_split_message_comes_in_that_many_frames() -> None:
    """Its neighbours in one."""
    async with serve(TALK, faults=["split:7@message2"]) as flux, dial(flux, QUERY) as socket:
        for frame in audio(1.0):
            await socket.send(frame)
        fragments = [[part async for part in socket.recv_streaming()] for _ in range(4)]
    assert [len(parts) for parts in fragments] == [1, 7, 1, 1]
    assert json.loads("".join(fragments[1]))["audio_window_end"] == 0.24


async def test_a_false_start_is_a_turn_that_nobody_spoke() -> None:
    """It begins where no turn is open, ends without words, and later turns count on from it."""
    undisturbed = await undisturbed_talk()
    messages = (await wire("false_start:1@turn1.mid")).messages
    start, end = at(messages, "StartOfTurn", 2), at(messages, "EndOfTurn", 2)
    assert start == at(undisturbed, "EndOfTurn") + 1
    assert (messages[start]["turn_index"], messages[start]["transcript"]) == (1, "Hey")
    assert (messages[end]["turn_index"], messages[end]["transcript"], messages[end]["trigger"]) == (1, "", "model")
    assert messages[end]["audio_window_end"] - messages[start]["audio_window_end"] == pytest.approx(1.0)
    assert all(m["turn_index"] == 2 for m in messages[end + 1 : at(messages, "EndOfTurn", 3)])
    assert all(m["audio_window_start"] == 3.64 for m in messages[end + 1 : at(messages, "EndOfTurn", 3)])
    assert numbered(messages)


async def test_a_false_start_can_be_forced_to_end() -> None:
    """There is a turn, so there is no Warning."""
    messages = (await wire("false_start:3@0.1s", frames=[*sound(0.4), FORCE, FORCE, CLOSE])).messages
    kinds = [m.get("event", m["type"]) for m in messages]
    assert kinds == ["Connected", "StartOfTurn", "Update", "EndOfTurn", "Warning", "Update"]
    assert messages[3]["trigger"] == "manual"
