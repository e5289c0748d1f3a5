"""Every fault of the simulator as a raw WebSocket client sees it on the wire."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from tests.simulator.test_simulator import BOUND, CLOSE, FORCE, RAW, audio, dial, refusal
from turnkit.errors import ConfigError
from turnkit.simulator import (
    FAULTS,
    FRAME,
    Fault,
    RandomFaults,
    Recording,
    Refusal,
    Script,
    Simulator,
    marked_silence,
    serve,
)

pytestmark = pytest.mark.anyio

TALK = Script.parse("0.5 I'd like a table for two, please.\n+2.0 Under the name of Smith.\n+2.0 That is all.", seed=3)
QUERY = f"{RAW}&eager_eot_threshold=0.4"
CONFIGURE = '{"type":"Configure","thresholds":{"eot_threshold":0.9}}'
WHOLE: list[str | bytes] = [*[bytes(3 * 2560)] * 42, CLOSE]
"""All of the talk, in few frames."""
TWO_TURNS: list[str | bytes] = [*WHOLE[:28], CLOSE]
PATIENCE = 1.0  # virtual seconds a client waits for more after its last frame

Messages: TypeAlias = list[dict[str, Any]]


@pytest.fixture(autouse=True)
async def small_steps() -> AsyncIterator[None]:
    """Let virtual time go on in small steps, so that on a busy machine no bound is over before a packet is there."""

    async def tick() -> None:
        while True:  # noqa: ASYNC110
            await anyio.sleep(0.005)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        yield
        group.cancel_scope.cancel()


class Heard:
    """What one connection brought: raw frames, the messages among them, and the close code (None: still open)."""

    def __init__(self) -> None:
        self.frames: list[str | bytes] = []
        self.code: int | None = None

    @property
    def messages(self) -> Messages:
        return [json.loads(frame) for frame in self.frames]


async def ring(flux: Simulator, frames: Iterable[str | bytes] = WHOLE, query: str = QUERY, **options: Any) -> Heard:
    """Send frame by frame in step with the clock, read all along, give up after a while of silence."""
    heard = Heard()
    async with dial(flux, query, **options) as socket, anyio.create_task_group() as group:

        async def read() -> None:
            with suppress(ConnectionClosed):
                while True:
                    heard.frames.append(await socket.recv())
            heard.code = socket.close_code
            group.cancel_scope.cancel()

        group.start_soon(read)
        for frame in frames:
            try:
                await socket.send(frame)
            except ConnectionClosed:
                break
            await anyio.sleep(0.001)
        await anyio.sleep(PATIENCE)
        group.cancel_scope.cancel()
    return heard


async def wire(*faults: str | Fault | RandomFaults, frames: Iterable[str | bytes] = TWO_TURNS) -> Heard:
    """What the first connection to a simulator with these faults brings."""
    async with serve(TALK, faults=faults) as flux:
        return await ring(flux, frames)


async def undisturbed_talk() -> Messages:
    """What two turns of the talk bring without a fault; always the same, so heard once."""
    if not _undisturbed:
        _undisturbed.extend(bare((await wire()).messages))
    return _undisturbed


_undisturbed: Messages = []


def sound(seconds: float) -> list[str | bytes]:
    """Frames of 80 ms."""
    return [*audio(seconds)]


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def bare(messages: Messages) -> Messages:
    """Without the ids, which differ from one connection to another and are checked apart."""
    return [{key: message[key] for key in message if key not in ("request_id", "sequence_id")} for message in messages]


def numbered(messages: Messages) -> bool:
    return [message["sequence_id"] for message in messages] == list(range(len(messages)))


def at(messages: Messages, event: str, number: int = 1) -> int:
    """Where the n-th message of a kind is."""
    return [i for i, message in enumerate(messages) if message.get("event", message["type"]) == event][number - 1]


def put(messages: Messages, index: int, *instead: dict[str, Any]) -> Messages:
    return [*messages[:index], *instead, *messages[index + 1 :]]


def changed(messages: Messages, index: int, **fields: Any) -> Messages:
    return put(messages, index, {**messages[index], **fields})


# Messages ---------------------------------------------------------------------------------------------------------


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


# The end of a connection ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "last"),
    [
        ("connected", lambda m: 0),
        ("message7", lambda m: 6),
        ("1.0s", lambda m: 4),
        ("turn2.before", lambda m: at(m, "StartOfTurn", 2) - 1),
        ("turn2.start", lambda m: at(m, "StartOfTurn", 2)),
        ("turn2.mid", lambda m: at(m, "StartOfTurn", 2) + 1),
        ("turn2.eager", lambda m: at(m, "EagerEndOfTurn", 2)),
        ("turn2.end", lambda m: at(m, "EndOfTurn", 2) - 1),
        ("turn2.after", lambda m: at(m, "EndOfTurn", 2)),
        ("eager1", lambda m: at(m, "EagerEndOfTurn")),
        ("end2", lambda m: at(m, "EndOfTurn", 2)),
    ],
)
async def test_a_stall_sends_nothing_after_its_moment(moment: str, last: Callable[[Messages], int]) -> None:
    """The connection stays open, and not even CloseStream is answered."""
    undisturbed = await undisturbed_talk()
    heard = await wire(f"stall@{moment}")
    assert bare(heard.messages) == undisturbed[: last(undisturbed) + 1]
    assert heard.code is None


async def test_a_stalled_connection_answers_pings_and_no_command() -> None:
    """The socket is healthy; what is said to it is still taken."""
    async with serve(TALK, faults=["stall@connected"]) as flux, dial(flux) as socket:
        await socket.recv()
        for frame in [*sound(1.0), CONFIGURE, FORCE, CLOSE]:
            await socket.send(frame)
        pong = await socket.ping()
        await (pong.wait() if hasattr(pong, "wait") else pong)
        with anyio.move_on_after(15) as waiting:
            await socket.recv()
        assert waiting.cancelled_caught
        assert flux.connections[0].commands == ["Configure", "ForceEndTurn", "CloseStream"]
        assert flux.connections[0].audio_seconds == pytest.approx(0.96)


async def test_no_connected_is_an_open_socket_and_nothing_else() -> None:
    """For ever."""
    heard = await wire("no_connected")
    assert (heard.frames, heard.code) == ([], None)


async def test_a_chatty_stall_goes_on_with_empty_updates() -> None:
    """Of the same turn, every 0.24 s of audio; the answers to commands come as well, but no end of the turn."""
    frames = [*WHOLE[:-1], CONFIGURE, FORCE, CLOSE]
    heard = await wire("chatty_stall@turn2.mid", frames=frames)
    messages = heard.messages
    chatter = messages[at(messages, "StartOfTurn", 2) + 2 :]
    assert [m["type"] for m in chatter if m["type"] != "TurnInfo"] == ["ConfigureSuccess"]
    updates = [m for m in chatter if m["type"] == "TurnInfo"]
    assert len(updates) > 15
    assert {(m["event"], m["turn_index"], m["transcript"], len(m["words"])) for m in updates} == {("Update", 1, "", 0)}
    windows = [m["audio_window_end"] for m in updates]
    assert [round(b - a, 2) for a, b in pairwise(windows)] == [0.24] * (len(windows) - 1)
    assert numbered(messages)


async def test_a_deaf_server_lets_the_clients_buffer_fill() -> None:
    """A send blocks in the end; when its time is over, TCP is cut."""
    async with serve(TALK, faults=["deaf:9@turn1.mid"]) as flux, dial(flux) as socket:
        began = anyio.current_time()
        blocked = False
        for frame in audio(2.0):
            await socket.send(frame)
        for _ in range(400):
            with anyio.move_on_after(1.0) as sending:
                await socket.send(bytes(1 << 16))
            if sending.cancelled_caught:
                blocked = True
                break
        assert blocked
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()
        assert socket.close_code == 1006
        assert 9 <= anyio.current_time() - began < 12
    assert [str(injected.fault) for injected in flux.faults_injected] == ["deaf:9@turn1.mid"]


async def test_a_simulator_does_not_wait_for_its_faults_to_end() -> None:
    """Deaf, stalled and slow connections end with it."""
    faults = ["deaf:3600@0.1s/1", "stall@0.1s/2", "slow:3600/3", "stall@connect/4"]
    with anyio.fail_after(BOUND):
        async with serve(TALK, faults=faults) as flux, anyio.create_task_group() as group:

            async def stay() -> None:
                with suppress(ConnectionClosed, InvalidMessage, OSError, EOFError):
                    await ring(flux, audio(1.0), f"{QUERY}&tag=a")

            for number in range(1, 5):
                group.start_soon(stay)
                await anyio.sleep(1.0)
                assert len(flux.faults_injected) == number
            group.cancel_scope.cancel()
    assert [connection.open for connection in flux.connections] == [False] * 3


@pytest.mark.parametrize(("fault", "code"), [("drop", 1006), ("close:none", 1005)])
@pytest.mark.parametrize("moment", ["turn1.mid", "2s"])
async def test_a_connection_that_ends_without_a_code(fault: str, code: int, moment: str) -> None:
    """TCP is gone, or there is a close frame with nothing in it."""
    undisturbed = await undisturbed_talk()
    heard = await wire(f"{fault}@{moment}")
    due = [m for m in undisturbed if m.get("audio_window_end", 0.0) < 2.0 - 1e-6]
    assert bare(heard.messages) == (due if moment == "2s" else undisturbed[: at(undisturbed, "StartOfTurn") + 2])
    assert heard.code == code


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 4000])
async def test_a_connection_that_is_closed_with_a_code(code: int) -> None:
    """After the message that the moment names."""
    heard = await wire(f"close:{code}@eager1")
    assert heard.messages[-1]["event"] == "EagerEndOfTurn"
    assert heard.code == code


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "UNPARSABLE_CLIENT_MESSAGE"])
async def test_an_error_and_then_a_close(code: str) -> None:
    """As Flux does it: no request id, no close code."""
    heard = await wire(f"error_then_close:{code}@turn1.end")
    error = heard.messages[-1]
    assert (list(error), error["code"]) == (["type", "code", "description", "sequence_id"], code)
    assert heard.messages[-2]["event"] == "EagerEndOfTurn"
    assert numbered(heard.messages)
    assert heard.code == 1005


async def test_no_close_frame_after_closestream() -> None:
    """What is left is not said either where silence comes with CloseStream."""
    assert (await wire("stall@close")).code is None
    assert (await wire("drop@close")).code == 1006
    assert (await wire("close:1011@close", frames=[*sound(0.24), b""])).code == 1011


# The upgrade ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 500, 503])
async def test_an_upgrade_is_refused_with_either_body(status: int) -> None:
    """Flux has two; both have the id and the reason in headers."""
    async with serve(TALK, faults=[f"refuse:{status}/1", f"refuse_described:{status}/2"]) as flux:
        first, second = await refusal(flux), await refusal(flux)
        assert (await ring(flux, [CLOSE])).messages[0]["type"] == "Connected"
        assert [injected.connection for injected in flux.faults_injected] == [1, 2]
        assert flux.refusals == [Refusal(status, json.loads(first.body)["err_code"])] * 2
    assert first.status_code == second.status_code == status
    assert list(json.loads(first.body)) == ["err_code", "err_msg", "request_id"]
    assert list(json.loads(second.body)) == ["code", "description"]
    assert first.headers["dg-error"] == second.headers["dg-error"] == json.loads(second.body)["description"]
    assert first.headers["dg-request-id"]


async def test_an_upgrade_can_be_cut_or_late_or_never_answered(caplog: pytest.LogCaptureFixture) -> None:
    """In this order here; no traceback is printed."""
    async with serve(TALK, faults=["drop@connect/1", "slow:5@connect/2", "stall@connect/3"]) as flux:
        with pytest.raises((InvalidMessage, OSError, EOFError)):
            await ring(flux)
        began = anyio.current_time()
        async with dial(flux):
            assert anyio.current_time() - began >= 5.0
        with pytest.raises(TimeoutError):
            await ring(flux, open_timeout=8)
        assert len(flux.connections) == 1
        assert flux.refusals == []
    assert [str(injected.fault) for injected in flux.faults_injected] == [
        "drop@connect/1",
        "slow:5@connect/2",
        "stall@connect/3",
    ]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# Commands ---------------------------------------------------------------------------------------------------------


async def test_a_configure_is_refused_and_changes_nothing() -> None:
    """The second is answered, with the settings as they were but for its own."""
    frames = [*sound(0.24), CONFIGURE, '{"type":"Configure"}', CLOSE]
    messages = (await wire("configure_refused:TOO_MANY", frames=frames)).messages
    assert [m["type"] for m in messages[2:]] == ["ConfigureFailure", "ConfigureSuccess"]
    assert messages[2]["code"] == "TOO_MANY"
    assert messages[3]["thresholds"]["eot_threshold"] == 0.7
    assert numbered(messages)


async def test_a_configure_is_never_answered() -> None:
    """The stream goes on, and the next one shows that it was taken."""
    frames = [*sound(0.24), CONFIGURE, *audio(0.24), '{"type":"Configure"}', CLOSE]
    messages = (await wire("configure_unanswered", frames=frames)).messages
    assert [m["type"] for m in messages] == ["Connected", "TurnInfo", "TurnInfo", "ConfigureSuccess"]
    assert messages[3]["thresholds"]["eot_threshold"] == 0.9
    assert numbered(messages)


@pytest.mark.parametrize(
    ("fault", "command", "unknown"),
    [("configure_fatal", CONFIGURE, "`Configure`"), ("force_end_fatal", FORCE, "`ForceEndTurn`")],
)
async def test_a_host_that_lacks_a_command(fault: str, command: str, unknown: str) -> None:
    """Error UNPARSABLE_CLIENT_MESSAGE and a close without a code."""
    heard = await wire(fault, frames=[*sound(4.0), command, *audio(1.0), CLOSE])
    error = heard.messages[-1]
    assert (error["type"], error["code"]) == ("Error", "UNPARSABLE_CLIENT_MESSAGE")
    assert f"unknown variant {unknown}" in error["description"]
    assert heard.code == 1005
    end = heard.messages[at(heard.messages, "EndOfTurn")]
    assert ("trigger" in end) == (fault == "configure_fatal")


async def test_the_second_command_and_each_one() -> None:
    """A number counts the commands of its kind; a * is each."""
    frames = [*sound(0.24), *['{"type":"Configure"}'] * 3, CLOSE]
    kinds = [m["type"] for m in (await wire("configure_refused@configure2", frames=frames)).messages[2:]]
    assert kinds == ["ConfigureSuccess", "ConfigureFailure", "ConfigureSuccess"]
    heard = await wire("configure_unanswered@configure*", frames=frames)
    assert [m["type"] for m in heard.messages] == ["Connected", "TurnInfo"]
    heard = await wire("drop@configure2", frames=frames)
    assert ([m["type"] for m in heard.messages][2:], heard.code) == (["ConfigureSuccess"], 1006)


async def test_a_recorded_answer_is_refused_too(preamble: Path) -> None:
    """A recording has its own ConfigureSuccess, at its own time."""
    async with serve(Recording.read(preamble), faults=["configure_refused"]) as flux:
        messages = (await ring(flux, [*sound(1.0), CONFIGURE, *audio(3.0), CLOSE])).messages
    assert [m["type"] for m in messages if m["type"].startswith("Configure")] == ["ConfigureFailure"]


async def test_a_recording_is_verbatim_but_for_its_faults(preamble: Path) -> None:
    """A fault that never strikes changes nothing; one that does changes its message and the numbers after it."""
    recorded = lines_of(preamble)
    frames: list[str | bytes] = [bytes(32000 * 8)] * 3
    async with serve(Recording.read(preamble), faults=["lose@start9", "random:0"]) as flux:
        assert (await ring(flux, frames)).frames == recorded
        assert flux.faults_injected == []
    async with serve(Recording.read(preamble), faults=["lose@start1"]) as flux:
        heard = await ring(flux, frames)
    start = next(i for i, text in enumerate(recorded) if "StartOfTurn" in text)
    assert heard.frames[:start] == recorded[:start]
    assert bare(heard.messages) == bare([json.loads(text) for text in recorded[:start] + recorded[start + 1 :]])
    assert numbered(heard.messages)


# Composition, connections, records --------------------------------------------------------------------------------


async def test_every_fault_strikes_at_its_usual_moment_and_is_recorded() -> None:
    """By its name alone, once a connection, on a call that does all that a call does."""
    frames = [*TWO_TURNS[:-1], CONFIGURE, FORCE, CLOSE]
    for name in FAULTS:
        fault = Fault(name, 1 if name == "deaf" else None)
        async with serve(TALK, faults=[fault]) as flux:
            if name == "resume_with_update":
                await ring(flux, TWO_TURNS[:-1])
                assert flux.faults_injected == []
            with suppress(InvalidStatus):
                await ring(flux, frames, max_size=None)
            assert [injected.fault for injected in flux.faults_injected] == [fault]
            if flux.connections:
                assert flux.connections[-1].faults == flux.faults_injected


async def test_faults_compose_in_the_order_given() -> None:
    """A message that one fault doubles, another changes once; a stalled stream can still be closed."""
    messages = bare((await wire("duplicate@end1", "empty_end@end1")).messages)
    first, second = messages[at(messages, "EndOfTurn")], messages[at(messages, "EndOfTurn", 2)]
    assert (first["transcript"], second["transcript"]) == ("", "I'd like a table for two, please.")
    heard = await wire("update_first@turn2.start", "stall@turn2.end", "close:1011@turn3.mid", frames=WHOLE)
    assert {m["event"] for m in heard.messages[1:] if m["turn_index"] == 1} == {"Update", "EagerEndOfTurn"}
    assert heard.code == 1011
    # Moments are of the conversation as it would have been: the end that was lost is the first all the same.
    messages = (await wire("lose@end1", "empty_end@end2")).messages
    assert messages[at(messages, "EndOfTurn")]["transcript"] == ""


async def test_what_is_injected_is_recorded_with_its_place() -> None:
    """Second of audio, messages sent before, connection; nothing is recorded that did not strike."""
    async with serve(TALK, faults=["lose@start1", "close:1011@4s", "duplicate@end3"]) as flux:
        heard = await ring(flux)
        (connection,) = flux.connections
        assert [(str(i.fault), i.audio_seconds, i.connection) for i in flux.faults_injected] == [
            ("lose@start1", 1.12, 1),
            ("close:1011@4s", 4.0, 1),
        ]
        assert [i.after for i in connection.faults] == [5, len(heard.messages)]
        assert {i.request_id for i in connection.faults} == {connection.request_id}
        assert "lose@start1" in repr(connection)


async def test_each_connection_has_its_own_copy_unless_a_number_says_which() -> None:
    """The n-th of its call, a refused attempt included; two calls with tags of their own do not mix."""
    async with serve(TALK, faults=["refuse:503/1", "close:1011@connected/2", "lose@message2"]) as flux:
        for tag in ("a", "b"):
            query = f"{RAW}&tag={tag}&tag=x"
            assert (await refusal(flux, query)).status_code == 503
            assert (await ring(flux, query=query)).code == 1011
            heard = await ring(flux, query=query)
            assert heard.code == 1005
            assert heard.messages[1]["audio_window_end"] == 0.48
            assert (await refusal(flux, query)).status_code == 503  # CloseStream: this is the next call
    assert [connection.number for connection in flux.connections] == [2, 3, 2, 3]


async def test_many_calls_at_once_meet_the_same_faults_each() -> None:
    """Nothing is shared between connections."""
    heard: list[Heard] = []
    async with (
        serve(TALK, faults=["duplicate@end1", "close:1011@turn2.mid"]) as flux,
        anyio.create_task_group() as group,
    ):

        async def call() -> None:
            heard.append(await ring(flux, TWO_TURNS))

        for _ in range(10):
            group.start_soon(call)
    assert {json.dumps(bare(h.messages)) for h in heard} == {json.dumps(bare(heard[0].messages))}
    assert [h.code for h in heard] == [1011] * 10
    assert len(flux.faults_injected) == 20


# Chance -----------------------------------------------------------------------------------------------------------


async def test_chance_is_the_same_for_a_seed() -> None:
    """The same faults at the same messages; another seed, other ones."""

    async def struck(seed: int) -> list[tuple[str, float, int]]:
        async with serve(TALK, faults=["random:0.05:lose,duplicate,swap,delay:2,unknown_type"], seed=seed) as flux:
            for _ in range(2):
                await ring(flux, TWO_TURNS)
            return [(str(i.fault), i.audio_seconds, i.after) for i in flux.faults_injected]

    first, again, other = await struck(1), await struck(1), await struck(2)
    assert first == again
    assert first != other
    assert 2 <= len(first) <= 20


async def test_chance_refuses_upgrades_as_well() -> None:
    """At the rate of messages, and a refused caller may try again."""
    async with serve(TALK, faults=[RandomFaults(0.5, ("refuse:429", "close:1001"), seed=5)]) as flux:
        for _ in range(30):
            with suppress(Exception):
                await ring(flux, [*sound(0.24), CLOSE])
    kinds = {str(injected.fault) for injected in flux.faults_injected}
    assert kinds == {"refuse:429@connect", "close:1001@turn1.mid"}
    assert 5 < len(flux.refusals) < 25


async def test_chance_with_every_kind_never_breaks_the_simulator(caplog: pytest.LogCaptureFixture) -> None:
    """Fifty calls with faults at one message in ten: each ends, and no traceback is printed."""
    async with serve(TALK, faults=["random:0.1"], seed=7) as flux, anyio.create_task_group() as group:

        async def call(number: int) -> None:
            with suppress(Exception):
                await ring(flux, [*sound(3.0), CONFIGURE, FORCE, CLOSE], f"{QUERY}&tag={number}", max_size=None)

        for number in range(50):
            group.start_soon(call, number)
    assert len({injected.fault.name for injected in flux.faults_injected}) > 25
    assert not any(connection.open for connection in flux.connections)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# Going on ---------------------------------------------------------------------------------------------------------


def _texts(messages: Messages) -> list[str]:
    return [message["transcript"] for message in messages if message.get("event") == "EndOfTurn"]


async def test_a_call_goes_on_where_its_last_connection_had_covered_it() -> None:
    """A client that replays from the last window hears the rest; windows and indexes are of the new connection."""
    async with serve(TALK, faults=["drop@turn1.after/1"], continues=True) as flux:
        first = await ring(flux, query=f"{QUERY}&tag=a")
        covered = first.messages[-1]["audio_window_end"]
        second = await ring(flux, query=f"{QUERY}&tag=a")
        again = await ring(flux, query=f"{QUERY}&tag=a")
    assert _texts(first.messages) == ["I'd like a table for two, please."]
    assert _texts(second.messages) == ["Under the name of Smith.", "That is all."]
    assert second.messages[1]["turn_index"] == 0
    assert second.messages[1]["audio_window_end"] <= 0.24
    assert covered == 2.64
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
