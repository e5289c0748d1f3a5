"""A reply that has the floor and is silent is bounded, and so is the wait at the end of the source."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import anyio
import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice
from turnkit.session import Reply, Session
from turnkit.turns.events import ReplyEnded, TurnStarted

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("first", ["one two", " "])
async def test_a_respond_that_hangs_after_a_chunk_fails(first: str) -> None:
    """The floor is free in time to say something else, what was heard stands, and the run returns."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say(first)
        await anyio.sleep_forever()

    session = Session(respond=respond, speak=voice.speak, reply_timeout=5.0, silence_timeout=5.0)
    ends = outcomes(session)
    session.on(ReplyEnded, lambda end: session.initiate("One moment") if end.reply == 0 else None)
    with anyio.fail_after(60):
        await session.run(script(*turn(0, "hello"), 8.0))
    heard = first.strip()
    assert ends == [(0, "failed", heard), (1, "finished", "One moment")]
    assert [m["content"] for m in session.history if m["role"] == "assistant"] == [
        *([heard] * bool(heard)),
        "One moment",
    ]


@pytest.mark.parametrize("words", ["", "One."])
async def test_a_voice_that_hangs_fails(words: str) -> None:
    """Before its first sound or after its first sentence, and however much is said meanwhile."""

    async def respond(reply: Reply) -> None:
        for _ in range(100):
            await reply.say("One. ")
            await anyio.sleep(0.5)

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        if words:
            playback.started()
            playback.advance(words)
        await anyio.sleep_forever()

    session = Session(respond=respond, speak=speak, silence_timeout=5.0)
    ends = outcomes(session)
    with anyio.fail_after(20):
        await session.run(script(*turn(0, "hello")))
    assert ends == [(0, "failed", words)]


@pytest.mark.parametrize("how", ["busy", "must_finish"])
async def test_work_that_says_so_is_no_stall(how: str) -> None:
    """A tool of 25 s between two sentences, with a bound of 5 s."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("one ")
        async with reply.must_finish() if how == "must_finish" else nullcontext():
            with session.busy() if how == "busy" else nullcontext():
                await anyio.sleep(25)
        await reply.say("two")

    session = Session(respond=respond, speak=voice.speak, silence_timeout=5.0)
    ends = outcomes(session)
    await session.run(script(*turn(0, "hello")))
    assert ends == [(0, "finished", "one two")]


async def test_the_wait_at_the_end_of_the_source_is_bounded() -> None:
    """Neither a reply nor a callback that hangs keeps the run from returning."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        with session.busy():
            await anyio.sleep_forever()

    async def hang(signal: object) -> None:
        await anyio.sleep_forever()

    session = Session(respond=respond, speak=voice.speak, drain_timeout=10.0)
    session.on(TurnStarted, hang)
    ends = outcomes(session)
    began = anyio.current_time()
    with anyio.fail_after(60):
        await session.run(script(*turn(0, "hello")))
    assert anyio.current_time() - began == pytest.approx(10.0)
    assert len(ends) == 1
