"""The test kit that ships: a call goes as its script says, whatever the bot is made of."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import anyio
import pytest

import turnkit.testing
from tests.support.scripted_bot import OPEN, bot
from turnkit import Session
from turnkit.errors import ConfigError
from turnkit.session import Reply
from turnkit.speaking import ClockSink, speaker
from turnkit.testing import (
    Caller,
    Conversation,
    Pace,
    RehearsalFailed,
    ScriptedLLM,
    ScriptedTool,
    ScriptedVoice,
    converse,
    rehearse,
)
from turnkit.turns.events import Commit, EndOfTurn, Outcome, StartOfTurn

# A first test -------------------------------------------------------------------------------------------------------


def test_the_ten_lines_of_the_docstring_run() -> None:
    """They are a whole test file; and they do test something, as a bot that cannot be interrupted fails them."""
    assert turnkit.testing.__doc__ is not None
    lines = [line for line in turnkit.testing.__doc__.splitlines() if line.startswith("    ") or not line]
    example = textwrap.dedent("\n".join(lines)).strip()
    first_test = "test_the_caller_may_interrupt"
    names: dict[str, Any] = {}
    exec(example, names)
    names[first_test]()
    deaf = example.replace("speak=ScriptedVoice()", "speak=ScriptedVoice(), barge_in=Never()")
    exec(deaf.replace("import Session", "import Never, Session"), names)
    with pytest.raises(RehearsalFailed, match="was never"):
        names[first_test]()


def test_every_name_is_there_and_says_what_it_is() -> None:
    """The public names, loaded on first use or at once, each with a docstring; and no others."""
    for name in turnkit.testing.__all__:
        assert getattr(turnkit.testing, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'curio'"):
        _ = turnkit.testing.curio


def test_without_hypothesis_and_trio_the_rest_works() -> None:
    """Only the parts that need them say so, in one sentence."""
    code = """
        import sys
        for name in ("hypothesis", "trio", "pytest"):
            sys.modules[name] = None
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *a: None if sys.modules.get(name, 0) is None else find(name, *a)
        from turnkit import Session
        from turnkit.testing import NotInstalled, ScriptedLLM, ScriptedVoice, rehearse
        session = Session(respond=ScriptedLLM("Hello.").respond, speak=ScriptedVoice())
        rehearse(session, "1.0 Hello?").assert_heard("Hello.")
        for name in ("BotRules", "MachineRules", "strategies"):
            try:
                getattr(__import__("turnkit.testing").testing, name)
            except NotInstalled as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        f"turnkit.testing.{name} needs hypothesis, which is not installed: pip install 'turnkit[testing]'"
        for name in ("BotRules", "MachineRules", "strategies")
    ]


# The call -----------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_call_goes_as_scripted() -> None:
    """What is waited for is waited for, and what is done by the agent is in the record, with its times."""
    call = await converse(
        bot(),
        """
        1.0           When are you open? [eager] [end 1.0]
        @speaking+1   Sorry? [end 0]
        @done+2       [hang up]
        """,
    )
    at = {type(moment.what).__name__: round(moment.at, 2) for moment in call.moments}
    first = next(moment.at for moment in call.moments if moment.who == "agent")
    assert call.replies[0].heard.strip() == "We are open from"
    assert at["BargeIn"] == pytest.approx(first + 1.0 + 0.355, abs=0.02), "the word is recognised once it has been said"
    assert [end.outcome for end in call.replies] == [Outcome.INTERRUPTED, Outcome.FINISHED]
    assert call.heard == f"We are open from\n{OPEN}"
    assert [message["role"] for message in call.history] == ["user", "assistant", "user", "assistant"]
    call.assert_at_rest()


@pytest.mark.anyio
async def test_the_caller_waits_for_words() -> None:
    """Once they have been heard, in any case and punctuation; not before."""
    call = await converse(bot(), '1.0 When? [end]\n@"From Nine!"  Thanks. [end]')
    assert call.replies[0].heard.strip() == "We are open from nine to", "one word passes until the caller's is known"


