"""Plans of random conversations: what Flux says, how slow or faulty minds and mouths are, what the host does when."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from hypothesis import strategies as st

from tests.support.policies import machine_settings
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    TurnResumed,
    TurnStarted,
    Update,
    UserIdle,
)


@dataclass(frozen=True)
class Mind:
    """How one reply is thought of: seconds to the first chunk and between chunks, and what else happens when."""

    think: float
    pause: float
    chunks: int
    fails_after: int  # chunks; -1: never
    how: str  # it fails: "raise", "hang", or "foreign", a cancellation that nobody has asked for
    tool: str  # "", "flush", "heard", "committed", "worker" (a task outside of the reply) or "must_finish"
    tool_after: int
    tool_seconds: float
    cleanup: str  # when cancelled: "", "late", "raise" or, in a task of its own, "group"
    works: float = -1.0  # seconds after the end of its speech; -1: it does not end it before it returns


@dataclass(frozen=True)
class Mouth:
    """How one reply is spoken: seconds to its first sound and a word, and after how many it goes wrong."""

    latency: float
    word: float
    fails_after: int  # words; -1: never
    returns_after: int  # chunks; -1: when there are no more
    how: str = "raise"  # as of a mind


@dataclass(frozen=True)
class Plan:
    """One conversation."""

    settings: dict[str, Any]
    steps: list[tuple[Any, ...]]
    minds: list[Mind]
    mouths: list[Mouth]
    meddling: list[tuple[type[Any], str]]  # at this signal the host does that, in the very step
    cut: float  # seconds after which the run is cancelled
    drain: bool
    breaks: bool  # whether the source ends with an error
    seed: int  # of trio's scheduler


lapses = st.sampled_from([0.0, 0.0625, 0.125, 0.25, 0.5])
gaps = st.sampled_from([0.75, 1.0, 0.5, 0.25, 0.0625, 0.0, 2.0])


def seldom(happens: st.SearchStrategy[Any], otherwise: object) -> st.SearchStrategy[Any]:
    """What happens in one case of five, and what is otherwise."""
    return st.integers(0, 4).flatmap(lambda count: happens if count == 4 else st.just(otherwise))


failures = st.sampled_from(["raise", "hang", "foreign"])
minds = st.builds(
    Mind,
    think=lapses,
    pause=lapses,
    chunks=st.sampled_from([4, 3, 2, 1, 0]),
    fails_after=seldom(st.integers(0, 4), -1),
    how=failures,
    tool=st.sampled_from(["", "flush", "heard", "committed", "worker", "must_finish"]),
    tool_after=st.integers(0, 2),
    tool_seconds=lapses,
    cleanup=seldom(st.sampled_from(["late", "raise", "group"]), ""),
    works=seldom(st.sampled_from([0.0, 0.25, 1.0, 4.0]), -1.0),
)
mouths = st.builds(
    Mouth,
    latency=lapses,
    word=st.sampled_from([0.125, 0.25, 0.0625, 0.0]),
    fails_after=seldom(st.integers(0, 5), -1),
    returns_after=seldom(st.integers(1, 3), -1),
    how=failures,
)
unasked = st.sampled_from(["greet", "greet", "warn", "reprompt", "queue", "queue"])
others = st.sampled_from(["press", "type", "context", "protect", "unprotect", "discard", "late report", "hang up"])
host = st.one_of(unasked, others)
turns = st.tuples(
    st.just("turn"),
    st.lists(st.sampled_from(["resumed", "superseded", "again"]), max_size=2),
    st.sampled_from(["same", "same", "same", "undrafted", "other", "blank", "missed", "noise"]),
    st.lists(lapses, min_size=4, max_size=4),
    gaps,
)
strays = st.tuples(
    st.just("stray"),
    st.sampled_from([StartOfTurn, Update, EagerEndOfTurn, TurnResumed, EndOfTurn]),
    st.integers(-1, 1),
    st.sampled_from(["", "?!", "the same", "others"]),
)
waits = st.tuples(st.just("wait"), st.sampled_from([0.0625, 0.5, 2.0, 10.0]))
strikes = st.one_of(waits, strays, st.tuples(st.just("host"), host), st.sampled_from([("lost",), ("back",)]))
steps = st.integers(0, 3).flatmap(lambda count: strikes if count == 3 else turns)
plans = st.builds(
    Plan,
    settings=machine_settings,
    steps=st.lists(steps, min_size=6, max_size=20),
    minds=st.lists(minds, min_size=1, max_size=4),
    mouths=st.lists(mouths, min_size=1, max_size=3),
    meddling=st.lists(
        st.tuples(st.sampled_from([UserIdle, Speculate, Commit, Cancel, BargeIn, TurnStarted, ReplyEnded]), host),
        max_size=2,
    ),
    cut=seldom(st.integers(0, 320).map(lambda count: count / 16), inf),
    drain=st.booleans(),
    breaks=seldom(st.just(True), False),
    seed=st.integers(0, 7),
)
