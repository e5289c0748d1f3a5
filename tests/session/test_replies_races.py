"""Races between a reply and the conversation around it: each was once lost, and is named for what holds now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.session.reply import ReplyPlayback
from turnkit.turns.events import (
    Cancel,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Note,
    NoteKind,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    TurnResumed,
    UserIdle,
)
from turnkit.turns.policy import Never

pytestmark = pytest.mark.anyio


async def test_two_reprompts_in_one_step_say_what_the_first_was_to_say() -> None:
    """Two callbacks on UserIdle both reprompt: the first wins the floor, and says its own words."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("from the LLM")

    session = Session(respond=respond, speak=voice.speak, idle_timeout=1.0)
    session.on(UserIdle, lambda idle: session.initiate("Still there?") if idle.count == 1 else None)
    session.on(UserIdle, lambda idle: session.initiate("Hello?") if idle.count == 1 else None)
    await session.run(script(1.5))
    assert voice.heard == "Still there?"


async def test_a_commit_overtaken_in_its_own_step_is_no_failure_of_respond() -> None:
    """A draft waits in committed(); its commit and the next turn's start come in one burst."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.committed()
        await reply.say("x")

    session = Session(respond=respond, speak=voice.speak)
    burst = [EndOfTurn(0, "a"), StartOfTurn(1, "b")]
    await session.run(script(StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"), 0.5, *burst, 0.5), drain=False)
    assert session.notes[NoteKind.CALLBACK_FAILED] == 0


async def test_the_key_of_an_answered_turn_is_not_used_again() -> None:
    """Turn 0 was made up for in turn 1's audible reply; what makes up for turn 2 has turn 2's key."""
    voice = Voice()
    keys: list[tuple[int | None, str, tuple[str, ...]]] = []

    async def respond(reply: Reply) -> None:
        keys.append((reply.turn, reply.key, reply.unanswered))
        if reply.turn == 0:
            await anyio.sleep(9)
        await reply.say("one two three four five six seven eight nine ten")

    session = Session(respond=respond, speak=voice.speak, barge_in=Never(), id="call")
    await session.run(
        script(
            *turn(0, "book a table", eager=False),
            0.2,
            *turn(1, "please", eager=False),
            0.3,
            *turn(2, "and a taxi", eager=False),
            0.2,
            *turn(3, "for six", eager=False),
            3.0,
        )
    )
    assert keys[-1] == (3, "call:turn-2", ("and a taxi",))


async def test_resumed_and_held_again_in_one_step_is_held() -> None:
    """Whoever waits for the playback to go on still waits."""
    playback = ReplyPlayback(lambda: None, lambda text: None)
    seen: list[bool] = []

    async def voice() -> None:
        await playback.wait_resumed()
        seen.append(playback.held)

    async with anyio.create_task_group() as tasks:
        playback.hold()
        tasks.start_soon(voice)
        await anyio.wait_all_tasks_blocked()
        playback.resume()
        playback.hold()
        await anyio.wait_all_tasks_blocked()
        assert seen == []
        playback.resume()
    assert seen == [False]


async def test_a_chunk_on_its_way_is_not_heard_after_the_cancel() -> None:
    """respond says something in the very instant in which the user speaks again: speak never gets it."""
    log: list[object] = []
    gate = anyio.Event()

    async def respond(reply: Reply) -> None:
        await gate.wait()

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for chunk in chunks:
            playback.started()
            log.append(("sound", chunk))

    session = Session(respond=respond, speak=speak)
    session.on(Cancel, lambda cancel: log.append("cancel"))

    async def source() -> AsyncIterator[object]:
        for event in turn(0, "a", eager=False):
            yield event
        await anyio.sleep(1)
        # respond's step comes first, then the next one of this task, then speak's.
        session._replies._running[0].gate._pass_on("stale")
        yield StartOfTurn(1, "b")
        await anyio.sleep(1)

    await session.run(source(), drain=False)
    assert log == ["cancel"]


@pytest.mark.parametrize("steps", range(6))
async def test_respond_does_not_begin_after_its_cancel(steps: int) -> None:
    """However many steps of the scheduler lie between Speculate and Cancel."""
    voice = Voice()
    begun: list[object] = []

    async def respond(reply: Reply) -> None:
        begun.append(reply.outcome)
        await anyio.sleep(1)

    async def source() -> AsyncIterator[object]:
        yield StartOfTurn(0, "a")
        yield EagerEndOfTurn(0, "a")
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        yield TurnResumed(0, "a")
        await anyio.sleep(1)

    session = Session(respond=respond, speak=voice.speak)
    await session.run(source(), drain=False)
    assert begun in ([], [None])


async def test_whoever_waits_for_a_commit_is_told_that_it_will_not_come() -> None:
    """A worker of the host's own, outside the reply, waits in committed(); the draft is cancelled: it raises."""
    voice = Voice()
    told: list[str] = []
    async with anyio.create_task_group() as tasks:

        async def worker(reply: Reply) -> None:
            try:
                await reply.committed()
            except Exception as error:
                told.append(type(error).__name__)

        async def respond(reply: Reply) -> None:
            tasks.start_soon(worker, reply)
            await anyio.sleep(5)

        session = Session(respond=respond, speak=voice.speak)
        events = [StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"), 0.5, TurnResumed(0, "a"), 0.5]
        await session.run(script(*events), drain=False)
        with anyio.move_on_after(10):
            await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert told == ["LocalProtocolError"]


async def _fails_while_cleaning_up() -> None:
    try:
        await anyio.sleep(9)
    finally:
        raise OSError("broken pipe")


async def test_an_error_while_a_cancelled_respond_cleans_up_does_not_end_the_call() -> None:
    """Cancelled with two children, one of which fails as it goes (an HTTP client's broken pipe)."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        if reply.turn == 0:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_fails_while_cleaning_up)
                tasks.start_soon(anyio.sleep, 9)
        await reply.say("fine")

    session = Session(respond=respond, speak=voice.speak)
    withdrawn = [StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"), 0.5, TurnResumed(0, "a"), 0.5, EndOfTurn(0, "")]
    await session.run(script(*withdrawn, *turn(1, "b")))
    assert voice.heard == "fine"
    assert session.notes[NoteKind.CALLBACK_FAILED] == 1


async def test_nor_does_one_while_a_cancelled_callback_cleans_up() -> None:
    """The same in an async callback of the host's."""
    session = Session()

    @session.on(Speculate)
    async def draft(signal: Speculate) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_fails_while_cleaning_up)
            tasks.start_soon(anyio.sleep, 9)

    await session.run(script(StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"), 0.5, TurnResumed(0, "a"), 0.5))
    assert session.notes[NoteKind.CALLBACK_FAILED] == 1


async def test_a_host_that_plays_in_the_step_of_the_commit_is_kept_account_of() -> None:
    """Without speak: started, advanced and finished from a sync callback on Commit, as a text bot does."""
    session = Session()
    ends = outcomes(session)

    @session.on(Commit)
    def play(commit: Commit) -> None:
        session.playback_started(commit.reply)
        session.playback_advanced(commit.reply, "Yes.")
        session.playback_finished(commit.reply)

    await session.run(script(*turn(0, "a", eager=False), 1.0))
    assert ends == [(0, "finished", "Yes.")]
    assert session.history[-1] == {"role": "assistant", "content": "Yes."}


async def test_the_floor_is_free_when_a_reply_is_reported_to_have_ended() -> None:
    """A follow-up from ReplyEnded gets the floor."""
    voice = Voice()
    given: list[int | None] = []

    async def respond(reply: Reply) -> None:
        await reply.say("Done.")

    session = Session(respond=respond, speak=voice.speak)
    session.on(ReplyEnded, lambda end: given.append(session.initiate("Anything else?")) if end.turn == 0 else None)
    await session.run(script(*turn(0, "a", eager=False), 3.0))
    assert given == [1]
    assert voice.heard == "Done. Anything else?"


async def test_blank_text_that_was_heard_is_no_message() -> None:
    """A reply of which only white space was heard does not stand in the history."""

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for chunk in chunks:
            playback.advance(chunk)
            await anyio.sleep(1)

    async def respond(reply: Reply) -> None:
        await reply.say("\n")
        await anyio.sleep(1)
        await reply.say("x")

    session = Session(respond=respond, speak=speak)
    await session.run(script(*turn(0, "a", eager=False), 0.5, StartOfTurn(1, "b"), 1), drain=False)
    assert [message["content"] for message in session.history] == ["a"]


async def test_a_voice_that_returns_in_mid_chunk_was_heard_as_far_as_it_reported() -> None:
    """speak reports one word of three and returns: that word was heard, and no more."""

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            playback.started()
            playback.advance("one")
            return

    async def respond(reply: Reply) -> None:
        await reply.say("one two three")

    session = Session(respond=respond, speak=speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "a")))
    assert ends == [(0, "finished", "one")]


async def test_nothing_takes_effect_after_a_cancel_also_if_respond_had_failed() -> None:
    """Committed, respond raises, and before any sound a new turn cancels it: a worker of the host is refused."""
    voice = Voice()
    log: list[str] = []
    cancelled = anyio.Event()
    async with anyio.create_task_group() as tasks:

        async def worker(reply: Reply) -> None:
            await cancelled.wait()
            try:
                await reply.committed()
                log.append("effect")
            except LocalProtocolError:
                log.append("refused")

        async def respond(reply: Reply) -> None:
            if reply.turn == 0:
                tasks.start_soon(worker, reply)
                await reply.committed()
                await reply.say("x")
                raise OSError("the LLM hung up")

        def speak_again(note: Note) -> None:
            if note.kind is NoteKind.CALLBACK_FAILED:
                session._dispatcher.feed(StartOfTurn(1, "and"))

        def note_cancel(cancel: Cancel) -> None:
            log.append("cancel")
            cancelled.set()

        session = Session(respond=respond, speak=voice.speak)
        session.on(Note, speak_again)
        session.on(Cancel, note_cancel)
        await session.run(script(*turn(0, "a", eager=False), 1.0), drain=False)
    assert log[:2] == ["cancel", "refused"]
