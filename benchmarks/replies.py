"""What drafts gain: `python -m benchmarks.replies`, a few seconds.

The time from the end of the user's turn to the first sound, with drafts and without, over the same scripted turns on a
virtual clock; the LLM's time to its first token is all the delay there is. What running the replies costs, on the wall
clock, is in `python -m benchmarks --only answers` and in `python -m benchmarks.transports`.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import msgspec
import trio
from rich.console import Console
from rich.table import Table
from trio.testing import MockClock

from turnkit.session import Reply, Session
from turnkit.turns.events import (
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

from .__main__ import environment

WITHDRAWN = 0.35  # of the turns have an eager end that is withdrawn before the one that stands
_SEED = 20


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
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replies", description="What drafts gain.")
    parser.add_argument("--quick", action="store_true", help="small counts: seconds, and noisier")
    parser.add_argument("--json", action="store_true", help="one object a line, the environment first")
    asked = parser.parse_args(arguments)
    rows = measure_gap(100 if asked.quick else 1000)
    if asked.json:
        for line in ({"environment": environment()}, *rows):
            print(msgspec.json.encode(line).decode())
        return 0
    console = Console()
    console.print(table(rows, ("without", "with")))
    console.print(rows[0]["how"], highlight=False, soft_wrap=True)
    console.print()
    for name, value in environment().items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
