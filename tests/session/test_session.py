"""A session between its source and its machine: any message is taken, no deadline missed, every report passed on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import pytest

from tests.support.kinds import kinds
from tests.support.sessions import EAGER, OVER, TURN, listen, script
from turnkit.session import Session
from turnkit.turns.chart import UserState
from turnkit.turns.events import (
    Cancel,
    CancelReason,
    Commit,
    EndOfTurn,
    Event,
    Hold,
    Note,
    NoteKind,
    Resume,
    Signal,
    StartOfTurn,
    TurnDropped,
    TurnStalled,
    Update,
    UserIdle,
)
from turnkit.turns.policy import Verdict

pytestmark = pytest.mark.anyio


async def test_the_machine_is_woken_at_its_deadlines() -> None:
    """Idle, hold and stall come by the clock alone, and each alarm is moved when a nearer one is set."""
    session = Session(
        barge_in=lambda overlap: Verdict.HOLD, idle_timeout=0.3, hold_timeout=0.1, stall_timeout=0.2, stall_grace=0.1
    )
    signals = listen(session)
    began = anyio.current_time()
    await session.run(script(0.35, *TURN, lambda: session.playback_started(0), *OVER, 0.5))
    timed = [signal for signal in signals if isinstance(signal, (UserIdle, Hold, Resume, TurnStalled, TurnDropped))]
    assert kinds(timed) == ["UserIdle", "Hold", "Resume", "TurnStalled", "TurnDropped"]
    assert [signal.at - began for signal in timed] == pytest.approx([0.3, 0.35, 0.45, 0.55, 0.65], abs=1e-6)
    assert all(one.at <= other.at for one, other in pairwise(signals))


async def test_any_shape_of_message_is_taken() -> None:
    """Frames as text, bytes, mappings, SDK-like objects; events; what cannot be read is a Note and loses nothing."""
    session = Session()
    signals = listen(session)

    class SdkTurnInfo:
        def __init__(self, **fields: Any) -> None:
            self.__dict__.update(type="TurnInfo", **fields)

    await session.run(
        script(
            '{"type": "Connected", "sequence_id": 0}',
            b'{"type": "TurnInfo", "event": "StartOfTurn", "turn_index": "0", "transcript": "a", "sequence_id": 1}',
            {"type": "TurnInfo", "event": "Update", "turn_index": 0, "transcript": "a b", "sequence_id": 2},
            SdkTurnInfo(event="EndOfTurn", turn_index=0, transcript="a b", sequence_id=3),
            b"\x00\x01",
            "not json",
            None,
            object(),
            {"type": "TurnInfo", "event": "Update", "turn_index": "x"},
            {"type": "TurnInfo", "event": "TurnPondered", "turn_index": 1, "sequence_id": 4},
            {"type": "Novelty", "transcript": "secret"},
            {"type": "Warning", "code": "FORCE_END_TURN_NO_ACTIVE_TURN", "sequence_id": 5},
            {"type": "ConfigureFailure", "code": "INVALID_THRESHOLD", "sequence_id": 9},
            {"type": "ConfigureSuccess", "sequence_id": 10},
            EndOfTurn(1, "more"),
        )
    )
    assert [signal.transcript for signal in signals if isinstance(signal, Commit)] == ["a b", "more"]
    assert session.notes == {
        NoteKind.MALFORMED_MESSAGE: 5,
        NoteKind.UNKNOWN_MESSAGE: 2,
        NoteKind.FLUX_WARNING: 1,
        NoteKind.CONFIGURE_FAILED: 1,
        NoteKind.SEQUENCE_GAP: 1,
        NoteKind.MISSING_START: 1,
    }
    assert "secret" not in str([signal for signal in signals if isinstance(signal, Note)])


async def test_protect_and_discard_reach_the_machine() -> None:
    """protect defers what is said over the reply; discard_draft makes the turn's reply a new one."""
    session = Session()
    signals = listen(session)
    await session.run(
        script(
            *EAGER,
            lambda: session.discard_draft(0, "context_changed"),
            TURN[2],
            lambda: session.playback_advanced(1, "One"),
            lambda: session.protect(1),
            StartOfTurn(1, "but"),
            EndOfTurn(1, "but"),
            lambda: session.playback_finished(1),
        )
    )
    assert next(signal.reason for signal in signals if isinstance(signal, Cancel)) is CancelReason.CONTEXT_CHANGED
    assert "BargeIn" not in kinds(signals)
    assert [signal.turn for signal in signals if isinstance(signal, Commit)] == [0, 1]
    assert session.user is UserState.LISTENING


async def test_a_hundred_runs_are_the_same_run() -> None:
    """The same messages at the same times give the same signals, every time."""

    async def once() -> list[Signal]:
        session = Session(idle_timeout=0.5)
        signals = listen(session)
        events: list[Event] = [*TURN, *OVER, Update(1, "stop it"), EndOfTurn(1, "stop it")]
        await session.run(script(*events))
        began = signals[0].at
        return [type(signal)(**{**_fields(signal), "at": round(signal.at - began, 1)}) for signal in signals]

    runs = [await once() for _ in range(100)]
    assert all(run == runs[0] for run in runs)


def _fields(signal: Signal) -> dict[str, Any]:
    return {name: getattr(signal, name) for name in signal.__struct_fields__}