@pytest.mark.anyio
async def test_a_caller_who_waits_in_vain_fails_the_test() -> None:
    """With the line of the script, and the conversation."""
    mute = Session(respond=ScriptedLLM("").respond, speak=ScriptedVoice())
    with pytest.raises(RehearsalFailed, match=r"line 2 of the caller's script waited 60 s in vain(?s:.*)“Hello”"):
        await converse(mute, "1.0 Hello\n@speaking Oh.")


@pytest.mark.anyio
async def test_a_bot_that_hangs_fails_the_test() -> None:
    """No waiting for ever: the call is over at its limit, and the error says for what."""
    llm = ScriptedLLM(OPEN, pace=Pace(hangs_at=2))
    session = Session(respond=llm.respond, speak=ScriptedVoice(), silence_timeout=None, drain_timeout=None)
    with pytest.raises(
        RehearsalFailed, match=r"not over after 600 s: reply 0 never came to an end(?s:.*)is heard: reply 0"
    ):
        await converse(session, "1.0 When?")


@pytest.mark.anyio
async def test_any_source_and_any_voice_will_do() -> None:
    """A source of the caller's own making, and the ready-made speaker on a clock."""

    async def source() -> AsyncIterator[object]:
        yield StartOfTurn(0, "When?")
        yield EndOfTurn(0, "When?")

    async def synthesise(text: str) -> AsyncIterator[bytes]:
        yield bytes(9600 * len(text.split()))

    session = Session(respond=ScriptedLLM(OPEN).respond, speak=speaker(synthesise, ClockSink()))
    call = await converse(session, source())
    call.assert_heard(OPEN)
    call.assert_keeps_the_rules()


@pytest.mark.anyio
async def test_a_bot_may_have_a_call_of_its_own() -> None:
    """`run_call` is given the source; what the agent says unasked is heard, and its tools are known."""
    tool = ScriptedTool("look up")
    session = bot()

    async def greet(reply: Reply) -> None:
        await tool(key=reply.key)
        await reply.say("Welcome!")

    async def run_call(source: AsyncIterable[object]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.run, source)
            await anyio.sleep(0.5)
            session.initiate(greet)

    call = await converse(session, "@done+1  When?", run_call=run_call)
    assert call.heard == f"Welcome!\n{OPEN}"
    (effect,) = call.effects
    assert (effect.call.reply, effect.too_early) == (session_reply(call, 0), False)


def session_reply(call: Conversation, reply: int) -> Reply:
    return call._replies[reply]


@pytest.mark.anyio
async def test_a_bot_of_callbacks_is_rehearsed_too() -> None:
    """Without respond and speak, what it reports of its playback counts as heard."""
    session = Session()

    @session.on(Commit)
    async def answer(commit: Commit) -> None:
        session.playback_started(commit.reply)
        await anyio.sleep(0.5)
        session.playback_advanced(commit.reply, "Tea it is.")
        session.playback_finished(commit.reply)

    call = await converse(session, "1.0 Tea.")
    call.assert_heard("Tea it is.")
    call.assert_keeps_the_rules()


@pytest.mark.anyio
async def test_what_is_no_bot_is_refused() -> None:
    """A respond where a session belongs is the likely slip."""
    wrong: Any = "bot"
    with pytest.raises(ConfigError, match="bot=str: must be a Session, or a function that makes one"):
        await converse(wrong, "1.0 Hello")
    with pytest.raises(ConfigError, match=r"bot\(\) gave int: must be a Session"):
        await converse(lambda: 5, "1.0 Hello")  # type: ignore[arg-type, return-value]


def test_one_caller_for_many_calls_and_one_call_a_session() -> None:
    """The record of a call does not leak into the next."""
    caller = Caller("1.0 When?")
    assert str(rehearse(bot, caller)) == str(rehearse(bot, caller, backend="trio")) == str(rehearse(bot, caller))
    assert "asked" not in str(rehearse(Session(), caller))
