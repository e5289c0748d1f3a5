"""Calls whose turns a timeout of a second ended: after some of them the user went on, or may have."""

from __future__ import annotations

from math import inf

from turnkit.tools.tuner import CallSilences, FluxThresholds, Silence

HAD = FluxThresholds(0.7, None, 1.0)


def set_of(gaps: list[list[float]], *, answered: bool | None) -> list[CallSilences]:
    """Calls of turns that ended by timeout, each after 1 s, the user's next words so many seconds after their last."""
    return [
        CallSilences(
            str(number),
            HAD,
            False,
            [[Silence(inf, [], 1.04, "timeout", gap=gap, sure=1.64, answered=answered)] for gap in (*call, inf)],
            [],
            True,
        )
        for number, call in enumerate(gaps)
    ]


def hesitant(gaps: tuple[float, ...]) -> list[CallSilences]:
    """Calls in which three turns of ten are cut off by a timeout, and those who had finished speak after such gaps.

    As many pauses come to their end in each tenth of a second as far as it is sure: how long others last is open.
    """
    calls = set_of([[gaps[(turn + call) % len(gaps)] for turn in range(10)] for call in range(40)], answered=None)
    for number, call in enumerate(calls):
        for turn in range(0, 9, 3):
            gap = 1.2 + 0.1 * ((number + turn) % 5)
            call.utterances[turn].insert(0, Silence(gap, [], 1.04, "timeout", gap=gap, sure=1.64))
    return calls
