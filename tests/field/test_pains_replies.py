"""What hurts those who build voice bots, as tests: what the agent says and when. The table is PAINS.md."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.frames import frame
from tests.support.refereed_call import RefereedCall
from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import WORD_SECONDS, Voice
from turnkit.metrics import Metrics
from turnkit.session import Reply, Session
from turnkit.speaking.timeline import Timeline
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    NoteKind,
    Outcome,
    PlaybackStarted,
    StartOfTurn,
    TurnResumed,
    Update,
    UserIdle,
)
from turnkit.turns.policy import MinWords

pytestmark = pytest.mark.anyio


async def test_p01_one_utterance_gets_one_answer() -> None:
    """Cut in two by the detector, an utterance sets off two inferences, and both answers are spoken.

    https://github.com/pipecat-ai/pipecat/issues/1540 - a Commit uses its turn up; whatever ends the same turn again is
    counted and does nothing; and of two turns in one breath, one answer covers both.
    """
    voice = Voice()
    asked: list[tuple[tuple[str, ...], str]] = []

    async def respond(reply: Reply) -> None:
        await anyio.sleep(0.5)
        await reply.committed()
        asked.append((reply.unanswered, reply.transcript))
        await reply.say(f"To {reply.transcript}")

    session = Session(respond=respond, speak=voice.speak)
    signals = listen(session)
    first = [StartOfTurn(0, "I am"), EagerEndOfTurn(0, "I am doing"), 0.3, TurnResumed(0, "I am doing")]
    ended = [EagerEndOfTurn(0, "I am doing good."), 0.2, EndOfTurn(0, "I am doing good.")]
    again = [EndOfTurn(0, "I am doing good."), EagerEndOfTurn(0, "I am doing good."), Update(0, "I am doing good.")]
    await session.run(script(*first, *ended, *again, 2.0, *turn(1, "Yes it is"), 0.3, *turn(2, "totally fine")))
    assert voice.heard == "To I am doing good. To totally fine"
    assert asked == [((), "I am doing good."), (("Yes it is",), "totally fine")]
    commits = [signal.turn for signal in signals if isinstance(signal, Commit)]
    assert commits == [0, 1, 2], "one a turn; that of turn 1 was cancelled unheard"
    assert session.notes[NoteKind.STALE_TURN] == 3


@pytest.mark.parametrize("thinking", [0.45, 0.5, 0.55, 0.624, 1.0])
async def test_p05_a_stale_reply_does_not_start_over_the_user(thinking: float) -> None:
    """Half a second after a premature end the user goes on, and yet the reply that is being thought begins to sound.

    https://github.com/livekit/agents/issues/5509 - no playback starts while a turn of the user's is open.
    """
    voice = Voice()
    heard_meanwhile: list[str] = []

    async def respond(reply: Reply) -> None:
        await anyio.sleep(thinking)
        await reply.say(f"answer {reply.id}")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(
        script(
            *turn(0, "Okay, no, no, no, no.", eager=False),
            0.44,
            StartOfTurn(1, "No"),
            1.5,
            lambda: heard_meanwhile.append(voice.heard),
            EndOfTurn(1, "No hace falta. 678."),
        )
    )
    assert heard_meanwhile == [""]
    assert ends == [(0, "cancelled", ""), (1, "finished", "answer 1")]
    assert voice.heard == "answer 1"


class Transport:
    """A player as telephony has them: text is sent ahead in whole sentences, and heard word by word."""

    def __init__(self) -> None:
        self.sent = ""

    async def speak(self, reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        timeline, played = Timeline(), 0.0
        async for chunk in chunks:
            self.sent += chunk
            timeline.add(chunk, WORD_SECONDS * len(chunk.split()))
        playback.started()
        while played < timeline.duration:
            await anyio.sleep(WORD_SECONDS / 2)
            played += WORD_SECONDS / 2
            playback.advance(timeline.heard(played))


async def test_p17_the_history_holds_what_was_heard_no_more_and_no_less() -> None:
    """On interruption the context gets all that was sent to the TTS, or loses words that were heard: the bot repeats.

    https://github.com/pipecat-ai/pipecat/issues/4996 and https://github.com/pipecat-ai/pipecat/issues/5426 - the end of
    a reply carries what was heard by then, later progress of it is ignored, and nothing heard is not unknown.
    """
    transport = Transport()
    said = "red rain fell over the old town "

    async def respond(reply: Reply) -> None:
        await reply.say(said)

    session = Session(respond=respond, speak=transport.speak)
    ends = outcomes(session)
    late = [lambda: session.playback_advanced(0, said), lambda: session.playback_finished(0)]
    steps = [*turn(0, "Read on", eager=False), 0.43, StartOfTurn(1, "stop"), *late, 1.0, EndOfTurn(1, "")]
    await session.run(script(*steps))
    assert transport.sent == said
    assert len(ends[0][2].split()) >= 3
    assert ends == [(0, "interrupted", ends[0][2])]
    assert said.startswith(ends[0][2])
    assert len(ends[0][2].split()) < len(said.split())
    assert session.history == [
        {"role": "user", "content": "Read on"},
        {"role": "assistant", "content": ends[0][2]},
    ]

    async def mute(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        await anyio.sleep(0.2)
        playback.started()
        await anyio.sleep(9)

    for wait, outcome in ((0.1, Outcome.CANCELLED), (0.3, Outcome.INTERRUPTED)):
        session = Session(respond=respond, speak=mute)
        ends = outcomes(session)
        await session.run(script(*turn(0, "Read on", eager=False), wait, StartOfTurn(1, "stop"), 1.0), drain=False)
        assert ends == [(0, outcome.value, "")], "not a sound was heard; or one was, and of which words nobody knows"
        assert [message["role"] for message in session.history] == ["user"]


@pytest.mark.parametrize("hundredths", range(0, 60, 5))
async def test_p18_no_sound_of_an_old_reply_is_heard_after_the_interruption(hundredths: int) -> None:
    """For an instant after an interruption, or in the next turn, the rest of the old reply is played.

    https://github.com/pipecat-ai/pipecat/issues/754 and https://github.com/pipecat-ai/pipecat/issues/3077 - what is
    said bears its reply, and nothing of a reply that is over is let through.
    """
    voice = Voice()
    before: list[tuple[int, str]] = []
    words = ("one", "two", "three", "four", "five", "six")

    async def respond(reply: Reply) -> None:
        for word in words:
            if not await reply.say(f"{word} "):
                return
            await anyio.sleep(0.05)

    session = Session(respond=respond, speak=voice.speak)
    for kind in (BargeIn, Cancel):
        session.on(kind, lambda signal: before.extend(voice.sounds))
    again = turn(1, "again", eager=False)
    await session.run(script(*turn(0, "count", eager=False), hundredths / 100, *again))
    assert before == [(0, word) for word in words[: len(before)]]
    assert len(before) == pytest.approx(hundredths / 10, abs=1.0)
    assert voice.sounds[len(before) :] == [(1, word) for word in words]


async def test_p24_are_you_still_there_waits_for_tools_and_is_not_put_off_by_noise() -> None:
    """The agent asks "are you still there?" over its own running tool, or never, as line noise keeps moving the timer.

    https://github.com/livekit/agents/issues/6030 and https://github.com/livekit/agents/issues/6904 - the deadline is
    absolute: a tool holds it, filler speech in between does not let it go, and a turn without words does not move it.
    """
    voice = Voice()

    async def tool() -> None:
        with session.busy():
            await anyio.sleep(8.0)
            session.initiate("Still looking.")
            await anyio.sleep(12.0)
        session.initiate("Found it.")

    async def respond(reply: Reply) -> None:
        tasks.start_soon(tool)
        await reply.say("Let me look.")

    session = Session(respond=respond, speak=voice.speak, idle_timeout=5.0)
    signals = listen(session)
    noise = [frame("StartOfTurn", 1, ""), 0.5, frame("EndOfTurn", 1, "")]
    more = [frame("StartOfTurn", 2, ""), 0.5, frame("EndOfTurn", 2, "")]
    async with anyio.create_task_group() as tasks:
        await session.run(script(*turn(0, "find it", eager=False), 20.2, 2.0, *noise, 1.5, *more, 7.0), drain=False)
    commit = next(signal for signal in signals if isinstance(signal, Commit))
    idle = [round(signal.at - commit.at, 3) for signal in signals if isinstance(signal, UserIdle)]
    assert voice.heard == "Let me look. Still looking. Found it."
    assert idle == [25.2, 30.2], "five seconds after the last sound, whatever the line does; and again"


def test_p25_latencies_are_there_without_a_voice_detector() -> None:
    """With Flux, no local voice detector runs, and the latency figures that hang on one are never measured.

    https://github.com/pipecat-ai/pipecat/issues/4927 - every decision bears its time, so the lead of a draft, what it
    saved, the gap before the first sound and the reaction to an interruption are measured from those alone.
    """
    call, metrics = RefereedCall(barge_in=MinWords(2)), Metrics()

    def play(*steps: Event | float) -> None:
        for step in steps:
            if not isinstance(step, (int, float)):
                metrics.take(step, call.at)
            for signal in call.play(step):
                metrics.take(signal, signal.at)

    play(StartOfTurn(0, "tea"), 0.5, EagerEndOfTurn(0, "tea"), 0.125, EndOfTurn(0, "tea"), 0.125)
    metrics.fact(call.at, "FirstChunk", {"reply": 0})
    play(0.25, PlaybackStarted(0), 1.0, StartOfTurn(1, "no"), 0.25, Update(1, "no milk"), 0.5, EndOfTurn(1, "no milk"))
    figures = metrics.call
    metrics.close()
    assert [figures.end_to_commit.median, figures.end_to_commit.total] == [0.0, 0.0], "nothing is added to Flux's end"
    assert (figures.lead.median, figures.response_gap.median) == (0.125, 0.375)
    assert figures.saved.median == 0.125, "of the quarter of a second that the LLM took"
    assert (figures.barge_ins, figures.reaction.median) == (1, 0.25)
    assert figures.silence.median is None, "what nobody reported is not 0"
