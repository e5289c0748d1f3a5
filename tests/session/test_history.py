"""What a reply knows of the conversation: the messages, the key of the turn that it answers, what is remembered."""

from __future__ import annotations

import anyio
import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice
from turnkit.session import Reply, Session
from turnkit.turns.events import EagerEndOfTurn, EndOfTurn, StartOfTurn, TurnResumed
from turnkit.turns.policy import Never

pytestmark = pytest.mark.anyio


async def test_keys_are_those_of_the_turn_that_is_owed() -> None:
    """Every attempt to answer a turn has its key, also the reply that makes up for it; then a new key."""
    voice = Voice()
    keys: list[tuple[str, str, tuple[str, ...]]] = []

    async def respond(reply: Reply) -> None:
        keys.append((reply.key, reply.transcript, reply.unanswered))
        await anyio.sleep(0.5)
        await reply.say("Yes.")

    session = Session(respond=respond, speak=voice.speak, id="call")
    await session.run(
        script(
            StartOfTurn(0, "book"),
            EagerEndOfTurn(0, "book"),
            TurnResumed(0, "book"),
            EagerEndOfTurn(0, "book it"),
            EndOfTurn(0, "book it"),
            0.2,
            *turn(1, "please"),
            2.0,
            *turn(2, "thanks"),
        )
    )
    assert keys == [
        ("call:turn-0", "book it", ()),
        ("call:turn-0", "please", ("book it",)),
        ("call:turn-2", "thanks", ()),
    ]
    assert [message["content"] for message in session.history] == ["book it", "please", "Yes.", "thanks", "Yes."]


async def test_an_llm_gets_the_conversation_as_messages() -> None:
    """reply.messages ends with the turn to answer, drafted or not, with what was owed before it."""
    voice = Voice()
    asked: list[list[str]] = []

    async def respond(reply: Reply) -> None:
        asked.append([f"{message['role']}: {message['content']}" for message in reply.messages])
        await reply.say("Yes.")

    session = Session(respond=respond, speak=voice.speak)
    await session.run(
        script(
            *turn(0, "one"),
            StartOfTurn(1, "two"),
            EagerEndOfTurn(1, "two"),
            0.2,
            EndOfTurn(1, "two"),
            1.0,
            *turn(2, "three"),
        )
    )
    assert asked[-2] == ["user: one", "user: two"]
    assert asked[-1] == ["user: one", "user: two", "assistant: Yes.", "user: three"]


async def test_what_has_happened_can_be_remembered() -> None:
    """remember() puts a tool's result into the history, in its place."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        async with reply.must_finish():
            session.remember({"role": "tool", "tool_call_id": "1", "content": "booked"})
        await reply.say("Booked.")

    session = Session(respond=respond, speak=voice.speak)
    await session.run(script(*turn(0, "book")))
    assert [message["role"] for message in session.history] == ["user", "tool", "assistant"]


async def test_replies_of_the_hosts_own_are_kept_account_of_too() -> None:
    """Without respond and speak the callbacks run the replies; outcomes and history are kept from their reports."""
    session = Session(barge_in=Never())
    ends = outcomes(session)
    await session.run(
        script(
            *turn(0, "tea"),
            lambda: session.playback_started(0),
            lambda: session.playback_advanced(0, "Tea it"),
            lambda: session.playback_finished(0),
            *turn(1, "milk"),
        )
    )
    assert ends == [(0, "finished", "Tea it"), (1, "cancelled", "")]
    assert session.history == [
        {"role": "user", "content": "tea"},
        {"role": "assistant", "content": "Tea it"},
        {"role": "user", "content": "milk"},
    ]
