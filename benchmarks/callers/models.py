"""Models of callers and of Flux's confidence. Each draws pauses and confidences of its own kind, by its own means.

`plateaus`: log-normal pauses by callers who differ; confidence rises to a plateau, with noise that wanders.
`jumps`: Weibull pauses; confidence keeps a level for a while and jumps to another.
`evidence`: gamma pauses, of which the longer ones sound less finished; confidence adds up evidence, frame by frame.
`lookups` and `spellers` are none of those that the tuner was made with. `lookups`: callers of two kinds, some of whose
pauses are spent looking something up; confidence waits, then comes in bursts. `spellers`: pauses of a power law, many
in some turns, and a confidence of two states that drifts; added when all else had been decided.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .world import FRAME, FRAMES, UTTERANCES, World

Draw = Callable[[np.random.Generator, int], World]
Numbers = NDArray[np.float64]
_SECONDS = np.arange(1, FRAMES + 1) * FRAME


def _rows(chance: np.random.Generator, pauses: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The call of each silence and whether it is an end, for so many pauses in each utterance of each call."""
    silences = pauses.ravel() + 1
    call = np.repeat(np.repeat(np.arange(pauses.shape[0]), UTTERANCES), silences)
    last = np.zeros(len(call), dtype=bool)
    last[np.cumsum(silences) - 1] = True
    return call, last


def _world(
    chance: np.random.Generator,
    rows: tuple[NDArray[np.int64], NDArray[np.bool_]],
    pause: Numbers,
    confidence: Numbers,
    joins: NDArray[np.int64],
    talk: tuple[float, float],
) -> World:
    call, last = rows
    count = len(call)
    speech = np.maximum(0.8, chance.normal(*talk, count))
    interrupts = chance.random(count) < 0.12
    reaction = np.where(interrupts, -chance.uniform(0.05, 0.95, count), 0.2 + chance.exponential(0.6, count))
    return World(
        call=call,
        last=last,
        pause=np.where(last, np.inf, np.maximum(pause, 0.2)),
        confidence=np.clip(confidence, 0.001, 0.98).astype(np.float32),
        phase=chance.uniform(1e-3, FRAME, count),
        latency=chance.lognormal(0.0, 0.35, count),
        speech=speech,
        reaction=reaction,
        joins=joins,
    )


def plateaus(chance: np.random.Generator, calls: int) -> World:
    """Callers who differ, pauses that are log-normal, a confidence that rises to its plateau and wanders about it."""
    habit = chance.normal(0, 1, calls)
    pauses = np.minimum(chance.poisson(0.5 * np.exp(0.4 * habit)[:, None], (calls, UTTERANCES)), 4)
    rows = call, last = _rows(chance, pauses)
    count = len(call)
    pause = chance.lognormal(-0.45 + 0.25 * habit[call], 0.7)
    plateau = np.where(last, chance.normal(0.82, 0.09, count), chance.normal(0.5, 0.19, count))
    rise = np.where(last, chance.lognormal(-1.6, 0.8, count), chance.lognormal(-0.7, 0.6, count))
    noise = np.zeros((count, FRAMES))
    step = chance.normal(0, 0.03, (count, FRAMES))
    for frame in range(1, FRAMES):
        noise[:, frame] = 0.7 * noise[:, frame - 1] + step[:, frame]
    confidence = plateau[:, None] * (1 - np.exp(-_SECONDS[None, :] / rise[:, None])) + noise
    joins = np.where(last, chance.random(count) < 0.1, chance.random(count) < 0.8).astype(int)
    return _world(chance, rows, pause, confidence, joins, (2.5, 0.8))


def jumps(chance: np.random.Generator, calls: int) -> World:
    """Weibull pauses, and a confidence that keeps a level for some frames and jumps to another."""
    pace = chance.gamma(6.0, 1 / 6.0, calls)
    many = chance.beta(2.0, 3.5, calls)
    pauses = np.minimum(chance.binomial(2, many[:, None], (calls, UTTERANCES)), 2)
    rows = call, last = _rows(chance, pauses)
    count = len(call)
    pause = 0.15 + 0.85 * pace[call] * chance.weibull(1.3, count)
    low = chance.beta(2.2, 2.6, (count, FRAMES))
    high = chance.beta(7.0, 1.7, (count, FRAMES))
    settles = chance.geometric(0.22, count)
    frames = np.arange(FRAMES)[None, :]
    drawn = np.where(last[:, None] & (frames >= settles[:, None]), high, low)
    jump = chance.random((count, FRAMES)) < 0.22
    jump |= frames == settles[:, None]
    jump[:, 0] = True
    source = np.maximum.accumulate(np.where(jump, frames, 0), axis=1)
    confidence = np.take_along_axis(drawn, source, axis=1)
    joins = np.where(last, chance.random(count) < 0.25, chance.random(count) < 0.6).astype(int)
    return _world(chance, rows, pause, confidence, joins, (3.5, 1.2))


