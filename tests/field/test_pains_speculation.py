"""What hurts those who build voice bots, as tests: thinking ahead. The table is PAINS.md."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.frames import frame
from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import Voice
from turnkit.metrics import CallMetrics, Metrics
from turnkit.session import Reply, Session
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    NoteKind,
    ReplyEnded,
    Signal,
    Speculate,
    StartOfTurn,
    TurnResumed,
)
from turnkit.turns.policy import Budget

pytestmark = pytest.mark.anyio

FRAGMENT = "Cancel my booking"
WHOLE = "Cancel my booking? No, do not cancel it."
LOOKUPS = [0.0, 0.05, 0.09, 0.11, 0.2, 0.3, 0.6]
"""Seconds that pass between the eager end and the inference: memory, moderation, a search."""


def withdrawn() -> list[object]:
    """The eager end of a fragment, withdrawn a tenth of a second later; then the whole sentence."""
    return [
        StartOfTurn(0, "Cancel"),
        EagerEndOfTurn(0, FRAGMENT),
        0.1,
        TurnResumed(0, FRAGMENT),
        0.25,
        EndOfTurn(0, WHOLE),
        1.5,
    ]


def figures(signals: list[Signal]) -> CallMetrics:
    """What a call amounts to."""
    metrics = Metrics()
    for signal in signals:
        metrics.take(signal, signal.at)
    return metrics.call


async def test_p22_what_thinking_ahead_costs_is_bounded_and_can_be_counted() -> None:
    """With speculation on, each turn costs two complete LLM calls, and nobody can see what they brought.

    https://github.com/livekit/agents/issues/4219 - a budget bounds the drafts of a turn, one that is no good any more
    is stopped at that moment and not at the end of the turn, and each draft is either a hit or a waste, with a reason.
    """
    tokens: list[int] = []

    async def respond(reply: Reply) -> None:
        for _ in range(50):
            await anyio.sleep(0.1)
            tokens.append(reply.id)
        await reply.say("Done.")

    session = Session(respond=respond, speak=Voice().speak, speculation=Budget(per_turn=2))
    signals = listen(session)
    pauses = [
        step
        for count in range(1, 6)
        for step in (EagerEndOfTurn(0, "and " * count), 0.55, TurnResumed(0, "and " * count), 0.5)
    ]
    changed = [EagerEndOfTurn(1, "another"), 0.55, session.context_changed, 1.0, EndOfTurn(1, "Another.")]
    await session.run(
        script(StartOfTurn(0, "and"), *pauses, EndOfTurn(0, "and so on"), 9.0, StartOfTurn(1, "another"), *changed)
    )
    drafts = [signal for signal in signals if isinstance(signal, Speculate)]
    wasted = [signal for signal in signals if isinstance(signal, Cancel)]
    hits = [signal for signal in signals if isinstance(signal, Commit) and signal.speculative]
    assert [(draft.turn, draft.why) for draft in drafts] == [
        (0, "draft 1 of 2"),
        (0, "draft 2 of 2"),
        (1, "draft 1 of 2"),
    ]
    assert [cancel.reason for cancel in wasted] == [
        CancelReason.RESUMED,
        CancelReason.RESUMED,
        CancelReason.CONTEXT_CHANGED,
    ]
    assert hits == []
    call = figures(signals)
    assert (call.drafts, call.kept, call.wasted) == (3, 0, {CancelReason.RESUMED: 2, CancelReason.CONTEXT_CHANGED: 1})
    assert [tokens.count(draft.reply) for draft in drafts] == [5, 5, 5], "0.55 s of tokens each, and not one more"
    kept = Session(respond=respond, speak=Voice().speak, speculation=Budget(per_turn=2))
    signals = listen(kept)
    await kept.run(script(StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"), 0.5, EndOfTurn(0, "A.")))
    call = figures(signals)
    assert (call.drafts, call.kept, call.wasted.total()) == (1, 1, 0)
    assert call.lead.median == pytest.approx(0.5)


async def test_p23_a_draft_has_no_side_effects_and_does_not_outlive_its_context() -> None:
    """Speculation runs the user's code, side effects and all, several times a turn; or answers from an old context.

    https://github.com/livekit/agents/issues/3414 and https://github.com/livekit/agents/issues/5924 - preparing and
    taking effect are two things with a barrier between them; a draft made from what has changed is discarded.
    """
    prepared: list[str] = []
    effects: list[tuple[str, str]] = []
    price = ["40"]

    async def respond(reply: Reply) -> None:
        prepared.append(price[0])
        words = f"That is {price[0]} euros."
        await reply.committed()
        effects.append((reply.key, words))
        await reply.say(words)

    def change() -> None:
        price[0] = "45"
        session.context_changed()

    voice = Voice()
    session = Session(respond=respond, speak=voice.speak, id="call")
    similar = [EagerEndOfTurn(0, "a ticket"), 0.2, TurnResumed(0, "a ticket"), 0.2]
    steps = [StartOfTurn(0, "a"), *similar, *similar, EagerEndOfTurn(0, "a ticket to Rome"), 0.2, change, 0.2]
    await session.run(script(*steps, EndOfTurn(0, "a ticket to Rome")))
    assert prepared == ["40", "40", "40", "45"], "drafted three times, and thought anew from what is true now"
    assert effects == [("call:turn-0", "That is 45 euros.")]
    assert voice.heard == "That is 45 euros."


@pytest.mark.parametrize("lookup", LOOKUPS)
async def test_s01_a_withdrawn_answer_is_not_spoken_however_late_its_inference_begins(lookup: float) -> None:
    """The withdrawal overtakes a draft that is still being looked up for; its inference then begins, is held, and is
    released by the end of the turn: the withdrawn answer is spoken, and the real one after it.

    Seen when running Pipecat 1.14.0, whose speculation came with https://github.com/pipecat-ai/pipecat/pull/5625 - here
    a withdrawn draft is cancelled where it stands, and its inference does not begin.
    """
    voice = Voice()
    called: list[str] = []

    async def respond(reply: Reply) -> None:
        await anyio.sleep(lookup)
        called.append(reply.transcript)
        await anyio.sleep(0.2)
        await reply.say(f"Re: {reply.transcript}")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(*withdrawn()))
    assert called == ([FRAGMENT, WHOLE] if lookup < 0.1 else [WHOLE])
    assert voice.heard == f"Re: {WHOLE}"
    assert ends == [(0, "cancelled", ""), (1, "finished", f"Re: {WHOLE}")]


@pytest.mark.parametrize("lookup", LOOKUPS)
async def test_s02_a_tool_of_withdrawn_words_does_not_run(lookup: float) -> None:
    """Eager "Cancel my booking", resumed, "... No, do not cancel it.": the booking is cancelled, as by the time the
    stale inference calls the tool the turn is over and passes for its own commit.

    Seen when running Pipecat 1.14.0, whose speculation came with https://github.com/pipecat-ai/pipecat/pull/5625 - here
    the barrier before an effect knows its own reply, and not only that some turn is final.
    """
    voice = Voice()
    ran: list[str] = []

    async def respond(reply: Reply) -> None:
        await anyio.sleep(lookup)
        if "do not" not in reply.transcript:
            await reply.committed()
            ran.append("cancel_booking")
            session.remember({"role": "tool", "content": "cancelled"})
        await reply.say("It stays as it is.")

    session = Session(respond=respond, speak=voice.speak)
    await session.run(script(*withdrawn()))
    assert ran == []
    assert [message["role"] for message in session.history] == ["user", "assistant"]
    assert voice.heard == "It stays as it is."


async def test_s03_an_answer_from_before_a_guardrail_is_not_released() -> None:
    """While a draft is ready, moderation appends an instruction to the context; the draft is released unchanged.

    Seen when running Pipecat 1.14.0, whose speculation came with https://github.com/pipecat-ai/pipecat/pull/5625 - here
    context_changed discards the draft, and the turn gets a new one.
    """
    voice = Voice()

    async def respond(reply: Reply) -> None:
        rules = [message for message in reply.messages if message["role"] == "system"]
        await reply.say("I may not say that." if rules else "The code is 1234.")

    def moderate() -> None:
        session.remember({"role": "system", "content": "Do not give the code away."})
        session.context_changed()

    session = Session(respond=respond, speak=voice.speak)
    signals = listen(session)
    await session.run(
        script(StartOfTurn(0, "The code?"), EagerEndOfTurn(0, "The code?"), 0.3, moderate, EndOfTurn(0, "The code?"))
    )
    assert voice.heard == "I may not say that."
    reasons = [signal.reason for signal in signals if isinstance(signal, Cancel)]
    assert reasons == [CancelReason.CONTEXT_CHANGED]


@pytest.mark.parametrize("failure", [0.0, 0.1, 0.3, 0.35, 0.5])
async def test_s04_a_draft_whose_llm_fails_is_not_the_answer(failure: float) -> None:
    """The LLM fails during speculation, the failed draft is adopted at the end of the turn, and the answer is silence.

    Seen when running Pipecat 1.14.0, whose speculation came with https://github.com/pipecat-ai/pipecat/pull/5625 - here
    a failed draft is discarded, and the turn is answered afresh; one that fails after it was committed is reported.
    """
    voice = Voice()

    async def respond(reply: Reply) -> None:
        if reply.id == 0:
            await reply.say("Well")
            await anyio.sleep(failure)
            raise ConnectionError
        await reply.say("Here you are.")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), 0.3, EndOfTurn(0, "tea"), 1.0))
    assert session.notes[NoteKind.CALLBACK_FAILED] == 1
    if failure < 0.3:
        assert ends == [(0, "failed", ""), (1, "finished", "Here you are.")]
    elif failure > 0.3:
        assert ends == [(0, "failed", "Well")]
    else:
        assert ends in ([(0, "failed", "Well")], [(0, "failed", ""), (1, "finished", "Here you are.")])
    assert voice.heard in ("Well", "Here you are.")


async def test_s06_a_resumed_turn_stops_its_generation_at_once() -> None:
    """TurnResumed does not cancel: the LLM goes on generating for a sentence that the user has already extended.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot asks for it - the cancellation is in the very step.
    """
    tokens: list[str] = []
    stopped: list[float] = []

    async def respond(reply: Reply) -> None:
        try:
            while True:
                await anyio.sleep(0.1)
                tokens.append(reply.transcript)
        except BaseException:
            stopped.append(anyio.current_time())
            raise

    session = Session(respond=respond, speak=Voice().speak)
    resumed: list[float] = []
    await session.run(
        script(
            StartOfTurn(0, "tea"),
            EagerEndOfTurn(0, "tea"),
            0.25,
            lambda: resumed.append(anyio.current_time()),
            TurnResumed(0, "tea for"),
            5.0,
            EndOfTurn(0, ""),
        )
    )
    assert tokens == ["tea", "tea"]
    assert stopped == resumed


async def test_s08_one_utterance_finalised_twice_does_not_silence_the_agent() -> None:
    """ "Uh," and the rest a second later give two replies that interrupt each other; a barge-in cuts the second after
    0.116 s; from then on the agent answers nobody, and the session cannot even be closed.

    https://github.com/livekit/agents-js/issues/1791 - one reply has the floor, the first is cancelled unheard, and
    what was owed comes with the second.
    """
    voice = Voice()
    answered: list[tuple[tuple[str, ...], str]] = []

    async def respond(reply: Reply) -> None:
        await anyio.sleep(1.2)
        answered.append((reply.unanswered, reply.transcript))
        await reply.say("Which day would suit you best?")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    signals = listen(session)
    rest = turn(1, "I need to reschedule my appointment.")
    with anyio.fail_after(60):
        await session.run(
            script(*turn(0, "Uh,"), 1.0, *rest, 1.2 + 0.116, StartOfTurn(2, "on"), 0.8, EndOfTurn(2, "On Monday."), 4.0)
        )
    assert answered == [(("Uh,",), "I need to reschedule my appointment."), ((), "On Monday.")]
    assert [end[1] for end in ends] == ["cancelled", "interrupted", "finished"]
    assert len([signal for signal in signals if isinstance(signal, BargeIn)]) == 1
    assert voice.sounds[-6:] == [(2, word) for word in ["Which", "day", "would", "suit", "you", "best?"]]


@pytest.mark.parametrize(
    ("eager", "final"),
    [
        ("i'd like two tickets to paris", "I'd like two tickets to Paris."),
        ("Hello?", "hello"),
        ("Well I see", "Well, I see …"),
        ("ça va", "Ça  va !"),
    ],
)
async def test_s10_formatting_alone_does_not_discard_a_draft(eager: str, final: str) -> None:
    """Case, punctuation and white space of the final text differ, and every speculation is thrown away for nothing.

    https://github.com/livekit/agents/pull/6667 - texts are compared by their words; other words do discard it.
    """
    voice = Voice()
    calls: list[str] = []

    async def respond(reply: Reply) -> None:
        calls.append(reply.transcript)
        await reply.say("Sure.")

    session = Session(respond=respond, speak=voice.speak)
    signals = listen(session)
    await session.run(script(StartOfTurn(0, eager), EagerEndOfTurn(0, eager), 0.2, EndOfTurn(0, final), 1.0))
    (commit,) = (signal for signal in signals if isinstance(signal, Commit))
    assert (commit.speculative, commit.transcript) == (True, final)
    assert calls == [eager]
    session = Session(respond=respond, speak=voice.speak)
    await session.run(script(StartOfTurn(0, eager), EagerEndOfTurn(0, eager), 0.2, EndOfTurn(0, f"not {final}")))
    assert calls == [eager, eager, f"not {final}"]


async def test_s13_an_eager_end_without_a_start_is_answered() -> None:
    """An eager end of turn that no StartOfTurn came before leads to no reply at all until the pipeline is shut down.

    Seen when running Pipecat 1.14.0, whose speculation came with https://github.com/pipecat-ai/pipecat/pull/5625 - here
    it implies the start, and is noted as a surprise.
    """
    voice = Voice()
    times: list[float] = []

    async def respond(reply: Reply) -> None:
        await reply.say(f"To {reply.transcript}")

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        times.append(anyio.current_time())
        await voice.speak(reply, chunks, playback)

    session = Session(respond=respond, speak=speak)
    ended: list[ReplyEnded] = []
    session.on(ReplyEnded, ended.append)
    signals = listen(session)
    await session.run(
        script(frame("EagerEndOfTurn", 0, "a table for two"), 0.2, frame("EndOfTurn", 0, "A table for two."), 5.0)
    )
    (commit,) = (signal for signal in signals if isinstance(signal, Commit))
    assert commit.speculative
    assert times == [commit.at]
    assert voice.heard == "To a table for two"
    assert session.notes == {NoteKind.MISSING_START: 1}
    assert [end.outcome.value for end in ended] == ["finished"]
