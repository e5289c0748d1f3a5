"""Evidence of files: what `map` does with each of them, on whatever machine."""

from __future__ import annotations

from collections.abc import Iterable

from ..checks import shown_path
from ..errors import TurnkitError
from ..tools.tuner import FluxThresholds
from ..trace import read
from ..trace.reader import read_timed
from .call import evidence_of
from .evidence import Evidence


def gather(
    path: str, *, figures: bool = True, tuning: bool = True, thresholds: FluxThresholds | None = None
) -> Evidence:
    """The evidence of one recording; if it cannot be read, the problem with it, and nothing is raised.

    Args:
        path: The file, or a URL, as `turnkit.trace.read` takes it.
        figures: Whether to gather what `Evidence.metrics` needs.
        tuning: Whether to gather what the tuner needs.
        thresholds: Thresholds of recordings that do not name theirs.

    Returns:
        Evidence of one call, or of none.
    """
    evidence = Evidence()
    try:
        trace = read(path) if figures else read_timed(path)
        evidence.add(evidence_of(trace, figures=figures, tuning=tuning, thresholds=thresholds))
    except TurnkitError as error:
        evidence.add_problem(path, str(error))
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError, MemoryError) as error:
        # One file of a million that nobody has thought of is named, and costs the others nothing.
        evidence.add_problem(path, f"trace {shown_path(path)!r}: cannot be measured: {type(error).__name__}")
    return evidence


def gather_all(
    paths: Iterable[str],
    *,
    figures: bool = True,
    tuning: bool = True,
    thresholds: FluxThresholds | None = None,
    most: int | None = None,
) -> Evidence:
    """The evidence of many recordings, one after the other: what one worker does with its part of them.

    Args:
        paths: The files, or URLs.
        figures: As for `gather`.
        tuning: The same.
        thresholds: The same.
        most: As for `Evidence`.

    Returns:
        Evidence of all of them.
    """
    evidence = Evidence(most=most)
    for path in paths:
        evidence.update(gather(path, figures=figures, tuning=tuning, thresholds=thresholds))
    return evidence