def evidence(chance: np.random.Generator, calls: int) -> World:
    """Gamma pauses, longer where they sound less finished, and a confidence that adds up evidence."""
    shape = chance.uniform(1.4, 2.6, calls)
    talkative = chance.random(calls) < 0.4
    pauses = (chance.random((calls, UTTERANCES)) < np.where(talkative, 0.75, 0.25)[:, None]).astype(np.int64)
    rows = call, last = _rows(chance, pauses)
    count = len(call)
    pull = np.where(last, chance.normal(0.30, 0.12, count), chance.normal(0.02, 0.10, count))
    pause = 0.1 + chance.gamma(shape[call], 0.42) * np.where(last, 1.0, np.exp(-2.0 * (pull - 0.02)))
    steps = pull[:, None] + chance.normal(0, 0.22, (count, FRAMES))
    total = -1.8 + np.cumsum(steps, axis=1)
    total = 2.3 * np.tanh(total / 2.3)
    confidence = 1 / (1 + np.exp(-total))
    joins = np.full(count, -1)
    return _world(chance, rows, pause, confidence, joins, (2.0, 0.5))


def lookups(chance: np.random.Generator, calls: int) -> World:
    """Two kinds of callers, some pauses spent looking something up, and a confidence that waits and comes in bursts."""
    searching = chance.random(calls) < 0.3
    pauses = np.minimum(chance.geometric(np.where(searching, 0.55, 0.72)[:, None], (calls, UTTERANCES)) - 1, 3)
    rows = call, last = _rows(chance, pauses)
    count = len(call)
    looks = chance.random(count) < np.where(searching[call], 0.25, 0.05)
    pause = np.where(looks, chance.uniform(1.5, 5.0, count), 0.25 + chance.exponential(0.45, count))
    wait = np.where(last, chance.gamma(2.0, 0.12, count), chance.gamma(2.0, 0.5, count))
    height = np.where(last, chance.triangular(0.6, 0.9, 0.97, count), chance.triangular(0.1, 0.45, 0.85, count))
    wave = 0.06 * np.sin(_SECONDS[None, :] * chance.uniform(2, 9, count)[:, None])
    burst = (chance.random((count, FRAMES)) < 0.06) * chance.uniform(0, 0.25, (count, FRAMES))
    confidence = np.where(_SECONDS[None, :] < wait[:, None], 0.2, height[:, None]) + wave + burst
    joins = np.where(last, chance.random(count) < 0.2, chance.random(count) < np.where(looks, 0.4, 0.7)).astype(int)
    return _world(chance, rows, pause, confidence, joins, (2.2, 0.9))


MODELS: dict[str, Draw] = {"plateaus": plateaus, "jumps": jumps, "evidence": evidence}


def spellers(chance: np.random.Generator, calls: int) -> World:
    """Callers who spell things out, with pauses that follow a power law, and a confidence of two states that drifts."""
    spells = chance.random((calls, UTTERANCES)) < chance.uniform(0.05, 0.3, calls)[:, None]
    pauses = np.where(spells, chance.integers(1, 5, (calls, UTTERANCES)), chance.random((calls, UTTERANCES)) < 0.15)
    rows = call, last = _rows(chance, pauses.astype(np.int64))
    count = len(call)
    slow = chance.uniform(0.8, 1.3, calls)
    pause = 0.2 + 0.45 * slow[call] * chance.pareto(2.4, count)
    # It believes that the user goes on, or that they have finished, and changes its mind.
    ready = np.where(last, 0.16, 0.035)[:, None]
    back = np.where(last, 0.02, 0.12)[:, None]
    state = np.zeros((count, FRAMES), dtype=bool)
    draws = chance.random((count, FRAMES))
    state[:, 0] = draws[:, 0] < np.where(last, 0.25, 0.08)
    for frame in range(1, FRAMES):
        before = state[:, frame - 1]
        state[:, frame] = np.where(before, draws[:, frame] >= back[:, 0], draws[:, frame] < ready[:, 0])
    level = np.where(state, chance.beta(9, 2.2, (count, 1)), chance.beta(3, 6, (count, 1)))
    drift = np.cumsum(chance.normal(0, 0.012, (count, FRAMES)), axis=1)
    confidence = level + drift + 0.02 * np.log1p(_SECONDS)[None, :]
    joins = np.where(last, chance.random(count) < 0.15, chance.random(count) < 0.5).astype(int)
    joins = np.where((call % 3 == 0), -1, joins)
    return _world(chance, rows, pause, confidence, joins, (3.0, 1.0))


UNSEEN: dict[str, Draw] = {"lookups": lookups, "spellers": spellers}
