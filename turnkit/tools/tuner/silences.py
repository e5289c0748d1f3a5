"""From a trace to what the tuner reasons about: the pauses in what a user said, and how sure Flux was in each.

An *utterance* is all that the user said before it was the agent's turn. Between its words are pauses in which the user
went on in the end (`seconds` long), and after them the one in which they did not. A pause knows the confidence that
Flux reported in it, second by second, until the user went on or Flux ended the turn: after that its numbers are about
the next turn, and nothing is known. Silence is counted from the end of the last word, on the audio's own clock, so
that neither the network nor a busy process is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import inf

import msgspec

from ...trace import Fed, TimedWord, Trace
from ...turns.events import Cancel, CancelReason, Commit, EagerEndOfTurn, EndOfTurn, StreamLost, TurnEvent, TurnResumed
from ...turns.words import same_words

WENT_ON = 1.0
"""Seconds of silence within which a user who speaks again after an end of turn is taken to have been cut off: no bot
answers much sooner, and people who have finished wait for the answer (they leave some 0.2 s between turns). A user
who speaks before a sound of the reply was heard is taken so too, where the trace tells."""

SHORTEST = 0.1
"""Seconds below which the space between two words is no pause: their times lie on a grid of 0.08 s."""


class Silence(msgspec.Struct, gc=False):
    """A silence of the user's.

    Fields: `seconds` until they went on, inf if they did not; `samples`, silence so far and confidence, in order;
    `known`, up to which silence the samples tell all there was; `trigger` of the EndOfTurn that fell into it, None if
    none did; `eager`, at which silence an EagerEndOfTurn came first, None if none did.
    """

    seconds: float
    samples: list[tuple[float, float]]
    known: float
    trigger: str | None = None
    eager: float | None = None


class FluxThresholds(msgspec.Struct, frozen=True):
    """Settings of Flux: `eot_threshold`, `eager_eot_threshold` (None: off), `eot_timeout` in seconds."""

    eot: float
    eager: float | None
    timeout: float


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An EagerEndOfTurn: its `confidence`, and whether the turn then ended on the same words."""

    confidence: float
    confirmed: bool


class CallSilences(msgspec.Struct):
    """What one trace has to say: its utterances, each a list of pauses of which the last one is the end.

    Fields: `name` of the trace; `recorded`, the thresholds in force; `inferred`, whether those had to be read off the
    events because the trace does not name them; `drafts`, each eager end of turn; `measured`, whether Flux gave times
    of words (otherwise a pause is taken to begin when its words were reported).
    """

    name: str
    recorded: FluxThresholds
    inferred: bool
    utterances: list[list[Silence]]
    drafts: list[Draft]
    measured: bool


class _FluxTurn(msgspec.Struct):
    events: list[TurnEvent]
    words: tuple[TimedWord, ...] = ()
    unheard: bool = False  # the user went on before anything of the reply was heard


def call_silences(trace: Trace, thresholds: FluxThresholds | None = None) -> CallSilences:
    """What a trace has to say; `thresholds` are those it was recorded with, if it does not name them itself."""
    turns = _flux_turns(trace)
    recorded, inferred = _recorded(trace, turns, thresholds)
    utterances: list[list[Silence]] = []
    last_end = -inf
    unheard = False
    measured = True
    for turn in turns:
        pauses, begin, end, timed = _pauses(turn)
        measured &= timed
        if not pauses:
            continue
        if utterances and (begin - last_end < WENT_ON or unheard) and utterances[-1][-1].trigger != "manual":
            # The turn before was ended too soon: that silence was a pause after all.
            utterances[-1][-1].seconds = max(begin - last_end, utterances[-1][-1].known + SHORTEST)
            utterances[-1] += pauses
        else:
            utterances.append(pauses)
        last_end, unheard = end, turn.unheard
    drafts = [draft for turn in turns for draft in _drafts(turn)]
    return CallSilences(trace.name, recorded, inferred, utterances, drafts, measured and bool(utterances))


def _flux_turns(trace: Trace) -> list[_FluxTurn]:
    """The turns as Flux counted them, those that were lost with a stream left out."""
    turns: list[_FluxTurn] = []
    answers: dict[int, _FluxTurn] = {}
    current: _FluxTurn | None = None
    for record in trace.records:
        if isinstance(record, Commit) and record.turn is not None and turns:
            answers[record.reply] = turns[-1]
        elif isinstance(record, Cancel) and record.reason is CancelReason.NEW_TURN and record.reply in answers:
            answers[record.reply].unheard = True
        if not isinstance(record, Fed):
            continue
        event = record.event
        if isinstance(event, StreamLost):
            current = None
        elif isinstance(event, TurnEvent):
            if current is None or current.events[0].turn_index != event.turn_index:
                current = _FluxTurn([])
            current.events.append(event)
            current.words = record.words or current.words
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


def _pauses(turn: _FluxTurn) -> tuple[list[Silence], float, float, bool]:
    """The pauses of a turn, the audio seconds at which its first word begins and its last one ends, and whether Flux
    gave these."""
    spoken = [(word.start, word.end) for word in turn.words if word.start is not None and word.end is not None]
    timed = bool(spoken) and len(spoken) == len(turn.words)
    silences = _between(spoken) if timed else _unchanged(turn.events)
    pauses = []
    for begin, end in silences:
        pause = Silence(end - begin, [], end - begin)
        for event in turn.events:
            silence = event.audio_end - begin
            if silence > 0 and event.audio_end <= end + 1e-6:
                pause.samples.append((silence, event.confidence))
                if isinstance(event, EagerEndOfTurn) and pause.eager is None:
                    pause.eager = silence
        pauses.append(pause)
    if not pauses:
        return [], 0.0, 0.0, timed
    last = turn.events[-1]
    pauses[-1].seconds = inf
    pauses[-1].known = max(0.0, last.audio_end - silences[-1][0])
    pauses[-1].trigger = getattr(last, "trigger", "") or "model"
    begin = spoken[0][0] if timed else turn.events[0].audio_end
    return pauses, begin, silences[-1][0], timed


def _between(spoken: list[tuple[float, float]]) -> list[tuple[float, float]]:
    gaps = [(end, begin) for (_, end), (begin, _) in pairwise(spoken) if begin - end >= SHORTEST]
    return [*gaps, (spoken[-1][1], inf)]


def _unchanged(events: Iterable[TurnEvent]) -> list[tuple[float, float]]:
    """Without times of words: the stretches in which the words did not change."""
    stretches: list[tuple[float, float]] = []
    begin, text = 0.0, ""
    for event in events:
        if event.transcript and not same_words(event.transcript, text):
            if text and event.audio_end - begin >= SHORTEST:
                stretches.append((begin, event.audio_end))
            begin, text = event.audio_end, event.transcript
    return [*stretches, (begin, inf)] if text else []


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
