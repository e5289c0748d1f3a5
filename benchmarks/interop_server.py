"""`python -m benchmarks.interop_server`: many phone calls at once through two workers, one of which is killed.

Fake Twilio peers ring one after the other, the simulator is Flux, and the bot talks all the while. What is lost must be
the calls of the worker that was killed, and nothing else. Needs `turnkit[web]`; everything runs on this machine.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio

from tests.support.web_server import ServerProcess
from turnkit.simulator import Script, serve
from turnkit.testing import FakePhone

CALLER = "0.3 Hello there, please."
RAMP = 0.05  # seconds between two calls


async def comes_true(condition: Callable[[], bool], within: float) -> bool:
    """Wait until it holds; False if it does not in time."""
    with anyio.move_on_after(within):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.05)
        return True
    return False


async def dial(server: ServerProcess, phone: FakePhone) -> None:
    """Hold a call; one that the server refuses was never heard, and shows so."""
    try:
        await server.dial(phone)
    except Exception as error:
        print(f"a call failed: {type(error).__name__}")
    phone.ended = phone.ended or "bot"


async def measure(recordings: Path, count: int) -> None:
    """Make the calls, kill a worker, and print what came of it."""
    phones = {str(number): FakePhone(parameters={"number": str(number)}) for number in range(count)}
    async with serve(Script.parse(CALLER)) as flux:
        server = ServerProcess(recordings, url=flux.url, workers=2, max_calls=count, max_lag=5.0, drain=2.0)
        try:
            await server.until(calls=0)
            async with anyio.create_task_group() as tasks:
                for phone in phones.values():
                    tasks.start_soon(dial, server, phone)
                    await anyio.sleep(RAMP)
                await comes_true(lambda: all(phone.heard_seconds > 0.2 for phone in phones.values()), 60)
                answered = sum(phone.heard_seconds > 0.2 for phone in phones.values())
                load = os.getloadavg()[0]
                held = server.numbers()
                victim, lost = min(held.items(), key=lambda item: len(item[1]))
                before = {number: phone.heard_seconds for number, phone in phones.items()}
                os.kill(victim, signal.SIGKILL)
                await anyio.sleep(10)
                went_on = [number for number in phones if phones[number].ended is None]
                heard = [(phones[number].heard_seconds - before[number]) / 10 for number in went_on]
                for phone in phones.values():
                    phone.hang_up()
            await comes_true(lambda: set(went_on) <= server.whole(), 30)
            whole = server.whole()
            complaints = sum(len(phone.complaints) for phone in phones.values())
        finally:
            server.stop()
    workers = " and ".join(str(len(numbers)) for numbers in held.values())
    print(f"| phone calls at once, through two workers | {count}: {workers} |")
    print(f"| answered, heard by the caller | {answered} |")
    print(f"| calls of the worker that was killed | {len(lost)} |")
    print(
        f"| calls lost | {count - len(went_on)}, of them of the other worker {len(set(phones) - set(went_on) - lost)} |"
    )
    print(
        f"| the others, seconds heard in a second: median, least | {statistics.median(heard):.2f}, {min(heard):.2f} |"
    )
    print(f"| their recordings that are whole | {len(whole & set(went_on))} of {len(went_on)} |")
    print(f"| what the service would not have taken | {complaints} |")
    print(f"| load of the machine when the worker was killed, {os.cpu_count()} cores | {load:.1f} |")


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    with tempfile.TemporaryDirectory() as recordings:
        anyio.run(measure, Path(recordings), parser.parse_args().calls)


if __name__ == "__main__":
    main()
