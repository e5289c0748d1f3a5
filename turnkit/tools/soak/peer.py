"""The simulator's side of a soak: in processes of its own, or in this one, with reports of what it did to whom."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from signal import SIG_IGN, SIGINT, signal
from subprocess import PIPE
from time import process_time

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import Process

from ...errors import ConnectionFailed
from ...simulator import Simulator, serve
from .gauges import resident
from .plan import allow_descriptors
from .speech import Speech

PULSE_SECONDS = 0.25
_START_SECONDS = 30.0
_END_SECONDS = 10.0


class Strike(msgspec.Struct, frozen=True, array_like=True):
    """A fault that struck: its name, the connection's id ("" before there is one) and its second of audio."""

    name: str
    request_id: str
    second: float


class Pulse(msgspec.Struct, frozen=True):
    """What a simulator did since the last one; `cpu` seconds of its process so far, its `resident` bytes, and its
    connections that are `open`. The first has the `url`."""

    strikes: list[Strike]
    cpu: float = 0.0
    resident: int = 0
    open: int = 0
    url: str = ""


class Task(msgspec.Struct, frozen=True):
    """What a simulator is told on its standard input, in one line."""

    seconds: float
    seed: int
    faults: tuple[str, ...]
    descriptors: int


class Peer:
    """A simulator: where it is, and its pulses until `end`, the last of which come after it."""

    def __init__(self, url: str, pulses: AsyncIterator[Pulse], ending: anyio.Event) -> None:
        self.url = url
        self.pulses = pulses
        self._ending = ending

    @property
    def ending(self) -> bool:
        """Whether it was told so."""
        return self._ending.is_set()

    def end(self) -> None:
        """Nobody calls any more."""
        self._ending.set()


def _pulse(flux: Simulator) -> Pulse:
    """What happened since the last; what is told of is forgotten, or the simulator would grow for ever."""
    strikes = [Strike(hit.fault.name, hit.request_id, hit.audio_seconds) for hit in flux.faults_injected]
    flux.faults_injected.clear()
    flux.refusals.clear()
    flux.connections[:] = [connection for connection in flux.connections if connection.open]
    return Pulse(strikes, process_time(), resident(), len(flux.connections), flux.url)


# In this process ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def inside(task: Task, speech: Speech) -> AsyncIterator[Peer]:
    """A simulator in this process: its cost is among that of the sessions."""
    ending = anyio.Event()
    async with serve(speech.script, faults=task.faults, seed=task.seed, continues=True) as flux:

        async def pulses() -> AsyncIterator[Pulse]:
            over = False
            while not over:
                over = ending.is_set()
                # Its cost is in the process's own.
                yield msgspec.structs.replace(_pulse(flux), cpu=0.0, resident=0)
                with anyio.move_on_after(PULSE_SECONDS):
                    await ending.wait()

        yield Peer(flux.url, pulses(), ending)


# In a process of its own --------------------------------------------------------------------------------------------


@asynccontextmanager
async def outside(task: Task) -> AsyncIterator[Peer]:
    """A simulator in a process of its own. Raises ConnectionFailed if it does not come up."""
    # In a session of its own, so that Ctrl-C ends the calls, and not what they are held with.
    command = [sys.executable, "-m", "turnkit.tools.soak"]
    async with await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=None, start_new_session=True) as child:
        try:
            assert child.stdin is not None
            await child.stdin.send(msgspec.json.encode(task) + b"\n")
            pulses, ending = _lines(child), anyio.Event()
            first = None
            with anyio.move_on_after(_START_SECONDS):
                first = await anext(pulses, None)
            if first is None:
                raise ConnectionFailed(f"the simulator did not come up (exit code {child.returncode}); see its errors")
            yield Peer(first.url, _until(pulses, ending, child), ending)
        finally:
            if child.returncode is None:
                child.kill()


async def _lines(child: Process) -> AsyncIterator[Pulse]:
    assert child.stdout is not None
    buffer = b""
    async for data in child.stdout:
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            yield msgspec.json.decode(line, type=Pulse)


async def _until(pulses: AsyncIterator[Pulse], ending: anyio.Event, child: Process) -> AsyncIterator[Pulse]:
    told = False
    async for pulse in pulses:
        yield pulse
        if ending.is_set() and not told:
            told = True
            assert child.stdin is not None
            await child.stdin.aclose()


def main() -> None:
    """Be the simulator until standard input ends."""
    signal(SIGINT, SIG_IGN)
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    anyio.run(_serve, task)


async def _serve(task: Task) -> None:
    allow_descriptors(task.descriptors)
    speech = Speech(task.seconds, task.seed)
    async with (
        serve(speech.script, faults=task.faults, seed=task.seed, continues=True) as flux,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_report, flux)
        await anyio.to_thread.run_sync(partial(sys.stdin.buffer.read), abandon_on_cancel=True)
        _print(_pulse(flux))
        tasks.cancel_scope.cancel()


async def _report(flux: Simulator) -> None:
    while True:
        _print(_pulse(flux))
        await anyio.sleep(PULSE_SECONDS)


def _print(pulse: Pulse) -> None:
    try:
        sys.stdout.buffer.write(msgspec.json.encode(pulse) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)  # whoever asked for it has died
