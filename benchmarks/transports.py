"""`python -m benchmarks.transports`: what carries the frames, on asyncio's own loop and on uvloop.

Four clients take turns in each round: a bare loop over websockets, which is the floor, turnkit over websockets, a bare
listener of picows, and turnkit over picows. A ratio is the median of the rounds' own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from time import monotonic_ns
from typing import Any, TypeAlias, TypeVar

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from rich.console import Console
from rich.table import Table

from turnkit.flux import connect
from turnkit.flux.transports import Transport
from turnkit.session import Session
from turnkit.turns.events import BargeIn, Commit
from turnkit.wire import FluxOptions

from . import audio, bare
from .listeners import CONTAINER, Callback, Heard, Listener, Send, listen_bare
from .live import played
from .peer import ALONE, ROOT, STAMP, Plan, peer
from .resident import bytes_per_call
from .rows import FULL, QUICK, Effort

T = TypeVar("T")
Loop: TypeAlias = Callable[[], asyncio.AbstractEventLoop] | None
Take: TypeAlias = Callable[[Loop, str, str, Effort], list[float]]
HARNESS = "harness"
_PACE = 0.08
_EFFORT = FULL._replace(crowds=5, audio_seconds=1.0)  # four clients on two loops take their time


class _BareReader(WSListener):
    """Decode each message and dispatch on the event's name, in the callback that brought it."""

    def __init__(self, dispatch: dict[str, Callback]) -> None:
        self._dispatch = dispatch
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if not self.greeted.done():
            return self.greeted.set_result(None)
        message = bare.decode(frame.get_payload_as_bytes())
        self._dispatch[message.event](message)


@asynccontextmanager
async def _bare_picows(url: str, options: FluxOptions, started: Callback, ended: Callback) -> AsyncIterator[Send]:
    """A connection of picows as its documentation has it, with turnkit's bounds."""
    dispatch: dict[str, Callback] = dict.fromkeys(("Update", "EagerEndOfTurn", "TurnResumed"), _ignore)
    dispatch |= {"StartOfTurn": started, "EndOfTurn": ended}
    transport, reader = await ws_connect(
        lambda: _BareReader(dispatch),
        f"{url}/v2/listen?{options.to_query()}",
        enable_auto_ping=True,
        auto_ping_idle_timeout=20,
        auto_ping_reply_timeout=20,
        max_frame_size=2**20,
    )
    assert isinstance(reader, _BareReader)
    await reader.greeted

    async def send(frame: bytes) -> None:
        transport.send(WSMsgType.BINARY, frame)

    try:
        yield send
    finally:
        transport.disconnect(False)


def _ignore(heard: Heard) -> None:
    """For the events that nobody asked for."""


async def _listen_bare_picows(url: str, opened: Callable[[Send], None], started: Callback, ended: Callback) -> None:
    async with _bare_picows(url, CONTAINER, started, ended) as send:
        opened(send)
        await asyncio.Event().wait()


async def _listen_turnkit(
    transport: Transport, url: str, opened: Callable[[Send], None], started: Callback, ended: Callback
) -> None:
    """A `Session` on a `FluxStream`: `started` at BargeIn, `ended` at Commit, whose reply is audible at once."""
    session = Session()
    session.on(BargeIn, started)

    @session.on(Commit)
    def commit(signal: Commit) -> None:
        session.playback_started(signal.reply)
        ended(signal)

    async with connect(CONTAINER, url=url, transport=transport) as stream:
        opened(stream.send_audio)
        await session.run(stream)


@asynccontextmanager
async def _talk_turnkit(transport: Transport, url: str, options: FluxOptions) -> AsyncIterator[audio.Send]:
    async with connect(options, url=url, transport=transport) as stream:
        reader = asyncio.create_task(Session().run(stream))
        yield stream.send_audio
        reader.cancel()


@asynccontextmanager
async def _talk_bare_picows(url: str, options: FluxOptions) -> AsyncIterator[audio.Send]:
    async with _bare_picows(url, options, _ignore, _ignore) as send:
        yield send


LISTENERS: dict[str, Listener] = {
    "bare websockets": listen_bare,
    "turnkit websockets": partial(_listen_turnkit, "websockets"),
    "bare picows": _listen_bare_picows,
    "turnkit picows": partial(_listen_turnkit, "picows"),
}
TALKERS: dict[str, audio.Opened] = {
    "bare websockets": audio.bare_websockets,
    "turnkit websockets": partial(_talk_turnkit, "websockets"),
    "bare picows": _talk_bare_picows,
    "turnkit picows": partial(_talk_turnkit, "picows"),
    HARNESS: audio.nothing,
}


