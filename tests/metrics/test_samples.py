"""Samples of many values: quantiles that are near enough, and what is no duration."""

from __future__ import annotations

from math import ceil, inf, nan

import pytest

from turnkit import LocalProtocolError
from turnkit.metrics import EXACT, Samples


def test_quantiles_are_values_that_were_measured() -> None:
    """The least value that so many do not exceed: no means, nothing made up."""
    samples = Samples()
    assert (samples.median, samples.p95, samples.total, samples.quantile(0.0)) == (None, None, None, None)
    for value in (0.5, 0.1, 0.4, 0.2):
        samples.add(value)
    assert (samples.quantile(0.0), samples.median, samples.p95, samples.quantile(1.0)) == (0.1, 0.2, 0.5, 0.5)
    assert (samples.least, samples.greatest, samples.count, samples.total) == (0.1, 0.5, 4, 1.2)
    twenty = Samples()
    for value in range(1, 21):
        twenty.add(float(value))
    assert (twenty.median, twenty.p95) == (10.0, 19.0)


@pytest.mark.parametrize("value", [-0.1, nan, inf, -inf])
def test_what_is_no_duration_is_refused(value: float) -> None:
    """A negative or endless duration is a mistake, and changes nothing."""
    samples = Samples()
    with pytest.raises(LocalProtocolError, match="0 or more"):
        samples.add(value)
    with pytest.raises(LocalProtocolError, match="from 0 to 1"):
        samples.quantile(2.0)
    assert samples == Samples()


def test_many_values_are_within_a_hundredth() -> None:
    """Beyond what is kept, quantiles are 1 % off at most; number, total and extremes are exact; memory stays small."""
    samples, values = Samples(), []
    for number in range(20 * EXACT):
        value = 0.05 + (number * 7919 % 20_011) / 10_000
        values.append(value)
        samples.add(value)
    values.sort()
    for share in (0.0, 0.01, 0.25, 0.5, 0.95, 0.999, 1.0):
        exact = values[max(1, ceil(share * len(values) - 1e-9)) - 1]
        assert samples.quantile(share) == pytest.approx(exact, rel=0.0101)
    assert (samples.count, samples.least, samples.greatest) == (len(values), values[0], values[-1])
    assert samples.total == pytest.approx(sum(values))
    assert samples.values == []
    assert len(samples.buckets) < 250
