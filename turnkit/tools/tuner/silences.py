"""The silences in what a user said, read from a trace, and how sure Flux was in each of them.

An *utterance* is all that the user said before it was the agent's turn. Between its words are silences after which the
user went on, and after them is the one in which they did not. A silence holds the confidence that Flux reported in it,
second by second, until the user went on or Flux ended the turn: after that its numbers are about the next turn, and
nothing is known. Silence is counted from the end of the last word, on the audio's own clock, so that neither the
network nor a busy process is in it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise
from math import inf
from operator import le
from typing import Any, get_args

import msgspec

from ...trace import Fed, Trace
from ...trace.timed import KINDS, TIMED, either_way
from ...turns.events import (
    Cancel,
    CancelReason,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Interrupt,
    PlaybackFinished,
    PlaybackStarted,
    StreamLost,
    TimedWord,
    TurnEvent,
    TurnResumed,
    Update,
)
from ...turns.words import same_words

TURNAROUND = 0.3
"""Seconds that no bot undercuts from an end of turn to the first sound of its reply."""

REACTION = 0.3
"""Seconds after the first sound of a reply within which a user who speaks does not answer it: nobody reacts sooner."""

SHORTEST = 0.1
"""Seconds below which the space between two words is no silence: their times lie on a grid of 0.08 s."""

_NOISE = 1e-6  # Flux's audio times are float32
_TURN_EVENTS = frozenset(get_args(TurnEvent))
_UPDATE = TIMED[Update]
_EAGER, _END = either_way(EagerEndOfTurn), either_way(EndOfTurn)
_DECIDED = _END | either_way(TurnResumed)


class Silence(msgspec.Struct, gc=False):
    """A silence of the user's, within an utterance or at its end.

    The last silence of an utterance ended a turn. It may have been the end of what the user had to say, or a pause in
    which they were cut off: what the recording knows about that is in `gap`, `sure`, `answered` and `joins`.

    Attributes:
        seconds: Seconds until the user surely went on; inf where they did not, or may have had finished.
        samples: Seconds of silence so far and Flux's confidence then, in order.
        known: Seconds of silence up to which the samples are complete.
        trigger: Trigger of the EndOfTurn that fell into it; None if none did.
        eager: Seconds of silence at which an EagerEndOfTurn came first; None if none did.
        gap: Seconds until the user's next words of any kind; inf if none followed.
        sure: Seconds of silence within which a user who speaks has surely only paused, as nothing of the reply had been
            heard for long enough to react to; inf if they spoke before any of it was.
        answered: Whether the reply had been heard to its end when the user spoke next; None if that is not recorded.
        joins: Whether the words before it do not end a sentence; None if there were none.
    """

    seconds: float
    samples: list[tuple[float, float]]
    known: float
    trigger: str | None = None
    eager: float | None = None
    gap: float = inf
    sure: float = 0.0
    answered: bool | None = None
    joins: bool | None = None


class FluxThresholds(msgspec.Struct, frozen=True):
    """Thresholds of Flux.

    Attributes:
        eot: The `eot_threshold`.
        eager: The `eager_eot_threshold`; None if eager ends are off.
        timeout: The `eot_timeout`, in seconds.
    """

    eot: float
    eager: float | None
    timeout: float


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An EagerEndOfTurn, at which a draft is begun.

    Attributes:
        confidence: Flux's confidence, 0 to 1.
        confirmed: Whether the turn then ended on the same words.
    """

    confidence: float
    confirmed: bool


class CallSilences(msgspec.Struct):
    """What one trace tells about silences: small, without words, and all that `tune` asks of a call.

    Attributes:
        name: Name of the trace.
        recorded: Thresholds in force.
        inferred: Whether these had to be read off the events, because the trace does not name them.
        utterances: Each utterance as a list of its silences, of which the last one is its end.
        drafts: Each eager end of turn.
        measured: Whether Flux gave times of words; otherwise a silence is taken to begin when its words were reported.
        tag: The first of the connection's tags; empty if there is none.
        language: The language of the first turn that names one; empty if none does.
        began: Wall clock at the beginning, in ISO 8601; empty if it is not known.
    """

    name: str
    recorded: FluxThresholds
    inferred: bool
    utterances: list[list[Silence]]
    drafts: list[Draft]
    measured: bool
    tag: str = ""
    language: str = ""
    began: str = ""


