"""Calls of LiveKit's with faults by chance: nothing is lost, both agree on what was heard, and nothing breaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from turnkit import Commit, HoldThenDecide, IgnoreBackchannels, MinWords, Never, ReplyEnded, Session
from turnkit.testing import virtual_time

pytest.importorskip("livekit.agents", reason="LiveKit Agents is tested in an environment of its own: .ci/interop")

from tests.support.livekit_call import Listener, hold

pytestmark = pytest.mark.anyio

CALLER = """
    1.0   Good morning (0.8) to you all.
    +1.2  Mm-hm.
    +1.0  Wait please.
    +0.7  Dinner tonight (0.9) for seven persons.
    +4.0  Yeah right.
    +2.0  Something else then (1.2) if you please.
    +6.0  Thanks.
"""
SESSIONS: list[Callable[[], Session]] = [
    Session,
    lambda: Session(barge_in=IgnoreBackchannels()),
    lambda: Session(barge_in=HoldThenDecide(IgnoreBackchannels())),
    lambda: Session(barge_in=Never()),
    lambda: Session(barge_in=MinWords(2), idle_timeout=3.0),
]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """LiveKit runs on asyncio only; on a clock that jumps here too."""
    return virtual_time("asyncio")


def bare(text: str) -> str:
    return re.sub(r"[.,]", "", text).lower()


GREETING = "Welcome to the house my friend."


# Calls that have gone wrong: what was heard was taken for another reply's, or for nobody's; a reply ended too soon.
@pytest.mark.parametrize(
    ("seed", "agent", "llm_delay"),
    [
        (207, Listener(), 0.4),
        (208, Listener(GREETING, protected=True), 0.4),
        (210, Listener(GREETING), 0.05),
        (216, Listener(), 0.4),
        (217, Listener(GREETING, protected=True), 0.4),
        (232, Listener(GREETING, protected=True), 0.05),
        (14, Listener(), 4.0),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
async def test_whatever_goes_wrong(seed: int, agent: Listener, llm_delay: float) -> None:
    """Each turn that is to be answered is in LiveKit's history, and both agree on what was heard of each answer."""
    call = await hold(
        CALLER,
        session=SESSIONS[seed % 5],
        agent=agent,
        faults=["random:0.1"],
        seed=seed,
        llm_delay=llm_delay,
        after=25.0,
    )
    assert call.errors == []
    user = bare(" ".join(call.user))
    for commit in call.of(Commit):
        assert all(bare(text) in user for text in (commit.transcript, *commit.unanswered))
    answers = [heard for heard in call.heard if "Shall I book" in heard]
    assert any(call.heard)
    assert len(set(answers)) == len(answers), "nothing is answered twice"
    assert "pause" not in call.played or call.played[::-1].index("resume") < call.played[::-1].index("pause")
    if len(call.sessions) == 1:
        spoken = [text for role, text, _ in call.items if role == "assistant"]
        known = [message["content"] for message in call.sessions[0].history if message["role"] == "assistant"]
        assert known == spoken[len(spoken) - len(known) :]
        assert len(spoken) - len(known) <= 1, "but for a greeting that was over before Flux was there"
        ended = [end.reply for end in call.of(ReplyEnded)]
        assert len(ended) == len(set(ended))
    unasked = [commit for commit in call.of(Commit) if commit.trigger == "initiate"]
    assert len(unasked) <= len(call.sessions) * bool(agent.greeting), "no answer is taken for an initiative"
