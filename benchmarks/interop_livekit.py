"""`python -m benchmarks.interop_livekit`: LiveKit's own Flux service against turnkit inside, in the same AgentSession.

Real calls in real time, with the simulator as Flux, a made-up LLM and voice, and sound in memory: what is heard in each
situation, how often it goes wrong, how long a frame of Flux takes to interrupt the agent, and the CPU of both. Needs
`pip install 'turnkit[cli,livekit,fast]' livekit-plugins-deepgram`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import logging
import statistics
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from time import perf_counter_ns, process_time
from typing import Any, Literal, TypeAlias

import aiohttp
import msgspec
from livekit.agents import Agent, AgentSession
from livekit.agents.voice import SpeechHandle
from livekit.plugins import deepgram
from rich.console import Console
from rich.table import Table

from turnkit import FluxOptions, HoldThenDecide, IgnoreBackchannels, Session
from turnkit.interop import livekit
from turnkit.simulator import Script, serve

from .peer import ROOT

Side: TypeAlias = Literal["livekit", "turnkit", "turnkit over websockets"]
EAGER = 0.4
SEEDS = (5, 7, 10, 12, 15, 18, 19, 22)
"""By which the simulator hears an eager end in the pause of `PAUSED`, and takes it back."""
TABLE = "I'd like a table for two, please."
PAUSED = "1.0  I'd like a table (0.9) for two, please."
GREETING = "Welcome to our house. This call is recorded for training purposes, thank you."
AT_ONCE = 8  # calls
BUDGET_US = 50.0
WARM_UP_SECONDS = 1.0

bot: Any = None  # the example's LLM, voice, microphone and loudspeaker


LONGER = " Or later in the evening, when there is music, and dancing on the terrace, until midnight."
"""What the LLM adds where something is to happen over the answer."""


def answer(text: str, more: str = "") -> str:
    """What the made-up LLM says to it."""
    return f"Very well, you said: {text} Shall I book that for you?{more}"


@dataclass
class Heard:
    """What became of a call."""

    user: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    events: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def words(self) -> str:
        """All that the LLM knows the user to have said, without punctuation."""
        return " ".join(" ".join(self.user).lower().replace(".", "").replace(",", "").split())

    @property
    def paused(self) -> float:
        """Seconds for which the agent was paused, and then went on."""
        pairs = zip(self.events, self.events[1:], strict=False)
        return sum(after[0] - before[0] for before, after in pairs if (before[1], after[1]) == ("pause", "resume"))


class Greeter(Agent):
    """Says what it is given before all else, and may not be interrupted meanwhile."""

    def __init__(self, greeting: str) -> None:
        super().__init__(instructions="Listen.")
        self.greeting = greeting

    async def on_enter(self) -> None:
        if self.greeting:
            self.session.say(self.greeting, allow_interruptions=False)


# Situations -------------------------------------------------------------------------------------------------------


def once(call: Heard) -> str:
    """What is wrong with a call in which TABLE should be answered once, and nothing else heard."""
    if call.words != "i'd like a table for two please":
        return f"the LLM was told {call.user}"
    return "" if call.heard == [answer(" ".join(call.user))] else f"heard {call.heard}"


def all_said(call: Heard) -> str:
    """What is wrong where the first sentence was cut by a stall, and another came after it."""
    if not call.words.startswith("dinner please for two persons"):
        return f"the LLM was told {call.user}"
    return "" if call.heard and call.heard[-1].endswith("high chair. Shall I book that for you?") else "not answered"


def undisturbed(call: Heard) -> str:
    """What is wrong where nothing should stop the first answer."""
    return "" if call.heard == [answer(TABLE, LONGER)] else f"heard {call.heard}"


def greeted(call: Heard) -> str:
    """What is wrong where the greeting should be heard whole, and what was said over it answered."""
    if call.heard[:1] != [GREETING]:
        return f"heard {call.heard[:1]}"
    return "" if call.heard[1:] == [answer(TABLE)] else f"the LLM was told {call.user}"


@dataclass
class Situation:
    """A call that may go wrong.

    Attributes:
        name: for the table.
        script: what the caller says.
        wrong: says what is wrong with it; nothing if nothing is.
        faults: of the simulated Flux.
        session: makes turnkit's session.
        greeting: that the agent begins with.
        more: that the LLM adds to each answer.
        after: seconds that the call goes on for after the last word.
    """

    name: str
    script: str
    wrong: Callable[[Heard], str]
    faults: tuple[str, ...] = ()
    session: Callable[[], Session] = Session
    greeting: str = ""
    more: str = ""
    after: float = 13.0


SITUATIONS = (
    Situation("`burst:2@eager1`", PAUSED, once, ("burst:2@eager1",)),
    Situation("`drop@2.0s` in a turn", PAUSED, once, ("drop@2.0s/1",)),
    Situation(
        "`stall` in a turn",
        "1.0  Dinner please (0.9) for two persons.\n+16  And a high chair.",
        all_said,
        ("stall/1",),
    ),
    Situation(
        "mm-hm over the bot",
        f"1.0  {TABLE}\n+4.0  Mm-hm.",
        undisturbed,
        session=lambda: Session(barge_in=IgnoreBackchannels()),
        more=LONGER,
        after=14.0,
    ),
    Situation(
        "false interruption (noise)",
        f"1.0  {TABLE}",
        undisturbed,
        ("false_start:0.8@8.0s",),
        session=lambda: Session(barge_in=HoldThenDecide()),
        more=LONGER,
        after=15.0,
    ),
    Situation("words over a protected greeting", f"1.0  {TABLE}", greeted, greeting=GREETING),
)


# Calls ------------------------------------------------------------------------------------------------------------


async def hold(side: Side, url: str, call: Situation, seconds: float, delay: float = 0.2) -> Heard:
    """Hold a call on one side or the other; all else is the same."""
    heard = Heard()
    async with AsyncExitStack() as stack:
        common: dict[str, Any] = {"llm": bot.EchoLLM(delay, call.more), "tts": bot.SilentTTS()}
        if side == "livekit":
            http = await stack.enter_async_context(aiohttp.ClientSession())
            own = deepgram.STTv2(
                api_key="none", base_url=f"{url}/v2/listen", eager_eot_threshold=EAGER, http_session=http
            )
            turns: Any = {"turn_detection": "stt", "endpointing": {"min_delay": 0.0}}
            agent_session: Any = AgentSession(
                stt=own,
                vad=None,
                aec_warmup_duration=None,
                turn_handling=turns,
                **common,
            )
        else:
            transport = "websockets" if side == "turnkit over websockets" else None
            options = FluxOptions(eager_eot_threshold=EAGER)
            listener = livekit.STT(options, session=call.session, url=url, transport=transport)
            agent_session = AgentSession(stt=listener, **common, **livekit.turn_handling())
        speaker, microphone = bot.Loudspeaker(), bot.Microphone(seconds)
        agent_session.on("conversation_item_added", lambda event: take(heard, event.item))
        agent_session.input.audio, agent_session.output.audio = microphone, speaker
        await agent_session.start(Greeter(call.greeting))
        await microphone.ended.wait()
        await agent_session.aclose()
    heard.events = speaker.events
    heard.heard = [text for _, what, text in speaker.events if what in ("end", "cut") and text]
    return heard


def take(heard: Heard, item: Any) -> None:
    """Keep what LiveKit's history has of the user."""
    if item.type == "message" and item.role == "user":
        heard.user.append(item.text_content or "")


