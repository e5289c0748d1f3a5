"""The canonical form of a state: equal for two states that differ in names and dates only."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from ...turns.state import State
from .referee_memory import RefereeMemory


def canonical_form(
    state: State, memory: RefereeMemory, same: Mapping[str, str], *, exact: bool, unanswered: int, idle: float
) -> Hashable:
    """Something that is equal for two states of machine and referee which differ in nothing that decides what follows.

    Taken away is what `State.essence` takes away: the numbers of turns and replies, Flux's count, the present second,
    and what only a policy sees (how long the turn and the playback have lasted, what was heard, how many drafts there
    were). More than two idle timeouts in a row are not told apart either.

    Args:
        state: the machine's.
        memory: the referee's.
        same: gives one text for all texts that say the same, where only the words matter.
        exact: whether texts that the machine only hands on are told apart: what a reply or a waiting turn is about,
            and what is unanswered. If not, the states differ, but what becomes of them is the same.
        unanswered: how many unanswered texts are told apart.
        idle: an idle deadline that is overdue by so many seconds, or by more, is overdue.

    Returns:
        Something to compare and to hash.
    """

    def alike(text: str) -> str:
        return same.get(text, text)

    key = (
        state.essence(alike),
        max(state.idle_at - state.now, -idle),
        min(state.idle_count, 2),
        min(len(state.unanswered), unanswered),
        0 if state.reply is None else min(len(state.unanswered) - state.reply.carried, unanswered),
        # Of the referee's memory, what is not compared with the machine after every step.
        alike(memory.words),
        alike(memory.draft_text),
        memory.draft_protected,
        memory.protected,
        memory.floor_turn >= 0,
        min(memory.idle, 2),
        memory.stalled,
        memory.silenced,
    )
    if not exact:
        return key
    turn, reply, suspended = state.turn, state.reply, state.suspended
    return (
        key,
        "" if turn is None else turn.text,
        "" if reply is None else alike(reply.text),
        "" if suspended is None else alike(suspended.text),
        state.unanswered[-unanswered:],
        memory.draft_text,
    )
