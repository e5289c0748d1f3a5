"""Rows of the tables, read from one recorded call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ..evidence.call import call_id
from ..metrics import DURATIONS, TurnMetrics, measure
from ..tools.tuner import intent_of
from ..trace import Fact, Fed, Trace, turn_histories
from ..turns.events import (
    Cancel,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    PlaybackAdvanced,
    PlaybackStarted,
    Speculate,
    TurnDropped,
    TurnStarted,
)
from .columns import COLUMNS

Row = dict[str, Any]


def rows_of(trace: Trace, *, words: bool = False) -> dict[str, list[Row]]:
    """The rows of each table for one call.

    Args:
        trace: The call. One of raw frames has no rows: it holds no decisions.
        words: Whether to put in what was said.

    Returns:
        Rows by the name of their table.
    """
    reading = _Reading(trace.in_call_time())
    rows = {"turns": list(reading.turns()), "drafts": reading.drafts, "signals": list(reading.signals())}
    if not words:
        for table, columns in COLUMNS.items():
            spoken = [column.name for column in columns if column.words]
            for row in rows[table]:
                for name in spoken:
                    del row[name]
    return rows


class _Reading:
    """One call, read once for what its records tell about each other."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._began = _moment(trace.header.began)
        options = trace.options
        self._call: Row = {
            "call": call_id(trace),
            "session": trace.header.session,
            "file": trace.name,
            "call_began": self._began,
            "tags": [] if options is None else list(options.tag),
        }
        self.drafts: list[Row] = []
        self._languages: dict[int, str] = {}
        self._heard: dict[int, str] = {}  # of the agent, when an overlapping turn began
        self._read()

    def _read(self) -> None:
        heard, language, confidence = "", None, None
        turn: int | None = None
        alive: dict[int, Row] = {}
        for record in self._trace.records:
            if isinstance(record, Fed):
                event = record.event
                if isinstance(event, (EagerEndOfTurn, EndOfTurn)):
                    language = event.languages[0] if event.languages else None
                    confidence = event.confidence
                elif isinstance(event, PlaybackStarted):
                    heard = ""
                elif isinstance(event, PlaybackAdvanced):
                    heard = event.heard
                    if turn in self._heard:
                        self._heard[turn] = heard
            elif isinstance(record, TurnStarted):
                turn, language = record.turn, None
                if record.overlaps is not None:
                    self._heard[turn] = heard
            elif isinstance(record, Speculate):
                alive[record.reply] = self._draft(record, confidence, language)
                self.drafts.append(alive[record.reply])
            elif isinstance(record, (Commit, Cancel)):
                _end(alive.get(record.reply), record, record.at - self._trace.began_at)
            elif isinstance(record, Fact):
                _note(alive.get(record.fields.get("reply", -1)), record, record.at - self._trace.began_at)
            if isinstance(record, (Speculate, Commit, TurnDropped)) and record.turn is not None and language:
                self._languages.setdefault(record.turn, language)

    def _draft(self, record: Speculate, confidence: float | None, language: str | None) -> Row:
        return {
            **self._call,
            "turn": record.turn,
            "reply": record.reply,
            **self._times(record.at),
            "confidence": confidence,
            "language": language,
            "result": "open",
            "reason": None,
            "lived_s": None,
            "first_chunk_s": None,
            "tokens": None,
            "transcript": record.transcript,
        }

    def turns(self) -> Iterator[Row]:
        """A row a turn, in the order in which they began."""
        histories = turn_histories(self._trace.signals())
        for turn in sorted(measure(self._trace.records)[1], key=lambda one: one.turn):
            history = histories.get(turn.turn)
            said = "" if history is None else history.transcript
            yield self._turn(turn, said)

    def _turn(self, turn: TurnMetrics, said: str) -> Row:
        began = self._trace.began_at
        at = self._times(turn.started_at)
        overlap = turn.turn in self._heard
        result = "dropped" if turn.dropped is not None else "open" if turn.ended_at is None else "committed"
        return {
            **self._call,
            "turn": turn.turn,
            "wall_clock": at["wall_clock"],
            "started_s": at["at_s"],
            "ended_s": None if turn.ended_at is None else turn.ended_at - began,
            "result": result,
            "trigger": turn.trigger,
            "dropped": _text(turn.dropped),
            "language": self._languages.get(turn.turn),
            **{f"{name}_s": getattr(turn, name) for name in DURATIONS},
            "reply": turn.reply,
            "reply_outcome": _text(turn.outcome),
            "drafts": turn.drafts,
            "wasted_drafts": turn.wasted,
            "tokens": turn.tokens,
            "wasted_tokens": turn.wasted_tokens,
            "overlap": overlap,
            "meant": str(intent_of(said, self._heard[turn.turn])) if overlap and result != "open" else None,
            "barged_in": turn.barged_in,
            "false_barge_in": _text(turn.false_barge_in),
            "stalled": turn.stalled,
            "transcript": said,
        }

    def signals(self) -> Iterator[Row]:
        """A row a signal, in the order in which they came."""
        for number, signal in enumerate(self._trace.signals()):
            parts = (getattr(signal, name, None) for name in ("reason", "trigger", "outcome", "kind"))
            yield {
                **self._call,
                "number": number,
                **self._times(signal.at),
                "signal": type(signal).__name__,
                "turn": getattr(signal, "turn", None),
                "reply": getattr(signal, "reply", None),
                "reason": next((str(part) for part in parts if part), None),
                "speculative": getattr(signal, "speculative", None),
                "transcript": getattr(signal, "transcript", None),
            }

    def _times(self, at: float | None) -> Row:
        """The wall clock and the second of the call at a moment of its own clock."""
        if at is None:
            return {"wall_clock": None, "at_s": None}
        since = at - self._trace.began_at
        return {"wall_clock": None if self._began is None else self._began + timedelta(seconds=since), "at_s": since}


def _end(draft: Row | None, signal: Commit | Cancel, at: float) -> None:
    if draft is not None and draft["result"] == "open":
        kept = isinstance(signal, Commit)
        draft["result"] = "kept" if kept else "wasted"
        draft["reason"] = None if isinstance(signal, Commit) else str(signal.reason)
        draft["lived_s"] = at - draft["at_s"]


def _note(draft: Row | None, fact: Fact, at: float) -> None:
    if draft is None:
        return
    tokens = fact.fields.get("tokens")
    if fact.name == "FirstChunk" and draft["first_chunk_s"] is None:
        draft["first_chunk_s"] = at - draft["at_s"]
    elif fact.name == "TokensUsed" and type(tokens) is int and tokens >= 0:
        draft["tokens"] = (draft["tokens"] or 0) + tokens


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None
