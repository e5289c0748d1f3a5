"""What running the replies costs: from the socket to the first line of `respond`, and to the `speak` that is cancelled.

The floor holds what any host has to: a task that answers, begun at EagerEndOfTurn (or EndOfTurn, if there was none), a
task that speaks, begun at EndOfTurn, and at StartOfTurn an end to both.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from time import monotonic_ns
from typing import Any, NamedTuple, TypeAlias

from turnkit.flux import connect
from turnkit.flux.transports import Transport
from turnkit.session import Reply, Session
from turnkit.turns.events import BargeIn, Commit

from .listeners import CONTAINER, Callback, Dispatching, Heard, Opened, dispatch, dispatching
from .live import played
from .peer import STAMP, Plan, peer
from .rows import Effort, Row, alternate, compared

BOUND = 1.4
_PACE = 0.003  # seconds from one frame to the next
_TRIES = 6
DRAFT = ("draft→respond", "peer's send of EagerEndOfTurn to the first line of respond; floor: a bare task's")
ANSWER = (
    "end→respond",
    "peer's send of EndOfTurn, without a draft, to the first line of respond; floor: a bare task's",
)
SPEAK = ("barge-in→speak", "peer's send of StartOfTurn to the CancelledError of speak; floor: a bare task's")

Answerer: TypeAlias = Callable[[Callback, str, Opened, Callback, Callback], Coroutine[None, None, None]]
"""Who answers: is given who is told of the first line of `respond`, and then what a `Listener` is; its `started` is
told of a cancelled `speak`, with the words that ended it."""


async def speak_until_cancelled(said: list[Heard], stopped: Callback) -> None:
    """Sleep as a voice does that waits for its sound to be played; tell of the words that ended it."""
    said.clear()  # of a voice that was cancelled before it began
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        if said:
            stopped(said.pop())
        raise


async def _respond(heard: Heard, began: Callback) -> None:
    began(heard)


async def answer_bare(
    loop: Dispatching, began: Callback, url: str, opened: Opened, stopped: Callback, ended: Callback
) -> None:
    """A bare loop that begins two tasks and cancels them."""
    said: list[Heard] = []
    tasks: list[asyncio.Task[None]] = []

    def drafted(message: Heard) -> None:
        tasks.append(asyncio.create_task(_respond(message, began)))

    def committed(message: Heard) -> None:
        if not tasks:
            drafted(message)
        tasks.append(asyncio.create_task(speak_until_cancelled(said, stopped)))
        ended(message)

    def started(message: Heard) -> None:
        if tasks:
            said.append(message)
        for task in tasks:
            task.cancel()
        tasks.clear()

    await loop(url, opened, dispatch(started, committed, drafted))


async def answer_turnkit(
    transport: Transport, began: Callback, url: str, opened: Opened, stopped: Callback, ended: Callback
) -> None:
    """A `Session` with `respond` and `speak` on a `FluxStream`; `speak` is cancelled in mid-sound."""
    said: list[Heard] = []

    async def respond(reply: Reply) -> None:
        began(reply)
        await reply.say("So it is.")

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            playback.started()
            await speak_until_cancelled(said, stopped)

    session = Session(respond=respond, speak=speak)
    session.on(BargeIn, said.append)
    session.on(Commit, ended)
    async with connect(CONTAINER, url=url, transport=transport) as stream:
        opened(stream.send_audio)
        await session.run(stream)


class Delays(NamedTuple):
    """Nanoseconds from the peer's send: of a turn's end to `respond`, and of its start to the cancelled `speak`."""

    respond: list[int]
    speak: list[int]


async def delays(answerer: Answerer, url: str, turns: int, *, eager: bool = True) -> Delays:
    """One call of so many turns, in each of which there is time enough for a frame before the next comes.

    A call in which the machine was so busy that most replies were over before they began is made again, half as fast.

    Raises:
        TimeoutError: the machine is busier than that.
    """
    for attempt in range(_TRIES):
        # Nobody is audible at the first turn, and a last one is needed to interrupt the one before.
        plan = Plan(turns=turns + 1, updates=1, idle=0, interval=_PACE * 2**attempt, eager=eager)
        taken = Delays([], [])

        def note(kind: list[int], heard: Heard) -> None:
            kind.append(monotonic_ns() - int(heard.transcript[:STAMP]))

        await played(partial(answerer, partial(note, taken.respond)), url, 1, plan, partial(note, taken.speak))
        if min(map(len, taken)) * 2 >= turns:
            return taken
    raise TimeoutError(f"the machine is too busy: most replies were over before they began, in {_TRIES} calls")


def median(delays: Sequence[float]) -> float:
    """The median of nanoseconds, in microseconds."""
    return statistics.median(delays) / 1000


def tail(delays: Sequence[float]) -> float:
    """The 99th percentile of nanoseconds, in microseconds."""
    return statistics.quantiles(delays, n=100, method="inclusive")[98] / 1000


def measure(effort: Effort) -> list[Row]:
    """From the socket to the first line of `respond`, and to the cancelled `speak`, against bare tasks."""
    floor, subject = partial(answer_bare, dispatching), partial(answer_turnkit, "websockets")
    taken: dict[Answerer, list[Delays]] = {floor: [], subject: []}

    def call(answerer: Answerer, url: str) -> float:
        taken[answerer].append(asyncio.run(delays(answerer, url, effort.turns)))
        return 0.0

    with peer() as url:
        for answerer in taken:
            asyncio.run(delays(answerer, url, 5))  # imports and first calls
        alternate(partial(call, floor, url), partial(call, subject, url), effort.calls)
    rows = []
    for index, (what, how) in enumerate((DRAFT, SPEAK)):
        bare, turnkit = ([call[index] for call in taken[answerer]] for answerer in taken)
        pairs = [(median(one), median(other)) for one, other in zip(bare, turnkit, strict=True)]
        rows.append(compared(f"{what}, p50", "µs", pairs, how, bound=BOUND))
        floor_tail, subject_tail = (tail([value for call in calls for value in call]) for calls in (bare, turnkit))
        ratio = subject_tail / floor_tail
        rows.append(
            Row(
                name=f"{what}, p99",
                unit="µs",
                floor=floor_tail,
                turnkit=subject_tail,
                ratio=ratio,
                how=f"{how}, all calls together",
            )
        )
    return rows
