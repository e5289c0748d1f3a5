"""Replies that the session runs: never heard too early, never twice, never by halves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.kinds import kinds
from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.session.gate import HELD_BACK
from turnkit.turns.events import (
    BargeIn,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    NoteKind,
    Outcome,
    ReplyEnded,
    StartOfTurn,
    TurnResumed,
    UserIdle,
)
from turnkit.turns.policy import Never, Overlap, Verdict

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


async def test_a_committed_reply_that_fails_is_reported_and_the_call_goes_on() -> None:
    """What was said before is heard; the next turn is answered."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("Let me see.")
        if reply.turn == 0:
            raise ValueError
        await reply.say("Here.")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "one", eager=False), 2.0, *turn(1, "two")))
    assert ends == [(0, "failed", "Let me see."), (1, "finished", "Let me see. Here.")]


async def test_a_voice_that_fails_is_reported_and_the_call_goes_on() -> None:
    """speak raises in mid-sentence: failed, with what was heard; respond is not left talking to nobody."""
    left: list[str] = []

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        said = ""
        async for chunk in chunks:
            said += chunk
            playback.started()
            playback.advance(said)
            if reply.turn == 0:
                raise OSError("no sound card")

    async def respond(reply: Reply) -> None:
        try:
            await reply.say("Half")
            await anyio.sleep(1)
            await reply.say(" and half")
        except BaseException:
            left.append("cancelled")
            raise

    session = Session(respond=respond, speak=speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "one"), 3.0, *turn(1, "two")))
    assert ends == [(0, "failed", "Half"), (1, "finished", "Half and half")]
    assert left == ["cancelled"]


async def test_barge_in_stops_the_voice_and_the_thought() -> None:
    """At the barge-in the sound stops; the history holds what was heard; the next turn is answered."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        for word in ("one ", "two ", "three ", "four ", "five"):
            await reply.say(word)
            await anyio.sleep(0.1)

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "count"), 0.25, StartOfTurn(1, "stop"), 1.0, EndOfTurn(1, "stop")), drain=False)
    assert ends[0] == (0, "interrupted", "one two")
    assert [word for reply, word in voice.sounds if reply == 0] == ["one", "two", "three"]
    assert session.history[:3] == [
        {"role": "user", "content": "count"},
        {"role": "assistant", "content": "one two"},
        {"role": "user", "content": "stop"},
    ]


async def test_nothing_of_a_dead_reply_gets_through() -> None:
    """A late say is refused, a late report ignored, a late effect raises; all in work that outlived its reply."""
    voice = Voice()
    late: list[object] = []

    async def respond(reply: Reply) -> None:
        await reply.say("One two three four five")
        try:
            await anyio.sleep(60)
        finally:
            with anyio.CancelScope(shield=True):
                late.append(await reply.say("too late"))
                try:
                    await reply.committed()
                except LocalProtocolError as error:
                    late.append(str(error))

    session = Session(respond=respond, speak=voice.speak)
    await session.run(
        script(*turn(0, "count"), 0.25, StartOfTurn(1, "stop"), lambda: session.playback_advanced(0, "never"), 1.0)
    )
    assert late == [False, "reply 0 is over (interrupted): nothing of it may take effect any more"]
    assert "late" not in voice.heard
    assert "never" not in str(session.history)


async def test_work_that_must_finish_does() -> None:
    """The booking is shielded from the barge-in, and only from that; the speech is not."""
    voice = Voice()
    booked: list[str] = []

    async def respond(reply: Reply) -> None:
        if reply.turn != 0:
            return
        await reply.say("I am booking that for you right now")
        async with reply.must_finish():
            await anyio.sleep(1.0)
            booked.append(reply.key)
        booked.append("not reached")

    session = Session(respond=respond, speak=voice.speak, id="call")
    await session.run(script(*turn(0, "book it"), 0.35, StartOfTurn(1, "and"), 3.0))
    assert booked == ["call:turn-0"]
    assert len(voice.sounds) == 4


async def test_work_that_takes_too_long_to_finish_is_a_failure() -> None:
    """must_finish is bounded."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        async with reply.must_finish(timeout=1.0):
            await anyio.sleep(60)

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "book it"), 5.0))
    assert ends == [(0, "failed", "")]


async def test_keys_are_those_of_the_turn_that_is_owed() -> None:
    """Every attempt to answer a turn has its key, also the reply that makes up for it; then a new key."""
    voice = Voice()
    keys: list[tuple[str, str, tuple[str, ...]]] = []

    async def respond(reply: Reply) -> None:
        keys.append((reply.key, reply.transcript, reply.unanswered))
        await anyio.sleep(0.5)
        await reply.say("Yes.")

    session = Session(respond=respond, speak=voice.speak, id="call")
    await session.run(
        script(
            StartOfTurn(0, "book"),
            EagerEndOfTurn(0, "book"),
            TurnResumed(0, "book"),
            EagerEndOfTurn(0, "book it"),
            EndOfTurn(0, "book it"),
            0.2,
            *turn(1, "please"),
            2.0,
            *turn(2, "thanks"),
        )
    )
    assert keys == [
        ("call:turn-0", "book it", ()),
        ("call:turn-0", "please", ("book it",)),
        ("call:turn-2", "thanks", ()),
    ]
    assert [message["content"] for message in session.history] == ["book it", "please", "Yes.", "thanks", "Yes."]


