"""`heard_so_far` waits until what was said has been heard, whatever the voice reports, and never for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.turns.events import EagerEndOfTurn, EndOfTurn, StartOfTurn
from turnkit.turns.policy import HoldThenDecide, MinWords

pytestmark = pytest.mark.anyio

WORD = 0.3


async def by_marks(reply: Reply, chunks: Any, playback: Any) -> None:
    text = ""
    async for item in chunks.with_marks():
        if isinstance(item, str):
            await anyio.sleep(WORD * len(item.split()))
            text += item
        else:
            item.heard()
    playback.advance(text)


async def by_text(reply: Reply, chunks: Any, playback: Any) -> None:
    """Reads ahead, and says it in other spaces and signs."""
    heard: list[str] = []
    async with anyio.create_task_group() as tasks:
        send, receive = anyio.create_memory_object_stream[str](100)

        async def play() -> None:
            with receive:
                async for word in receive:
                    await anyio.sleep(WORD)
                    heard.append(word.strip(".").upper())
                    playback.started()
                    playback.advance("  ".join(heard))

        tasks.start_soon(play)
        with send:
            async for chunk in chunks:
                for word in chunk.split():
                    await send.send(word)


async def by_other_words(reply: Reply, chunks: Any, playback: Any) -> None:
    """Reports what is never what was said."""
    heard = ""
    async for chunk in chunks:
        for _ in chunk.split():
            await anyio.sleep(WORD)
            heard += "la "
            playback.advance(heard)


async def by_its_start(reply: Reply, chunks: Any, playback: Any) -> None:
    async for chunk in chunks:
        playback.started()
        await anyio.sleep(WORD * len(chunk.split()))


async def by_nothing(reply: Reply, chunks: Any, playback: Any) -> None:
    async for chunk in chunks:
        await anyio.sleep(WORD * len(chunk.split()))


LATEST = {by_marks: 0.0, by_text: 0.0, by_other_words: 2.5, by_its_start: 1.5, by_nothing: 1.5}


@pytest.mark.parametrize("speak", LATEST)
async def test_the_transfer_comes_after_its_announcement(speak: Any) -> None:
    """Not before its last word; soon after where the voice tells; and again for what is said after that."""
    moments: list[float] = []

    async def respond(reply: Reply) -> None:
        await reply.heard_so_far()  # nothing yet
        for text in ("I put you through now. ", "Good bye."):
            await reply.say(text)
            await reply.heard_so_far()
            moments.append(anyio.current_time() - began)

    session = Session(respond=respond, speak=speak)
    ends = outcomes(session)
    began = anyio.current_time()
    await session.run(script(*turn(0, "transfer me")))
    assert ends[0][1] == "finished"
    first, second = moments
    assert WORD * 5 <= first + 1e-6 <= WORD * 5 + LATEST[speak] + 1e-3
    assert WORD * 2 <= second - first + 1e-6 <= WORD * 2 + LATEST[speak] + 1e-3


async def test_it_waits_for_the_commit_too() -> None:
    """A draft is not heard; one that comes to nothing is cancelled where it waits."""
    voice = Voice()
    log: list[str] = []

    async def respond(reply: Reply) -> None:
        await reply.say("bye")
        await reply.heard_so_far()
        log.append(f"{reply.id} is heard")

    session = Session(respond=respond, speak=voice.speak)
    await session.run(
        script(
            *[StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"), 1.0, EagerEndOfTurn(0, "a b"), 1.0],
            *[lambda: log.append("final"), EndOfTurn(0, "a b"), 1.0],
        )
    )
    assert log == ["final", "1 is heard"]


async def test_barge_in_cancels_it() -> None:
    """Nobody hangs up on who interrupts: respond is cancelled, and whoever else waits is told."""
    voice = Voice()
    log: list[str] = []
    workers: TaskGroup

    async def worker(reply: Reply) -> None:
        try:
            await reply.heard_so_far()
            log.append("hung up")
        except LocalProtocolError:
            log.append("told")

    async def respond(reply: Reply) -> None:
        await reply.say("one two three four five")
        if reply.turn == 0:
            workers.start_soon(worker, reply)
            await reply.heard_so_far()
            log.append("hung up")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    async with anyio.create_task_group() as workers:
        await session.run(script(*turn(0, "bye"), 0.25, *turn(1, "wait"), 1.0))
    assert [end[1] for end in ends] == ["interrupted", "finished"]
    assert log == ["told"]


async def test_a_playback_that_is_held_is_waited_for() -> None:
    """While an overlap is judged nothing is heard: a voice that reports nothing is given that time too."""
    moments: list[float] = []

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for chunk in chunks:
            playback.started()
            for _ in chunk.split():
                await playback.wait_resumed()
                await anyio.sleep(WORD)

    async def respond(reply: Reply) -> None:
        await reply.say("one two three four")
        await reply.heard_so_far()
        moments.append(anyio.current_time() - began)

    session = Session(respond=respond, speak=speak, barge_in=HoldThenDecide(MinWords(3)))
    began = anyio.current_time()
    await session.run(script(*turn(0, "go", eager=False), 0.4, StartOfTurn(1, "mm"), 1.5, EndOfTurn(1, "mm"), 5.0))
    assert moments
    assert moments[0] >= 4 * WORD + 1.5 - 0.2


@pytest.mark.parametrize("how", ["at once", "after its start", "reads all first"])
async def test_a_voice_that_hangs_is_bounded(how: str) -> None:
    """No deadlock: the reply has failed when the silence has lasted too long, and whoever waits is let go."""
    log: list[str] = []

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        if how == "after its start":
            playback.started()
        if how == "reads all first":
            async for _ in chunks.with_marks():  # type: ignore[attr-defined]
                pass
        await anyio.sleep_forever()

    async def respond(reply: Reply) -> None:
        try:
            await reply.say("one two")
            await reply.heard_so_far()
            log.append("heard")
        finally:
            log.append("let go")

    session = Session(respond=respond, speak=speak, silence_timeout=5.0)
    ends = outcomes(session)
    with anyio.fail_after(30):
        await session.run(script(*turn(0, "go")))
    assert ends == [(0, "failed", "")]
    assert log == ["let go"]


async def test_after_the_end_of_speech_it_waits_for_the_end() -> None:
    """There are no more marks then; and of a reply that was heard to its end it returns at once."""
    voice = Voice()
    moments: list[float] = []

    async def respond(reply: Reply) -> None:
        await reply.say("one two three")
        reply.end_speech()
        for _ in range(2):
            await reply.heard_so_far()
            moments.append(anyio.current_time() - began)

    session = Session(respond=respond, speak=voice.speak)
    began = anyio.current_time()
    await session.run(script(*turn(0, "go")))
    assert moments == [pytest.approx(0.3)] * 2
