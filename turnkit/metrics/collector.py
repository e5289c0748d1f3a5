"""Metrics of a running call: events and signals in, figures of each turn out as it is over, and of the call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import inf
from typing import Any, TypeAlias, get_args

from ..checks import check_strings, is_number, shown
from ..errors import LocalProtocolError
from ..turns.events import (
    BargeIn,
    Busy,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    DropReason,
    Event,
    Hold,
    Initiate,
    Interrupt,
    Note,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    ReplyEnded,
    Resume,
    Speculate,
    StreamLost,
    StreamRestored,
    TurnDropped,
    TurnEvent,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    UserIdle,
)
from ..turns.policy import ENGLISH_BACKCHANNELS, EchoGuard, IgnoreBackchannels, Overlap, Verdict
from .figures import CallMetrics, FalseBargeIn, TurnMetrics
from .unfinished import LastMessage, OpenReply, OpenTurn

REMEMBERED = 64
"""How many turns, and how many replies, are remembered at most: a machine keeps three open, and the rest are of a
damaged record or wait for a late report."""

_TRIGGERS = frozenset({"model", "manual", "timeout", "missed", "stalled", "stream_lost", "typed", ""})
_EMPTY = frozenset({DropReason.EMPTY, DropReason.STALLED})  # stalled turns with words are committed


@lru_cache(8)
def _ignoring(backchannels: frozenset[str]) -> IgnoreBackchannels:
    return IgnoreBackchannels(backchannels)  # it takes its phrases apart, which takes as long as a short call


class Metrics:
    """The figures of one call, from its events and signals in the order in which things happened.

    It reads no clock and holds no texts longer than it needs them. Everything is optional: what is not reported makes
    the figures that need it None, and changes no other. Signals alone, without events, give all that lies between
    signals. Time that goes back counts as standing still. Memory is bounded however long the call: a turn is handed
    out once and forgotten, and `call` only counts (see `Samples`).

    Args:
        backchannels: Phrases, or one, that make a barge-in look false (`FalseBargeIn.BACKCHANNEL`); those of English by
            default. A user who answers "yes" to a question while it is still being asked looks the same. Words that
            were redacted are not recognised.
    """

    def __init__(self, *, backchannels: Iterable[str] = ENGLISH_BACKCHANNELS) -> None:
        # Both are asked about final words, with the default of yielding to all that is not theirs.
        self._is_backchannel = _ignoring(frozenset(check_strings("backchannels", backchannels)))
        self._is_echo = EchoGuard()
        self._call = CallMetrics(calls=1)
        self._first: float | None = None
        self._now = -inf
        self._turns: dict[int, OpenTurn] = {}
        self._replies: dict[int, OpenReply] = {}
        self._open: OpenTurn | None = None  # the turn that events belong to
        self._interrupting = False  # whether what was taken last but signals is an Interrupt: they answer to it
        self._last_message: LastMessage | None = None
        self._held: tuple[OpenTurn, int, float] | None = None
        self._lost_at: float | None = None
        self._settled: list[TurnMetrics] = []

    # For callers ---------------------------------------------------------------------------------------------------

    def take(self, item: object, at: float | None = None) -> tuple[TurnMetrics, ...]:
        """Take what happened next; an event comes before the signals it led to.

        Args:
            item: An event, a signal, ReplyEnded, or a record of a trace (`turnkit.trace`).
            at: Engine time, in seconds, at which the machine was fed the event; all others carry their own.

        Returns:
            The turns that are over with it, each once.

        Raises:
            LocalProtocolError: The item is none of these, or its time is no finite number; nothing is changed.
        """
        kind = type(item)
        handler = _HANDLERS.get(kind)
        if handler is None:
            # A record of a trace that holds an event, known by its fields: metrics do not know traces.
            event = getattr(item, "event", None)
            kind = type(event)
            handler = _HANDLERS.get(kind)
            if handler is None:
                return self._take_record(item)
            item, at = event, getattr(item, "at", None)
        if kind in _EVENTS:
            self._pass_time(item, at)
            self._interrupting = False
        else:
            self._pass_time(item, getattr(item, "at", at))
        handler(self, item)
        return self._hand_out() if self._settled else ()

    def fact(self, at: float, name: str, fields: Mapping[str, Any]) -> tuple[TurnMetrics, ...]:
        """Take something that the machine is not told: `FirstChunk` (`reply`) or `TokensUsed` (`reply`, `tokens`).

        Other facts, and fields that do not fit, change nothing, because a host has facts of its own. It returns and
        raises what `take` does.

        Args:
            at: when, in seconds of the machine's clock.
            name: what it is called.
            fields: what there is to know of it, by name.
        """
        self._pass_time(name, at)
        number = fields.get("reply")
        reply = self._replies.get(number) if isinstance(number, int) else None
        if name == "FirstChunk" and reply is not None:
            self._on_first_chunk(reply)
        elif name == "TokensUsed":
            self._on_tokens(reply, fields.get("tokens"))
        return self._hand_out()

    def wake(self, at: float) -> None:
        """Let time pass up to `at`, although nothing has happened. It raises what `take` does."""
        self._pass_time("wake", at)

    def close(self, at: float | None = None) -> tuple[TurnMetrics, ...]:
        """End the call, at `at` or with the last thing taken; harmless when called again.

        Args:
            at: Engine time in seconds; None for that of the last thing taken.

        Returns:
            The turns that were still open, as they stand.

        Raises:
            LocalProtocolError: The time is no finite number; nothing is changed.
        """
        if at is not None:
            self._pass_time("close", at)
        self._end_hold()
        self._end_outage()
        for turn in list(self._turns.values()):
            self._settle(turn)
        return self._hand_out()

    @property
    def call(self) -> CallMetrics:
        """The figures of the call so far, as a copy that does not change any more."""
        copy = self._call + CallMetrics()
        if self._first is not None:
            copy.duration.add(self._now - self._first)
        return copy

    # Time ---------------------------------------------------------------------------------------------------------

    def _pass_time(self, item: object, at: Any) -> None:
        if type(at) is not float or at - at != 0.0:  # the usual case, told at once
            at = self._seconds(item, at)
        if at > self._now:
            self._now = at
        if self._first is None:
            self._first = self._now

    def _seconds(self, item: object, at: object) -> float:
        if not is_number(at):
            what = item if isinstance(item, str) else type(item).__name__
            raise LocalProtocolError(f"{what} at={shown(at)}: must be a finite number of monotonic seconds")
        return float(at)

    def _take_record(self, item: object) -> tuple[TurnMetrics, ...]:
        """Take a record of a trace that holds no event."""
        name: object = getattr(item, "name", None)
        at: Any = getattr(item, "at", None)
        if isinstance(name, str) and isinstance(fields := getattr(item, "fields", None), Mapping):
            return self.fact(at, name, fields)
        if at is None:
            raise LocalProtocolError(f"{type(item).__name__}: must be an event, a signal, or a record of a trace")
        self._pass_time(item, at)
        return ()

    # Turns --------------------------------------------------------------------------------------------------------

    def _turn(self, number: int) -> OpenTurn:
        """The turn of that id; one that began before the recording counts from here."""
        turn = self._turns.get(number)
        if turn is None:
            turn = self._turns[number] = OpenTurn(number)
            self._call.turns += 1
            if len(self._turns) > REMEMBERED:
                self._settle(next(iter(self._turns.values())))
        return turn

    def _settle(self, turn: OpenTurn) -> None:
        if self._turns.pop(turn.number, None) is not None:
            if turn.reply is not None:
                self._first_sound(turn, turn.reply)
            self._settled.append(turn.figures())
        if self._open is turn:
            self._open = None

    def _hand_out(self) -> tuple[TurnMetrics, ...]:
        if not self._settled:
            return ()
        settled, self._settled = tuple(self._settled), []
        return settled

    def _measure(self, turn: OpenTurn | None, name: str, seconds: float | None) -> None:
        """Note a duration of the turn, and add it to those of the call."""
        if seconds is not None:
            if turn is not None:
                turn.known[name] = seconds
            getattr(self._call, name).add(seconds)

    def _on_turn_event(self, event: TurnEvent) -> None:
        self._end_outage()
        open_ = self._open
        last = self._last_message
        before = last if last is not None and last.index == event.turn_index else None
        self._last_message = LastMessage.after(before, event, self._now)
        if open_ is not None and open_.index == event.turn_index:
            open_.last_message = self._last_message

    def _on_turn_started(self, signal: TurnStarted) -> None:
        turn = self._turn(signal.turn)
        turn.started_at = self._now
        if not self._interrupting:  # what is typed is none of Flux's turns
            turn.last_message = self._last_message
            self._open = turn

    def _on_turn_dropped(self, signal: TurnDropped) -> None:
        turn = self._turn(signal.turn)
        if turn.ended_at is None:
            turn.ended_at = self._now
            turn.known["dropped"] = signal.reason
            self._call.dropped[signal.reason] += 1
            self._check_barge_in(turn, signal.reason, "")
            self._settle(turn)

    def _on_turn_stalled(self, signal: TurnStalled) -> None:
        self._turn(signal.turn).known["stalled"] = True
        self._call.stalls += 1

    # Replies ------------------------------------------------------------------------------------------------------

    def _remember(self, number: int, reply: OpenReply) -> OpenReply:
        self._replies[number] = reply
        if len(self._replies) > REMEMBERED:
            del self._replies[next(iter(self._replies))]
        return reply

    def _on_speculate(self, signal: Speculate) -> None:
        turn = self._turn(signal.turn)
        turn.drafts += 1
        self._call.drafts += 1
        self._remember(signal.reply, OpenReply(turn, drafted_at=self._now))

    def _on_cancel(self, signal: Cancel) -> None:
        reply = self._replies.get(signal.reply)
        if reply is None:
            self._call.refused += signal.reason is CancelReason.FLOOR_TAKEN
        elif reply.is_draft:
            reply.over = reply.wasted = True
            self._call.wasted[signal.reason] += 1
            self._call.wasted_tokens += reply.tokens
            if reply.turn is not None:
                reply.turn.wasted += 1
                reply.turn.wasted_tokens += reply.tokens
        else:
            self._end_reply(reply, Outcome.CANCELLED)

    def _on_commit(self, signal: Commit) -> None:
        call = self._call
        draft = self._replies.get(signal.reply) if signal.speculative else None
        turn = None if signal.turn is None else self._turn(signal.turn)
        if turn is not None and turn.ended_at is not None:
            return  # a second Commit of one turn: the record is damaged
        if draft is not None and draft.is_draft:
            reply = draft
            call.kept += 1
        else:
            reply = self._remember(signal.reply, OpenReply(turn))
        reply.committed_at = self._now
        if turn is None:
            call.initiated += signal.trigger == "initiate"
            return
        trigger = signal.trigger if signal.trigger in _TRIGGERS else "other"
        turn.ended_at = self._now
        turn.reply = reply
        turn.known.update(trigger=signal.trigger, reply=signal.reply)
        call.committed += 1
        call.triggers[trigger] += 1
        if reply.drafted_at is not None:
            self._measure(turn, "lead", self._now - reply.drafted_at)
        if (last := turn.last_message) is not None:
            self._measure(turn, "words_to_commit", last.since_last_word(self._now))
            self._measure(turn, "news_to_commit", last.since_news(self._now))
            self._measure(turn, "end_to_commit", last.since_end(self._now))
        self._check_barge_in(turn, None, signal.transcript)

    def _on_first_chunk(self, reply: OpenReply) -> None:
        began = reply.committed_at if reply.drafted_at is None else reply.drafted_at
        if reply.first_chunk is None and began is not None and not reply.wasted:
            reply.first_chunk = self._now - began
            self._measure(reply.turn, "first_chunk", reply.first_chunk)

    def _on_tokens(self, reply: OpenReply | None, tokens: object) -> None:
        if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0:
            return
        self._call.token_reports += 1
        self._call.tokens += tokens
        if reply is None:
            return
        reply.tokens += tokens
        self._call.wasted_tokens += tokens if reply.wasted else 0
        if reply.turn is not None:
            reply.turn.tokens = (reply.turn.tokens or 0) + tokens
            reply.turn.wasted_tokens += tokens if reply.wasted else 0

    def _on_reply_ended(self, signal: ReplyEnded) -> None:
        reply = self._replies.get(signal.reply)
        if reply is None:
            return
        if reply.cut_at is not None and not reply.released:
            reply.released = True
            self._measure(reply.cut_by, "released", self._now - reply.cut_at)
        if reply.committed_at is not None:
            reply.reported = signal.reported
            self._call.unreported += not signal.reported
            self._end_reply(reply, signal.outcome)

    def _end_reply(self, reply: OpenReply, outcome: Outcome) -> None:
        """End a reply that was committed, and with it the turn that it answered."""
        if reply.over:
            return
        reply.over = True
        self._call.replies[outcome] += 1
        self._call.silent += outcome is Outcome.FINISHED and reply.heard_at is None
        if self._held is not None and self._replies.get(self._held[1]) is reply:
            self._end_hold()
        if reply.turn is not None:
            reply.turn.known["outcome"] = outcome
            self._settle(reply.turn)

    # Playback -----------------------------------------------------------------------------------------------------

    def _on_playback(self, event: PlaybackStarted | PlaybackAdvanced) -> None:
        reply = self._replies.get(event.reply)
        # Of a draft, and of what is over, nothing is heard: the machine pays no heed to it either.
        if reply is None or reply.committed_at is None or reply.over:
            return
        if reply.heard_at is None:
            reply.heard_at = self._now
        if isinstance(event, PlaybackAdvanced):
            reply.heard = event.heard

    def _first_sound(self, turn: OpenTurn, reply: OpenReply) -> None:
        """Measure when the reply was first heard, now that it is known whether anybody had reported that."""
        if reply.heard_at is None or reply.committed_at is None or not reply.reported:
            return
        gap = reply.heard_at - reply.committed_at
        self._measure(turn, "response_gap", gap)
        words = turn.known.get("words_to_commit")
        if words is not None:
            self._measure(turn, "words_to_sound", words + gap)
        lead = turn.known.get("lead")
        if lead is not None and reply.first_chunk is not None:
            self._measure(turn, "saved", min(lead, reply.first_chunk))

    def _on_finished(self, event: PlaybackFinished) -> None:
        reply = self._replies.get(event.reply)
        if reply is None:
            return
        if reply.cut_at is not None and not reply.silent:
            reply.silent = True
            self._measure(reply.cut_by, "silence", self._now - reply.cut_at)
        elif reply.committed_at is not None:
            self._end_reply(reply, Outcome.FAILED if event.failed else Outcome.FINISHED)

    # Overlaps -----------------------------------------------------------------------------------------------------

    def _on_barge_in(self, signal: BargeIn) -> None:
        reply = self._replies.get(signal.reply)
        turn = None
        if signal.turn is not None and not self._interrupting:
            turn = self._turn(signal.turn)
            turn.talked_over = signal.heard or ("" if reply is None else reply.heard)
            turn.known["barged_in"] = signal.reply
            self._call.barge_ins += 1
            if turn.started_at is not None:
                self._measure(turn, "reaction", self._now - turn.started_at)
        self._end_hold()
        if reply is not None and not reply.over:
            reply.cut_at, reply.cut_by = self._now, turn
            self._end_reply(reply, Outcome.INTERRUPTED)

    def _on_interrupt(self, event: Interrupt) -> None:
        self._interrupting = True
        self._call.interrupts += 1

    def _check_barge_in(self, turn: OpenTurn, dropped: DropReason | None, words: str) -> None:
        """Count whether the turn, if it took the floor, should have, now that its words are final."""
        typed = turn.known.get("trigger") == "typed"
        if "barged_in" not in turn.known or typed or (dropped is not None and dropped not in _EMPTY):
            return
        self._call.judged += 1
        turn.known["judged"] = True
        overlap = Overlap(words, 0.0, 0.0, turn.talked_over, False, True)
        if dropped is not None:
            kind = FalseBargeIn.EMPTY
        elif self._is_backchannel(overlap)[0] is Verdict.KEEP:
            kind = FalseBargeIn.BACKCHANNEL
        elif self._is_echo(overlap)[0] is Verdict.KEEP:
            kind = FalseBargeIn.ECHO
        else:
            return
        turn.known["false_barge_in"] = kind
        self._call.false_barge_ins[kind] += 1

    def _on_hold(self, signal: Hold) -> None:
        self._end_hold()
        self._call.holds += 1
        self._held = (self._turn(signal.turn), signal.reply, self._now)

    def _on_resume(self, signal: Resume) -> None:
        self._call.resumes[signal.reason] += 1
        self._end_hold()

    def _end_hold(self) -> None:
        if self._held is not None:
            turn, _, since = self._held
            self._held = None
            # A turn may be held for several times, if nothing decides it.
            turn.known["held"] = turn.known.get("held", 0.0) + self._now - since
            self._call.held.add(self._now - since)

    # The rest -----------------------------------------------------------------------------------------------------

    def _on_lost(self, event: StreamLost) -> None:
        if self._lost_at is None:
            self._call.stream_losses += 1
            self._lost_at = self._now
        # Flux counts turns anew, so what comes belongs to none that there was.
        self._last_message = self._open = None

    def _on_restored(self, event: StreamRestored) -> None:
        self._end_outage()

    def _end_outage(self) -> None:
        if self._lost_at is not None:
            self._call.offline.add(self._now - self._lost_at)
            self._lost_at = None

    def _on_idle(self, signal: UserIdle) -> None:
        self._call.idles += 1

    def _on_note(self, signal: Note) -> None:
        self._call.notes[signal.kind] += 1

    def _on_nothing(self, item: object) -> None:
        """Count nothing."""


def measure(records: Iterable[object]) -> tuple[CallMetrics, list[TurnMetrics]]:
    """The figures of one recorded call, and of its turns in the order in which they were over.

    `records` are those of a trace (`turnkit.trace.read(path).records`), or anything else that `Metrics.take` takes.
    """
    metrics = Metrics()
    turns = [turn for record in records for turn in metrics.take(record)]
    turns.extend(metrics.close())
    return metrics.call, turns


_EVENTS = frozenset(get_args(Event))
_Handler: TypeAlias = Callable[[Metrics, Any], None]

_HANDLERS: dict[type, _Handler] = {
    **dict.fromkeys(get_args(TurnEvent), Metrics._on_turn_event),
    PlaybackStarted: Metrics._on_playback,
    PlaybackAdvanced: Metrics._on_playback,
    PlaybackFinished: Metrics._on_finished,
    Initiate: Metrics._on_nothing,
    Interrupt: Metrics._on_interrupt,
    Protect: Metrics._on_nothing,
    DraftDiscarded: Metrics._on_nothing,
    Busy: Metrics._on_nothing,
    StreamLost: Metrics._on_lost,
    StreamRestored: Metrics._on_restored,
    TurnStarted: Metrics._on_turn_started,
    TurnUpdated: Metrics._on_nothing,
    Speculate: Metrics._on_speculate,
    Cancel: Metrics._on_cancel,
    Commit: Metrics._on_commit,
    BargeIn: Metrics._on_barge_in,
    Hold: Metrics._on_hold,
    Resume: Metrics._on_resume,
    TurnDropped: Metrics._on_turn_dropped,
    TurnStalled: Metrics._on_turn_stalled,
    UserIdle: Metrics._on_idle,
    Note: Metrics._on_note,
    ReplyEnded: Metrics._on_reply_ended,
}