async def test_an_llm_gets_the_conversation_as_messages() -> None:
    """reply.messages ends with the turn to answer, drafted or not, with what was owed before it."""
    voice = Voice()
    asked: list[list[str]] = []

    async def respond(reply: Reply) -> None:
        asked.append([f"{message['role']}: {message['content']}" for message in reply.messages])
        await reply.say("Yes.")

    session = Session(respond=respond, speak=voice.speak)
    await session.run(
        script(
            *turn(0, "one"),
            StartOfTurn(1, "two"),
            EagerEndOfTurn(1, "two"),
            0.2,
            EndOfTurn(1, "two"),
            1.0,
            *turn(2, "three"),
        )
    )
    assert asked[-2] == ["user: one", "user: two"]
    assert asked[-1] == ["user: one", "user: two", "assistant: Yes.", "user: three"]


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


async def test_a_hold_pauses_the_voice() -> None:
    """HOLD: no word until Resume; the words heard are all there."""
    voice = Voice()

    def hold(overlap: Overlap) -> Verdict:
        return Verdict.KEEP if overlap.final else Verdict.HOLD

    async def respond(reply: Reply) -> None:
        await reply.say("one two three four five six")

    session = Session(respond=respond, speak=voice.speak, barge_in=hold)
    counts: list[int] = []
    await session.run(
        script(
            *turn(0, "count"),
            0.25,
            StartOfTurn(1, "mm"),
            0.2,
            lambda: counts.append(len(voice.sounds)),
            1.0,
            lambda: counts.append(len(voice.sounds)),
            EndOfTurn(1, "mm-hm"),
        )
    )
    assert counts == [3, 3]
    assert voice.heard == "one two three four five six"
    assert session.history[-1] == {"role": "assistant", "content": "one two three four five six"}
    assert "mm-hm" not in str(session.history), "a backchannel is not a turn"


async def test_nothing_to_say_is_an_end_too() -> None:
    """respond returns without a word: finished, nothing heard, and speak is not bothered."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        return

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "hm")))
    assert ends == [(0, "finished", "")]
    assert session.history == [{"role": "user", "content": "hm"}]


async def test_a_voice_that_reports_nothing_was_heard_to_its_end() -> None:
    """speak returns without a report: its return is the last sound, so all it was given has been heard."""

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            pass

    session = Session(respond=echo, speak=speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "tea"), 1.0, *turn(1, "milk")))
    assert ends == [(0, "finished", "You said: tea"), (1, "finished", "You said: milk")]


async def test_the_agent_greets_and_reprompts() -> None:
    """initiate says text, or calls what it is given; UserIdle leads to a reprompt; a taken floor refuses."""
    voice = Voice()

    async def greet(reply: Reply) -> None:
        assert reply.turn is None
        await reply.say("Hello there")

    session = Session(respond=echo, speak=voice.speak, idle_timeout=2.0)
    given: list[int | None] = []
    session.on(UserIdle, lambda idle: session.initiate("Still there?") if idle.count == 1 else None)
    await session.run(
        script(
            lambda: given.append(session.initiate(greet)),
            lambda: given.append(session.initiate("never")),
            1.0,
            *turn(0, "yes"),
            3.0,
            0.5,
        )
    )
    assert given == [0, None]
    assert voice.heard == "Hello there You said: yes Still there?"
    assert session.history[0] == {"role": "assistant", "content": "Hello there"}


async def test_a_protected_disclaimer_is_heard_to_its_end_and_the_user_is_answered_after_it() -> None:
    """initiate(protected=True): what is said over it waits for its end."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    signals = listen(session)
    await session.run(
        script(
            lambda: session.initiate("This call is recorded for training purposes", protected=True),
            0.35,
            *turn(0, "fine"),
            1.0,
        )
    )
    assert voice.heard == "This call is recorded for training purposes You said: fine"
    assert BargeIn not in map(type, signals)


async def test_the_idle_clock_waits_for_tools() -> None:
    """busy() holds it, nested too."""
    session = Session(idle_timeout=1.0)
    signals = listen(session)

    async def tool() -> None:
        with session.busy(), session.busy():
            await anyio.sleep(10)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tool)
        await anyio.lowlevel.checkpoint()
        await session.run(script(10.5))
    assert signals == []


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


