"""What hurts those who build voice bots, as tests: what the agent says and does. The table is PAINS.md."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.field.test_pains_turns import Call, frame
from tests.session.test_replies import WORD_SECONDS, Voice, outcomes, turn
from tests.session.test_session import listen, script
from turnkit.errors import LocalProtocolError
from turnkit.metrics import Metrics
from turnkit.session import Reply, Session
from turnkit.speaking.timeline import Timeline
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    NoteKind,
    Outcome,
    PlaybackStarted,
    ReplyEnded,
    Speculate,
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


async def test_p06_withdrawn_answer_is_never_spoken_nor_its_tool_run() -> None:
    """The words that a draft was made for are withdrawn; late, it is spoken, and its tool is executed.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot asks to cancel the draft at TurnResumed. Here all
    that comes of it afterwards is refused: at its first word, at a tool, at a report of playback, at the commit.
    """
    voice = Voice()
    kept: list[Reply] = []
    log: list[object] = []

    async def respond(reply: Reply) -> None:
        kept.append(reply)
        try:
            await reply.say(f"Done: {reply.transcript}")
            await reply.committed()
            log.append(("tool", reply.transcript))
        finally:
            if reply.outcome is not None:
                with anyio.CancelScope(shield=True):
                    log.append(("say", await reply.say("too late")))
                    with pytest.raises(LocalProtocolError, match="nothing of it may take effect"):
                        await reply.committed()

    session = Session(respond=respond, speak=voice.speak)
    signals = listen(session)
    whole = "Cancel my booking? No, do not cancel it."
    await session.run(
        script(
            StartOfTurn(0, "Cancel my"),
            EagerEndOfTurn(0, "Cancel my booking"),
            0.5,
            TurnResumed(0, "Cancel my booking"),
            0.1,
            lambda: session.playback_started(0),
            lambda: session.playback_advanced(0, "Done"),
            lambda: session.playback_finished(0),
            EagerEndOfTurn(0, whole),
            0.2,
            EndOfTurn(0, whole),
        )
    )
    assert log == [("say", False), ("tool", whole)]
    assert voice.heard == f"Done: {whole}"
    assert [(reply.id, reply.outcome) for reply in kept] == [(0, Outcome.CANCELLED), (1, Outcome.FINISHED)]
    assert [(signal.reply, signal.reason) for signal in signals if isinstance(signal, Cancel)] == [
        (0, CancelReason.RESUMED)
    ]
    assert [signal.reply for signal in signals if isinstance(signal, Commit)] == [1]
    assert session.history == [{"role": "user", "content": whole}, {"role": "assistant", "content": f"Done: {whole}"}]


@pytest.mark.parametrize("inference", [0.1, 0.3, 0.6, 2.0])
async def test_p07_a_tool_of_a_discarded_generation_does_not_run(inference: float) -> None:
    """A pause is taken for the end, the LLM hears a goodbye in it and calls its hang-up tool; the caller goes on, the
    speech is thrown away, and the tool runs all the same: the line goes dead.

    https://github.com/pipecat-ai/pipecat/issues/4997 - what takes effect stands behind a barrier that only a committed
    reply passes, and only as long as it is alive.
    """
    voice = Voice()
    log: list[str] = []

    async def end_call(reply: Reply) -> None:
        """A tool runner of the host's own, which nobody cancels with the reply."""
        await anyio.sleep(inference)
        try:
            await reply.committed()
            log.append("hung up")
        except LocalProtocolError as error:
            log.append(str(error))

    async with anyio.create_task_group() as tasks:

        async def respond(reply: Reply) -> None:
            if reply.turn == 0:
                tasks.start_soon(end_call, reply)
                await anyio.sleep(9)
                await end_call(reply)
            await reply.say("Let me check that.")

        session = Session(respond=respond, speak=voice.speak)
        pause = turn(0, "Thank you for that.")
        await session.run(script(*pause, 0.05, StartOfTurn(1, "and could"), 3.0, EndOfTurn(1, "and could you check")))
    assert log == ["reply 0 is over (cancelled): nothing of it may take effect any more"]
    assert voice.heard == "Let me check that."


