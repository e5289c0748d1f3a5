"""How much the tests try: by day a share of all cases, and with `--all`, as every night, each of them.

A test is left to the night by one of two marks, and both are held by tests/house/test_effort.py:

* `@pytest.mark.sampled(7)`: of its cases, alike but for their parameters, every seventh runs by day, always the same;
* `@pytest.mark.slow("browser")`: it runs at night alone, for one of the reasons below; `missing=` says what it needs
  and this machine has not, and it is skipped.

Random tests say how many examples they try with `tries(400)`, of which the day has a quarter, always the same ones.
"""

from __future__ import annotations

import os
from zlib import crc32

import pytest

SLOW = {
    "browser": "it starts a browser",
    "process": "it starts several processes of Python or installs something",
    "proof": "it goes through states by the thousand; `turnkit check`, of which .ci/run has half, goes through more",
    "soak": "it is many calls at once, or the end of a long one",
}
VARIABLE = "TURNKIT_TESTS"  # `all` is what the option --all sets, for the workers and for modules that are imported
SHARE = 4  # of the examples of a random test, the day tries one in so many


def everything() -> bool:
    """Whether all is tried."""
    return os.environ.get(VARIABLE) == "all"


def tries(examples: int) -> int:
    """How many examples a random test tries, where it tries so many at night."""
    return examples if everything() else max(examples // SHARE, 10)


def left_to_the_night(items: list[pytest.Item]) -> dict[str, list[pytest.Item]]:
    """Those of the tests that do not run by day, by the reason; what cannot run here at all is marked to be skipped."""
    left: dict[str, list[pytest.Item]] = {}
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if slow := item.get_closest_marker("slow"):
            if missing := slow.kwargs.get("missing"):
                item.add_marker(pytest.mark.skip(reason=missing))
            left.setdefault(slow.args[0], []).append(item)
        elif item.get_closest_marker("sampled"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for name, those in cases.items():
        marker = those[0].get_closest_marker("sampled")
        assert marker is not None
        one_in = min(marker.args[0], len(those))
        begin = crc32(name.encode()) % one_in  # not the first of each, or all would run on the same loop and transport
        left.setdefault("sampled", []).extend(one for n, one in enumerate(those) if n % one_in != begin)
    return left