async def test_what_has_happened_can_be_remembered() -> None:
    """remember() puts a tool's result into the history, in its place."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        async with reply.must_finish():
            session.remember({"role": "tool", "tool_call_id": "1", "content": "booked"})
        await reply.say("Booked.")

    session = Session(respond=respond, speak=voice.speak)
    await session.run(script(*turn(0, "book")))
    assert [message["role"] for message in session.history] == ["user", "tool", "assistant"]


async def test_every_reply_has_its_outcome_also_when_the_call_is_cut_off() -> None:
    """Cancelled from outside in mid-speech: interrupted, with what was heard."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("one two three four")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    with anyio.move_on_after(0.25):
        await session.run(script(*turn(0, "count"), 3600))
    assert ends == [(0, "interrupted", "one two")]


async def test_replies_of_the_hosts_own_are_kept_account_of_too() -> None:
    """Without respond and speak the callbacks run the replies; outcomes and history are kept from their reports."""
    session = Session(barge_in=Never())
    ends = outcomes(session)
    await session.run(
        script(
            *turn(0, "tea"),
            lambda: session.playback_started(0),
            lambda: session.playback_advanced(0, "Tea it"),
            lambda: session.playback_finished(0),
            *turn(1, "milk"),
        )
    )
    assert ends == [(0, "finished", "Tea it"), (1, "cancelled", "")]
    assert session.history == [
        {"role": "user", "content": "tea"},
        {"role": "assistant", "content": "Tea it"},
        {"role": "user", "content": "milk"},
    ]


async def test_wrong_settings_are_told_before_anything_runs() -> None:
    """respond without speak, or the other way, or what is not a function; a chunk that is neither text nor audio."""
    with pytest.raises(ConfigError, match="give both, or neither"):
        Session(respond=echo)
    with pytest.raises(ConfigError, match="respond='x'"):
        Session(respond="x", speak="y")  # type: ignore[arg-type]
    wrong: list[str] = []

    async def respond(reply: Reply) -> None:
        try:
            await reply.say(42)  # type: ignore[arg-type]
        except ConfigError as error:
            wrong.append(str(error))

    voice = Voice()
    session = Session(respond=respond, speak=voice.speak)
    await session.run(script(*turn(0, "a")))
    assert wrong == ["say(int): must be text or the bytes of audio"]
    with pytest.raises(LocalProtocolError, match="not running"):
        session.initiate("x")


async def test_outcomes_are_exactly_one_each() -> None:
    """Drafted and dropped, drafted and heard, interrupted, cut short by the next turn: one ReplyEnded a reply."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    ends = outcomes(session)
    signals = listen(session)
    await session.run(
        script(
            *turn(0, "a"), 0.1, *turn(1, "b"), 0.5, StartOfTurn(2, "c"), EagerEndOfTurn(2, "c"), 0.1, EndOfTurn(2, "")
        )
    )
    assert sorted(end[0] for end in ends) == [0, 1, 2]
    assert {end[0]: end[1] for end in ends} == {0: "cancelled", 1: "interrupted", 2: "cancelled"}
    assert kinds(signals).count("Commit") == 2
    assert {Outcome(end[1]) for end in ends} <= set(Outcome)


async def test_a_reply_that_says_nothing_has_failed_in_the_end() -> None:
    """An LLM that hangs does not take the floor for good: past `reply_timeout` the user is asked again."""
    voice = Voice()
    stopped: list[str] = []

    async def respond(reply: Reply) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.append(reply.transcript)

    session = Session(respond=respond, speak=voice.speak, reply_timeout=20.0, idle_timeout=5.0)
    ends, signals = outcomes(session), listen(session)
    await session.run(script(*turn(0, "one"), 26.0))
    assert ends == [(0, "failed", "")]
    assert stopped == ["one"]
    assert session.floor is None
    (commit,) = [signal for signal in signals if isinstance(signal, Commit)]
    (idle,) = [signal for signal in signals if isinstance(signal, UserIdle)]
    assert idle.at - commit.at == pytest.approx(25.0)
    with pytest.raises(ConfigError, match="reply_timeout=0"):
        Session(reply_timeout=0)


async def test_a_noise_over_a_pending_reply_does_not_cost_the_answer() -> None:
    """A turn of nothing cancels the reply that was about to be heard; the question is answered all the same, once."""
    voice, keys = Voice(), set[str]()

    async def respond(reply: Reply) -> None:
        keys.add(reply.key)
        await anyio.sleep(0.3)
        await reply.say(" ".join((*reply.unanswered, reply.transcript)).strip())

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    noise = [StartOfTurn(1, ""), 0.5, EndOfTurn(1, "", 0.8, trigger="timeout")]
    await session.run(script(*turn(0, "What time do you open?", eager=False), 0.1, *noise, 5.0))
    assert ends == [(0, "cancelled", ""), (1, "finished", "What time do you open?")]
    assert session.history == [
        {"role": "user", "content": "What time do you open?"},
        {"role": "assistant", "content": "What time do you open?"},
    ]
    assert len(keys) == 1
