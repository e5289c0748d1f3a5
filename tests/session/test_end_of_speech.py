"""A reply is over when its sound is: its author may say that no more comes, and work on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.kinds import kinds
from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import Voice
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.turns.events import BargeIn, Commit, EagerEndOfTurn, EndOfTurn, ReplyEnded, StartOfTurn
from turnkit.turns.policy import BargeInPolicy, IgnoreBackchannels, MinWords

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("policy", [MinWords(2), IgnoreBackchannels()])
async def test_an_answer_to_a_question_that_was_heard_is_a_turn_of_its_own(policy: BargeInPolicy) -> None:
    """While the database is still written: "Yes." is no backchannel, nothing is interrupted, nothing cancelled."""
    voice = Voice()
    done: list[str] = []

    async def respond(reply: Reply) -> None:
        if reply.turn == 0:
            await reply.say("Shall I book it for eight?")
            reply.end_speech()
            await anyio.sleep(4)
            done.append("written")
        else:
            await reply.say("Booked.")

    session = Session(respond=respond, speak=voice.speak, barge_in=policy)
    ends, signals = outcomes(session), listen(session)
    await session.run(script(*turn(0, "a table"), 1.5, *turn(1, "Yes."), 0.5, lambda: done.append("later"), 4.0))
    assert ends == [(0, "finished", "Shall I book it for eight?"), (1, "finished", "Booked.")]
    assert [signal.transcript for signal in signals if isinstance(signal, Commit)] == ["a table", "Yes."]
    assert BargeIn not in map(type, signals)
    assert done == ["later", "written"]


async def test_nothing_can_be_said_after_the_end_of_speech() -> None:
    """`say` tells so; twice is as good as once; the bounds hold: the drain lets the work end."""
    voice = Voice()
    said: list[bool] = []

    async def respond(reply: Reply) -> None:
        said.append(await reply.say("one"))
        reply.end_speech()
        reply.end_speech()
        said.append(await reply.say("two"))
        await anyio.sleep(3)
        async with reply.must_finish():
            said.append(reply.outcome == "finished")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "count")))
    assert ends == [(0, "finished", "one")]
    assert said == [True, False, True]


async def test_a_draft_may_end_its_speech() -> None:
    """It is held back until the commit all the same; and a draft that comes to nothing is cancelled at its work."""
    voice = Voice()
    worked: list[int] = []

    async def respond(reply: Reply) -> None:
        await reply.say(f"answer {reply.id}")
        reply.end_speech()
        await anyio.sleep(2)
        worked.append(reply.id)

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(
        script(
            *[StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), 0.5, EndOfTurn(0, "tea or milk")],
            *[1.0, StartOfTurn(1, "and"), EagerEndOfTurn(1, "and"), 1.0, lambda: voice.sounds.append((-1, "|"))],
            EndOfTurn(1, "and"),
        )
    )
    assert ends == [(0, "cancelled", ""), (1, "finished", "answer 1"), (2, "finished", "answer 2")]
    assert voice.heard == "answer 1 | answer 2"
    assert worked == [1, 2]


@pytest.mark.parametrize("work", ["sleep", "must_finish"])
async def test_a_voice_that_hangs_after_the_end_of_speech_is_bounded_whatever_the_work(work: str) -> None:
    """Work is no reason any more for the voice to be silent, and it is the voice that is told to have failed."""

    async def respond(reply: Reply) -> None:
        await reply.say("One. Two.")
        reply.end_speech()
        if work == "must_finish":
            async with reply.must_finish():
                await anyio.sleep(25)
        await anyio.sleep(25)

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        playback.started()
        playback.advance("One.")
        await anyio.sleep_forever()

    session = Session(respond=respond, speak=speak, silence_timeout=5.0)
    ends: list[ReplyEnded] = []
    session.on(ReplyEnded, ends.append)
    told: list[str] = []
    session.on_error(lambda failed: told.append(failed.function))
    began = anyio.current_time()
    await session.run(script(*turn(0, "count")))
    assert [(end.outcome, end.heard) for end in ends] == [("failed", "One.")]
    assert ends[0].at - began == pytest.approx(5.0)
    assert told[0].endswith("speak")


async def test_the_watch_leaves_a_reply_that_is_over_alone() -> None:
    """Work of a minute after the last sound, with a bound of five seconds on silence."""
    voice = Voice()
    done: list[str] = []

    async def respond(reply: Reply) -> None:
        await reply.say("Bye.")
        reply.end_speech()
        await anyio.sleep(59)
        done.append("worked")

    session = Session(respond=respond, speak=voice.speak, reply_timeout=5.0, silence_timeout=5.0)
    ends, signals = outcomes(session), listen(session)
    await session.run(script(*turn(0, "bye")))
    assert (ends, done) == ([(0, "finished", "Bye.")], ["worked"])
    assert "Note" not in kinds(signals)


async def test_the_end_of_speech_without_a_word_frees_the_floor_at_once() -> None:
    """A silent tool turn: its work holds up nobody, its turn is answered, and the next one is an ordinary turn."""
    voice = Voice()
    done: list[int | None] = []

    async def respond(reply: Reply) -> None:
        if reply.turn == 0:
            reply.end_speech()
            await anyio.sleep(4)
            done.append(reply.turn)
        else:
            assert reply.unanswered == ()
            await reply.say("Yes?")

    session = Session(respond=respond, speak=voice.speak, barge_in=MinWords(2), reply_timeout=2.0)
    ends = outcomes(session)
    await session.run(script(*turn(0, "lights on"), 0.5, *turn(1, "Hey."), 1.0, lambda: done.append(None), 4.0))
    assert ends == [(0, "finished", ""), (1, "finished", "Yes?")]
    assert done == [None, 0]


# Flush --------------------------------------------------------------------------------------------------------------


class Marking:
    """A voice that sees the marks: it says what it has at each mark, and at the end; silent between."""

    def __init__(self, seconds: float = 0.5) -> None:
        self.seconds = seconds
        self.said: list[tuple[str, float]] = []

    async def speak(self, reply: Reply, chunks: Any, playback: Any) -> None:
        text = told = ""
        async for item in chunks.with_marks():
            if isinstance(item, str):
                text += item
                continue
            told = await self.say(text, told, playback)
            item.heard()
        if text != told:
            await self.say(text, told, playback)

    async def say(self, text: str, told: str, playback: Any) -> str:
        self.said.append((text[len(told) :], anyio.current_time()))
        playback.started()
        await anyio.sleep(self.seconds)
        playback.advance(text)
        return text


@pytest.mark.parametrize("barrier", ["flush", "committed", "must_finish"])
async def test_what_was_said_before_a_tool_goes_to_the_voice_before_it(barrier: str) -> None:
    """Also without an end of sentence, and once: two marks with nothing between are one."""
    voice = Marking()

    async def respond(reply: Reply) -> None:
        reply.flush()
        await reply.say(" ")
        await reply.say("Let me check that for you: ")
        if barrier == "flush":
            reply.flush()
            reply.flush()
        if barrier == "committed":
            await reply.committed()
        if barrier == "must_finish":
            async with reply.must_finish():
                await anyio.sleep(10)
        else:
            await anyio.sleep(10)
        await reply.say("yes.")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    began = anyio.current_time()
    await session.run(script(*turn(0, "tea")))
    assert [text for text, _ in voice.said] == [" Let me check that for you: ", "yes."]
    assert [at - began for _, at in voice.said] == pytest.approx([0.0, 10.0])
    assert ends == [(0, "finished", " Let me check that for you: yes.")]


async def test_marks_keep_their_place_in_a_draft_and_are_not_counted_among_its_chunks() -> None:
    """A flush never waits, however much is held back; a plain `speak` sees none of them."""
    marked, plain = Marking(0.1), Voice()

    async def respond(reply: Reply) -> None:
        for count in range(200):
            await reply.say(f"{count} ")
            reply.flush()

    for voice in (marked, plain):
        session = Session(respond=respond, speak=voice.speak, reply_timeout=1.0)
        draft = [StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), 3.0]
        await session.run(script(*draft, lambda: None, EndOfTurn(0, "tea")))
    assert [text for text, _ in marked.said] == [f"{count} " for count in range(200)]
    assert plain.heard.split() == [str(count) for count in range(200)]


async def test_a_flush_after_the_end_changes_nothing() -> None:
    """Of a reply that was interrupted, and of one whose speech has ended."""
    voice = Voice()
    refused: list[str] = []

    async def respond(reply: Reply) -> None:
        try:
            await reply.say("one two three four")
            await anyio.sleep(0.2)
            if reply.turn == 1:
                reply.end_speech()
            await anyio.sleep(0.5)
        finally:
            reply.flush()
            reply.end_speech()
            if reply.turn == 0:
                with anyio.CancelScope(shield=True):
                    try:
                        await reply.heard_so_far()
                    except LocalProtocolError as error:
                        refused.append(str(error))

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "a"), 0.25, *turn(1, "b"), 2.0))
    assert ends == [(0, "interrupted", "one two"), (1, "finished", "one two three four")]
    assert refused == ["reply 0 is over (interrupted): not all of it was heard"]
