"""What running the replies gains and costs: `python -m benchmarks.replies`.

Gains: the time from the end of the user's turn to the first sound, with drafts and without, over the same scripted
turns on a virtual clock; the LLM's time to its first token is all the delay there is. Costs: the time from the socket
to the cancelled `speak` at a barge-in, on the wall clock, against a bare loop that does nothing but that.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from time import monotonic_ns
from typing import Any, NamedTuple

import msgspec
import trio
from rich.console import Console
from rich.table import Table
from trio.testing import MockClock
from websockets.asyncio import client

from turnkit.flux import connect
from turnkit.session import Reply, Session
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    TurnEvent,
    TurnResumed,
)
from turnkit.turns.policy import NoSpeculation, OnEager, SpeculationPolicy

from . import bare
from .__main__ import environment
from .listeners import CONTAINER, OPTIONS, Callback, Heard, Listener, Send
from .live import played
from .peer import STAMP, Plan, peer
from .rows import alternate

WITHDRAWN = 0.35  # of the turns have an eager end that is withdrawn before the one that stands
_SEED = 20

# The gap ----------------------------------------------------------------------------------------------------------


class Turn(NamedTuple):
    """One turn of the script, in seconds.

    `withdrawn_after`: how long its first eager end stands, None if there is none such; `lead`: from the eager end that
    stands to the end of the turn; `first_token`: what the LLM takes.
    """

    withdrawn_after: float | None
    lead: float
    first_token: float


class Gaps(NamedTuple):
    """What came of a script: seconds from each EndOfTurn to the first sound, and what became of the drafts."""

    gaps: list[float]
    drafts: Counter[str]


def scripted(count: int) -> list[Turn]:
    """The same turns each time: leads of 0 to 400 ms, first tokens after 200 to 600 ms, drawn evenly."""
    draw = random.Random(_SEED)
    return [
        Turn(
            withdrawn_after=draw.uniform(0.1, 0.4) if draw.random() < WITHDRAWN else None,
            lead=draw.uniform(0.0, 0.4),
            first_token=draw.uniform(0.2, 0.6),
        )
        for _ in range(count)
    ]


async def hold_conversation(turns: Sequence[Turn], speculation: SpeculationPolicy) -> Gaps:
    """All of these turns in one session, each answered before the next begins."""
    gaps: list[float] = []
    drafts: Counter[str] = Counter()
    drafted: set[int] = set()
    over = trio.Event()
    ended_at = 0.0

    async def respond(reply: Reply) -> None:
        assert reply.turn is not None
        await trio.sleep(turns[reply.turn].first_token)
        await reply.say("Yes, that is done.")

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            gaps.append(trio.current_time() - ended_at)
            playback.started()

    async def flux() -> AsyncIterator[TurnEvent]:
        nonlocal over, ended_at
        for index, turn in enumerate(turns):
            over = trio.Event()
            yield StartOfTurn(index, "Book")
            await trio.sleep(1.0)
            if turn.withdrawn_after is not None:
                yield EagerEndOfTurn(index, "Book a table", 0.6)
                await trio.sleep(turn.withdrawn_after)
                yield TurnResumed(index, "Book a table")
                await trio.sleep(0.5)
            yield EagerEndOfTurn(index, "Book a table for two.", 0.6)
            await trio.sleep(turn.lead)
            ended_at = trio.current_time()
            yield EndOfTurn(index, "Book a table for two.", 0.8, trigger="model")
            await over.wait()

    def begun(signal: Speculate) -> None:
        drafted.add(signal.reply)
        drafts["started"] += 1

    def ended(end: ReplyEnded) -> None:
        if end.heard:
            over.set()

    session = Session(respond=respond, speak=speak, speculation=speculation)
    session.on(Speculate, begun)
    session.on(Commit, lambda commit: drafts.update(kept=int(commit.speculative)))
    session.on(Cancel, lambda cancel: drafts.update(wasted=int(cancel.reply in drafted)))
    session.on(ReplyEnded, ended)
    await session.run(flux())
    return Gaps(gaps, drafts)


def measure_gap(count: int) -> list[dict[str, Any]]:
    """A row each for the median, the 95th percentile and the drafts, without speculation and with it."""
    turns = scripted(count)
    without, given = (
        trio.run(hold_conversation, turns, policy, clock=MockClock(autojump_threshold=0))
        for policy in (NoSpeculation(), OnEager())
    )
    how = f"{count} turns on a virtual clock, {WITHDRAWN:.0%} with an eager end withdrawn first"
    rows = [
        {"name": f"response gap, p{percent}", "unit": "ms", "how": how}
        | {"without": _percentile(without.gaps, percent) * 1e3, "with": _percentile(given.gaps, percent) * 1e3}
        for percent in (50, 95)
    ]
    for name in ("started", "kept", "wasted"):
        rows.append({"name": f"drafts {name}", "unit": "", "how": how})
        rows[-1] |= {"without": without.drafts[name], "with": given.drafts[name]}
    return rows


# The barge-in -----------------------------------------------------------------------------------------------------


async def _cancelled_by(said: list[Heard], stopped: Callback) -> None:
    """Sleep as a voice does that waits for its sound to be played; tell of the words that ended it."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        if said:
            stopped(said.pop())
        raise