class _FluxTurn(msgspec.Struct):
    """A turn as Flux counted it, and what became of its answer before the user spoke again."""

    events: list[Any]  # turn events, be they timed or not
    words: tuple[TimedWord, ...] = ()
    ended: float = 0.0  # the monotonic second of its end
    heard: float | None = None  # the seconds from there to the first sound of the answer
    finished: bool = False  # whether that was heard to its end
    unheard: bool = False  # the user went on before anything of the answer was heard
    language: str = ""


def call_silences(trace: Trace, thresholds: FluxThresholds | None = None) -> CallSilences:
    """Read the silences of a trace.

    Args:
        trace: The recorded call.
        thresholds: Thresholds it was recorded with, if it does not name them itself.

    Returns:
        Its utterances and their silences.
    """
    turns = _flux_turns(trace)
    recorded, inferred = _recorded(trace, turns, thresholds)
    utterances: list[list[Silence]] = []
    last: tuple[_FluxTurn, float] | None = None  # the turn before, and where its last word ended
    measured = True
    for turn in turns:
        silences, begin, end, timed = _silences(turn)
        measured &= timed
        if not silences:
            continue
        if not silences[-1].trigger:  # by a Flux that did not say
            silences[-1].trigger = "timeout" if silences[-1].known >= recorded.timeout else "model"
        went_on = last is not None and _followed(utterances[-1][-1], last[0], begin - last[1])
        if went_on:
            utterances[-1] += silences
        else:
            utterances.append(silences)
        last = turn, end
    if last is not None:
        _window(utterances[-1][-1], last[0])
    options = trace.options
    return CallSilences(
        name=trace.name,
        recorded=recorded,
        inferred=inferred,
        utterances=utterances,
        drafts=[draft for turn in turns for draft in _drafts(turn)],
        measured=measured and bool(utterances),
        tag=options.tag[0] if options is not None and options.tag else "",
        language=next((turn.language for turn in turns if turn.language), ""),
        began=trace.header.began,
    )


def _window(end: Silence, turn: _FluxTurn) -> None:
    heard = TURNAROUND if turn.heard is None else turn.heard
    end.sure = inf if turn.unheard else end.known + heard + REACTION
    end.answered = turn.finished if turn.heard is not None else None


def _followed(end: Silence, turn: _FluxTurn, gap: float) -> bool:
    """Note what followed the end of a turn; whether it surely was the rest of what the user had to say."""
    _window(end, turn)
    end.gap = max(gap, end.known + SHORTEST)
    if end.trigger == "manual" or end.gap >= end.sure:
        return False
    end.seconds = end.gap
    return True


def _flux_turns(trace: Trace) -> list[_FluxTurn]:
    """The turns as Flux counted them, those that were lost with a stream left out."""
    turns: list[_FluxTurn] = []
    answers: dict[int, _FluxTurn] = {}
    current: _FluxTurn | None = None
    interrupted = False  # by the host, whose interruptions say nothing about silences
    records: Iterable[Any] = trace.records  # of a trace of timed events, these too
    for record in records:
        kind: type[Any] = type(record)
        if kind is _UPDATE and current is not None and record.turn_index == current.events[0].turn_index:
            interrupted = False
            current.events.append(record)
            continue  # as most of a call does
        if kind in KINDS:
            event, kind = record, KINDS[kind]
        elif kind is Fed:
            event, kind = record.event, type(record.event)
        else:
            if kind is Commit and record.turn is not None and record.trigger != "typed" and turns:
                answers[record.reply] = turns[-1]
            elif kind is Cancel and record.reason is CancelReason.NEW_TURN and record.reply in answers:
                answers[record.reply].unheard = not interrupted
            continue
        interrupted = kind is Interrupt
        if kind in _TURN_EVENTS:
            if current is None or current.events[0].turn_index != event.turn_index:
                current = _FluxTurn([])
            current.events.append(event)
            if kind is EndOfTurn or kind is EagerEndOfTurn:
                current.words = event.words or current.words
                current.language = current.language or next(iter(event.languages), "")
                if kind is EndOfTurn:
                    current.ended = record.at
                    turns.append(current)
                    current = None
        elif kind is StreamLost:
            current = None
        elif (kind is PlaybackStarted or kind is PlaybackFinished) and event.reply in answers:
            answered = answers[event.reply]
            if kind is PlaybackStarted:
                answered.heard = record.at - answered.ended
            elif answered.heard is not None and current is None:  # else the user had spoken by then
                answered.finished = True
    return turns


