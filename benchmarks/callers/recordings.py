"""A world's calls as they would be recorded, frame by frame: for holding the real reader against `World.heard`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnkit import TurnMachine
from turnkit.tools.tuner import FluxThresholds
from turnkit.trace import Fed, Header, Trace
from turnkit.turns.events import (
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
    TimedWord,
    TurnResumed,
    Update,
)

from .world import FRAME, FRAMES, Variant, World

_WORD = 5 * FRAME  # seconds that each stretch of words takes


@dataclass
class _Call:
    """A call as it is written: what is said and heard, and where it stands."""

    steps: list[tuple[float, Event]]
    word_end: int = 0  # the frame of the grid at which the last word ends
    begun: float = 0.0  # where the words of the turn begin
    turn: int = 0
    open: bool = False
    words: tuple[TimedWord, ...] = ()


def record(world: World, number: int, thresholds: FluxThresholds, variant: Variant) -> Trace:
    """One call of a world as it is recorded at a setting.

    The last word ends on the grid of frames, as Flux reports it, and what follows is where the world has it.
    """
    rows = np.flatnonzero(world.call == number)
    end, timed_out = world.ends(thresholds, variant.frames)
    columns = world.heard(thresholds, variant)
    call = _Call([])
    for row in rows.tolist():
        reports = slice(int(columns.offsets[row]), int(columns.offsets[row + 1]))
        _say(call, int(world.joins[row]))
        samples = list(zip(columns.elapsed[reports], columns.confidence[reports], strict=True))
        shift = int(world.phase[row] >= FRAME / 2)
        _silence(call, samples, float(columns.eager[row]), bool(columns.ended[row]), bool(timed_out[row]))
        gap = float(columns.gap[row]) if columns.ended[row] else float(columns.seconds[row])
        if columns.ended[row] and variant.session:
            ended = (call.word_end + int(end[row]) + shift) * FRAME
            _answer(call, world, row, ended, variant, gap)
        call.word_end += round(min(gap, FRAMES * 4 * FRAME) / FRAME)
    return _trace(call, thresholds, variant)


def _say(call: _Call, joins: int) -> None:
    """Say a word, right from where the call stands."""
    begin = call.word_end * FRAME
    call.word_end += round(_WORD / FRAME)
    text = "well" if joins else "well."
    word = TimedWord(text, begin, call.word_end * FRAME, 0.9)
    call.words = (*call.words, word) if call.open else (word,)
    said = " ".join(one.word for one in call.words)
    if not call.open:
        call.steps.append((begin + FRAME / 2, StartOfTurn(call.turn, said, 0.01, begin + FRAME / 2)))
    elif any(isinstance(step, EagerEndOfTurn) for _, step in call.steps[-400:]) and _drafted(call):
        call.steps.append((begin + FRAME / 2, TurnResumed(call.turn, said, 0.01, begin + FRAME / 2)))
    call.open = True


def _drafted(call: _Call) -> bool:
    for _, step in reversed(call.steps):
        if isinstance(step, (EagerEndOfTurn, TurnResumed, StartOfTurn)):
            return isinstance(step, EagerEndOfTurn)
    return False


def _silence(call: _Call, samples: list[Any], eager: float, ended: bool, timed_out: bool) -> None:
    said = " ".join(one.word for one in call.words)
    base = call.word_end * FRAME
    for place, (elapsed, confidence) in enumerate(samples):
        at, sure = base + float(elapsed), float(confidence)
        if abs(float(elapsed) - eager) < FRAME / 4:
            call.steps.append((at, EagerEndOfTurn(call.turn, said, sure, at, call.words)))
        if ended and place == len(samples) - 1:
            trigger = "timeout" if timed_out else "model"
            call.steps.append((at, EndOfTurn(call.turn, said, sure, at, trigger, call.words)))
            call.turn, call.open = call.turn + 1, False
        elif abs(float(elapsed) - eager) >= FRAME / 4 or np.isnan(eager):
            call.steps.append((at, Update(call.turn, said, sure, at)))


def _answer(call: _Call, world: World, row: int, ended: float, variant: Variant, gap: float) -> None:
    """Let the agent be heard, unless the user speaks before."""
    heard = ended + float(world.latency[row]) * variant.latency
    spoke = call.word_end * FRAME + gap
    if heard >= spoke:
        return
    call.steps.append((heard, PlaybackStarted(-1)))
    finished = heard + float(world.speech[row])
    if finished <= spoke:
        call.steps.append((finished, PlaybackFinished(-1)))


def _trace(call: _Call, thresholds: FluxThresholds, variant: Variant) -> Trace:
    machine = TurnMachine()
    options = {
        "eot_threshold": thresholds.eot,
        "eager_eot_threshold": thresholds.eager,
        "eot_timeout_ms": round(thresholds.timeout * 1000),
    }
    return Trace(
        header=Header(options=options), records=tuple(_records(call, machine, variant)), name="call", ended="closed"
    )


def _records(call: _Call, machine: TurnMachine, variant: Variant) -> Iterator[Any]:
    """What goes into the file: events and, of a session, signals; the reply that is heard is the one committed last."""
    reply = -1
    for at, event in call.steps:
        fed = event
        if isinstance(event, PlaybackStarted):
            fed = PlaybackStarted(reply)
        elif isinstance(event, PlaybackFinished):
            fed = PlaybackFinished(reply)
        signals = machine.feed(fed, at)
        yield Fed(at, fed)
        for signal in signals:
            if isinstance(signal, Commit):
                reply = signal.reply
            if variant.session:
                yield signal
