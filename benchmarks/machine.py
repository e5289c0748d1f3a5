"""What it costs to decide: nanoseconds an event, bytes and collectable objects a machine."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter_ns
from typing import NamedTuple, TypeAlias

from turnkit.turns.events import Commit, Event, PlaybackFinished, PlaybackStarted, StartOfTurn
from turnkit.turns.machine import TurnMachine
from turnkit.wire import decode, to_event

from . import bare, flux_frames
from .flux_frames import Said
from .rows import Effort, Row, alternate, compared
from .wire import time_decode

Timed: TypeAlias = tuple[Event, float]

FEED_BOUND = 1 / 1.4  # 1 µs where the bare decode takes 1.4
BYTES_BOUND = 1000
_STEP = 0.24  # seconds between messages
_LIFE = [  # up to the middle of the fourth turn
    flux_frames.encoded(said, count) for count, said in enumerate(flux_frames.conversation(4, 8, 2)[:-6], 1)
]


def _decoded(conversation: Iterable[Said]) -> Iterator[Event]:
    for count, said in enumerate(conversation, 1):
        event = to_event(decode(flux_frames.encoded(said, count)))
        assert event is not None
        yield event


def timed(conversation: Iterable[Said], barge_ins: int = 1) -> list[Timed]:
    """The conversation as events with their times, and with it the playback that a host reports for its replies.

    Every reply is heard from its Commit; one in `barge_ins` until the user interrupts it, the others to their end.
    Each event is decoded from a frame of its own, so that no text is shared, as none is on the wire.
    """
    machine = TurnMachine()
    events: list[Timed] = []

    def feed(event: Event, at: float) -> None:
        events.append((event, at))
        for signal in machine.feed(event, at):
            if isinstance(signal, Commit):
                feed(PlaybackStarted(signal.reply), at)

    for count, event in enumerate(_decoded(conversation), 1):
        floor = machine.floor
        if isinstance(event, StartOfTurn) and floor is not None and event.turn_index % barge_ins:
            feed(PlaybackFinished(floor[0]), (count - 0.5) * _STEP)
        feed(event, count * _STEP)
    return events


def time_feed(events: Sequence[Timed], before: Sequence[Timed] = (), machines: int = 1) -> float:
    """Nanoseconds to feed one of `events`, the mean over fresh machines that have lived through `before`."""
    spent = 0
    for _ in range(machines):
        machine = TurnMachine()
        for event, at in before:
            machine.feed(event, at)
        feed = machine.feed
        begun = perf_counter_ns()
        for event, at in events:
            feed(event, at)
        spent += perf_counter_ns() - begun
    return spent / (machines * len(events))


class Stream(NamedTuple):
    """What is fed: the events that are timed, those before them that are not, and what to say of them."""

    events: list[Timed]
    before: list[Timed]
    what: str
    bound: float | None = None


def _streams() -> dict[str, Stream]:
    words = flux_frames.WORDS
    start = timed([Said("StartOfTurn", 0, words[:2])])
    monologue, short, dense = (flux_frames.conversation(*shape) for shape in ((3, 100, 19), (20, 8, 14), (20, 8, 0)))

    def alike(updates: list[Said]) -> list[Timed]:
        # Faster than Flux, so that a turn without progress does not stall.
        return [(event, 1 + 0.01 * count) for count, event in enumerate(_decoded(updates))]

    updates = {
        "idle": alike([Said("Update", 0)] * 200),
        "unchanged": alike([Said("Update", 0, words[:2])] * 200),
        "changed": alike([Said("Update", 0, words[: 3 + count % 20]) for count in range(200)]),
    }
    return {
        "feed, long turns": Stream(timed(monologue), [], "100 updates a turn, 19 idle after it", FEED_BOUND),
        "feed, short turns": Stream(timed(short, 5), [], "8 updates and 14 idle a turn, 1 in 5 a barge-in", FEED_BOUND),
        "feed, no silence": Stream(timed(dense), [], "8 updates a turn, none between, all barge-ins"),
        "feed, idle update": Stream(updates["idle"], [], "nobody speaks"),
        "feed, unchanged update": Stream(updates["unchanged"], start, "in a turn, the same words"),
        "feed, changed update": Stream(updates["changed"], start, "in a turn, other words"),
    }


def measure_feed(effort: Effort) -> list[Row]:
    """`TurnMachine.feed` over whole conversations, and over one kind of Update at a time, against the bare decode."""
    rows = []
    for name, (events, before, what, bound) in _streams().items():
        machines = max(1, effort.decodes // len(events))

        def feed(events: list[Timed] = events, before: list[Timed] = before, machines: int = machines) -> float:
            return time_feed(events, before, machines)

        pairs = alternate(lambda: time_decode(bare.decode, effort.decodes), feed, effort.rounds)
        rows.append(compared(name, "ns", pairs, f"{what}; floor: that bare decode", bound=bound))
    return rows


def measure_size(effort: Effort) -> list[Row]:
    """Bytes and collector-tracked objects of a machine in the middle of its fourth turn, its texts included."""
    machines: list[TurnMachine | None] = [None] * effort.machines
    _live()  # whatever the first one of a kind leaves behind is not a machine's
    gc.collect()
    tracked = len(gc.get_objects())
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for index in range(effort.machines):
            machines[index] = _live()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    tracked = len(gc.get_objects()) - tracked
    how = f"over {effort.machines:,} machines in mid-turn, the agent audible; texts included"
    return [
        Row(
            name="machine size",
            unit="bytes",
            turnkit=(after - before) / effort.machines,
            bound=BYTES_BOUND,
            how=f"tracemalloc {how}",
        ),
        Row(name="machine objects", unit="objects", turnkit=tracked / effort.machines, how=f"collector-tracked, {how}"),
    ]


def _live() -> TurnMachine:
    """A machine after a few turns of life, decoded for it alone."""
    machine = TurnMachine()
    for count, frame in enumerate(_LIFE, 1):
        event = to_event(decode(frame))
        assert event is not None
        for signal in machine.feed(event, count * _STEP):
            if isinstance(signal, Commit):
                machine.feed(PlaybackStarted(signal.reply), count * _STEP)
    return machine
