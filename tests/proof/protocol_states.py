"""Every state of the Flux client without I/O, within bounds, by every step there is, judged at each of them.

    python -m tests.proof.protocol_states            # two minutes
    python -m tests.proof.protocol_states --quick    # seconds
    python -m tests.proof.protocol_states --deep     # wider bounds, for as long as you let it

The whole has too many states, so there are several configurations, each with an alphabet of its own, and each explored
to its end: breadth first, so that a violation is found by the shortest way to it, which is printed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias
from unittest.mock import patch

from tests.support.judged_protocol import NO_TURN, UNPARSABLE, JudgedProtocol, World
from tests.support.protocol_books import Violation
from turnkit.flux import protocol as real
from turnkit.flux.bounds import Bounds
from turnkit.wire import FluxOptions

Step: TypeAlias = tuple[Any, ...]


class Configuration(NamedTuple):
    """One exploration.

    Attributes:
        name: what it is about.
        world: the bounds.
        steps: the alphabet: names of steps, with what they are given.
        level: from which on it is explored: 0 quick, 1 by default, 2 deep.
        told_within: seconds within which Flux tells a word here; if 0, what it has heard it has told. One frame is
            long enough to be late, and as many as it takes would have too many states.
    """

    name: str
    world: World
    steps: tuple[Step, ...]
    level: int = 0
    told_within: float = 0.0


class Result(NamedTuple):
    """What an exploration came to.

    Attributes:
        states: how many there are.
        transitions: how many steps were taken out of them.
        path: the shortest way to the first violation; empty if there is none.
        violation: what it was.
    """

    states: int
    transitions: int
    path: tuple[Step, ...] = ()
    violation: str = ""


@contextmanager
def telling_within(seconds: float, module: Any) -> Iterator[None]:
    """Let the protocol believe that Flux tells a word within so many seconds."""
    known = {"TOLD_WITHIN_SECONDS": seconds}
    with patch.dict(module.__dict__, known), patch.dict(module.Heard.covered.__globals__, known):
        yield


def explore(configuration: Configuration, module: Any = real, most: float = inf) -> Result:
    """Take every step out of every state that can be reached.

    Args:
        configuration: within which bounds.
        module: the protocol's, or that of a modified copy.
        most: states at which to stop.
    """
    with telling_within(configuration.told_within, module):
        return _explore(configuration, module, most)


def _explore(configuration: Configuration, module: Any, most: float) -> Result:
    step: Step = ("begin",)
    number, transitions = 0, 0
    ways: list[tuple[int, Step]] = [(-1, step)]
    try:
        judged = JudgedProtocol(configuration.world, module)
        judged.check()
        states = [judged.save()]
        seen = set(states)
        actions = [(one, getattr(judged, one[0]), one[1:]) for one in configuration.steps]
        while number < len(states) < most:
            here = states[number]
            moved = True
            for step, act, given in actions:
                if moved:
                    judged.restore(here)
                moved = act(*given)
                if not moved:
                    continue
                transitions += 1
                judged.check()
                there = judged.save()
                if there[1] is None:
                    seen.add(there)
                    step = (*step, "and whatever comes then")
                    judged.after_all()
                elif there not in seen:
                    seen.add(there)
                    states.append(there)
                    ways.append((number, step))
            if moved:
                judged.restore(here)
            step = ("rest",)
            judged.rest(here)
            states[number] = ()
            number += 1
    except Exception as error:
        path = [step]
        while number > 0:
            number, step = ways[number]
            path.append(step)
        said = str(error) if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
        return Result(len(ways), transitions, tuple(path[::-1]), said)
    return Result(len(seen), transitions)


def told(*events: str, texts: tuple[str, ...] = ("",), covers: tuple[str, ...] = ("none",)) -> tuple[Step, ...]:
    """Every combination of these."""
    return tuple(("tell", event, text, cover) for event in events for text in texts for cover in covers)


def words(event: str, text: str, cover: str, *ends: str) -> tuple[Step, ...]:
    """The same words, which end in each of these places."""
    return tuple(("tell", event, text, cover, "", "next", end) for end in ends)


def bounds(**given: float) -> Bounds:
    """Bounds that let nothing expire but what is asked for."""
    quiet: dict[str, float] = {"message_timeout": inf, "silence_after": inf, "reconnect_timeout": 1.0}
    return Bounds(**(quiet | {"backoff_first": 0.5, "backoff_max": 0.5, "replay_seconds": 0.12} | given))


SPEECH: tuple[Step, ...] = (("speak", 1.0), ("speak", 0.5), ("send",), ("send", True))
LOSSES: tuple[Step, ...] = (("drop",), ("seek",), ("made",))
BREAKS: tuple[Step, ...] = (("fail",), ("fail", True), ("drop", 1000), ("drop", 1006), ("drop", 1011))
ENDS: tuple[Step, ...] = (("close",), ("leave",), ("command",))
TIME: tuple[Step, ...] = (("wait", "due"),)
ANY_TIME: tuple[Step, ...] = (*TIME, ("wait", "late"), ("wait", "asleep"))
COVERS = told("Update", covers=("some", "all", "far", "back"))
SEAMS: tuple[Step, ...] = (
    *words("Update", "a", "all", "now", "before", "long ago", "later", "untimed", "nowhere"),
    *words("Update", "a", "some", "now", "long ago"),
    *words("Update", "a", "back", "now"),
    *told("Update", covers=("all", "some")),
)
READING: tuple[Step, ...] = (("read", True), ("read", False))
FORCED: tuple[Step, ...] = (
    *(("force",), ("command",), ("say", "Warning", NO_TURN), ("say", "Warning", "ELSE")),
    *told("StartOfTurn", "EndOfTurn"),
    *(("tell", "EndOfTurn", "", "none", "manual"), ("tell", "EndOfTurn", "", "none", "model")),
)
CONFIGURING: tuple[Step, ...] = (
    *(("configure", 0), ("configure", 1), ("start",), ("withdraw",), ("command",)),
    *(("say", "ConfigureSuccess"), ("say", "ConfigureFailure")),
)
ERRORS: tuple[Step, ...] = (("say", "Error", UNPARSABLE), ("say", "Error", "OTHER"), ("drop", None, True))
EVENTS = ("StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn", "Novelty")
TRYING: tuple[Step, ...] = (
    *(("drop", None, False, 0.5), ("drop", None, False, 1.0), ("seek",), ("made",), ("refused", 401)),
    *(("refused", 503, 0.5), ("refused", 503, 1.0), ("wait", "due"), ("wait", "late"), ("wait", 0.5)),
)
WATCHED: dict[str, float] = {"message_timeout": 4.0, "answer_timeout": 2.0}
NUMBERS = tuple(("tell", "Update", "", "none", "", how) for how in ("next", "skip", "again", "hidden", "none"))


def configurations(level: int) -> tuple[Configuration, ...]:
    """Those of a level: 0 quick, 1 by default, 2 deep."""
    linear = FluxOptions(sample_rate=8000, encoding="linear16")
    more = ANY_TIME if level else TIME
    waits: tuple[Step, ...] = (("wait", 0.6), ("wait", 1.2))
    all_configurations = (
        Configuration(
            "numbers",
            World(bounds(), gaps=3 + level),
            (*NUMBERS, ("say", "Garbage"), ("say", "Strange"), ("say", "Warning", "ELSE"), *LOSSES, ("made", -1)),
        ),
        Configuration(
            "odd silence",
            World(bounds(silence_after=0.2), linear, 1.1 + level),
            (("speak", 0.0), ("speak", 1.0), ("send",), *told("StartOfTurn"), COVERS[1], *TIME),
        ),
        Configuration(
            "nothing kept",
            World(bounds(replay_seconds=0.0), most=2.0 + level),
            (*SPEECH, *COVERS, *LOSSES, *TIME, *BREAKS, *ENDS),
        ),
        Configuration(
            "no second connection",
            World(bounds(reconnect_timeout=0.0), most=0.5 + level),
            (
                *(*SPEECH[1:], COVERS[1], *TIME, *BREAKS, ("drop",), *ERRORS, *ENDS),
                *(("force",), ("read", True), *told("StartOfTurn")),
            ),
        ),
        Configuration(
            "unknown commands",
            World(bounds(answer_timeout=2.0)),
            (*FORCED[:2], *CONFIGURING[::2], ("say", "Error", UNPARSABLE), ("fail", True), *LOSSES, *TIME, *ENDS[:1]),
        ),
        Configuration(
            "a silent Flux",
            World(bounds(**WATCHED), most=1.0 + level),
            (("speak", 1.0), ("send",), COVERS[1], *READING, *LOSSES, *more, *waits, *ENDS[:level]),
        ),
        Configuration(
            "seams",
            World(bounds(), most=1.5 + level),
            (*SPEECH[:3], *SEAMS, *LOSSES, *BREAKS[:1], ("leave",)),
            told_within=0.08,
        ),
        Configuration(
            "seams of a stuck turn",
            World(bounds(answer_timeout=2.0), most=0.5 + level),
            (
                *(("speak", 0.5), ("send", True), ("read", True), ("force",), ("command",), *LOSSES, *TIME),
                *words("StartOfTurn", "a", "none", "now"),
                *words("EndOfTurn", "a", "none", "before"),
                *words("Update", "b", "all", "now", "before"),
                COVERS[0],
            ),
            told_within=0.08,
        ),
        Configuration(
            "audio",
            World(bounds(), most=2.5 + level),
            (*SPEECH, *COVERS, *LOSSES, *TIME, *BREAKS, *ENDS),
            told_within=0.08,
        ),
        Configuration(
            "odd bytes",
            World(bounds(replay_seconds=0.1), linear, 1.1 + level),
            (("speak", 0.0), *SPEECH[::2], SPEECH[3], *COVERS[:2], *LOSSES, *TIME, ("fail",), *ENDS),
        ),
        Configuration(
            "forced ends",
            World(bounds(answer_timeout=2.0), forced=1 + level),
            (*FORCED, *READING, *LOSSES, *ANY_TIME, ("wait", 1.0), *ERRORS, *ENDS[:level]),
        ),
        Configuration(
            "outages", World(bounds(reconnect_timeout=8.0, backoff_first=1.0, backoff_max=3.0), flapping=True), TRYING
        ),
        Configuration(
            "silence",
            World(bounds(silence_after=0.1), most=1.0 + level),
            (
                *SPEECH[:3],
                *told("StartOfTurn", "EndOfTurn"),
                COVERS[1],
                *LOSSES,
                *more,
                ("wait", "late"),
                *ENDS[:level],
            ),
        ),
        Configuration(
            "audio that flaps",
            World(bounds(), most=1.5 + level, flapping=True),
            (*SPEECH, *COVERS, *LOSSES, *TIME, *BREAKS[:2], *ENDS),
        ),
        Configuration(
            "turns",
            World(bounds(answer_timeout=2.0), most=0.5 + level / 2),
            (
                *(("speak", 0.5), ("send", True), *LOSSES, *TIME, *READING, ("force",), ("command",)),
                *told(*EVENTS, texts=("", "a") if level else ("a",), covers=("none", "all") if level else ("none",)),
                *told("Update", texts=("", "a", "b"), covers=("none", "some") if level else ("all",)),
            ),
        ),
        Configuration(
            "farewells",
            World(bounds(answer_timeout=2.0), most=0.5 + level),
            (
                *(("speak", 0.5), ("send",), COVERS[1], *ENDS, *BREAKS, *ERRORS, *more, *FORCED[:6]),
                *(("configure", 0), ("start",))[: 2 * level],
            ),
        ),
        Configuration(
            "two forced ends", World(bounds(answer_timeout=2.0), forced=2), (*FORCED, *ANY_TIME, ("wait", 1.9))
        ),
        Configuration(
            "short of patience",
            World(bounds(message_timeout=0.4, replay_seconds=0.04), most=4.0 + level),
            (
                *(("speak", 1.0), ("speak", 3.0), ("send",), COVERS[1], *READING, *TIME, ("wait", 0.12), *ENDS[:1]),
                *ANY_TIME[: 2 * level],
            ),
        ),
        Configuration(
            "configures",
            World(bounds(answer_timeout=2.0)),
            (*CONFIGURING, *LOSSES, *more, ("say", "Error", UNPARSABLE), ("fail",), *ENDS[:level]),
        ),
        Configuration(
            "commands",
            World(bounds(answer_timeout=2.0)),
            (
                *(*FORCED[:3], *FORCED[4:7], *CONFIGURING[::2], CONFIGURING[5], *LOSSES, *TIME, *ERRORS[:1]),
                *(("say", "Error", "OTHER"), ("fail",), *ENDS[:1], ("read", True)),
            ),
            1,
        ),
    )
    return tuple(one for one in all_configurations if one.level <= level)


def main(arguments: list[str], module: Any = real) -> int:
    """Explore the protocol of a module, and say what was found; returns the exit code."""
    level = 0 if "--quick" in arguments else 2 if "--deep" in arguments else 1
    states = transitions = 0
    begun = perf_counter()
    for configuration in configurations(level):
        at = perf_counter()
        found = explore(configuration, module)
        states, transitions = states + found.states, transitions + found.transitions
        line = f"{configuration.name:24} {found.states:>9,} states {found.transitions:>11,} transitions"
        print(f"{line} {perf_counter() - at:7.1f} s", file=sys.stderr, flush=True)
        if found.path:
            print(f"{configuration.name}: {found.violation}; the shortest way to it:")
            for step in found.path:
                print("   ", *map(repr, step))
            return 1
    print(f"{states:,} states, {transitions:,} transitions, {perf_counter() - begun:.1f} s: no violation")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
