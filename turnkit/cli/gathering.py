"""Evidence of the files that a command is given, and what there is to say of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from ..checks import shown_path
from ..evidence import Evidence, InferredThresholds, gather_all
from ..evidence.inferred import together
from ..metrics.texts import counted
from ..tools.tuner import CallSilences, FluxThresholds, Verdicts
from .many_files import parts


def gathered(
    paths: list[str],
    jobs: int | None,
    dask: str | None,
    *,
    quiet: bool,
    figures: bool = False,
    tuning: bool = False,
    thresholds: FluxThresholds | None = None,
    most: int | None = None,
) -> Evidence:
    """The evidence of all files; those that cannot be read are named in its `problems`."""
    work = partial(gather_all, figures=figures, tuning=tuning, thresholds=thresholds)
    evidence = Evidence(most=most)
    for part in parts(work, paths, jobs, "reading", quiet=quiet, lost=_lost, dask=dask):
        evidence.update(part)
    return evidence


def _lost(path: str, problem: str) -> Evidence:
    evidence = Evidence()
    evidence.add_problem(path, f"trace {shown_path(path)!r}: {problem}")
    return evidence


class Told:
    """What the calls tell the tuner, unpacked once: the silences as they are asked for, and what is kept beside.

    Attributes:
        verdicts: What barge-in policies make of the overlaps of each call that had some.
        inferred: What was read off the calls about their thresholds, of those that do not name them.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.verdicts: list[list[Verdicts]] = []
        self.inferred: list[InferredThresholds] = []

    def silences(self) -> Iterator[CallSilences]:
        """The silences of each call, one after the other; the rest is complete when all have been taken."""
        for tuning in self._evidence.for_tuner():
            if tuning.verdicts:
                self.verdicts.append(tuning.verdicts)
            if tuning.inferred is not None:
                self.inferred.append(tuning.inferred)
            yield tuning.silences


def notes(evidence: Evidence, files: int, inferred: Sequence[InferredThresholds] = ()) -> Iterator[str]:
    """What one should know of how the evidence came about, in plain words."""
    again = files - len(evidence.calls) - len(evidence.problems)
    if again > 0:
        yield f"{counted(again, 'file')} of calls that others hold too: each call counts once"
    if evidence.unfinished:
        yield f"{counted(evidence.unfinished, 'recording')} cut off, or still being written: counted as far as they go"
    if evidence.sampled:
        yield f"of {len(evidence.calls)} calls, {evidence.most} by chance are asked about thresholds (--most)"
    if (ranges := together(inferred)) is not None:
        eager = "off, or not reached" if ranges.eager is None else str(ranges.eager)
        yield (
            f"{counted(len(inferred), 'recording')} without the thresholds of the connection; by {ranges.ends} ends of "
            f"turns, eot_threshold is {ranges.eot}, eager_eot_threshold {eager}, "
            f"eot_timeout {ranges.timeout} s (--eot-threshold says it)"
        )
