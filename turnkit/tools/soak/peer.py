"""Simulators of a soak: each in a process of its own, or all in this one, with reports of the faults they injected."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
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
    """Report of what a simulator did since the last one.

    Attributes:
        strikes: Faults that struck.
        cpu: Processor seconds of its process so far.
        resident: Bytes of memory of its process.
        open: Number of open connections.
        url: Where it is.
    """

    strikes: list[Strike]
    cpu: float = 0.0
    resident: int = 0
    open: int = 0
    url: str = ""


class SimulatorTask(msgspec.Struct, frozen=True):
    """What a simulator is told on its standard input, in one line."""

    seconds: float
    seed: int
    faults: tuple[str, ...]
    descriptors: int


class Peer:
    """A simulator: its address, and its pulses, which go on until a little after `end`."""

    def __init__(self, url: str, pulses: AsyncIterator[Pulse], ending: anyio.Event) -> None:
        self.url = url
        self.pulses = pulses
        self._ending = ending

    @property
    def ending(self) -> bool:
        """Whether it was told to end."""
        return self._ending.is_set()

    def end(self) -> None:
        """Tell it to end, because no more calls come."""
        self._ending.set()


def _pulse(flux: Simulator) -> Pulse:
    """Report what happened since the last pulse, and forget it, or the simulator would grow for ever."""
    strikes = [Strike(hit.fault.name, hit.request_id, hit.audio_seconds) for hit in flux.faults_injected]
    flux.faults_injected.clear()
    flux.refusals.clear()
    flux.connections[:] = [connection for connection in flux.connections if connection.open]
    return Pulse(strikes, process_time(), resident(), len(flux.connections), flux.url)


# In this process ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def in_this_process(task: SimulatorTask, speech: Speech) -> AsyncIterator[Peer]:
    """Run a simulator in this process: its cost is among that of the sessions."""
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
async def in_own_process(task: SimulatorTask) -> AsyncIterator[Peer]:
    """Run a simulator in a process of its own. Raises ConnectionFailed if it does not come up."""
    # In a session of its own, so that Ctrl-C ends the calls, and not what they are held with.
    command = [sys.executable, "-m", "turnkit.tools.soak"]
    async with await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=None, start_new_session=True) as child:
        try:
            assert child.stdin is not None
            await child.stdin.send(msgspec.json.encode(task) + b"\n")
            pulses, ending = _read_pulses(child), anyio.Event()
            first = None
            with anyio.move_on_after(_START_SECONDS):
                first = await anext(pulses, None)
            if first is None:
                raise ConnectionFailed(f"the simulator did not come up (exit code {child.returncode}); see its errors")
            yield Peer(first.url, _end_with(pulses, ending, child), ending)
        finally:
            if child.returncode is None:
                child.kill()


async def _read_pulses(child: Process) -> AsyncIterator[Pulse]:
    assert child.stdout is not None
    buffer = b""
    async for data in child.stdout:
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            yield msgspec.json.decode(line, type=Pulse)


async def _end_with(pulses: AsyncIterator[Pulse], ending: anyio.Event, child: Process) -> AsyncIterator[Pulse]:
    closed = False
    async for pulse in pulses:
        yield pulse
        if ending.is_set() and not closed:
            closed = True
            assert child.stdin is not None
            await child.stdin.aclose()


def main() -> None:
    """Run a simulator until standard input ends."""
    signal(SIGINT, SIG_IGN)
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=SimulatorTask)
    # On the faster loop where there is one: the simulator is not what is measured.
    anyio.run(_serve, task, backend_options={"use_uvloop": find_spec("uvloop") is not None})


async def _serve(task: SimulatorTask) -> None:
    allow_descriptors(task.descriptors)
    speech = Speech(task.seconds, task.seed)
    async with (
        serve(speech.script, faults=task.faults, seed=task.seed, continues=True) as flux,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_send_pulses, flux)
        await anyio.to_thread.run_sync(partial(sys.stdin.buffer.read), abandon_on_cancel=True)
        _send(_pulse(flux))
        tasks.cancel_scope.cancel()


async def _send_pulses(flux: Simulator) -> None:
    while True:
        _send(_pulse(flux))
        await anyio.sleep(PULSE_SECONDS)


def _send(pulse: Pulse) -> None:
    try:
        sys.stdout.buffer.write(msgspec.json.encode(pulse) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)  # the soak itself has died
