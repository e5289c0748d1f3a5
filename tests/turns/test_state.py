"""The state of a turn machine: copies go their own way, and its essence leaves out names and dates and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import msgspec
import pytest

from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.state import (
    VERSION,
    Draft,
    FloorReply,
    OpenTurn,
    OverlapStanding,
    State,
    SuspendedTurn,
    UnannouncedWords,
)


def full() -> State:
    """A state with something in every place, though no machine comes there."""
    return State(
        version=VERSION,
        now=10.0,
        soonest=11.0,
        next_turn=3,
        next_reply=3,
        user=UserState.ENDING,
        turn=OpenTurn(2, 7, "tea", "a", 9.0, 15.0, draft=Draft(2)),
        unannounced=UnannouncedWords(7, "tea", 4.0),
        ended_index=6,
        stalled_text="stop",
        reply=FloorReply(1, ReplyState.AUDIBLE, 1, "hello", hold_until=12.0),
        suspended=SuspendedTurn(0, "well", "model", 13.0),
        unanswered=("well",),
        idle_at=20.0,
    )


def essence(state: State) -> Any:
    return state.essence(str.lower)


def test_a_copy_goes_its_own_way() -> None:
    """Whatever becomes of a copy, the original stays what it was, and the other way round."""
    state, same = full(), full()
    copy = state.copy()
    assert copy == state
    assert copy.turn is not None
    assert copy.reply is not None
    copy.now = 11.0
    copy.turn.text = "stop"
    copy.turn.draft = None
    copy.reply.heard = "so"
    copy.suspended = None
    assert state == same
    assert State(version=VERSION).copy() == State(version=VERSION)


def test_a_state_is_encoded_and_decoded() -> None:
    """Nothing in it is lost, whatever it is."""
    assert State.decode(full().encode()) == full()
    assert State.decode(State(version=VERSION).encode()) == State(version=VERSION)


NAMES_AND_DATES: dict[str, Callable[[State], State]] = {
    "the numbers of turns and replies": lambda state: msgspec.structs.replace(state, next_turn=9, next_reply=9),
    "the open turn's number": lambda state: with_turn(state, id=9),
    "how a word is written": lambda state: with_turn(state, text="Tea"),
    "when the turn began": lambda state: with_turn(state, started_at=1.0),
    "how many drafts there were": lambda state: with_turn(state, attempts=5),
    "what was heard": lambda state: with_reply(state, heard="so"),
    "what the reply is about": lambda state: with_reply(state, text="yes"),
    "whom it answers": lambda state: with_reply(state, turn=0),
}


@pytest.mark.parametrize("change", NAMES_AND_DATES.values(), ids=NAMES_AND_DATES)
def test_names_and_dates_do_not_decide(change: Callable[[State], State]) -> None:
    """The essence is the same without them."""
    changed = change(full())
    assert changed != full()
    assert essence(changed) == essence(full())


def test_a_later_second_does_not_decide() -> None:
    """Deadlines count from the present second, and Flux's count from the last turn that ended."""
    later = full()
    later.now, later.soonest, later.ended_index = 110.0, 111.0, 16
    later = with_turn(later, index=17, stall_at=115.0)
    later = with_reply(later, hold_until=112.0)
    later.suspended = SuspendedTurn(0, "well", "model", 113.0)
    later.unannounced = UnannouncedWords(17, "tea", 4.0)
    assert essence(later) == essence(full())


DECISIVE: dict[str, Callable[[State], State]] = {
    "the second": lambda state: msgspec.structs.replace(state, now=10.5),
    "closed": lambda state: msgspec.structs.replace(state, closed=True),
    "busy": lambda state: msgspec.structs.replace(state, busy=True),
    "the user": lambda state: msgspec.structs.replace(state, user=UserState.SPEAKING),
    "a deadline that would be missed": lambda state: msgspec.structs.replace(state, soonest=inf),
    "the words that ended in a stall": lambda state: msgspec.structs.replace(state, stalled_text=None),
    "words that nobody announced": lambda state: msgspec.structs.replace(state, unannounced=None),
    "no turn": lambda state: msgspec.structs.replace(state, turn=None),
    "no reply": lambda state: msgspec.structs.replace(state, reply=None),
    "no turn that waits": lambda state: msgspec.structs.replace(state, suspended=None),
    "other words": lambda state: with_turn(state, text="stop"),
    "another last letter": lambda state: with_turn(state, letter=""),
    "a stall": lambda state: with_turn(state, stalled=True),
    "the stall's deadline": lambda state: with_turn(state, stall_at=16.0),
    "no draft": lambda state: with_turn(state, draft=None),
    "a protected draft": lambda state: with_turn(state, draft=Draft(2, True)),
    "an overlap": lambda state: with_turn(state, overlap=OverlapStanding.KEPT),
    "a reply that was silenced": lambda state: with_turn(state, silenced=True),
    "the reply's state": lambda state: with_reply(state, state=ReplyState.HELD),
    "a reply to nobody": lambda state: with_reply(state, turn=None),
    "a protected reply": lambda state: with_reply(state, protected=True),
    "the hold's deadline": lambda state: with_reply(state, hold_until=inf),
}


@pytest.mark.parametrize("change", DECISIVE.values(), ids=DECISIVE)
def test_all_else_decides(change: Callable[[State], State]) -> None:
    """The essence tells the two states apart."""
    assert essence(change(full())) != essence(full())


def with_turn(state: State, /, **changes: Any) -> State:
    assert state.turn is not None
    return msgspec.structs.replace(state, turn=msgspec.structs.replace(state.turn, **changes))


def with_reply(state: State, /, **changes: Any) -> State:
    assert state.reply is not None
    return msgspec.structs.replace(state, reply=msgspec.structs.replace(state.reply, **changes))
