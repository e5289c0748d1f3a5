"""Every reply ends in one outcome, with what was heard of it, also if the LLM or the voice fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.support.kinds import kinds
from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import ConfigError
from turnkit.session import Reply, Session
from turnkit.turns.events import Commit, EagerEndOfTurn, EndOfTurn, Outcome, StartOfTurn, UserIdle

pytestmark = pytest.mark.anyio


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