@pytest.mark.parametrize("interruption", [0.1, 0.5, 0.9, 1.1, 1.35])
async def test_p08_a_tool_that_ran_before_an_interruption_does_not_run_again(interruption: float) -> None:
    """The booking is made, the user interrupts, its result is lost with the speech, and the model books once more.

    https://github.com/livekit/agents/issues/3702 - a result is kept whatever becomes of the playback, and a key names
    the effect: the same for every attempt to answer the same turn.
    """
    voice = Voice()
    bookings: dict[str, str] = {}
    calls: list[str] = []

    async def respond(reply: Reply) -> None:
        if not any(message["role"] == "tool" for message in reply.messages):
            async with reply.must_finish():
                calls.append(reply.key)
                await anyio.sleep(1.0)
                bookings.setdefault(reply.key, "a table for six")
                session.remember({"role": "tool", "tool_call_id": reply.key, "content": "booked"})
        await reply.say("Your table for six is booked")

    session = Session(respond=respond, speak=voice.speak, id="call")
    both = [*turn(0, "Six people", eager=False), interruption, *turn(1, "By the window", eager=False)]
    await session.run(script(*both, 5.0))
    assert bookings == {"call:turn-0": "a table for six"}
    assert set(calls) == {"call:turn-0"}, "while the first call runs there may be a second, under the same name"
    assert len(calls) == (2 if interruption < 1.0 else 1)
    assert "tool" in [message["role"] for message in session.history]
    assert session.history[-1] == {"role": "assistant", "content": "Your table for six is booked"}


async def test_p09_a_caller_who_merely_goes_on_does_not_cancel_a_lookup() -> None:
    """Ten milliseconds after the model has asked for a record, the caller adds a sentence; the lookup is cancelled, and
    the model tells them that they are not on file.

    https://github.com/jferreiros/vortex/pull/224 - barge-in ends speech; what must finish says so, and finishes.
    """
    voice = Voice()
    done: list[str] = []

    async def respond(reply: Reply) -> None:
        if reply.turn == 0:
            async with reply.must_finish():
                await anyio.sleep(0.5)
                session.remember({"role": "tool", "tool_call_id": "find_patient", "content": "Ana Gil, on file"})
                done.append("lookup")
            done.append("not reached: the caller has the floor")
        found = [message["content"] for message in reply.messages if message["role"] == "tool"]
        await reply.say(f"Found {found[0]}" if found else "You are not on file")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    more = [StartOfTurn(1, "That's"), 0.8, EndOfTurn(1, "That's my number.")]
    await session.run(script(*turn(0, "Ana Gil, 12345678", eager=False), 0.01, *more))
    assert done == ["lookup"]
    assert voice.heard == "Found Ana Gil, on file"
    assert ends[0][:2] == (0, "cancelled")

    cut: list[str] = []

    async def gives_up(reply: Reply) -> None:
        try:
            await anyio.sleep(0.5)
        except BaseException:
            cut.append("cancelled")
            raise

    session = Session(respond=gives_up, speak=Voice().speak)
    await session.run(script(*turn(0, "Ana Gil", eager=False), 0.01, *more))
    assert cut == ["cancelled"], "and what does not say so is cancelled where it stands"


@pytest.mark.parametrize("tenths", range(13))
async def test_p10_every_generation_has_one_end_so_that_calls_and_outputs_can_be_paired(tenths: int) -> None:
    """Interrupted between a tool call and its output, the history keeps half a pair: each later request is a 400.

    https://github.com/livekit/agents/issues/5092 - every reply that began ends in exactly one outcome, in time for the
    host to close what it opened before the next one reads the history.
    """
    voice = Voice()
    open_calls: dict[int, str] = {}
    unpaired: list[int] = []

    async def respond(reply: Reply) -> None:
        calls = [message["tool_call_id"] for message in reply.messages if message.get("tool_calls")]
        outputs = [message["tool_call_id"] for message in reply.messages if message["role"] == "tool"]
        if sorted(calls) != sorted(outputs):
            unpaired.append(reply.id)
        await reply.committed()
        call = open_calls[reply.id] = f"call-{reply.id}"
        session.remember({"role": "assistant", "tool_calls": [call], "tool_call_id": call})
        await anyio.sleep(0.5)
        session.remember({"role": "tool", "tool_call_id": open_calls.pop(reply.id), "content": "7 pm"})
        await reply.say("At seven in the evening")

    session = Session(respond=respond, speak=voice.speak)
    began: set[int] = set()
    ended: list[int] = []
    for kind in (Speculate, Commit):
        session.on(kind, lambda signal: began.add(signal.reply))

    @session.on(ReplyEnded)
    def close_pair(end: ReplyEnded) -> None:
        ended.append(end.reply)
        if end.reply in open_calls:
            call = open_calls.pop(end.reply)
            session.remember({"role": "tool", "tool_call_id": call, "content": f"no result: {end.outcome}"})

    wait = tenths / 10
    steps = [*turn(0, "When?"), wait, *turn(1, "When, please?"), wait, *turn(2, "Well?"), 3.0]
    await session.run(script(*steps))
    assert unpaired == []
    assert sorted(ended) == sorted(began)
    assert open_calls == {}


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
    call, metrics = Call(barge_in=MinWords(2)), Metrics()

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
