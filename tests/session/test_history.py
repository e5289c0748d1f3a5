"""What a reply knows of the conversation: the messages, the key of the turn that it answers, what is remembered."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.turns.events import EagerEndOfTurn, EndOfTurn, ReplyEnded, StartOfTurn, TurnResumed
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


# What a reply has said itself ----------------------------------------------------------------------------------------

CALL = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "find"}}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "eight is free"}
PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}


def shown(messages: list[dict[str, object]]) -> list[object]:
    """What each message says, or is."""
    return [message.get("content") or ("call" if "tool_calls" in message else None) for message in messages]


@pytest.mark.parametrize("moment", ["draft", "pending", "heard", "working on"])
async def test_a_second_llm_call_knows_what_was_said_before_the_tool(moment: str) -> None:
    """In its place, before the tool's messages and whole; the session's own history holds what was heard."""
    voice = Voice()
    asked: list[list[object]] = []
    history: list[list[object]] = []

    async def respond(reply: Reply) -> None:
        if reply.turn != 1:
            await reply.say("Hello.")
            return
        await reply.say("Let me ")
        await reply.say("see. ")
        if moment == "pending":
            await reply.committed()
        if moment == "heard":
            await reply.heard_so_far()
        session.remember(CALL)
        session.remember(RESULT)
        asked.append(shown(reply.messages))
        history.append(shown(session.history))
        await reply.say("At eight. ")
        asked.append(shown(reply.messages))
        if moment == "working on":
            reply.end_speech()
            await anyio.sleep(2)
            asked.append(shown(reply.messages))

    session = Session(respond=respond, speak=voice.speak)
    drafted = [StartOfTurn(1, "a table"), EagerEndOfTurn(1, "a table"), 0.1, EndOfTurn(1, "a table")]
    await session.run(script(*turn(0, "hi"), 1.0, *drafted, 1.0, *turn(2, "thanks"), 3.0))
    before = ["hi", "Hello.", "a table", "Let me see.", "call", "eight is free"]
    assert asked[:2] == [before, [*before, "At eight."]]
    heard = {"draft": [], "working on": [], "pending": ["a table"], "heard": ["a table", "Let me see."]}[moment]
    assert history == [["hi", "Hello.", *heard, "call", "eight is free"]]
    if moment == "working on":
        assert asked[2] == [
            *["hi", "Hello.", "a table", "call", "eight is free", "Let me see. At eight.", "thanks", "Hello."]
        ]
    tail = {"heard": ["Let me see. At eight.", "call", "eight is free"]}
    rest = tail.get(moment, ["call", "eight is free", "Let me see. At eight."])
    assert shown(session.history) == ["hi", "Hello.", "a table", *rest, "thanks", "Hello."]


async def test_what_a_cancelled_draft_said_is_known_to_nobody() -> None:
    """Nor what of an interrupted reply was not heard; what was remembered in them stays known."""
    voice = Voice()
    asked: list[list[object]] = []

    async def respond(reply: Reply) -> None:
        asked.append(shown(reply.messages))
        await reply.say(f"one two three {reply.id}")
        if reply.id == 0:
            session.remember(CALL)
            session.remember(RESULT)
        await anyio.sleep(1)

    session = Session(respond=respond, speak=voice.speak)
    drafts = [StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"), 0.1, EndOfTurn(0, "a b")]
    await session.run(script(*drafts, 0.25, *turn(1, "c"), 2.0))
    assert asked == [["a"], ["call", "eight is free", "a b"], ["call", "eight is free", "a b", "one two", "c"]]


async def test_any_chat_message_can_be_remembered() -> None:
    """Without content, or with content of several kinds: the next turn is answered all the same."""
    voice = Voice()
    asked: list[list[dict[str, object]]] = []

    async def respond(reply: Reply) -> None:
        asked.append(reply.messages)
        await reply.say("Yes.")

    session = Session(respond=respond, speak=voice.speak)
    odd: list[dict[str, Any]] = [PICTURE, CALL, {"role": "user"}, {"role": "user", "content": None}]

    def remember() -> None:
        for message in odd:
            session.remember(message)

    await session.run(script(*turn(0, "a", eager=False), remember, 0.05, *turn(1, "b"), 1.0))
    before = [{"role": "user", "content": "a"}, *odd]
    assert asked == [before, [*before, {"role": "user", "content": "b"}]]


@pytest.mark.parametrize("wrong", [None, "booked", ["booked"], {}, {"content": "booked"}, {"role": None}, {"role": 1}])
async def test_what_is_no_chat_message_is_refused(wrong: Any) -> None:
    """At once, and without its words; nothing is remembered."""
    session = Session()
    with pytest.raises(LocalProtocolError, match="remember") as caught:
        session.remember(wrong)
    assert "booked" not in str(caught.value)
    assert session.history == []


async def test_words_that_the_agents_initiative_makes_up_for_are_in_the_history() -> None:
    """They waited for a reply to end, another turn began over it, and then the agent spoke first."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("one two three four")

    session = Session(respond=respond, speak=voice.speak, barge_in=Never())
    session.on(ReplyEnded, lambda end: session.initiate("So?") if end.turn == 0 else None)
    over = [*turn(1, "and tea", eager=False), 0.05, StartOfTurn(2, "hm"), 0.05, EndOfTurn(2, "")]
    await session.run(script(*turn(0, "count"), 0.05, *over, 2.0))
    assert shown(session.history) == ["count", "one two three four", "and tea", "So?"]
