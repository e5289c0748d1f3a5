"""turnkit inside a real AgentSession of LiveKit's: each situation of a call, with what the caller hears."""

from __future__ import annotations

import re
from typing import Any

import pytest

from turnkit import (
    BargeIn,
    Commit,
    Hold,
    HoldThenDecide,
    IgnoreBackchannels,
    MinWords,
    Outcome,
    ReplyEnded,
    Resume,
    Session,
    Speculate,
    TurnDropped,
)
from turnkit.testing import virtual_time

pytest.importorskip("livekit.agents", reason="LiveKit Agents is tested in an environment of its own: .ci/interop")

from tests.support.livekit_call import Listener, hold

pytestmark = pytest.mark.anyio

TABLE = "I'd like a table for two, please."
PAUSED = "1.0  I'd like a table (0.9) for two, please."


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """LiveKit runs on asyncio only; on a clock that jumps here too."""
    return virtual_time("asyncio")


def answer(text: str) -> str:
    return f"Very well, you said: {text} Shall I book that for you?"


async def test_a_turn_is_answered_once_and_heard() -> None:
    """Its words are LiveKit's user message, the answer its reply; turnkit's history is the same."""
    call = await hold(PAUSED)
    assert call.errors == []
    assert call.user == [TABLE]
    assert call.heard == [answer(TABLE)]
    assert [(end.outcome, end.heard) for end in call.of(ReplyEnded) if end.outcome != "cancelled"] == [
        (Outcome.FINISHED, answer(TABLE))
    ]
    assert [message["content"] for message in call.sessions[0].history] == [TABLE, answer(TABLE)]


async def test_a_draft_is_made_at_the_eager_end_and_kept() -> None:
    """LiveKit asks its LLM then, and not again at the end, which comes later."""
    call = await hold("1.0  I'd like a table for two, please.")
    assert call.errors == []
    (draft,), (commit,) = call.of(Speculate), call.of(Commit)
    assert commit.speculative
    assert call.llm.asked == [TABLE]
    began = next(at for at, what, _ in call.loudspeaker.events if what == "start")
    assert draft.at < commit.at
    assert began - commit.at < 0.1, "the LLM's delay was over before"


@pytest.mark.parametrize("seed", range(6))
async def test_burst(seed: int) -> None:
    """A draft and its withdrawal that come together: nothing of it is heard, and the turn is answered once."""
    call = await hold(PAUSED, faults=["burst:2@eager1"], seed=seed)
    assert call.errors == []
    assert call.heard == [answer(" ".join(call.user))]
    assert " ".join(call.user).lower().replace(".", "") == TABLE.lower().replace(".", "")


@pytest.mark.parametrize("moment", ["1.3s", "2.0s", "2.6s", "3.2s"])
async def test_drop(moment: str) -> None:
    """The connection is lost in a turn: no word is, and there is one answer."""
    call = await hold(PAUSED, faults=[f"drop@{moment}/1"])
    assert call.errors == []
    assert " ".join(call.user).replace(",", "") == TABLE.replace(",", "")
    assert len([heard for heard in call.heard if heard.endswith("for you?")]) == 1


async def test_stall() -> None:
    """Flux falls silent: what it had said is answered, and what is said later too."""
    call = await hold("1.0  Dinner please (0.9) for two persons.\n+16  And a high chair.", faults=["stall/1"])
    assert call.errors == []
    assert re.sub(r"[.,]", "", " ".join(call.user)).lower() == "dinner please for two persons and a high chair"
    assert call.heard[-1].endswith("And a high chair. Shall I book that for you?")


async def test_a_backchannel_does_not_stop_the_agent() -> None:
    """LiveKit never hears of it, and the turn after it is not glued to it."""
    call = await hold(
        f"{PAUSED}\n+1.6  Mm-hm.\n+4.5  Thank you.", session=lambda: Session(barge_in=IgnoreBackchannels())
    )
    assert call.errors == []
    assert [drop.reason for drop in call.of(TurnDropped)] == ["overlap_kept"]
    assert not any("hm" in text.lower() for text in call.interims)
    assert call.heard == [answer(TABLE), answer("Thank you.")]
    assert call.user == [TABLE, "Thank you."]


async def test_words_stop_it() -> None:
    """And LiveKit's history, and turnkit's, hold what was heard by then."""
    call = await hold(f"{PAUSED}\n+2.5  Sorry, make that three.")
    assert call.errors == []
    assert [signal.reply for signal in call.of(BargeIn)] == [call.of(Commit)[0].reply]
    assert len(call.heard) == 2
    assert answer(TABLE).startswith(call.heard[0])
    assert call.heard[0] != answer(TABLE)
    assert call.items == [
        ("user", TABLE, False),
        ("assistant", call.heard[0], True),
        ("user", "Sorry, make that three.", False),
        ("assistant", answer("Sorry, make that three."), False),
    ]
    assert [message["content"] for message in call.sessions[0].history] == [text for _, text, _ in call.items]


async def test_a_false_interruption_is_a_pause() -> None:
    """Noise over the agent, with HoldThenDecide: paused, resumed, heard to the end."""
    call = await hold(
        f"{PAUSED}\n+20  Thank you.",
        session=lambda: Session(barge_in=HoldThenDecide()),
        faults=["false_start:0.8@6.0s"],
    )
    assert call.errors == []
    assert len(call.of(Hold)) == len(call.of(Resume)) == 1
    assert call.of(BargeIn) == []
    assert call.played[:4] == ["start", "pause", "resume", "end"]
    assert call.heard[0] == answer(TABLE)


async def test_a_held_agent_stops_for_words() -> None:
    """Held at the first words, interrupted at the fourth; the next speech does not begin paused."""
    policy = HoldThenDecide(MinWords(4))
    call = await hold(f"{PAUSED}\n+2.5  Sorry, make that three.", session=lambda: Session(barge_in=policy))
    assert call.errors == []
    assert call.played[:3] == ["start", "pause", "cut"]
    assert call.heard[1:] == [answer("Sorry, make that three.")]


async def test_what_is_said_over_a_protected_greeting_is_answered_after_it() -> None:
    """It is not cut short, and the words are not lost."""
    greeting = "Welcome to the house. This call is recorded for training purposes, thank you."
    call = await hold("1.0  I'd like a table for two, please.", agent=Listener(greeting, protected=True))
    assert call.errors == []
    assert call.heard == [greeting, answer(TABLE)]
    assert call.user == [TABLE]


async def test_a_greeting_that_may_be_interrupted_is() -> None:
    """turnkit knows that LiveKit speaks, though no turn has asked for it."""
    greeting = "Welcome to the house. This call is recorded for training purposes, thank you."
    call = await hold("1.0  I'd like a table for two, please.", agent=Listener(greeting))
    assert call.errors == []
    assert len(call.of(BargeIn)) == 1
    assert call.heard[0] != greeting
    assert call.heard[1:] == [answer(TABLE)]
