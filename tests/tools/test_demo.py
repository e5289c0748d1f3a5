"""The demo holds the conversation it promises, in virtual time."""

from __future__ import annotations

import anyio
import pytest

from turnkit.tools.demo import GREETING, REPLIES, hold_conversation
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    Note,
    Outcome,
    ReplyEnded,
    Signal,
    Speculate,
    TurnDropped,
)

pytestmark = pytest.mark.anyio


class Witness:
    """Remembers everything."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.times: list[float] = []
        self.played: list[str] = []
        self.ended: list[ReplyEnded] = []
        self.clock: list[float] = []

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> None:
        if isinstance(signal, ReplyEnded):
            self.ended.append(signal)
            return
        self.signals.append(signal)
        self.times.append(seconds)

    def play(self, heard: str, rest: str) -> None:
        if not heard:
            self.played.append(rest)

    def tick(self, seconds: float) -> None:
        self.clock.append(seconds)


@pytest.mark.parametrize("speed", [1.0, 8.0])
async def test_the_demo_shows_what_it_promises(speed: float) -> None:
    """A greeting, kept drafts with a head start, a withdrawn one, a barge-in, a backchannel; under a minute."""
    witness = Witness()
    with anyio.fail_after(120):
        await hold_conversation(witness, speed=speed)
    commits = [signal for signal in witness.signals if isinstance(signal, Commit)]
    assert [commit.turn for commit in commits] == [None, 0, 1, 2, 4]
    assert all(commit.speculative for commit in commits[1:])
    cancels = [signal for signal in witness.signals if isinstance(signal, Cancel)]
    assert [(cancel.turn, cancel.reason) for cancel in cancels] == [(1, CancelReason.RESUMED)]
    assert [signal.turn for signal in witness.signals if isinstance(signal, BargeIn)] == [2]
    dropped = [signal for signal in witness.signals if isinstance(signal, TurnDropped)]
    assert [(signal.turn, signal.reason) for signal in dropped] == [(3, DropReason.OVERLAP_KEPT)]
    assert not [signal for signal in witness.signals if isinstance(signal, Note)]
    assert witness.played == [GREETING, *REPLIES.values()]
    assert [(end.reply, end.outcome) for end in witness.ended] == [
        (0, Outcome.FINISHED),
        (1, Outcome.FINISHED),
        (2, Outcome.CANCELLED),
        (3, Outcome.INTERRUPTED),
        (4, Outcome.FINISHED),
        (5, Outcome.FINISHED),
    ]
    assert REPLIES["eight"].startswith(witness.ended[3].heard)
    assert 20 < len(witness.ended[3].heard) < len(REPLIES["eight"])
    assert 25 < witness.clock[-1] < 60
    assert witness.times == sorted(witness.times)


async def test_a_draft_has_its_head_start() -> None:
    """The first turn is an eager hit: its draft began at least 0.3 s before the turn was final."""
    witness = Witness()
    await hold_conversation(witness)
    moments = dict(zip(map(id, witness.signals), witness.times, strict=True))
    speculate = next(signal for signal in witness.signals if isinstance(signal, Speculate))
    commit = next(signal for signal in witness.signals if isinstance(signal, Commit) and signal.turn == 0)
    assert speculate.reply == commit.reply
    assert moments[id(commit)] - moments[id(speculate)] > 0.3
