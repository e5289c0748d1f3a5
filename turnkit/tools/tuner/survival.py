"""How long users pause, by how sure Flux was that they had finished: survival curves (Kaplan and Meier).

A pause that Flux let pass is seen from its beginning to its end. One in which the user was cut off is seen as far as it
is sure that who speaks has only paused: there it is censored. An end that may have been a pause counts for as much as
that is likely.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf

import numpy as np
from scipy import special

from .columns import Columns, Counts, Flags, Numbers
from .tuning import Survival

_LEVELS = (0.0, 0.3, 0.5, 0.7, inf)  # of confidence
_SECONDS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0)


def survivals(columns: Columns, likely: Numbers) -> tuple[Survival, ...]:
    """The survival curves of pauses, one for each range of confidence that had some.

    Args:
        columns: The silences.
        likely: For each of them the chance that it was a pause, though it may have been an end.
    """
    pauses = np.flatnonzero(~columns.last | (likely > 0))
    weights = np.where(columns.last[pauses], likely[pauses], 1.0)
    seen = np.where(columns.last[pauses], columns.sure[pauses], columns.seconds[pauses])
    highest = _highest(columns)[pauses]
    found = []
    for low, high in pairwise(_LEVELS):
        rows = (highest >= low) & (highest < high)
        if weights[rows].sum() >= 1:
            curve = kaplan_meier(seen[rows], ~columns.last[pauses][rows], weights[rows])
            asked = tuple(one for one in _SECONDS if one <= seen[rows].max())
            at = [tuple(np.round(one, 4).tolist()) for one in curve_at(curve, np.array(asked))]
            total = round(float(weights[rows].sum()), 2)
            found.append(
                Survival(
                    low=low,
                    high=high,
                    pauses=total,
                    seconds=asked,
                    lasting=at[0],
                    lasting_low=at[1],
                    lasting_high=at[2],
                )
            )
    return tuple(found)


def kaplan_meier(seconds: Numbers, ended: Flags, weights: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """The survival curve of weighted lengths.

    Args:
        seconds: How long each is seen.
        ended: Whether it ended there; it is censored otherwise.
        weights: How much each counts.

    Returns:
        The seconds at which some ended, the share that lasts longer, and Greenwood's sum of its variance.
    """
    places, inverse = np.unique(seconds, return_inverse=True)
    events = np.bincount(inverse, weights=weights * ended, minlength=len(places))
    leaving = np.bincount(inverse, weights=weights, minlength=len(places))
    at_risk = np.cumsum(leaving[::-1])[::-1]
    some = events > 0
    left = np.maximum(at_risk - events, 0.0)
    lasting = np.cumprod(left[some] / at_risk[some])
    with np.errstate(divide="ignore"):
        variance = np.cumsum(events[some] / (at_risk[some] * left[some]))
    return places[some], lasting, variance


def curve_at(curve: tuple[Numbers, Numbers, Numbers], seconds: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """A survival curve after so many seconds, and its 95 % interval, by the logarithm of its logarithm."""
    places, lasting, variance = curve
    number: Counts = np.searchsorted(places, seconds, side="right")
    share, spread = np.append(1.0, lasting)[number], np.append(0.0, variance)[number]
    inside = (share > 0) & (share < 1)
    middle = np.log(np.where(inside, share, 0.5))
    reach = special.ndtri(0.975) * np.sqrt(np.where(inside, spread, 0.0)) / -middle
    low = np.where(inside, np.exp(middle * np.exp(reach)), share)
    high = np.where(inside, np.exp(middle * np.exp(-reach)), share)
    return share, low, high


def _highest(columns: Columns) -> Numbers:
    """The highest confidence of each silence; 0 where none was reported."""
    found = np.zeros(len(columns.call))
    filled = np.diff(columns.offsets) > 0
    if filled.any():
        found[filled] = np.maximum.reduceat(columns.confidence, columns.offsets[:-1][filled])
    return found
