"""Faults that end a connection, as a raw client sees them: stalls, closes, errors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import anyio
import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage

from tests.support.faulty_wire import (
    CONFIGURE,
    QUERY,
    TALK,
    WHOLE,
    Messages,
    at,
    bare,
    numbered,
    ring,
    sound,
    undisturbed_talk,
    wire,
)
from tests.support.simulator_client import BOUND, CLOSE, FORCE, audio, dial
from turnkit.simulator import serve

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_steps")]


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
