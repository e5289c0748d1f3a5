"""A call of two turns between which the agent is heard, or is not, as a session or bare frames record it."""

from __future__ import annotations

from typing import Any

from turnkit import TurnMachine
from turnkit.trace import Fed, Header, Trace
from turnkit.turns.events import EndOfTurn, Event, PlaybackFinished, PlaybackStarted, StartOfTurn, TimedWord


def heard_call(
    *,
    gap: float,
    heard: float | None,
    finished: float | None = None,
    bare: bool = False,
    first: str = "tea",
    second: str = "please",
) -> Trace:
    """A call whose first turn ends 0.5 s into a silence that lasts until the second one.

    Args:
        gap: Seconds from the last word of the first turn to the first word of the second.
        heard: Seconds from the end of the first turn to the first sound of its answer; None if there was none.
        finished: Seconds from there to its last sound; None if it was still heard.
        bare: Whether nothing but what Flux said was recorded.
        first: Words of the first turn.
        second: Words of the second.
    """
    steps: list[tuple[float, Event]] = [*_said(0, first, 0.0), *_said(1, second, 0.5 + gap)]
    if heard is not None:
        steps.append((1.0 + heard, PlaybackStarted(0)))
        if finished is not None:
            steps.append((1.0 + heard + finished, PlaybackFinished(0)))
    machine = TurnMachine()
    records: list[Any] = []
    for at, event in sorted(steps, key=lambda step: step[0]):
        signals = machine.feed(event, at)
        records += [Fed(at, event), *(() if bare else signals)]
    return Trace(header=Header(), records=tuple(records), name="call", ended="closed", raw=bare)


def _said(index: int, text: str, begin: float) -> list[tuple[float, Event]]:
    """A turn whose words take half a second, final half a second after them, and noticed as they begin."""
    words = text.split()
    step = 0.5 / len(words)
    timed = tuple(TimedWord(word, begin + n * step, begin + (n + 1) * step, 0.9) for n, word in enumerate(words))
    return [
        (begin + 0.01, StartOfTurn(index, text, 0.1, begin + 0.01)),
        (begin + 1.0, EndOfTurn(index, text, 0.8, begin + 1.0, "model", timed)),
    ]
