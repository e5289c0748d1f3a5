"""Figures of a live session, as `log_turns` hands them out."""

from __future__ import annotations

import anyio
import pytest

from tests.support.monitored_bot import TALK, bot, conversation
from turnkit import BargeIn, StreamLost
from turnkit.metrics import TurnMetrics
from turnkit.telemetry import log_turns

pytestmark = pytest.mark.anyio


async def test_figures_of_a_live_session() -> None:
    """A session that runs its replies gives every figure, the saving of its drafts and what they cost among them."""
    session = bot()
    turns: list[TurnMetrics] = []
    metrics = log_turns(session, turns.append)
    await conversation(session, *TALK)
    first, second = turns
    assert (first.lead, first.first_chunk, first.saved) == (0.5, 0.25, 0.25)
    assert (first.response_gap, first.outcome) == (0.5, "interrupted")
    assert (first.drafts, first.wasted, first.tokens, first.wasted_tokens) == (2, 1, 200, 100)
    assert (second.barged_in, second.false_barge_in) == (1, "backchannel")
    assert (second.lead, second.first_chunk, second.saved, second.response_gap) == (None, 0.25, None, 0.75)
    assert (second.outcome, second.released) == ("finished", 0.0)
    call = metrics.call
    assert (call.turns, call.drafts, call.kept, call.tokens, call.wasted_tokens) == (2, 2, 1, 300, 100)
    assert call.duration.values == [5.75]


async def test_a_player_tells_when_it_fell_silent() -> None:
    """A host that reports the last sound after a barge-in gets the time that its player took to stop."""
    session = bot()
    metrics = log_turns(session)

    async def player_stops(signal: BargeIn) -> None:
        await anyio.sleep(0.125)
        session.playback_finished(signal.reply)

    session.on(BargeIn, player_stops)
    await conversation(session, *TALK)
    assert metrics.call.silence.values == [0.125]


async def test_silence_belongs_to_the_call() -> None:
    """A call lasts from its first moment to its last, and so does an outage that never ends."""
    session = bot()
    metrics = log_turns(session)
    await conversation(session, 1.0, StreamLost("gone"), 2.0)
    assert (metrics.call.duration.values, metrics.call.offline.values) == ([3.0], [2.0])


async def test_a_call_cut_off_hands_out_every_turn() -> None:
    """A session that is cancelled in the middle of a reply still tells of the turn, and closes the call."""
    session = bot()
    turns: list[TurnMetrics] = []
    metrics = log_turns(session, turns.append)
    with anyio.move_on_after(3.0):
        await conversation(session, *TALK[:9], 60.0)
    assert [(turn.turn, turn.outcome) for turn in turns] == [(0, "interrupted")]
    assert metrics.call.open_turns == metrics.call.open_drafts == 0
