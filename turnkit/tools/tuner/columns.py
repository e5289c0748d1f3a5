"""The silences of many calls as columns of numbers: what the arithmetic of `tune` runs on.

A call is a few kilobytes here, so that ten thousand fit; its leaves are let go one by one as they are read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from math import inf, nan
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .silences import CallSilences, FluxThresholds, Silence

Numbers: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Columns:
    """One row a silence, in the order in which they were; the samples of all of them one after the other.

    Attributes:
        thresholds: Thresholds of each call.
        call: Number of the call, from 0.
        last: Whether it is the last silence of its utterance.
        seconds: See `Silence`.
        known: See `Silence`.
        ended: Whether an end of turn fell into it.
        timed_out: Whether the timeout was what ended it.
        eager: See `Silence`; nan if there was none.
        gap: See `Silence`.
        sure: See `Silence`.
        answered: Whether the reply had surely been heard to its end when the user spoke next.
        joins: 1 if the words before it do not end a sentence, 0 if they do, -1 if that is not known.
        elapsed: Seconds of silence of each sample.
        confidence: Flux's confidence of each sample.
        offsets: Where the samples of each silence begin, and where the last ones end.
    """

    thresholds: tuple[FluxThresholds, ...]
    call: Counts
    last: Flags
    seconds: Numbers
    known: Numbers
    ended: Flags
    timed_out: Flags
    eager: Numbers
    gap: Numbers
    sure: Numbers
    answered: Flags
    joins: Counts
    elapsed: Numbers
    confidence: Numbers
    offsets: Counts

    @property
    def calls(self) -> int:
        """Number of calls."""
        return len(self.thresholds)

    @classmethod
    def of(cls, calls: Iterable[CallSilences]) -> Columns:
        """The columns of these calls, each of which is read once."""
        numbers, flags = array("d"), array("b")
        samples, many, index = array("d"), array("q"), array("q")
        thresholds: list[FluxThresholds] = []
        for number, call in enumerate(calls):
            thresholds.append(call.recorded)
            silences = [one for utterance in call.utterances for one in utterance]
            ends = {id(utterance[-1]) for utterance in call.utterances}
            index.extend([number] * len(silences))
            for silence in silences:
                numbers.extend(_numbers(silence))
                flags.extend(_flags(silence, id(silence) in ends))
            many.extend([len(one.samples) for one in silences])
            samples.extend(chain.from_iterable(chain.from_iterable(one.samples for one in silences)))
        seconds, known, eager, gap, sure = np.asarray(numbers, dtype=np.float64).reshape(-1, 5).T.copy()
        last, ended, timed_out, answered, joins = np.array(flags, dtype=np.int64).reshape(-1, 5).T.copy()
        elapsed, confidence = np.asarray(samples, dtype=np.float64).reshape(-1, 2).T.copy()
        return cls(
            tuple(thresholds),
            np.array(index, dtype=np.int64),
            last.astype(bool),
            seconds,
            known,
            ended.astype(bool),
            timed_out.astype(bool),
            eager,
            gap,
            sure,
            answered.astype(bool),
            joins,
            elapsed,
            confidence,
            np.concatenate(([0], np.cumsum(np.array(many, dtype=np.int64)))),
        )

    def without_samples(self) -> Columns:
        """The same without samples, which are most of it."""
        nothing = np.zeros(0)
        return replace(self, elapsed=nothing, confidence=nothing, offsets=np.zeros(len(self.call) + 1, dtype=np.int64))

    def recorded(self) -> tuple[Numbers, Numbers, Numbers]:
        """The thresholds in force in each silence: eot, eager (inf where eager ends were off) and timeout."""
        eager = [inf if one.eager is None else one.eager for one in self.thresholds]
        eot, timeout = [one.eot for one in self.thresholds], [one.timeout for one in self.thresholds]
        return np.array(eot)[self.call], np.array(eager)[self.call], np.array(timeout)[self.call]


def _numbers(silence: Silence) -> tuple[float, ...]:
    eager = nan if silence.eager is None else silence.eager
    return silence.seconds, silence.known, eager, silence.gap, silence.sure


def _flags(silence: Silence, last: bool) -> tuple[int, ...]:
    joins = -1 if silence.joins is None else silence.joins
    return last, silence.trigger is not None, silence.trigger == "timeout", bool(silence.answered), joins
