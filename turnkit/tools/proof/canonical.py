"""When two states are one: what is left of a machine and its referee's books once names and dates are taken away."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ...turns.chart import UserState
from .referee_memory import RefereeMemory

_LISTENING = UserState.LISTENING


def canonical(
    state: Any, books: RefereeMemory, same: Mapping[str, str], *, exact: bool, unanswered: int, idle: float
) -> Hashable:
    """Equal for two states which differ in nothing that decides what comes next.

    Taken away: the numbers of turns and replies, what Flux counts (only how far an event is ahead of it matters), and
    the present second (deadlines count from it). Of texts in which only the words matter, `same` gives one for all
    that say the same. Not told apart: more than `unanswered` unanswered texts, more than two idle timeouts in a row,
    an idle deadline that is overdue by `idle` or more, and what only a policy sees (how long the turn and the
    playback have lasted, what was heard, how many drafts there were).

    With `exact` off, texts that the machine only hands on (what a reply or a waiting turn is about, what is
    unanswered) are not told apart either: the states differ, but what becomes of them is the same.
    """
    s, b, now = state, books, state.now
    idle_at = s.idle_at - now
    listening = s.user is _LISTENING
    early = s.early_index
    key = (
        now < -1e300,
        s.closed,
        s.user,
        s.text if exact else same.get(s.text, s.text),
        s.letter,
        s.stalled,
        s.floor_is,
        s.silenced,
        s.stall_at - now,
        s.hold_until - now,
        s.suspended_until - now,
        idle_at if idle_at > -idle else -idle,
        s.idle_count if s.idle_count < 2 else 2,
        s.busy,
        s.soonest - now if s.soonest > _due(s) else None,
        (early - s.ended_index, same.get(s.early_text, s.early_text), s.early_from) if early >= 0 else None,
        s.stalled_text if s.stalled_text is None else same.get(s.stalled_text, s.stalled_text),
        None if listening else s.index is None,
        s.draft >= 0,
        s.draft_protected if s.draft >= 0 else None,
        s.reply >= 0,
        s.reply_is,
        s.reply_turn >= 0 if s.reply >= 0 else None,
        s.protected,
        min(len(s.unanswered), unanswered),
        s.suspended >= 0,
        # The referee's books: what it does not find in the machine after every step
        same.get(b.words, b.words),
        same.get(b.draft_text, b.draft_text),
        b.draft_protected,
        b.protected,
        b.floor_turn >= 0,
        b.idle if b.idle < 2 else 2,
        b.stalled,
        b.silenced,
    )
    if not exact:
        return key
    return key, same.get(s.reply_text, ""), same.get(s.suspended_text, ""), s.unanswered[-unanswered:], b.draft_text


def _due(s: Any) -> Any:
    """The deadline; one that is remembered as later than that would be missed."""
    quiet = s.user is _LISTENING and s.reply < 0 and s.suspended < 0
    return min(s.hold_until, s.suspended_until, s.stall_at, s.idle_at if quiet else s.stall_at)
