"""Replies that are thought of early: never heard too early, and of one that is withdrawn nothing remains."""

from __future__ import annotations

import anyio
import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.session import Reply, Session
from turnkit.session.gate import HELD_BACK
from turnkit.turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    NoteKind,
    ReplyEnded,
    StartOfTurn,
    TimedWord,
    TurnResumed,
)

pytestmark = pytest.mark.anyio


async def test_a_reply_is_thought_early_and_heard_late() -> None:
    """Drafted at the eager end, silent until the commit, heard to its end, once."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    ends = outcomes(session)
    began = anyio.current_time()
    at: list[float] = []
    session.on(ReplyEnded, lambda end: at.append(round(anyio.current_time() - began, 2)))
    await session.run(
        script(
            StartOfTurn(0, "tea"),
            EagerEndOfTurn(0, "tea"),
            0.5,
            lambda: at.append(len(voice.sounds)),
            EndOfTurn(0, "tea"),
        )
    )
    assert at == [0, 0.8], "drafted for half a second without a sound; then three words"
    assert ends == [(0, "finished", "You said: tea")]
    assert session.history == [
        {"role": "user", "content": "tea"},
        {"role": "assistant", "content": "You said: tea"},
    ]


async def test_without_speculation_the_same_coroutine_does() -> None:
    """A turn without an eager end starts its reply at the commit."""
    voice = Voice()
    seen: list[Reply] = []

    async def respond(reply: Reply) -> None:
        seen.append(reply)
        await echo(reply)

    session = Session(respond=respond, speak=voice.speak)
    await session.run(script(*turn(0, "tea", eager=False)))
    assert [(reply.speculative, reply.is_committed, reply.heard) for reply in seen] == [(False, True, "You said: tea")]


async def test_a_withdrawn_draft_is_never_heard() -> None:
    """Resumed, superseded, with other final words: nobody hears of it, and the turn is answered once."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    ends = outcomes(session)
    await session.run(
        script(
            StartOfTurn(0, "tea"),
            EagerEndOfTurn(0, "tea"),
            1.0,
            TurnResumed(0, "tea for"),
            EagerEndOfTurn(0, "tea for two"),
            1.0,
            EagerEndOfTurn(0, "tea for two please"),
            1.0,
            EndOfTurn(0, "tea for three please"),
        )
    )
    assert voice.heard == "You said: tea for three please"
    assert [end[:2] for end in ends] == [(0, "cancelled"), (1, "cancelled"), (2, "cancelled"), (3, "finished")]
    assert session.history[0] == {"role": "user", "content": "tea for three please"}


async def test_a_slow_lookup_before_the_llm_cannot_let_a_stale_answer_out() -> None:
    """300 ms of lookup between Speculate and the LLM; the withdrawal comes first: one answer, to the whole sentence."""
    voice = Voice()
    called: list[str] = []

    async def respond(reply: Reply) -> None:
        await anyio.sleep(0.3)
        called.append(reply.transcript)
        await reply.say(reply.transcript)

    session = Session(respond=respond, speak=voice.speak)
    whole = "Cancel my booking? No, do not cancel it."
    await session.run(
        script(
            StartOfTurn(0, "Cancel my booking"),
            EagerEndOfTurn(0, "Cancel my booking"),
            0.1,
            TurnResumed(0, "Cancel my booking"),
            0.5,
            EagerEndOfTurn(0, whole),
            EndOfTurn(0, whole),
        )
    )
    assert called == [whole]
    assert voice.heard == whole


async def test_a_tool_of_a_withdrawn_draft_never_runs() -> None:
    """What stands behind committed() does not happen for a draft that comes to nothing."""
    voice = Voice()
    cancelled: list[str] = []

    async def respond(reply: Reply) -> None:
        if reply.transcript == "Cancel my booking":
            await reply.committed()
            cancelled.append(reply.key)
        await reply.say("Done.")

    session = Session(respond=respond, speak=voice.speak)
    await session.run(
        script(
            StartOfTurn(0, "Cancel my booking"),
            EagerEndOfTurn(0, "Cancel my booking"),
            1.0,
            TurnResumed(0, "Cancel my booking"),
            1.0,
            EndOfTurn(0, "Cancel my booking, no, do not"),
        )
    )
    assert cancelled == []
    assert voice.heard == "Done."


async def test_a_failed_draft_is_not_adopted_as_the_answer() -> None:
    """The LLM fails while drafting: reported, discarded, and the turn is answered by a second try."""
    voice = Voice()
    tries: list[bool] = []

    async def respond(reply: Reply) -> None:
        tries.append(reply.speculative)
        if reply.speculative:
            raise ConnectionError("the LLM hung up")
        await reply.say("Tea it is.")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), 0.5, EndOfTurn(0, "tea")))
    assert tries == [True, False]
    assert ends == [(0, "failed", ""), (1, "finished", "Tea it is.")]
    assert session.notes == {NoteKind.CALLBACK_FAILED: 1}


async def test_a_draft_that_says_too_much_waits() -> None:
    """Before the commit what is said is held back, up to a bound."""
    voice = Voice()
    said: list[int] = []

    async def respond(reply: Reply) -> None:
        for count in range(HELD_BACK + 50):
            await reply.say(".")
            said.append(count)

    session = Session(respond=respond, speak=voice.speak)
    held: list[int] = []
    await session.run(
        script(StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"), 5.0, lambda: held.append(len(said)), EndOfTurn(0, "a"))
    )
    assert held == [HELD_BACK]
    assert len(said) == HELD_BACK + 50


async def test_a_changed_context_discards_the_draft_made_from_the_old() -> None:
    """context_changed(): the turn is answered from what is true now; without a draft it does nothing."""
    voice = Voice()
    facts = ["old"]

    async def respond(reply: Reply) -> None:
        await reply.say(facts[0])

    def change() -> None:
        facts[0] = "new"
        session.context_changed()

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(
        script(session.context_changed, StartOfTurn(0, "a"), EagerEndOfTurn(0, "a"), 0.5, change, EndOfTurn(0, "a"))
    )
    assert voice.heard == "new"
    assert [end[1] for end in ends] == ["cancelled", "finished"]


async def test_a_reply_knows_the_languages_and_the_words_with_their_times() -> None:
    """As a draft and as the answer, each as Flux gave them last; so a bot can choose its voice."""
    voice = Voice()
    known: list[tuple[tuple[TimedWord, ...], tuple[str, ...]]] = []

    async def respond(reply: Reply) -> None:
        known.append((reply.words, reply.languages))
        await reply.committed()
        known.append((reply.words, reply.languages))

    session = Session(respond=respond, speak=voice.speak)
    early, late = (TimedWord("hola", 0.1, 0.4, 0.7),), (TimedWord("Hola", 0.1, 0.5, 0.9),)
    eager = EagerEndOfTurn(0, "hola", 0.6, words=early, languages=("es", "en"))
    await session.run(script(StartOfTurn(0, "hola"), eager, 0.5, EndOfTurn(0, "Hola", words=late, languages=("es",))))
    assert known == [(early, ("es", "en")), (late, ("es",))]
