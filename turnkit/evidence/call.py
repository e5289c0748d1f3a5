"""Evidence of one call: its figures and its silences, packed, without what was said."""

from __future__ import annotations

import zlib
from collections import Counter
from hashlib import blake2b
from typing import Any, get_args, get_origin

import msgspec

from ..checks import shown_path
from ..metrics import CallMetrics, measure
from ..tools.tuner import CallSilences, FluxThresholds, Verdicts, call_silences, judge, overlaps
from ..trace import Fed, Trace
from ..trace.timed import either_way, plain
from ..turns.events import EagerEndOfTurn, EndOfTurn
from .inferred import InferredThresholds, infer_thresholds

_LEVEL = 1  # of zlib: a third of the size, for a fiftieth of the time that reading the call took


class Tuning(msgspec.Struct, frozen=True):
    """What one call tells the tuner.

    Attributes:
        silences: Its silences.
        verdicts: What each barge-in policy makes of its overlaps.
        inferred: What was read off its events about the thresholds; None if they are known.
    """

    silences: CallSilences
    verdicts: list[Verdicts]
    inferred: InferredThresholds | None = None


def _counted(kind: Any, value: Any) -> Any:
    if get_origin(kind) is Counter:
        (key,) = get_args(kind)
        return Counter({key(name): count for name, count in value.items()})
    raise TypeError(f"{kind}: not in evidence")


_ENDS = either_way(EndOfTurn, EagerEndOfTurn)
_FED_OR_END = _ENDS | {Fed}

_encode = msgspec.msgpack.Encoder().encode
_figures = msgspec.msgpack.Decoder(CallMetrics, dec_hook=_counted).decode
_tuning = msgspec.msgpack.Decoder(Tuning).decode


class CallEvidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one call tells. Two of the same call are joined by `|`: the one that was read further counts.

    Attributes:
        call: Id of the call, by which the same one is known from another file.
        name: Path of the file; of a URL, without what is secret.
        began: Wall clock at its beginning, in ISO 8601; empty if it is not known.
        seconds: Seconds that it lasted.
        records: Number of records that were read.
        complete: Whether its recording came to its end: it was neither cut off, nor is it still being written.
        tags: Tags of the connection.
        languages: Languages that Flux detected, in order of the alphabet.
        figures: Its figures, packed; empty if they were not gathered.
        tuning: What it tells the tuner, packed; empty if it was not gathered, or let go (`Evidence.most`).
    """

    call: str
    name: str = ""
    began: str = ""
    seconds: float = 0.0
    records: int = 0
    complete: bool = False
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    figures: bytes = b""
    tuning: bytes = b""

    def __or__(self, other: CallEvidence) -> CallEvidence:
        """The one that was read further; of two that were read as far, what either of them has."""
        mine, theirs = self._reach, other._reach
        if mine != theirs:
            return self if mine > theirs else other
        if self == other:
            return self
        return CallEvidence(**{name: max(getattr(self, name), getattr(other, name)) for name in self.__struct_fields__})

    @property
    def _reach(self) -> tuple[bool, int, float]:
        return self.complete, self.records, self.seconds

    def metrics(self) -> CallMetrics | None:
        """Its figures; None if they were not gathered."""
        return _figures(zlib.decompress(self.figures)) if self.figures else None

    def for_tuner(self) -> Tuning | None:
        """What it tells the tuner; None if it was not gathered, or let go."""
        return _tuning(zlib.decompress(self.tuning)) if self.tuning else None


def evidence_of(
    trace: Trace, *, figures: bool = True, tuning: bool = True, thresholds: FluxThresholds | None = None
) -> CallEvidence:
    """The evidence of a recorded call.

    Args:
        trace: The call.
        figures: Whether to gather its figures.
        tuning: Whether to gather what it tells the tuner.
        thresholds: Thresholds that it was recorded with, if it does not name them itself.

    Returns:
        Its evidence.
    """
    trace = trace.in_call_time()
    options = trace.options
    if figures or options is None or not trace.header.session:
        trace = plain(trace)  # as what needs the events themselves
    learnt = None
    if tuning:
        known = options is not None or thresholds is not None
        learnt = Tuning(
            call_silences(trace, None if options is not None else thresholds),
            judge(overlaps(trace)),
            None if known else infer_thresholds(trace),
        )
    return CallEvidence(
        call=call_id(trace),
        name=shown_path(trace.name),
        began=trace.header.began,
        seconds=trace.seconds,
        records=len(trace.records),
        complete=trace.ended == "closed",
        tags=() if options is None else options.tag,
        languages=_languages(trace),
        figures=_packed(measure(trace.records)[0]) if figures else b"",
        tuning=_packed(learnt) if learnt is not None else b"",
    )


def call_id(trace: Trace) -> str:
    """The id of a call: that of its session and when it began, or of Flux's request, or else of what it holds."""
    header = trace.header
    if not header.session:
        inputs = [(record.at, record.event) for record in trace.records if isinstance(record, Fed)]
        return blake2b(_encode(inputs), digest_size=16).hexdigest()
    return header.session if trace.raw else f"{header.session} {header.began or repr(header.began_at)}"


def _languages(trace: Trace) -> tuple[str, ...]:
    ends: list[Any] = [record for record in trace.records if type(record) in _FED_OR_END]
    ends = [one.event if type(one) is Fed else one for one in ends]
    return tuple(sorted({language for end in ends if type(end) in _ENDS for language in end.languages}))


def _packed(value: object) -> bytes:
    return zlib.compress(_encode(value), _LEVEL)
