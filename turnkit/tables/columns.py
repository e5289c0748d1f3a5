"""Columns of the tables: name, type, unit and what each is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: Its name.
        kind: Its type, as Arrow spells it.
        unit: Its unit; empty without one.
        meaning: What it is.
        words: Whether it holds what was said: such columns are there only if asked for.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    words: bool = False


_CALL = (
    Column("call", "string", "", "Id of the call: of its session, and when it began."),
    Column("session", "string", "", "Id of the session."),
    Column("file", "string", "", "The recording it was read from."),
    Column("call_began", "timestamp[ms, tz=UTC]", "", "Wall clock at the beginning of the call; null if not known."),
    Column("tags", "list<string>", "", "Tags of the connection."),
)
_TURN_SECONDS = {
    "words_to_commit": "From the end of the last word to the Commit.",
    "news_to_commit": "From the message with the last new words to the Commit: a lower bound.",
    "end_to_commit": "From EndOfTurn to the Commit: 0 unless the turn had to wait for the floor.",
    "lead": "From the beginning of the draft that was kept to the Commit.",
    "first_chunk": "From the beginning of the reply to the first of what it says.",
    "saved": "By which a draft made the first sound come sooner.",
    "response_gap": "From the Commit to the first sound of the reply.",
    "words_to_sound": "From the end of the last word to the first sound: what the user waits.",
    "reaction": "From the start of the turn to its barge-in.",
    "released": "From the barge-in to the end of the reply.",
    "silence": "From the barge-in to the player's silence.",
    "held": "For which playback was held for the turn.",
}

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "turns": (
        *_CALL,
        Column("turn", "int64", "", "Id of the turn within its call."),
        Column("wall_clock", "timestamp[ms, tz=UTC]", "", "Wall clock at its start; null if not known."),
        Column("started_s", "double", "s", "From the beginning of the call to its start."),
        Column("ended_s", "double", "s", "From the beginning of the call to its Commit or its end without one."),
        Column("result", "string", "", "committed, dropped or open."),
        Column("trigger", "string", "", "What ended it: model, timeout, manual, ...; null without a Commit."),
        Column("dropped", "string", "", "Why it got no Commit, such as overlap_kept; null if it did."),
        Column("language", "string", "", "The first language that Flux detected in it; null if it tells none."),
        *(Column(f"{name}_s", "double", "s", meaning) for name, meaning in _TURN_SECONDS.items()),
        Column("reply", "int64", "", "Id of the reply to it."),
        Column("reply_outcome", "string", "", "finished, interrupted, cancelled or failed."),
        Column("drafts", "int64", "", "Number of drafts begun for it."),
        Column("wasted_drafts", "int64", "", "Number of those that came to nothing."),
        Column("tokens", "int64", "", "Tokens reported for replies to it; null if none were."),
        Column("wasted_tokens", "int64", "", "Tokens of its wasted drafts."),
        Column("overlap", "bool", "", "Whether it began while the agent was heard."),
        Column("meant", "string", "", "What an overlap was by its words: floor, backchannel, echo or nothing."),
        Column("barged_in", "int64", "", "Id of the reply that it cut off."),
        Column("false_barge_in", "string", "", "Why it should not have: empty, backchannel or echo."),
        Column("stalled", "bool", "", "Whether it was reported as making no progress."),
        Column("transcript", "string", "", "Its last words.", words=True),
    ),
    "drafts": (
        *_CALL,
        Column("turn", "int64", "", "Id of the turn it was begun for."),
        Column("reply", "int64", "", "Id of the reply."),
        Column("wall_clock", "timestamp[ms, tz=UTC]", "", "Wall clock when it was begun; null if not known."),
        Column("at_s", "double", "s", "From the beginning of the call to when it was begun."),
        Column("confidence", "double", "0 to 1", "Flux's, of the eager end that it was begun at."),
        Column("language", "string", "", "The first language that Flux detected by then."),
        Column("result", "string", "", "kept, wasted or open."),
        Column("reason", "string", "", "Why it was wasted, such as resumed; null if it was not."),
        Column("lived_s", "double", "s", "From its beginning to its Commit or Cancel."),
        Column("first_chunk_s", "double", "s", "From its beginning to the first of what it says."),
        Column("tokens", "int64", "", "Tokens reported for it; null if none were."),
        Column("transcript", "string", "", "The words it was begun for.", words=True),
    ),
    "signals": (
        *_CALL,
        Column("number", "int64", "", "Its place among the signals of the call, from 0."),
        Column("wall_clock", "timestamp[ms, tz=UTC]", "", "Wall clock; null if not known."),
        Column("at_s", "double", "s", "From the beginning of the call."),
        Column("signal", "string", "", "Speculate, Commit, Cancel, BargeIn, ..., ReplyEnded or Note."),
        Column("turn", "int64", "", "Id of the turn it is about; null if none."),
        Column("reply", "int64", "", "Id of the reply it is about; null if none."),
        Column("reason", "string", "", "Its reason, trigger, outcome or kind, whichever it has."),
        Column("speculative", "bool", "", "Of a Commit, whether a draft was kept."),
        Column("transcript", "string", "", "The words it carries.", words=True),
    ),
}
"""The columns of each table; none of them holds what was said, save those marked `words`."""
