"""What a bot raises is shown with its own stack, wherever it was raised; and silence on purpose is no failure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.scripted_bot import bot
from turnkit import Session
from turnkit.session import Reply
from turnkit.testing import BotRules, Conversation, RehearsalFailed, ScriptedLLM, ScriptedTool, ScriptedVoice, rehearse
from turnkit.testing.virtual_clock import Backend
from turnkit.turns.events import Commit, TurnStarted
from turnkit.turns.policy import Overlap, Pause, Verdict

BACKENDS: list[Backend] = ["asyncio", "trio"]


def look_up() -> None:
    raise LookupError("no such table")


def judges(overlap: Overlap) -> Verdict:
    look_up()
    return Verdict.YIELD


def drafts(pause: Pause) -> bool:
    look_up()
    return True


def calls(signal: object) -> None:
    look_up()


async def calls_later(signal: object) -> None:
    await anyio.sleep(0.1)
    look_up()


class Watches:
    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: look_up()


def observed() -> Session:
    session = bot()
    session.observe(Watches())
    return session


def calling(kind: Any, callback: Any) -> Session:
    session = bot()
    session.on(kind, callback)
    return session


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("session", "rule"),
    [
        (lambda: bot(barge_in=judges), "a policy failed: judges raised LookupError: no such table"),
        (lambda: bot(speculation=drafts), "a policy failed: drafts raised LookupError"),
        (lambda: calling(TurnStarted, calls), "a callback failed: calls at TurnStarted raised LookupError"),
        (lambda: calling(Commit, calls_later), "a callback failed: calls_later at Commit raised LookupError"),
        (observed, "a callback failed: Watches at .* raised LookupError"),
    ],
)
def test_a_failure_shows_the_stack_wherever_it_was(session: Any, rule: str, backend: Backend) -> None:
    """Of policies, callbacks and observers too, which nothing but the exception tells."""
    call = rehearse(session, "1.0 When? [eager] [end]\n@speaking No. [end]", backend=backend)
    with pytest.raises(RehearsalFailed, match=rf"{rule}(?s:.*)Traceback(?s:.*)in look_up(?s:.*)LookupError"):
        call.assert_keeps_the_rules()
    with pytest.raises(RehearsalFailed, match=r"Traceback(?s:.*)in look_up(?s:.*)LookupError: no such table"):
        call.assert_heard("never said")


# Silent replies -----------------------------------------------------------------------------------------------------


def lights(says: str) -> Conversation:
    """A bot that switches lights without a word, and says this when it is thanked."""
    tool = ScriptedTool("switch")

    async def respond(reply: Reply) -> None:
        if "thanks" in reply.transcript.lower():
            await reply.say(says)
        else:
            async with reply.must_finish():
                await tool(key=reply.key)

    script = "1.0 Lights on. [end]\n+3 Louder. [end]\n+3 Thanks. [end]\n+3 [hang up]"
    return rehearse(Session(respond=respond, speak=ScriptedVoice()), script)


def test_a_reply_that_is_silent_on_purpose_answers_its_turn() -> None:
    """Each of its own; but a bot that never says anything to anybody has answered nobody."""
    call = lights("You are welcome.")
    call.assert_keeps_the_rules()
    call.assert_answered_once()
    call.assert_answered_once("Lights on.", "Louder.")
    assert len({effect.key for effect in call.effects}) == 2
    with pytest.raises(RehearsalFailed, match="got no answer"):
        lights("").assert_answered_once()


def test_a_reply_that_failed_unheard_answers_nothing() -> None:
    """Also in a call in which others were heard."""

    async def respond(reply: Reply) -> None:
        await reply.committed()
        if reply.turn == 0:
            look_up()
        await reply.say("You are welcome.")

    call = rehearse(Session(respond=respond, speak=ScriptedVoice()), "1.0 Lights on. [end]\n+3 Thanks. [end]")
    assert call.replies[0].error is call.errors[0]
    assert "ReplyEnded  reply 0, failed, nothing heard, LookupError" in str(call)
    call.assert_answered_once("Thanks.")
    call.assert_answered_once("Lights on.")  # by the reply that made up for it
    with pytest.raises(RehearsalFailed, match="got no answer"):
        rehearse(Session(respond=respond, speak=ScriptedVoice()), "1.0 Lights on. [end]").assert_answered_once()


def test_a_voice_that_reports_nothing_is_told_apart() -> None:
    """In what a failure shows; what it was given counts as heard."""

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            pass

    call = rehearse(Session(respond=ScriptedLLM("At eight.").respond, speak=speak), "1.0 When? [end]")
    call.assert_heard("At eight.")
    assert "ReplyEnded  reply 0, finished, heard “At eight.” (nobody reported it)" in str(call)


# Any conversation ---------------------------------------------------------------------------------------------------


class TestWorksOn(BotRules):
    """A bot that flushes, waits until it is heard, ends its speech and works on keeps the rules, whoever calls."""

    examples = 30

    def bot(self, llm: ScriptedLLM, voice: ScriptedVoice) -> Session:
        async def respond(reply: Reply) -> None:
            await reply.say("One moment: ")
            reply.flush()
            async for token in llm.stream(reply.messages):
                await reply.say(token)
            await reply.heard_so_far()
            await reply.say("Good bye.")
            reply.end_speech()
            await anyio.sleep(2.0)

        return Session(respond=respond, speak=voice)

    def check(self, conversation: Conversation) -> None:
        """What was heard is never out of its order."""
        for text in conversation.heard_of.values():
            assert "Good bye" not in text or "at once" in text


class TestWorksOnInTrio(TestWorksOn):
    """The same on the other library."""

    backend = "trio"
