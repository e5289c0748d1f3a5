"""What hurts those who build voice bots, as tests: tools, and what became of their calls. The table is PAINS.md."""

from __future__ import annotations

import anyio
import pytest

from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import Voice
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.turns.events import (
    Cancel,
    CancelReason,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Outcome,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    TurnResumed,
)

pytestmark = pytest.mark.anyio


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
