"""What hurts those who build voice bots, as tests: the life of a reply, from its beginning to its last sound.

The table is PAINS.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import WORD_SECONDS, Voice, echo
from turnkit.session import Reply, Session
from turnkit.speaking import ClockSink, speaker
from turnkit.turns.events import Commit, EndOfTurn, ReplyEnded, StartOfTurn, UserIdle
from turnkit.turns.policy import IgnoreBackchannels, MinWords

pytestmark = pytest.mark.anyio


async def test_p26_a_noise_before_the_first_sound_costs_no_answer() -> None:
    """A cough while the LLM works cancels it; no words follow, and the bot is silent until the user speaks again.

    https://github.com/pipecat-ai/pipecat/issues/4308 - a turn without words leaves a reply alone that is on its way,
    and "mm-hm" is for the policy to judge: six of them are one answer and one LLM call.
    """
    asked: list[str] = []

    async def respond(reply: Reply) -> None:
        asked.append(reply.transcript)
        await anyio.sleep(1.0)
        await reply.say(reply.transcript)

    for heard, policy in (("", MinWords(2)), ("Mm-hm", IgnoreBackchannels())):
        voice = Voice()
        session = Session(respond=respond, speak=voice.speak, barge_in=policy)
        noises = [step for n in range(1, 7) for step in (StartOfTurn(n, heard), 0.05, EndOfTurn(n, heard), 0.05)]
        await session.run(script(*turn(0, "When do you open?", eager=False), 0.1, *noises, 3.0))
        assert voice.heard == "When do you open?"
    assert len(asked) == 2


async def test_p27_an_answer_that_dribbles_and_stops_is_no_silence_for_ever() -> None:
    """An LLM's stream begins and stops before the end of a sentence: "Hello?" three times, and the caller hangs up.

    https://github.com/pipecat-ai/pipecat/issues/5804 - the silence of a reply is bounded, not only its beginning: it
    fails, the host is told while the caller is still there, and the next turn is answered.
    """
    voice = Voice()
    told: list[str] = []

    async def respond(reply: Reply) -> None:
        await reply.say("Did you mean")
        if reply.turn == 0:
            await anyio.sleep_forever()

    session = Session(respond=respond, speak=voice.speak, silence_timeout=5.0)
    session.on(ReplyEnded, lambda end: told.append(f"{end.outcome} {type(end.error).__name__}"))
    with anyio.fail_after(60.0):
        await session.run(script(*turn(0, "Which swim?"), 7.0, *turn(1, "Hello?"), 3.0))
    assert told == ["failed TimeoutError", "finished NoneType"]


async def test_p28_a_voice_that_stops_in_mid_sentence_does_not_keep_the_floor() -> None:
    """A TTS service sends no more audio and no end: the agent is "speaking" for 66 seconds, and deaf.

    https://github.com/livekit/agents-js/pull/1174 - a voice that has words and makes no sound has failed after
    `silence_timeout`; what it had said by then is in the history, and the silence is told of.
    """

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            playback.started()
            playback.advance("We open")
            await anyio.sleep_forever()

    async def respond(reply: Reply) -> None:
        await reply.say("We open at eight.")

    session = Session(respond=respond, speak=speak, silence_timeout=5.0, idle_timeout=3.0)
    ends, signals = outcomes(session), listen(session)
    await session.run(script(*turn(0, "When?"), 10.0))
    assert ends == [(0, "failed", "We open")]
    assert session.history[-1] == {"role": "assistant", "content": "We open"}
    assert any(isinstance(signal, UserIdle) for signal in signals)


async def test_p29_a_transfer_waits_for_its_announcement() -> None:
    """A tool hangs up or transfers while the sentence that says so is still being spoken, or before it is.

    https://github.com/livekit/agents/issues/3137
    https://github.com/pipecat-ai/pipecat-examples/issues/257 - `heard_so_far` waits until it was heard; a caller who
    says no is not transferred.
    """
    for objection in (False, True):
        voice = Voice()
        transferred: list[str] = []

        async def respond(reply: Reply, voice: Voice = voice, transferred: list[str] = transferred) -> None:
            if reply.turn == 0:
                await reply.say("I will put you through now.")
                await reply.heard_so_far()
                transferred.append(voice.heard)

        session = Session(respond=respond, speak=voice.speak)
        no = [2 * WORD_SECONDS, *turn(1, "No, wait")] if objection else []
        await session.run(script(*turn(0, "An operator, please"), *no, 2.0))
        assert transferred == ([] if objection else ["I will put you through now."])


async def test_p30_what_is_said_before_a_tool_is_heard_before_it() -> None:
    """ "One moment, please" is spoken after the tool that it was to cover, because no sentence had ended.

    https://github.com/pipecat-ai/pipecat/issues/2752
    https://github.com/pipecat-ai/pipecat/issues/4492 - a barrier flushes by itself, and `flush` does it elsewhere.
    """

    async def tts(text: str) -> AsyncIterator[bytes]:
        said.append((text, round(anyio.current_time() - began, 1)))
        yield bytes(3200)

    async def respond(reply: Reply) -> None:
        await reply.say("Let me check that for you:")
        async with reply.must_finish():
            await anyio.sleep(10.0)
        await reply.say(" there is a table.")

    said: list[tuple[str, float]] = []
    began = anyio.current_time()
    session = Session(respond=respond, speak=speaker(tts, ClockSink()))
    await session.run(script(*turn(0, "A table?"), 15.0))
    assert said == [("Let me check that for you:", 0.0), ("there is a table.", 10.0)]


async def test_p31_a_tool_s_second_request_knows_what_was_said_before_it() -> None:
    """The text before a tool call is spoken but not in the context, so the model says it again.

    https://github.com/pipecat-ai/pipecat/issues/3023
    https://github.com/pipecat-ai/pipecat/issues/3631 - `reply.messages` has what this reply has said, before what was
    remembered since; the history keeps to what was heard.
    """
    voice = Voice()
    messages: list[list[str]] = []

    async def respond(reply: Reply) -> None:
        await reply.say("Let me see.")
        await reply.committed()
        session.remember({"role": "tool", "content": "sunny"})
        messages.append([message["content"] for message in reply.messages])

    session = Session(respond=respond, speak=voice.speak)
    await session.run(script(*turn(0, "The weather?"), 3.0))
    assert messages == [["The weather?", "Let me see.", "sunny"]]


async def test_p32_what_made_no_sound_was_not_heard() -> None:
    """A TTS gives no audio, and the whole text is written down as what the agent has said.

    https://github.com/livekit/agents/issues/1259
    https://github.com/livekit/agents/issues/4171 - the reply has failed, nothing of it was heard, and what it was to
    answer comes again with the next turn.
    """

    async def tts(text: str) -> AsyncIterator[bytes]:
        for _ in range(0):
            yield b""

    session = Session(respond=echo, speak=speaker(tts, ClockSink()))
    ends, signals = outcomes(session), listen(session)
    await session.run(script(*turn(0, "Hello?"), 2.0, *turn(1, "Anybody?"), 2.0))
    assert ends == [(0, "failed", ""), (1, "failed", "")]
    assert [signal.unanswered for signal in signals if isinstance(signal, Commit)] == [(), ("Hello?",)]
    assert {message["role"] for message in session.history} == {"user"}


async def test_p33_a_short_answer_to_a_question_that_was_heard_is_an_answer() -> None:
    """The bot's question is over, its state is still "speaking", and the short answer is thrown away.

    https://github.com/pipecat-ai/pipecat/issues/2704 - once nothing more will be said, the floor is free with the last
    sound; the work that goes on behind it is not cancelled by the answer.
    """
    voice = Voice()
    written: list[str] = []

    async def respond(reply: Reply) -> None:
        if reply.turn == 0:
            await reply.say("Shall I book it for eight?")
            reply.end_speech()
            await anyio.sleep(4.0)
            written.append("done")
        else:
            await reply.say("Booked.")

    session = Session(respond=respond, speak=voice.speak, barge_in=IgnoreBackchannels())
    ends = outcomes(session)
    await session.run(script(*turn(0, "A table for two"), 2.0, *turn(1, "Yes."), 5.0))
    assert ends == [(0, "finished", "Shall I book it for eight?"), (1, "finished", "Booked.")]
    assert written == ["done"]


async def test_p34_a_turn_that_only_calls_a_tool_is_answered_and_over() -> None:
    """The model calls a tool and says nothing, or a blank: the pipeline waits for audio that never comes.

    https://github.com/livekit/agents/issues/4480
    https://github.com/dograh-hq/pipecat/issues/61 - a reply whose author wants no sound has answered: the floor is
    free, nothing is left unanswered, and three of them in a row have a key each.
    """
    voice = Voice()
    keys: list[str] = []

    async def respond(reply: Reply) -> None:
        await reply.say(" ")
        async with reply.must_finish():
            keys.append(reply.key)

    session = Session(respond=respond, speak=voice.speak)
    ends, signals = outcomes(session), listen(session)
    await session.run(script(*(step for n in range(3) for step in (*turn(n, f"Light {n} on"), 1.0))))
    assert [outcome for _, outcome, _ in ends] == ["finished"] * 3
    assert len(set(keys)) == 3
    assert all(not signal.unanswered for signal in signals if isinstance(signal, Commit))


async def test_p35_an_uninterruptible_sentence_that_never_ends_does_not_wedge_the_call() -> None:
    """Speech that may not be interrupted hangs, and with it the agent: nothing the user says gets through any more.

    https://github.com/livekit/agents/issues/1613 - protection holds from the first moment, and it ends with the bound
    on silence at the latest: then what was said over it is answered.
    """
    voice = Voice()

    async def greeting(reply: Reply) -> None:
        await reply.say("This call is recorded.")
        await anyio.sleep_forever()

    session = Session(respond=echo, speak=voice.speak, silence_timeout=5.0)
    ends = outcomes(session)
    greet = [lambda: session.initiate(greeting, protected=True)]
    await session.run(script(*greet, *turn(0, "Hello?"), 12.0))
    assert ends == [(0, "failed", "This call is recorded."), (1, "finished", "You said: Hello?")]
