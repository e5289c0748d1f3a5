"""Hypothesis strategies: what Flux may say, what it should never say, who may call, and how a bot may be set.

All draw small things first: a failure shrinks to few turns of few words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from .requirements import need

need("hypothesis", "turnkit.testing.strategies")

from hypothesis import strategies as st  # noqa: E402  (after it is known to be there)

from ..turns.events import (  # noqa: E402
    EagerEndOfTurn,
    EndOfTurn,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnEvent,
    TurnResumed,
    Update,
)
from ..turns.policy import BARGE_IN_POLICIES, SPECULATION_POLICIES  # noqa: E402
from .caller import Caller  # noqa: E402
from .pace import Pace  # noqa: E402

Stream: TypeAlias = list[tuple[float, TurnEvent | StreamLost | StreamRestored]]
"""Events, each with the seconds that pass before it."""

SAYINGS = ("Tea.", "A table for two, please.", "Stop.", "Mm-hm.", "No, wait, for three.", "हाँ", "3.5")

_LAPSES = (0.25, 0.0, 0.08, 0.5, 1.0, 3.0)


def turn_streams(
    *, says: Sequence[str] = SAYINGS, most: int = 4, eager: bool = True, reconnects: bool = True
) -> st.SearchStrategy[Stream]:
    """Draw streams as Flux gives them: each turn starts, grows word by word, may seem to end and resume, and ends.

    Idle Updates come in between.

    Args:
        says: What turns are made of.
        most: How many turns there may be. Default 4.
        eager: Whether eager ends of turn are asked for. Default True.
        reconnects: Whether the stream may be lost, and turns be counted from 0 again. Default True.

    Returns:
        A strategy for streams.
    """

    @st.composite
    def streams(draw: st.DrawFn) -> Stream:
        stream: Stream = []
        index = 0
        for _ in range(draw(st.integers(0, most))):
            if reconnects and draw(_seldom):
                index = 0
                stream += [(draw(_lapses), StreamLost("drawn")), (draw(_lapses), StreamRestored("drawn"))]
            if draw(_seldom):
                stream.append((draw(_lapses), Update(index, "", 0.5)))
            if _take_turn(draw, stream, index, draw(st.sampled_from(says)).split(), eager):
                index += 1
            else:
                index = 0
                stream.append((draw(_lapses), StreamLost("drawn")))
        return stream

    return streams()


def _take_turn(draw: st.DrawFn, stream: Stream, index: int, words: list[str], eager: bool) -> bool:
    """One turn, word by word; whether it came to its end."""
    said, drafted = words[0], False
    stream.append((draw(_lapses), StartOfTurn(index, said, 0.1)))
    for word in [*words[1:], ""]:
        if eager and draw(st.booleans()):
            stream.append((draw(_lapses), EagerEndOfTurn(index, said, 0.6)))
            drafted = True
            if draw(_seldom):
                stream.append((draw(_lapses), TurnResumed(index, said, 0.2)))
                drafted = False
        if word:
            said = f"{said} {word}"
            stream.append((draw(_lapses), (TurnResumed if drafted else Update)(index, said, 0.2)))
            drafted = False
    stream.append((draw(_lapses), EndOfTurn(index, said, 0.9, trigger=draw(st.sampled_from(_TRIGGERS)))))
    return True


_TRIGGERS = ("model", "timeout", "manual")
_lapses = st.sampled_from(_LAPSES)
_seldom = st.integers(0, 5).map(lambda count: count == 5)


def hostile(streams: st.SearchStrategy[Stream] | None = None) -> st.SearchStrategy[Stream]:
    """Draw streams as no Flux should give them: parts doubled, swapped, dropped, cut off, and any events.

    Args:
        streams: A strategy for the streams that are mangled. Default `turn_streams()`.

    Returns:
        A strategy for streams.
    """
    given = turn_streams() if streams is None else streams

    @st.composite
    def mangled(draw: st.DrawFn) -> Stream:
        stream = list(draw(given))
        for how in draw(st.lists(st.sampled_from(sorted(_MANGLED)), max_size=6)):
            place = draw(st.integers(0, len(stream)))
            stream = _MANGLED[how](stream, place, draw)
        return stream

    return mangled()


def _swapped(stream: Stream, place: int, draw: st.DrawFn) -> Stream:
    return [*stream[:place], *stream[place : place + 2][::-1], *stream[place + 2 :]]


_MANGLED: dict[str, Callable[[Stream, int, st.DrawFn], Stream]] = {
    "any": lambda stream, place, draw: [*stream[:place], (draw(_lapses), draw(_any_event)), *stream[place:]],
    "cut": lambda stream, place, draw: stream[:place],
    "dropped": lambda stream, place, draw: [*stream[:place], *stream[place + 1 :]],
    "doubled": lambda stream, place, draw: [*stream[:place], *stream[place : place + 1] * 2, *stream[place + 1 :]],
    "swapped": _swapped,
}
_any_event: st.SearchStrategy[TurnEvent] = st.builds(
    lambda kind, index, text, confidence: kind(index, text, confidence),
    st.sampled_from([Update, StartOfTurn, EagerEndOfTurn, TurnResumed, EndOfTurn]),
    st.integers(-1, 5),
    st.one_of(st.sampled_from(["", " ", "?!", *SAYINGS]), st.text(max_size=10)),
    st.floats(0, 1),
)


def conversations(*, says: Sequence[str] = SAYINGS, most: int = 5, wire: bool = False) -> st.SearchStrategy[Caller]:
    """Draw callers who say these things: early and late, over the agent, in two goes, over a stream that may break.

    A failing one is shown as its script, which can be pasted into a test of its own.

    Args:
        says: What they may say.
        most: How many lines they may have. Default 5.
        wire: Whether the bot gets Flux's raw frames instead of events. Default False.

    Returns:
        A strategy for callers.
    """
    # Drafts that live long enough to do harm, most of all.
    stays = st.sampled_from([" [eager 0.3] [resumed 1.0]", "", " [eager 0.1]"])
    endings = st.sampled_from(
        [" [eager 0.3] [end 1.0]", "", " [end 0.2]", " [timeout 2.0]", " [eager 0.1] [end 0]", " [lost] [restored 0.5]"]
    )
    starts = st.sampled_from(["+1", "+0", "+0.25", "+0.5", "+4"])

    @st.composite
    def lines(draw: st.DrawFn) -> str:
        first, *rest = draw(st.sampled_from(says)).split()
        cut = draw(st.integers(0, len(rest)))
        middle = draw(stays) if cut < len(rest) else ""
        words = " ".join([first, *rest[:cut]]) + middle + "".join(f" {word}" for word in rest[cut:])
        return f"{draw(starts)}  {words}{draw(endings)}"

    scripts = st.lists(lines(), min_size=1, max_size=most)
    return scripts.map(lambda drawn: Caller("\n".join([*drawn, "+20  [hang up]"]), wire=wire))


def paces(*, failing: bool = True, hanging: bool = False) -> st.SearchStrategy[list[Pace]]:
    """Draw how the calls of a stand-in go: quick and slow, and some of them fail, or hang for ever.

    Args:
        failing: Whether some may fail. Default True.
        hanging: Whether some may hang. Default False.

    Returns:
        A strategy for the paces of a stand-in.
    """
    never, count = st.none(), st.integers(0, 4)
    seldom = _seldom.flatmap(lambda happens: count if happens else never)
    one = st.builds(
        Pace,
        first=st.sampled_from([0.25, 0.0, 0.0625, 0.5, 2.0]),
        between=st.sampled_from([0.0625, 0.25, 0.0]),
        fails_at=seldom if failing else never,
        hangs_at=seldom if hanging else never,
    )
    return st.lists(one, min_size=1, max_size=3)


def machine_settings(**given: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Settings for a `TurnMachine` or a `Session`, policies and all; every built-in policy is among them.

    Args:
        given: Settings to keep, by name: each a value, or a strategy of its own.
    """
    settings: dict[str, Any] = {
        "barge_in": st.sampled_from([policy for built_in in BARGE_IN_POLICIES for policy in built_in.examples]),
        "speculation": st.sampled_from([policy for built_in in SPECULATION_POLICIES for policy in built_in.examples]),
        "hold_timeout": st.sampled_from([0.5, 2.0]),
        "lost_turn_grace": st.sampled_from([0.0, 2.0]),
        "stall_timeout": st.sampled_from([1.0, 8.0]),
        "stall_grace": st.sampled_from([0.0, 2.0]),
        "idle_timeout": st.sampled_from([None, 0.7, 3.0]),
    }
    for name, value in given.items():
        settings[name] = value if isinstance(value, st.SearchStrategy) else st.just(value)
    return st.fixed_dictionaries(settings)
