"""The silences in what a user said, read from a trace, and how sure Flux was in each of them.

An *utterance* is all that the user said before it was the agent's turn. Between its words are silences after which the
user went on, and after them is the one in which they did not. A silence holds the confidence that Flux reported in it,
second by second, until the user went on or Flux ended the turn: after that its numbers are about the next turn, and
nothing is known. Silence is counted from the end of the last word, on the audio's own clock, so that neither the
network nor a busy process is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import inf

import msgspec

from ...trace import Fed, Trace
from ...turns.events import (
    Cancel,
    CancelReason,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Interrupt,
    StreamLost,
    TimedWord,
    TurnEvent,
    TurnResumed,
)
from ...turns.words import same_words

WENT_ON = 1.0
"""Seconds of silence within which a user who speaks again after an end of turn is taken to have been cut off: no bot
answers much sooner, and people who have finished wait for the answer (they leave some 0.2 s between turns). So is a
user who speaks before a sound of the reply was heard, where the trace tells."""

SHORTEST = 0.1
"""Seconds below which the space between two words is no silence: their times lie on a grid of 0.08 s."""


class Silence(msgspec.Struct, gc=False):
    """A silence of the user's, within an utterance or at its end.

    Attributes:
        seconds: Seconds until the user went on; inf if they did not.
        samples: Seconds of silence so far and Flux's confidence then, in order.
        known: Seconds of silence up to which the samples are complete.
        trigger: Trigger of the EndOfTurn that fell into it; None if none did.
        eager: Seconds of silence at which an EagerEndOfTurn came first; None if none did.
        gap: Seconds until the user's next words of any kind; inf if none followed.
    """

    seconds: float
    samples: list[tuple[float, float]]
    known: float
    trigger: str | None = None
    eager: float | None = None
    gap: float = inf


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
    """What one trace tells about silences.

    Attributes:
        name: Name of the trace.
        recorded: Thresholds in force.
        inferred: Whether these had to be read off the events, because the trace does not name them.
        utterances: Each utterance as a list of its silences, of which the last one is its end.
        drafts: Each eager end of turn.
        measured: Whether Flux gave times of words; otherwise a silence is taken to begin when its words were reported.
    """

    name: str
    recorded: FluxThresholds
    inferred: bool
    utterances: list[list[Silence]]
    drafts: list[Draft]
    measured: bool


class _FluxTurn(msgspec.Struct):
    """A turn as Flux counted it."""

    events: list[TurnEvent]
    words: tuple[TimedWord, ...] = ()
    unheard: bool = False  # the user went on before anything of the reply was heard


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
    last_end = -inf
    unheard = False
    measured = True
    for turn in turns:
        silences, begin, end, timed = _silences(turn)
        measured &= timed
        if not silences:
            continue
        if utterances:
            utterances[-1][-1].gap = max(begin - last_end, utterances[-1][-1].known + SHORTEST)
        if utterances and (begin - last_end < WENT_ON or unheard) and utterances[-1][-1].trigger != "manual":
            # The turn before was ended too soon: the user had only paused.
            utterances[-1][-1].seconds = utterances[-1][-1].gap
            utterances[-1] += silences
        else:
            utterances.append(silences)
        last_end, unheard = end, turn.unheard
    drafts = [draft for turn in turns for draft in _drafts(turn)]
    return CallSilences(trace.name, recorded, inferred, utterances, drafts, measured and bool(utterances))


def _flux_turns(trace: Trace) -> list[_FluxTurn]:
    """The turns as Flux counted them, those that were lost with a stream left out."""
    turns: list[_FluxTurn] = []
    answers: dict[int, _FluxTurn] = {}
    current: _FluxTurn | None = None
    interrupted = False  # by the host, whose interruptions say nothing about silences
    for record in trace.records:
        if type(record) is not Fed:
            if isinstance(record, Commit) and record.turn is not None and record.trigger != "typed" and turns:
                answers[record.reply] = turns[-1]
            elif isinstance(record, Cancel) and record.reason is CancelReason.NEW_TURN and record.reply in answers:
                answers[record.reply].unheard = not interrupted
            continue
        event = record.event
        interrupted = isinstance(event, Interrupt)
        if isinstance(event, StreamLost):
            current = None
        elif isinstance(event, TurnEvent):
            if current is None or current.events[0].turn_index != event.turn_index:
                current = _FluxTurn([])
            current.events.append(event)
            if isinstance(event, (EagerEndOfTurn, EndOfTurn)):
                current.words = event.words or current.words
            if isinstance(event, EndOfTurn):
                turns.append(current)
                current = None
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
    eager = [e.confidence for turn in turns for e in turn.events if isinstance(e, EagerEndOfTurn)]
    return FluxThresholds(min(ends, default=0.7), min(eager, default=None), 5.0), True


def _silences(turn: _FluxTurn) -> tuple[list[Silence], float, float, bool]:
    """The silences of a turn, the audio seconds at which its first word begins and its last one ends.

    The last value tells whether Flux gave times of words.
    """
    spoken = [(word.start, word.end) for word in turn.words if word.start is not None and word.end is not None]
    timed = bool(spoken) and len(spoken) == len(turn.words)
    spans = _spans_between(spoken) if timed else _unchanged_spans(turn.events)
    silences = []
    for begin, end in spans:
        silence = Silence(end - begin, [], end - begin)
        for event in turn.events:
            elapsed = event.audio_end - begin
            if elapsed > 0 and event.audio_end <= end + 1e-6:
                silence.samples.append((elapsed, event.confidence))
                if isinstance(event, EagerEndOfTurn) and silence.eager is None:
                    silence.eager = elapsed
        silences.append(silence)
    if not silences:
        return [], 0.0, 0.0, timed
    last = turn.events[-1]
    silences[-1].seconds = inf
    silences[-1].known = max(0.0, last.audio_end - spans[-1][0])
    silences[-1].trigger = getattr(last, "trigger", "") or "model"
    begin = spoken[0][0] if timed else turn.events[0].audio_end
    return silences, begin, spans[-1][0], timed


def _spans_between(spoken: list[tuple[float, float]]) -> list[tuple[float, float]]:
    gaps = [(end, begin) for (_, end), (begin, _) in pairwise(spoken) if begin - end >= SHORTEST]
    return [*gaps, (spoken[-1][1], inf)]


def _unchanged_spans(events: Iterable[TurnEvent]) -> list[tuple[float, float]]:
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
    pending: EagerEndOfTurn | None = None
    for event in turn.events:
        if isinstance(event, EagerEndOfTurn):
            pending = pending or event
        elif isinstance(event, (TurnResumed, EndOfTurn)) and pending is not None:
            same = isinstance(event, EndOfTurn) and same_words(event.transcript, pending.transcript)
            drafts.append(Draft(pending.confidence, same))
            pending = None
    return drafts