def _recorded(trace: Trace, turns: list[_FluxTurn], given: FluxThresholds | None) -> tuple[FluxThresholds, bool]:
    if given is not None:
        return given, False
    options = trace.options
    if options is not None:
        timeout = 5000 if options.eot_timeout_ms is None else options.eot_timeout_ms
        eot = 0.7 if options.eot_threshold is None else options.eot_threshold
        return FluxThresholds(eot, options.eager_eot_threshold, timeout / 1000), False
    ends = [turn.events[-1].confidence for turn in turns if getattr(turn.events[-1], "trigger", "") in ("model", "")]
    eager = [e.confidence for turn in turns for e in turn.events if type(e) in _EAGER]
    return FluxThresholds(min(ends, default=0.7), min(eager, default=None), 5.0), True


def _silences(turn: _FluxTurn) -> tuple[list[Silence], float, float, bool]:
    """The silences of a turn, the audio seconds at which its first word begins and its last one ends.

    The last value tells whether Flux gave times of words.
    """
    spoken = [(word.start, word.end) for word in turn.words if word.start is not None and word.end is not None]
    timed = bool(spoken) and len(spoken) == len(turn.words)
    spans = _spans_between(spoken) if timed else _unchanged_spans(turn.events)
    times = [event.audio_end for event in turn.events]
    eager = [event.audio_end for event in turn.events if type(event) in _EAGER]
    in_order = all(map(le, times, times[1:]))
    silences = []
    for begin, end in spans:
        silence = Silence(end - begin, [], end - begin)
        samples, until, latest = silence.samples, end + _NOISE, -inf
        near = turn.events
        if in_order:  # as nearly always: then most of them need not be looked at
            near = near[bisect_left(times, begin - SHORTEST) : bisect_right(times, until)]
        for event in near:
            elapsed = event.audio_end - begin
            # At 0 the silence may have begun, by the grid; and two may come of one frame.
            if elapsed > -_NOISE and event.audio_end <= until and elapsed > latest:
                samples.append((elapsed, event.confidence))
                latest = elapsed + _NOISE
        silence.eager = next((at - begin for at in eager if at - begin > -_NOISE and at <= until), None)
        silences.append(silence)
    if not silences:
        return [], 0.0, 0.0, timed
    last = turn.events[-1]
    silences[-1].seconds = inf
    silences[-1].known = max(0.0, last.audio_end - spans[-1][0])
    silences[-1].trigger = getattr(last, "trigger", "")
    silences[-1].joins = not last.transcript.rstrip("\"'”’)»").endswith((".", "?", "!", "。", "？", "！"))
    begin = spoken[0][0] if timed else turn.events[0].audio_end
    return silences, begin, spans[-1][0], timed


def _spans_between(spoken: list[tuple[float, float]]) -> list[tuple[float, float]]:
    gaps = [(end, begin) for (_, end), (begin, _) in pairwise(spoken) if begin - end >= SHORTEST]
    return [*gaps, (spoken[-1][1], inf)]


def _unchanged_spans(events: Iterable[Any]) -> list[tuple[float, float]]:
    """The spans in which the words did not change, for want of times of words."""
    spans: list[tuple[float, float]] = []
    begin, text = 0.0, ""
    for event in events:
        if event.transcript and not same_words(event.transcript, text):
            if text and event.audio_end - begin >= SHORTEST:
                spans.append((begin, event.audio_end))
            begin, text = event.audio_end, event.transcript
    return [*spans, (begin, inf)] if text else []


def _drafts(turn: _FluxTurn) -> list[Draft]:
    drafts = []
    pending: Any = None
    for event in turn.events:
        kind = type(event)
        if kind in _EAGER:
            pending = pending or event
        elif pending is not None and kind in _DECIDED:
            same = kind in _END and same_words(event.transcript, pending.transcript)
            drafts.append(Draft(pending.confidence, same))
            pending = None
    return drafts
