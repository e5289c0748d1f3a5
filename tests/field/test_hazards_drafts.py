"""What Flux has been seen to do, or might: eager ends and what follows them. The table is PAINS.md."""

from __future__ import annotations

import anyio
import pytest

from tests.support.refereed_call import RefereedCall
from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import Voice
from turnkit.session import Reply, Session
from turnkit.turns.chart import UserState
from turnkit.turns.events import (
    Cancel,
    CancelReason,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    PlaybackFinished,
    PlaybackStarted,
    Speculate,
    StartOfTurn,
    TurnResumed,
    TurnStarted,
    Update,
    UserIdle,
)
from turnkit.turns.policy import Pause

pytestmark = pytest.mark.anyio


def test_hazard_g_several_eager_ends_in_one_turn_have_a_draft_each() -> None:
    """Eager, resumed, eager, resumed within one turn_index: counters, not flags.

    https://developers.deepgram.com/docs/flux/state shows two in one turn - each draft has its own id and its own end,
    and the policy is told how many there have been.
    """
    attempts: list[int] = []

    def count(pause: Pause) -> bool:
        attempts.append(pause.attempts)
        return True

    call = RefereedCall(speculation=count)
    call.play(StartOfTurn(0, "one"))
    text = "one"
    for word in ("two", "three", "four"):
        call.play(0.3, EagerEndOfTurn(0, text), 0.2, TurnResumed(0, text))
        text = f"{text} {word}"
    call.play(0.3, EagerEndOfTurn(0, text), 0.2, EndOfTurn(0, text))
    assert attempts == [0, 1, 2, 3]
    assert [draft.reply for draft in call.of(Speculate)] == [0, 1, 2, 3]
    assert [(cancel.reply, cancel.reason) for cancel in call.of(Cancel)] == [
        (reply, CancelReason.RESUMED) for reply in range(3)
    ]
    assert [(commit.reply, commit.speculative) for commit in call.of(Commit)] == [(3, True)]


def test_hazard_h_updates_that_repeat_the_eager_text_do_not_cancel_the_draft() -> None:
    """Between EagerEndOfTurn and EndOfTurn come Updates with unchanged text: seen in a recorded session."""
    call = RefereedCall()
    text = "establish this Constitution for the United States of America."
    call.play(StartOfTurn(0, "establish"), EagerEndOfTurn(0, text, 0.79), 0.08, Update(0, text, 0.72), 0.08)
    assert call.play(Update(0, text.lower().rstrip("."), 0.81), Update(0, "", 0.81)) == []
    assert call.machine.draft == 0
    call.play(EndOfTurn(0, text, 0.91))
    assert call.of(Commit)[0].speculative


def test_hazard_i_confidence_that_falls_after_an_eager_end_means_nothing() -> None:
    """0.7925 at the eager end, then 0.7183, then 0.9136 at the end: seen in a recorded session."""
    call = RefereedCall()
    call.play(StartOfTurn(0, "yes"), EagerEndOfTurn(0, "yes please", 0.7925))
    assert call.play(0.08, Update(0, "yes please", 0.7183), 0.08, Update(0, "yes please", 0.05)) == []
    call.play(EndOfTurn(0, "yes please", 0.065))
    assert call.of(Commit)[0].speculative, "manual ends come with any confidence"


def test_hazard_j_confidence_above_the_eager_threshold_is_no_eager_end() -> None:
    """0.6348 and 0.7773 in mid-sentence, with an eager threshold of 0.5, and no EagerEndOfTurn: seen in a recorded
    session."""
    call = RefereedCall()
    call.play(StartOfTurn(0, "We, the", 0.1), 0.24, Update(0, "We, the people", 0.6348), 0.08)
    call.play(Update(0, "We, the people of", 0.7773))
    assert call.of(Speculate) == []
    assert call.machine.user is UserState.SPEAKING


def test_hazard_k_confidence_above_the_end_threshold_in_silence_is_no_end() -> None:
    """0.8164 in idle silence with a threshold of 0.8, and 0.45 on the very first frame: seen in a recorded session."""
    call = RefereedCall()
    call.play(Update(0, "", 0.45), 0.24, StartOfTurn(0, "yes", 0.1), 0.24)
    assert call.play(Update(0, "yes", 0.8164)) == []
    call.play(EndOfTurn(0, "yes", 0.9), PlaybackStarted(0), PlaybackFinished(0))
    assert call.play(*(Update(1, "", 0.82) for _ in range(20))) == []
    assert len(call.of(Commit)) == 1


