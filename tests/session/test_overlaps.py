"""The user speaks over a reply: what stops, what is paused, and what must finish all the same."""

from __future__ import annotations

import anyio
import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.turns.events import EndOfTurn, StartOfTurn
from turnkit.turns.policy import Overlap, Verdict

pytestmark = pytest.mark.anyio


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


@pytest.mark.parametrize("heard", ["", "uh"])
async def test_a_noise_over_a_pending_reply_does_not_cost_the_answer(heard: str) -> None:
    """A turn of nothing leaves the reply alone that is about to be heard; words taken back have it made again."""
    voice, keys = Voice(), set[str]()

    async def respond(reply: Reply) -> None:
        keys.add(reply.key)
        await anyio.sleep(0.3)
        await reply.say(" ".join((*reply.unanswered, reply.transcript)).strip())

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    noise = [StartOfTurn(1, heard), 0.5, EndOfTurn(1, "", 0.8, trigger="timeout")]
    await session.run(script(*turn(0, "What time do you open?", eager=False), 0.1, *noise, 5.0))
    cancelled = [(0, "cancelled", "")] if heard else []
    assert ends == [*cancelled, (len(cancelled), "finished", "What time do you open?")]
    assert session.history == [
        {"role": "user", "content": "What time do you open?"},
        {"role": "assistant", "content": "What time do you open?"},
    ]
    assert len(keys) == 1
