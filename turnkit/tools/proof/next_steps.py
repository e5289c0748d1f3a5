"""The steps that can be taken next in a state: every event there is, about everything it could be about, and wakes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ...turns.events import (
    Busy,
    DraftDiscarded,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Initiate,
    Interrupt,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnResumed,
    Update,
)
from ...turns.state import NEVER, State
from .configuration import Configuration

TURN_EVENTS: tuple[type[Any], ...] = (StartOfTurn, Update, EagerEndOfTurn, TurnResumed, EndOfTurn)
TICK = 1.0  # seconds; every timeout of a configuration is a whole number of them
SHORT, LONG = 0.5, 0.6  # seconds of audio: words that no StartOfTurn announces are a turn after 0.6


@cache
def _turn_events(index: int, text: str) -> tuple[Event, ...]:
    return tuple(kind(index, text, 0.5, 0.0) for kind in TURN_EVENTS)


@cache
def _unannounced(index: int, text: str) -> tuple[Event, ...]:
    return tuple(Update(index, text, 0.5, audio_end) for audio_end in (SHORT, LONG))


def next_steps(
    state: State, deadline: float | None, configuration: Configuration
) -> Iterator[tuple[Event | None, float]]:
    """Every event, and every wake (None), that is tried in a state, with its second.

    Events come at the present second: later ones differ from a wake and then the event in nothing (which is judged,
    too). Wakes come one tick on, at the deadline, and long after every deadline.
    """
    begun = state.now != NEVER
    now = state.now if begun else 0.0
    for event in turn_events(state, configuration):
        yield event, now
    for event in host_events(state, configuration):
        yield event, now
    if not begun:
        yield None, now
    elif deadline is not None:
        yield None, now + TICK
        if deadline > now + TICK:
            yield None, deadline
        if configuration.late:
            yield None, now + configuration.long


def turn_events(state: State, configuration: Configuration) -> Iterator[Event]:
    """What Flux can say: of the turn that is open or comes next, of the one after it, and of those that are over."""
    texts, unannounced = configuration.texts, state.unannounced
    current = state.ended_index + 1 if state.turn is None else state.turn.index
    ahead = texts if configuration.ahead else texts[:2]
    behind = texts if state.stalled_text is not None else texts[1:2]
    indexes = [(current, texts), (current + 1, ahead), (current - 1, behind)]
    if state.stalled_text is not None:
        indexes.append((current - 2, texts[1:2]))
    for index, said in indexes:
        for text in said:
            yield from _turn_events(index, text)
            if unannounced is not None and index == unannounced.index and text:
                yield from _unannounced(index, text)


def host_events(state: State, configuration: Configuration) -> Iterator[Event]:
    """What the host can say: about the draft, the reply that has the floor, one that is over, and one to come."""
    draft, floor, coming = state.draft, state.reply, state.next_reply
    alive = [reply.id for reply in (draft, floor) if reply is not None]
    # Of those that are over the last one is as good as any, and so is -1, which never was.
    over = next((reply for reply in range(coming - 1, -1, -1) if reply not in alive), -1)
    replies = {*alive, over, -1, coming} if configuration.ahead else {*alive, over}
    for reply in sorted(replies):
        yield PlaybackStarted(reply)
        yield PlaybackAdvanced(reply, "so")
        yield PlaybackFinished(reply)
        yield PlaybackFinished(reply, failed=True)
        yield Protect(reply, True)
        yield Protect(reply, False)
        yield DraftDiscarded(reply, "failed")
        yield DraftDiscarded(reply, "context_changed")
    yield DraftDiscarded(-1 if draft is None else draft.id, "?")
    yield Initiate()
    yield Initiate(True)
    if len(state.waiting) + (floor is not None and floor.waits) < configuration.waiting:
        yield Initiate(wait=True)
        yield Initiate(True, wait=True)
    for text in configuration.texts[:2]:
        yield Interrupt(text)
    yield Busy(True)
    yield Busy(False)
    yield StreamLost("gone")
    yield StreamRestored("back")