async def simulated(side: Side, call: Situation, seed: int) -> Heard:
    """A call with a simulator of its own."""
    script = Script.parse(call.script, seed=seed)
    async with serve(script, faults=call.faults, continues=True) as flux:
        return await hold(side, flux.url, call, script.end + call.after)


async def compare(runs: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Every situation on both sides, some runs of each, a few calls at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(side: Side, call: Situation, seed: int) -> tuple[str, float]:
        async with gate:
            heard = await simulated(side, call, seed)
        wrong = call.wrong(heard)
        if wrong:
            say(f"{call.name}, {side}, seed {seed}: {wrong}")
        return wrong, heard.paused

    rows = []
    for call in SITUATIONS:
        row: dict[str, Any] = {"situation": call.name, "runs": runs}
        sides: tuple[Side, ...] = ("livekit", "turnkit")
        done = await asyncio.gather(*(one(side, call, seed) for side in sides for seed in SEEDS[:runs]))
        for side, results in (("livekit", done[:runs]), ("turnkit", done[runs:])):
            row[side] = {
                "wrong": sum(bool(wrong) for wrong, _ in results),
                "example": next((wrong for wrong, _ in results if wrong), ""),
                "paused_seconds": round(statistics.median(paused for _, paused in results), 2),
            }
        rows.append(row)
    return rows


# Speed ------------------------------------------------------------------------------------------------------------


@dataclass
class Clocked:
    """How long it took from a frame of Flux, decoded, in microseconds.

    Attributes:
        began: when the last frame came, in nanoseconds; 0 once the agent was stopped for it.
        asked: to the call of LiveKit's own `interrupt`: what turnkit and its adapter take.
        stopped: to the pause or the interruption of what is heard.
    """

    began: int = 0
    asked: list[float] = field(default_factory=list)
    stopped: list[float] = field(default_factory=list)


def clock(side: Side) -> Clocked:
    """Time the interruptions of a side from now on: from where it is given a frame to where the agent is stopped."""
    clocked = Clocked()
    owner, name = (deepgram.stt_v2.SpeechStreamv2, "_process_stream_event")
    if side != "livekit":
        owner, name = importlib.import_module("turnkit.interop.livekit.call").Call, "look"

    def framed(*_: Any) -> None:
        clocked.began = perf_counter_ns()

    def asked(*_: Any) -> None:
        if clocked.began:
            clocked.asked.append((perf_counter_ns() - clocked.began) / 1000)

    def stopped(what: Any) -> None:
        over = what.interrupted or what.done() if isinstance(what, SpeechHandle) else what.silent
        if clocked.began and not over:
            clocked.stopped.append((perf_counter_ns() - clocked.began) / 1000)
            clocked.began = 0

    before(owner, name, framed)
    before(AgentSession, "interrupt", asked)
    before(SpeechHandle, "interrupt", stopped, lambda given: given.get("source") != "user_turn")
    before(bot.Loudspeaker, "pause", stopped)
    return clocked


def before(owner: Any, name: str, do: Callable[..., None], when: Callable[[Any], bool] = lambda _: True) -> None:
    """Have a method do something more, first."""
    method = getattr(owner, name)

    def more(self: Any, *positional: Any, **given: Any) -> Any:
        if when(given):
            do(self)
        return method(self, *positional, **given)

    setattr(owner, name, more)


async def measured(side: Side, url: str, seconds: float) -> None:
    """A call of overlaps: the agent talks on and on, and the caller stops it each time."""
    await hold(side, url, Situation("overlaps", "", once, more=" And so on." * 30), seconds, 0.05)


def overlaps(turns: int) -> Script:
    """A caller who speaks every four seconds."""
    return Script.parse("\n".join(f"{2 + 4 * turn}.0  Please tell me more of it." for turn in range(turns)), seed=1)


async def child(side: Side, url: str, calls: int, seconds: float, timed: bool) -> dict[str, Any]:
    """In a process of its own: some calls at once, and their CPU, or one and its interruptions."""
    await measured(side, url, WARM_UP_SECONDS)  # what is loaded on first use, a process loads once
    if timed:
        clocked = clock(side)
    gc.collect()
    gc.freeze()
    await asyncio.sleep(0)
    began = process_time()
    await asyncio.gather(*(measured(side, url, seconds) for _ in range(calls)))
    result: dict[str, Any] = {"cpu_seconds": process_time() - began}
    if timed:
        result |= {"asked_us": clocked.asked, "stopped_us": clocked.stopped}
    return result


async def in_a_process(side: Side, url: str, calls: int, seconds: float, timed: bool) -> dict[str, Any]:
    """What `child` gives."""
    arguments = ["--child", side, url, str(calls), str(seconds), *(["--timed"] if timed else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.interop_livekit", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    result: dict[str, Any] = msgspec.json.decode(printed.splitlines()[-1])
    return result


async def speed(rounds: int, calls: int, turns: int) -> dict[str, Any]:
    """CPU and interruptions of all sides in turn; the simulator's CPU is not among it."""
    script = overlaps(turns)
    seconds = script.end + 2.0
    sides: tuple[Side, ...] = ("livekit", "turnkit over websockets", "turnkit")
    cpu: dict[str, list[float]] = {side: [] for side in sides}
    timed: dict[str, dict[str, list[float]]] = {}
    async with serve(script) as flux:
        for round_ in range(rounds):
            for side in sides if round_ % 2 == 0 else reversed(sides):
                result = await in_a_process(side, flux.url, calls, seconds, False)
                cpu[side].append(result["cpu_seconds"])
        for side in sides:
            timed[side] = await in_a_process(side, flux.url, calls, seconds, True)
    return {
        side: {
            "cpu_ms_per_call_second": round(1000 * statistics.median(cpu[side]) / (calls * seconds), 2),
            "cpu_rounds": [round(value, 3) for value in cpu[side]],
            "interruptions": len(timed[side]["stopped_us"]),
            "added_us": quantiles(timed[side]["asked_us"]),
            "stopped_us": quantiles(timed[side]["stopped_us"]),
        }
        for side in sides
    }


def quantiles(values: list[float]) -> dict[str, float]:
    """The median and the ninth decile; nothing of fewer than two."""
    if len(values) < 2:
        return {}
    return {"p50": round(statistics.median(values), 1), "p90": round(statistics.quantiles(values, n=10)[-1], 1)}


# Output -----------------------------------------------------------------------------------------------------------


def show(report: dict[str, Any], console: Console) -> None:
    """The report, for people."""
    table = Table("situation", "runs", "LiveKit's own: wrong", "paused, s", "turnkit inside: wrong", "paused, s")
    for row in report["situations"]:
        cells = [f"{row[side][key]}" for side in ("livekit", "turnkit") for key in ("wrong", "paused_seconds")]
        table.add_row(row["situation"], str(row["runs"]), *cells)
    console.print(table)
    figures = Table(
        "side", "CPU, ms a second of call", "turnkit adds, p50 µs", "frame to silence, p50 µs", "p90 µs", "n"
    )
    for side, row in report["speed"].items():
        times = (row["added_us"].get("p50", ""), row["stopped_us"]["p50"], row["stopped_us"]["p90"])
        figures.add_row(side, str(row["cpu_ms_per_call_second"]), *map(str, times), str(row["interruptions"]))
    console.print(figures)
    console.print(", ".join(f"{name} {number}" for name, number in report["versions"].items()))


async def report(runs: int, rounds: int, calls: int, turns: int, say: Callable[[str], None]) -> dict[str, Any]:
    """All of it."""
    packages = ("livekit-agents", "livekit-plugins-deepgram", "turnkit", "websockets", "picows")
    return {
        "versions": {name: version(name) for name in packages},
        "situations": await compare(runs, say) if runs else [],
        "speed": await speed(rounds, calls, turns) if rounds else {},
    }


def main() -> int:
    """The command line."""
    global bot
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--runs", type=int, default=4, help=f"of each situation, at most {len(SEEDS)}; default 4")
    parser.add_argument("--rounds", type=int, default=3, help="of the CPU; default 3")
    parser.add_argument("--calls", type=int, default=8, help="at once, for the CPU; default 8")
    parser.add_argument("--turns", type=int, default=8, help="in each of them; default 8")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--timed", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    bot = importlib.import_module("examples.livekit_bot")
    work: Coroutine[Any, Any, dict[str, Any]]
    if given.child:
        side, url, calls, seconds = given.child
        work = child(side, url, int(calls), float(seconds), given.timed)
        print(msgspec.json.encode(asyncio.run(work)).decode())
        return 0
    err = Console(stderr=True)
    work = report(given.runs, given.rounds, given.calls, given.turns, lambda text: err.print(text, markup=False))
    result: dict[str, Any] = asyncio.run(work)
    if given.json:
        print(msgspec.json.encode(result).decode())
    else:
        show(result, Console())
    inside, own = result["speed"].get("turnkit"), result["speed"].get("livekit")
    over = bool(inside) and (
        inside["added_us"]["p50"] > BUDGET_US or inside["cpu_ms_per_call_second"] > own["cpu_ms_per_call_second"]
    )
    return int(over or any(row["turnkit"]["wrong"] for row in result["situations"]))


if __name__ == "__main__":
    sys.exit(main())
