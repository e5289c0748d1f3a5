"""ForceEndTurn on an open stream, and what counts as its answer."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import Link
from tests.support.streams import everything, opened, read_by_another
from turnkit.errors import ConnectionFailed, FluxError
from turnkit.wire import TurnInfo

pytestmark = pytest.mark.anyio


def forced(*answers: dict[str, Any]) -> Any:
    """A Flux that answers ForceEndTurns with these messages, all of them at the first."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.hear_until("ForceEndTurn")
        for answer in answers:
            await link.say(**answer)
        await link.hang_up()

    return speak


def ended(trigger: str) -> dict[str, Any]:
    return {"type": "TurnInfo", "event": "EndOfTurn", "turn_index": 0, "transcript": "hello", "trigger": trigger}


NO_TURN = {"type": "Warning", "code": "FORCE_END_TURN_NO_ACTIVE_TURN", "description": "ignored"}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([ended("manual")], True),
        ([NO_TURN], False),
        ([ended("model"), NO_TURN], False),
        ([ended("timeout"), {"type": "Warning", "code": "OTHER"}, ended("manual")], True),
    ],
)
async def test_only_a_manual_end_or_the_warning_answers_a_forced_end(answers: Any, expected: bool) -> None:
    """Another trigger means that Flux's own end came first: the answer is still to come."""
    async with opened(forced(*answers)) as (stream, _), read_by_another(stream) as read:
        assert await stream.force_end_turn() is expected
    assert len(read) == 2 + len(answers)


async def test_forced_ends_are_answered_in_order() -> None:
    """Of two, the first ends the turn and the second comes too late; one that nobody waits for counts as well."""

    async def speak(link: Link) -> None:
        await link.connected()
        for answer in (ended("manual"), NO_TURN):
            await link.hear_until("ForceEndTurn")
            await link.say(**answer)
        await link.hang_up()

    async with opened(speak) as (stream, peer), read_by_another(stream):
        await stream.send_force_end_turn()
        assert await stream.force_end_turn() is False
    assert [command["type"] for command in peer.commands] == ["ForceEndTurn", "ForceEndTurn", "CloseStream"]


async def test_the_iterating_task_can_force_an_end_without_waiting_for_itself() -> None:
    """send_force_end_turn returns once it has left."""
    async with opened(forced(ended("manual"))) as (stream, _):
        triggers = []
        async for message in stream:
            if isinstance(message, TurnInfo) and message.event == "StartOfTurn":
                await stream.send_force_end_turn()
            elif isinstance(message, TurnInfo):
                triggers.append(message.trigger)
                await stream.close()
                assert await stream.send_force_end_turn() is False
    assert triggers == ["manual"]


async def test_a_forced_end_without_an_answer_is_given_up_and_answers_nobody_else() -> None:
    """Its late answer is not mistaken for the next one's, nor the next one's for its own."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear_until("ForceEndTurn")
        await link.hear_until("ForceEndTurn")
        await link.say(**ended("manual"))
        await link.hang_up()

    async with opened(speak, answer_timeout=0.05) as (stream, _), read_by_another(stream):
        with pytest.raises(ConnectionFailed, match="did not answer ForceEndTurn"):
            await stream.force_end_turn()
        assert await stream.force_end_turn() is True


async def test_a_host_without_forced_ends_hangs_up() -> None:
    """The Error is the iteration's; who waits learns that the stream ended, and the next send that it has."""

    async def refuse(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    async with opened(refuse) as (stream, _), anyio.create_task_group() as tasks:

        async def iterate() -> None:
            with pytest.raises(FluxError):
                await everything(stream)

        tasks.start_soon(iterate)
        with pytest.raises(ConnectionFailed, match="ended before ForceEndTurn was answered") as failed:
            await stream.force_end_turn()
        assert isinstance(failed.value.attempts[0], FluxError)