async def stop_bare(url: str, opened: Any, stopped: Callback, ended: Callback) -> None:
    """Receive, decode, cancel the sleeping task at StartOfTurn; begin the next at EndOfTurn."""
    said: list[Heard] = []
    voice: asyncio.Task[None] | None = None
    async with client.connect(f"{url}/v2/listen?{CONTAINER.to_query()}", **OPTIONS) as socket:
        await socket.recv(False)  # Connected
        opened(socket.send)
        while True:
            message = bare.decode(await socket.recv(False))
            if message.event == "StartOfTurn" and voice is not None:
                said.append(message)
                voice.cancel()
            elif message.event == "EndOfTurn":
                voice = asyncio.create_task(_cancelled_by(said, stopped))
                ended(message)


async def stop_turnkit(url: str, opened: Any, stopped: Callback, ended: Callback) -> None:
    """A `Session` with `respond` and `speak` on a `FluxStream`; `speak` is cancelled in mid-sound."""
    said: list[Heard] = []

    async def respond(reply: Reply) -> None:
        await reply.say("So it is.")

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            playback.started()
            await _cancelled_by(said, stopped)

    session = Session(respond=respond, speak=speak)
    session.on(BargeIn, said.append)
    session.on(Commit, ended)
    async with connect(CONTAINER, url=url) as stream:
        send: Send = stream.send_audio
        opened(send)
        await session.run(stream)


def times_to_silence(listen: Listener, url: str, barge_ins: int) -> list[int]:
    """Nanoseconds from the peer's send of StartOfTurn to the voice's CancelledError, each time."""
    taken: list[int] = []

    def stopped(heard: Heard) -> None:
        taken.append(monotonic_ns() - int(heard.transcript[:STAMP]))

    # Each frame has time enough to be dealt with before the next; nobody is audible at the first turn.
    plan = Plan(turns=barge_ins + 1, updates=1, idle=0, interval=0.005)
    asyncio.run(played(listen, url, 1, plan, stopped))
    return taken


def measure_silence(calls: int, barge_ins: int) -> list[dict[str, Any]]:
    """A row each for the median and the 99th percentile of all calls, floor and turnkit taking turns."""
    taken: dict[Listener, list[int]] = {stop_bare: [], stop_turnkit: []}
    with peer() as url:
        for listen in taken:
            times_to_silence(listen, url, 5)  # imports and first calls

        def median(listen: Listener) -> float:
            times = times_to_silence(listen, url, barge_ins)
            taken[listen] += times
            return statistics.median(times)

        pairs = alternate(partial(median, stop_bare), partial(median, stop_turnkit), calls)
    counts = {listen.__name__: len(times) for listen, times in taken.items()}
    how = f"peer's send to the CancelledError of the voice, barge-ins measured: {counts}"
    rows = [
        {"name": f"barge-in to cancelled speak, p{percent}", "unit": "µs", "how": how}
        | {"bare": _percentile(taken[stop_bare], percent) / 1e3}
        | {"turnkit": _percentile(taken[stop_turnkit], percent) / 1e3}
        for percent in (50, 99)
    ]
    rows[0]["ratio"] = statistics.median(subject / floor for floor, subject in pairs)
    return rows


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


# The report -------------------------------------------------------------------------------------------------------


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> Table:
    """The rows for people."""
    shown = Table("what", "unit")
    for column in columns:
        shown.add_column(column, justify="right")
    for row in rows:
        numbers = [row.get(column) for column in columns]
        shown.add_row(
            row["name"],
            row["unit"],
            *(
                "" if number is None else f"{number:,}" if isinstance(number, int) else f"{number:,.2f}"
                for number in numbers
            ),
        )
    return shown


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replies", description="What running the replies costs.")
    parser.add_argument("--quick", action="store_true", help="small counts: seconds, and noisier")
    parser.add_argument("--json", action="store_true", help="one object a line, the environment first")
    asked = parser.parse_args(arguments)
    gap = measure_gap(100 if asked.quick else 1000)
    silence = measure_silence(2, 20) if asked.quick else measure_silence(6, 100)
    if asked.json:
        for line in ({"environment": environment()}, *gap, *silence):
            print(msgspec.json.encode(line).decode())
        return 0
    console = Console()
    for rows, columns in ((gap, ("without", "with")), (silence, ("bare", "turnkit", "ratio"))):
        console.print(table(rows, columns))
        console.print(rows[0]["how"], highlight=False, soft_wrap=True)
        console.print()
    for name, value in environment().items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
