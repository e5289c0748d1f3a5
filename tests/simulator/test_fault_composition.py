"""Many faults at once: composed, counted, recorded, and by chance."""

from __future__ import annotations

import json
import logging
from contextlib import suppress

import anyio
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.faulty_wire import CONFIGURE, QUERY, TALK, TWO_TURNS, WHOLE, Heard, at, bare, ring, sound, wire
from tests.support.simulator_client import CLOSE, FORCE, RAW, refusal
from turnkit.simulator import FAULTS, Fault, RandomFaults, serve

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_steps")]


# Composition, connections, records ----------------------------------------------------------------------------------


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


# Chance -------------------------------------------------------------------------------------------------------------


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