async def test_hazard_l_an_eager_end_and_the_end_at_once_are_one_answer() -> None:
    """They may be 160 ms apart, as seen in a recorded session, or come together: the draft has not even begun.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot - it is kept, begun once, and heard.
    """
    for gap in (0.0, 0.16):
        voice = Voice()
        begun: list[bool] = []

        async def respond(reply: Reply, begun: list[bool] = begun) -> None:
            begun.append(reply.speculative)
            await reply.say("Sure.")

        session = Session(respond=respond, speak=voice.speak)
        ends = outcomes(session)
        await session.run(script(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), gap, EndOfTurn(0, "tea"), 1.0))
        assert begun == [True]
        assert ends == [(0, "finished", "Sure.")]


def test_hazard_m_an_end_without_an_eager_end_before_it_is_answered() -> None:
    """A manual end comes without an eager one though eager mode is on, and so may a timeout or a sure end.

    https://developers.deepgram.com/docs/flux/force-end-turn - a draft is a gain and never a condition.
    """
    for trigger in ("manual", "timeout", "model", "something newer", ""):
        call = RefereedCall()
        call.play(StartOfTurn(0, "five five"), EndOfTurn(0, "five five", 0.35, trigger=trigger))
        (commit,) = call.of(Commit)
        assert (commit.speculative, commit.trigger) == (False, trigger)


async def test_hazard_u_a_backlog_of_events_leaves_one_answer_and_is_none_of_the_readers_making() -> None:
    """Eager, resumed, eager and end were handled within half a millisecond, because the reader had been waiting for the
    playback of a reply: reported from production.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot - no handler and no playback holds up the reader,
    and of what comes in one burst, only the last draft begins.
    """
    voice = Voice()
    begun: list[str] = []

    async def respond(reply: Reply) -> None:
        begun.append(reply.transcript)
        await reply.say("one two three four five six seven eight nine ten" if reply.turn == 0 else "Yes.")

    session = Session(respond=respond, speak=voice.speak)
    signals = listen(session)

    @session.on(TurnStarted)
    async def slow(signal: TurnStarted) -> None:
        await anyio.sleep(60)

    burst = [StartOfTurn(1, "do"), EagerEndOfTurn(1, "do you"), TurnResumed(1, "do you")]
    burst += [EagerEndOfTurn(1, "do you have pets"), EndOfTurn(1, "do you have pets")]
    await session.run(script(*turn(0, "hello"), 0.45, *burst, 1.0), drain=False)
    at = [signal.at for signal in signals if not isinstance(signal, (UserIdle,))]
    assert at[-1] - at[0] == pytest.approx(0.45)
    assert begun == ["hello", "do you have pets"]
    assert voice.heard == "one two three four five Yes."


async def test_hazard_y_words_drafted_for_again_can_have_the_draft_of_before() -> None:
    """Eager, resumed, eager, end, all with the same words: reported from production.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot - the first draft is cancelled, as asked; the words
    and the key of the second are the same, so what the LLM has said to them can be had again without a call.
    """
    voice = Voice()
    said: dict[tuple[str, str], str] = {}
    calls: list[int] = []

    async def respond(reply: Reply) -> None:
        known = (reply.key, reply.transcript)
        if known not in said:
            await anyio.sleep(0.3)
            calls.append(reply.id)
            said[known] = "Only cats."
        await reply.say(said[known])

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    pets = "do you allow pets?"
    await session.run(
        script(
            StartOfTurn(0, "do"),
            EagerEndOfTurn(0, pets),
            0.4,
            TurnResumed(0, pets),
            0.1,
            EagerEndOfTurn(0, pets),
            0.05,
            EndOfTurn(0, pets),
        )
    )
    assert calls == [0]
    assert voice.heard == "Only cats."
    assert [end[:2] for end in ends] == [(0, "cancelled"), (1, "finished")]
