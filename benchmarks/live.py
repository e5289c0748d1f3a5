"""What it costs on a socket: the time to a barge-in, and processor time a message."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic_ns, process_time

import msgspec

from .listeners import LISTENERS, Callback, Heard, Listener, Send
from .peer import STAMP, Plan, peer
from .rows import Effort, Row, alternate, compared

BOUND = 1.25
_PATIENCE = 30.0  # seconds that a round may take


@asynccontextmanager
async def calls(listen: Listener, url: str, count: int, started: Callback, ended: Callback) -> AsyncIterator[Send]:
    """Hold so many connections open, each in a task of its own; gives what sends on one of them."""
    senders: list[Send] = []
    ready = asyncio.Event()

    def opened(send: Send) -> None:
        senders.append(send)
        if len(senders) == count:
            ready.set()

    # A listener is there until it is cancelled: in a group, one that fails ends the round and says why.
    async with asyncio.timeout(_PATIENCE), asyncio.TaskGroup() as group:
        tasks = [group.create_task(listen(url, opened, started, ended)) for _ in range(count)]
        await ready.wait()
        try:
            yield senders[0]
        finally:
            for task in tasks:
                task.cancel()


async def played(
    listen: Listener, url: str, count: int, plan: Plan, started: Callback, last: Callable[[], None] | None = None
) -> float:
    """Play the plan to so many calls; seconds of processor time that this process needed for it, to the last end.

    `last` is called then, with all of them still open.
    """
    over = asyncio.Event()
    left = count * plan.turns

    def ended(heard: Heard) -> None:
        nonlocal left
        left -= 1
        if not left:
            over.set()

    async with calls(listen, url, count, started, ended) as send:
        begun = process_time()
        await send(msgspec.json.encode(plan))
        await over.wait()
        spent = process_time() - begun
        if last is not None:
            last()
        return spent


def time_to_barge_in(listen: Listener, url: str, turns: int) -> list[int]:
    """Nanoseconds from the peer's send to the callback, for each turn but the first, when nothing is audible yet."""
    taken: list[int] = []

    def started(heard: Heard) -> None:
        now = monotonic_ns()
        taken.append(now - int(heard.transcript[:STAMP]))

    asyncio.run(played(listen, url, 1, Plan(turns=turns, updates=1, idle=0, interval=0.002), started))
    return taken[-(turns - 1) :]


def time_message(listen: Listener, url: str, crowd: int, turns: int) -> float:
    """Microseconds of processor time a message, many calls at once, each message arriving by itself."""
    plan = Plan(turns=turns, updates=8, idle=14, interval=crowd * 0.0004)
    return asyncio.run(played(listen, url, crowd, plan, lambda heard: None)) * 1e6 / (crowd * plan.messages)


def measure_barge_in(effort: Effort) -> list[Row]:
    """From the socket to the sync BargeIn callback, against the bare loop's StartOfTurn callback."""
    with peer() as url:
        for listen in LISTENERS.values():
            time_to_barge_in(listen, url, 5)  # imports and first calls
        taken: dict[Listener, list[int]] = {listen: [] for listen in LISTENERS.values()}

        def median(listen: Listener) -> float:
            call = time_to_barge_in(listen, url, effort.turns)
            taken[listen] += call
            return statistics.median(call) / 1000

        floor, subject = (partial(median, listen) for listen in taken)
        pairs = alternate(floor, subject, effort.calls)
    how = f"peer's send to callback, {effort.calls} calls of {effort.turns} turns each"
    bare, turnkit = (statistics.quantiles(taken[listen], n=100)[98] / 1000 for listen in taken)
    return [
        compared("barge-in, p50", "µs", pairs, how, bound=BOUND),
        Row(
            name="barge-in, p99",
            unit="µs",
            floor=bare,
            turnkit=turnkit,
            ratio=turnkit / bare,
            how=f"{how}, all together",
        ),
    ]


def measure_cpu(effort: Effort) -> list[Row]:
    """Processor time of the client a message, over many calls at a steady rate."""
    with peer() as url:
        for listen in LISTENERS.values():
            time_message(listen, url, 2, 1)

        def spent(listen: Listener) -> float:
            return time_message(listen, url, effort.crowd, effort.crowd_turns)

        floor, subject = (partial(spent, listen) for listen in LISTENERS.values())
        pairs = alternate(floor, subject, effort.crowds)
    how = f"process time a message, {effort.crowd} calls at once, 2,500 messages/s, no two together"
    return [compared("CPU a message", "µs", pairs, how, bound=BOUND)]