def _run(loop: Loop, work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(work)


def time_to_barge_in(loop: Loop, url: str, kind: str, effort: Effort) -> list[float]:
    """Microseconds from the peer's send to the callback: median, and 99th percentile, of one call."""
    taken: list[float] = []

    def started(heard: Heard) -> None:
        taken.append((monotonic_ns() - int(heard.transcript[:STAMP])) / 1000)

    plan = Plan(turns=effort.turns, updates=1, idle=0, interval=0.001)
    _run(loop, played(LISTENERS[kind], url, 1, plan, started))
    late = sorted(taken[-(effort.turns - 1) :])
    return [statistics.median(late), late[round(0.99 * (len(late) - 1))]]


def time_message(loop: Loop, url: str, kind: str, effort: Effort) -> list[float]:
    """Microseconds of processor time a message, many calls at once."""
    plan = Plan(turns=effort.crowd_turns, updates=8, idle=14, interval=effort.crowd * 0.0004)
    spent = _run(loop, played(LISTENERS[kind], url, effort.crowd, plan, _ignore))
    return [spent * 1e6 / (effort.crowd * plan.messages)]


def time_frame(loop: Loop, url: str, kind: str, effort: Effort, options: FluxOptions) -> list[float]:
    """Microseconds of processor time a frame of audio, many calls at once, harness included."""
    frames = effort.crowd * round(effort.audio_seconds / _PACE)
    spent = _run(loop, audio.spent(TALKERS[kind], url, options, effort.crowd, effort.audio_seconds))
    return [spent * 1e6 / frames]


def allocated(loop: Loop, url: str, kind: str, effort: Effort) -> list[float]:
    """Kilobytes that Python allocates for a call, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.transports", "--memory", kind, url, str(effort.residents)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    return [float(done.stdout) / 1000]


def measures(effort: Effort) -> dict[tuple[str, ...], tuple[Take, int]]:
    """What is measured: the names of its rows, what takes them for one client, and how often."""
    alone, both = FluxOptions(tag=(ALONE,)), FluxOptions()
    return {
        ("barge-in p50, µs", "barge-in p99, µs"): (time_to_barge_in, effort.calls),
        ("CPU a message, µs",): (time_message, effort.crowds),
        ("audio alone, µs a frame",): (partial(time_frame, options=alone), effort.crowds),
        ("audio and Updates, µs a frame",): (partial(time_frame, options=both), effort.crowds),
        ("allocated, kB a session",): (allocated, effort.resident_runs),
    }


def rounds_of(take: Take, url: str, loop: Loop, effort: Effort, rounds: int) -> dict[str, list[list[float]]]:
    """What each client took in each of the rounds, in which they take turns; of audio net of the harness."""
    kinds = [*LISTENERS, *([HARNESS] if isinstance(take, partial) else [])]
    for kind in kinds:  # imports and first calls
        take(loop, url, kind, effort._replace(crowd=2, crowd_turns=1, turns=5, audio_seconds=0.16, residents=1))
    taken: dict[str, list[list[float]]] = {kind: [] for kind in LISTENERS}
    for turn in range(rounds):
        values: dict[str, list[float]] = {}
        for kind in kinds[:: -1 if turn % 2 else 1]:
            gc.collect()
            values[kind] = take(loop, url, kind, effort)
        harness = values.pop(HARNESS, [0.0, 0.0])
        for kind in LISTENERS:
            taken[kind].append([value - idle for value, idle in zip(values[kind], harness, strict=False)])
    return taken


def measure(effort: Effort, loops: dict[str, Loop]) -> Table:
    """Measure everything; the medians, and in brackets the ratios to the floor."""
    table = Table("what", "loop", *LISTENERS)
    with peer() as url:
        for names, (take, rounds) in measures(effort).items():
            for name, loop in loops.items():
                if take is allocated and loop is not None:
                    continue
                taken = rounds_of(take, url, loop, effort, rounds)
                for index, what in enumerate(names):
                    table.add_row(what, name, *_cells(index, taken))
    return table


def _cells(index: int, taken: dict[str, list[list[float]]]) -> list[str]:
    floors = [round_[index] for round_ in taken["bare websockets"]]
    cells = []
    for rounds in taken.values():
        values = [round_[index] for round_ in rounds]
        ratio = statistics.median(value / floor for value, floor in zip(values, floors, strict=True))
        cells.append(f"{statistics.median(values):.1f} ({ratio:.2f})")
    return cells


def main() -> None:
    """Measure what carries the frames, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transports", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small counts, and noisier")
    parser.add_argument("--memory", nargs=3, metavar=("KIND", "URL", "COUNT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    logging.getLogger("picows").setLevel(logging.ERROR)
    if asked.memory is not None:
        kind, url, count = asked.memory
        tracemalloc.start()
        print(asyncio.run(bytes_per_call(LISTENERS[kind], url, int(count), traced=True)))
        return
    loops: dict[str, Loop] = {"asyncio": None}
    try:
        uvloop = import_module("uvloop")  # not among turnkit's own: measured where somebody has it
    except ImportError:
        print("uvloop is not installed: asyncio's own loop only")
    else:
        loops["uvloop"] = uvloop.new_event_loop
    Console(width=140).print(measure(QUICK if asked.quick else _EFFORT, loops))


if __name__ == "__main__":
    main()
