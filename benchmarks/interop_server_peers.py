"""The peers of `benchmarks.interop_server`, each kind in processes of its own: the simulator, and phones that ring.

Each says once a second, in a line of JSON, how it is.
"""

from __future__ import annotations

import json
import sys
import time

import anyio
from websockets.asyncio.client import connect

from turnkit.simulator import Script, serve
from turnkit.testing import FakePhone

CALLER = "0.3 Hello there, please."
RAMP = 0.05  # seconds between two calls of all processes together
_BEAT = 0.02  # seconds from one look at the loop to the next


async def beat(late: list[float]) -> None:
    """Look at the clock again and again, and note how late that was."""
    while True:
        due = time.monotonic() + _BEAT
        await anyio.sleep(_BEAT)
        late.append(time.monotonic() - due)


async def simulator() -> None:
    """A Flux for all."""
    late: list[float] = []
    async with serve(Script.parse(CALLER)) as flux, anyio.create_task_group() as tasks:
        tasks.start_soon(beat, late)
        while True:
            print(json.dumps({"url": flux.url, "late": sorted(late)}), flush=True)
            late.clear()
            await anyio.sleep(1)


async def dial(port: int, phone: FakePhone) -> None:
    """Hold a call; one that fails, or is refused, was never heard, and shows so."""
    try:
        async with connect(f"ws://127.0.0.1:{port}/twilio", proxy=None, compression=None) as websocket:
            await phone.call(websocket)
    except Exception as error:
        print(f"a call failed: {type(error).__name__}", file=sys.stderr)
    phone.ended = phone.ended or "bot"


async def phones(port: int, first: int, step: int, count: int) -> None:
    """So many phones, numbered from `first` in steps, that ring one after the other; a line on stdin hangs them up."""
    ringing: dict[str, FakePhone] = {}
    late: list[float] = []

    async def ring() -> None:
        for number in range(first, count, step):
            phone = ringing[str(number)] = FakePhone(parameters={"number": str(number)})
            tasks.start_soon(dial, port, phone)
            await anyio.sleep(RAMP * step)

    async def hang_up() -> None:
        await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        for phone in ringing.values():
            phone.hang_up()

    async with anyio.create_task_group() as tasks:
        for work in (ring, hang_up):
            tasks.start_soon(work)
        tasks.start_soon(beat, late)
        while True:
            await anyio.sleep(1)
            told = {
                "at": time.monotonic(),
                "heard": {number: phone.heard_seconds for number, phone in ringing.items()},
                "ended": [number for number, phone in ringing.items() if phone.ended],
                "complaints": sum(len(phone.complaints) for phone in ringing.values()),
                "late": sorted(late),
            }
            print(json.dumps(told), flush=True)
            late.clear()


if __name__ == "__main__":
    if sys.argv[1] == "simulator":
        anyio.run(simulator)
    else:
        port, first, step, count = map(int, sys.argv[2:])
        anyio.run(phones, port, first, step, count)
