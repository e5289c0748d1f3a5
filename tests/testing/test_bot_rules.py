"""Bots that never answer, say nothing or are late are found; and a failure shows the stack of what the bot raised."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from turnkit import Session
from turnkit.session import Reply
from turnkit.testing import BotRules, Conversation, Pace, RehearsalFailed, ScriptedLLM, ScriptedVoice, rehearse
from turnkit.testing.virtual_clock import Backend
from turnkit.turns.events import UserIdle

BACKENDS: list[Backend] = ["asyncio", "trio"]


async def says_nothing(reply: Reply) -> None:
    """No word, and no error."""


async def says_blanks(reply: Reply) -> None:
    await reply.say(" ")


async def is_late(reply: Reply) -> None:
    await anyio.sleep(100.0)
    await reply.say("At last.")


class Quiet(BotRules):
    """A bot without a voice of its own."""

    respond: Any = None
    examples = 15

    def bot(self, llm: ScriptedLLM, voice: ScriptedVoice) -> Session:
        return Session(respond=type(self).__dict__["respond"], speak=voice)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("behaves", "message"),
    [
        (says_nothing, r"no answer was ever heard, in any of \d+ conversations"),
        (says_blanks, r"no answer was ever heard, in any of \d+ conversations"),
        (is_late, r"reply \d+ failed, and nothing scripted did: .*TimeoutError"),
    ],
)
def test_a_bot_that_does_not_answer_is_found(behaves: Any, message: str, backend: Backend) -> None:
    """Whatever it is that keeps it from answering."""

    class Found(Quiet):
        respond = behaves

    Found.backend = backend
    with pytest.raises(RehearsalFailed, match=message):
        Found().test_the_rules_hold_whoever_calls_and_whatever_fails()


def test_a_bot_that_only_greets_is_found() -> None:
    """What it says unasked is no answer."""

    class Greets(Quiet):
        def bot(self, llm: ScriptedLLM, voice: ScriptedVoice) -> Session:
            session = Session(respond=says_nothing, speak=voice, idle_timeout=5.0)

            @session.on(UserIdle)
            def greet(signal: UserIdle) -> None:
                session.initiate("Are you there?")

            return session

    with pytest.raises(RehearsalFailed, match="no answer was ever heard"):
        Greets().test_the_rules_hold_whoever_calls_and_whatever_fails()


def test_a_bot_without_a_respond_is_found() -> None:
    """It decides, and does nothing about it."""

    class Mute(BotRules):
        examples = 15

        def bot(self, llm: ScriptedLLM, voice: ScriptedVoice) -> Session:
            return Session()

    with pytest.raises(RehearsalFailed):
        Mute().test_the_rules_hold_whoever_calls_and_whatever_fails()


def test_a_bot_may_say_nothing_to_some_turns() -> None:
    """A tool may be all that was wanted; and a turn is answered now and then."""

    class Sparing(Quiet):
        def bot(self, llm: ScriptedLLM, voice: ScriptedVoice) -> Session:
            async def respond(reply: Reply) -> None:
                if reply.turn == 0:
                    await llm.respond(reply)

            return Session(respond=respond, speak=voice)

    Sparing().test_the_rules_hold_whoever_calls_and_whatever_fails()


def late(pace: Pace, voice: Pace | None = None) -> Conversation:
    llm = ScriptedLLM("At last.", pace=pace)
    bot = Session(respond=llm.respond, speak=ScriptedVoice(pace=voice or Pace()), drain_timeout=None)
    return rehearse(bot, "1.0 When? [end 0]")


def test_who_is_late_without_a_scripted_failure_breaks_the_rules() -> None:
    """By a hang that was asked for, or a failure, it breaks none."""
    with pytest.raises(RehearsalFailed, match=r"reply 0 failed, and nothing scripted did: .*TimeoutError"):
        late(Pace(100.0)).assert_keeps_the_rules()
    for planned in (Pace(hangs_at=0), Pace(fails_at=0), Pace(fails_at=1)):
        late(planned).assert_keeps_the_rules()
    for planned in (Pace(fails_at=0), Pace(fails_at=1)):
        late(Pace(), planned).assert_keeps_the_rules()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failure_shows_the_stack_of_what_the_bot_raised(backend: Backend) -> None:
    """Of each leaf of a group too; whatever the assertion was."""

    def look_up() -> None:
        raise LookupError("no such table")

    async def looks_up() -> None:
        look_up()

    async def respond(reply: Reply) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(looks_up)

    session = Session(respond=respond, speak=ScriptedVoice())
    call = rehearse(session, "1.0 When?", backend=backend)
    for assertion in (call.assert_keeps_the_rules, lambda: call.assert_heard("At eight.")):
        with pytest.raises(RehearsalFailed, match=r"Traceback(?s:.*)in look_up(?s:.*)LookupError: no such table"):
            assertion()
