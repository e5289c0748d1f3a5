"""A reply without a sound: an answer if its author wanted none, a failure otherwise; and what nobody reports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice
from turnkit.session import Reply, Session
from turnkit.turns.events import Commit, ReplyEnded

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("words", ["", " ", "\n", "...", b""])
async def test_silent_tool_turns_are_answered(words: str | bytes) -> None:
    """Three in a row have three keys, and none of their words come again; blanks are no words."""
    voice = Voice()
    keys: list[str] = []

    async def respond(reply: Reply) -> None:
        if words != "":
            await reply.say(words)
        async with reply.must_finish():
            keys.append(reply.key)

    session = Session(respond=respond, speak=voice.speak, id="call")
    ends = outcomes(session)
    commits: list[Commit] = []
    session.on(Commit, commits.append)
    await session.run(script(*turn(0, "lights on"), 1.0, *turn(1, "louder"), 1.0, *turn(2, "lights off"), 1.0))
    assert keys == ["call:turn-0", "call:turn-1", "call:turn-2"]
    assert [commit.unanswered for commit in commits] == [(), (), ()]
    assert ends == [(reply, "finished", "") for reply in range(3)]
    assert voice.sounds == []


@pytest.mark.parametrize("how", ["respond raises", "respond hangs", "speak raises", "speak hangs"])
async def test_a_reply_that_failed_without_a_sound_has_not_answered(how: str) -> None:
    """Its words come with the next turn, under its key."""
    voice = Voice()
    asked: list[tuple[str, tuple[str, ...]]] = []

    async def respond(reply: Reply) -> None:
        asked.append((reply.key, reply.unanswered))
        await reply.committed()
        if reply.turn == 0 and how == "respond raises":
            raise OSError
        if reply.turn == 0 and how == "respond hangs":
            await anyio.sleep_forever()
        await reply.say("Yes.")

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        if reply.turn == 0:
            if how == "speak raises":
                raise OSError
            await anyio.sleep_forever()
        await voice.speak(reply, chunks, playback)

    session = Session(respond=respond, speak=speak, id="call", reply_timeout=3.0, silence_timeout=3.0)
    ends: list[ReplyEnded] = []
    session.on(ReplyEnded, ends.append)
    await session.run(script(*turn(0, "book"), 5.0, *turn(1, "hello?"), 1.0, *turn(2, "thanks"), 1.0))
    assert asked == [("call:turn-0", ()), ("call:turn-0", ("book",)), ("call:turn-2", ())]
    assert [(end.outcome, type(end.error)) for end in ends] == [
        ("failed", OSError if "raises" in how else TimeoutError),
        ("finished", type(None)),
        ("finished", type(None)),
    ]


async def test_the_turn_that_waited_for_a_reply_that_failed_has_its_key() -> None:
    """A protected reply fails unheard over a turn that waits for its end: what is owed goes under one name."""
    voice = Voice()
    asked: list[tuple[str, tuple[str, ...]]] = []

    async def respond(reply: Reply) -> None:
        asked.append((reply.key, reply.unanswered))
        if reply.turn == 0:
            session.protect(reply.id)
            await anyio.sleep(2)
            raise OSError
        await reply.say("Yes.")

    session = Session(respond=respond, speak=voice.speak, id="call")
    ends = outcomes(session)
    await session.run(script(*turn(0, "book", eager=False), 0.5, *turn(1, "hello?"), 4.0))
    assert ends == [(0, "failed", ""), (1, "finished", "Yes.")]
    assert asked == [("call:turn-0", ()), ("call:turn-0", ("book",))]


@pytest.mark.parametrize(
    ("reports", "heard", "reported"),
    [
        ([], "You said so.", False),
        (["started"], "You said so.", True),
        (["started", "You"], "You", True),
        (["You said so."], "You said so.", True),
    ],
)
async def test_what_nobody_reported_is_told_apart_from_what_was_heard(
    reports: list[str], heard: str, reported: bool
) -> None:
    """A voice that returns without a report leaves it open; the turn counts as answered all the same."""
    asked: list[tuple[str, ...]] = []

    async def respond(reply: Reply) -> None:
        asked.append(reply.unanswered)
        await reply.say("You said ")
        await reply.say("so.")

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            pass
        for report in reports:
            playback.started() if report == "started" else playback.advance(report)

    session = Session(respond=respond, speak=speak)
    ends: list[ReplyEnded] = []
    session.on(ReplyEnded, ends.append)
    await session.run(script(*turn(0, "a"), 1.0, *turn(1, "b"), 1.0))
    assert [(end.heard, end.reported, end.outcome) for end in ends] == [(heard, reported, "finished")] * 2
    assert asked == [(), ()]
    assert [message["content"] for message in session.history] == ["a", heard, "b", heard]


async def test_a_host_that_runs_the_replies_may_be_silent_on_purpose() -> None:
    """It reports the end of a reply that made no sound: that was its answer."""
    session = Session()
    commits: list[Commit] = []
    session.on(Commit, commits.append)
    session.on(Commit, lambda commit: session.playback_finished(commit.reply))
    ends = outcomes(session)
    await session.run(script(*turn(0, "a"), *turn(1, "b")))
    assert ends == [(0, "finished", ""), (1, "finished", "")]
    assert [commit.unanswered for commit in commits] == [(), ()]


@pytest.mark.parametrize("heard", ["", "some"])
@pytest.mark.parametrize("failed", [False, True])
async def test_callbacks_say_whether_their_reply_has_failed(failed: bool, heard: str) -> None:
    """Who runs the replies may have no voice for one: its words come again, unless something was heard."""
    session = Session()
    ends = outcomes(session)
    commits: list[Commit] = []

    @session.on(Commit)
    def answer(commit: Commit) -> None:
        commits.append(commit)
        if heard:
            session.playback_advanced(commit.reply, heard)
        session.playback_finished(commit.reply, failed=failed)

    await session.run(script(*turn(0, "lights on"), 1.0, *turn(1, "louder"), 1.0))
    outcome = "failed" if failed else "finished"
    assert ends == [(0, outcome, heard), (1, outcome, heard)]
    assert commits[1].unanswered == (("lights on",) if failed and not heard else ())
