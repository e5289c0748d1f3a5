"""Which library runs, and what its clock says."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import anyio
import pytest

from turnkit.flux.background import Background
from turnkit.timers import Alarm, clock, on_trio

pytestmark = pytest.mark.anyio


async def test_the_clock_is_the_running_librarys(anyio_backend_name: str) -> None:
    """It reads what anyio reads, on both, and goes on as time does."""
    assert on_trio() == (anyio_backend_name == "trio")
    now = clock()
    began = now()
    assert began == pytest.approx(anyio.current_time(), abs=0.01)
    await anyio.sleep(5)
    assert now() - began == pytest.approx(5)


def test_outside_of_either_it_is_not_trio() -> None:
    """Nothing runs here, and trio is not loaded to find that out."""
    code = "import sys; from turnkit.timers import on_trio; assert not on_trio(); assert 'trio' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert not on_trio()


async def test_the_alarm_rings_at_the_earliest_time_it_was_set_to() -> None:
    """Once, then it can be set again; stopped, it does not ring."""
    now = clock()
    began = now()
    rung: list[float] = []
    alarm = Alarm(lambda: rung.append(round(now() - began, 3)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(alarm.keep)
        alarm.bring_forward(began + 5)
        await anyio.sleep(1)
        alarm.bring_forward(began + 3)
        alarm.bring_forward(began + 9)
        await anyio.sleep(10)
        assert rung == [3.0]
        alarm.bring_forward(began + 12)
        await anyio.sleep(3)
        assert rung == [3.0, 12.0]
        alarm.bring_forward(began + 20)
        alarm.stop()
        await anyio.sleep(10)
    assert rung == [3.0, 12.0]
    assert alarm.needs_task == on_trio()


def test_anyio_works_where_a_timer_calls() -> None:
    """Under plain asyncio.run there is no current task there for anyio to tell the library by."""
    made: list[anyio.CancelScope] = []

    async def main() -> None:
        rung = asyncio.Event()

        def ring() -> None:
            made.append(anyio.CancelScope(deadline=anyio.current_time()))
            rung.set()

        Alarm(ring).bring_forward(clock()())
        await rung.wait()

    asyncio.run(main())
    assert len(made) == 1


async def test_what_goes_on_in_the_background_ends_with_it() -> None:
    """What is done is done; what still goes on is cancelled, and waited for, also where that takes its time."""
    background = Background()
    await background.begin()
    seen: list[str] = []

    async def short() -> None:
        await anyio.sleep(1)
        seen.append("short")

    async def endless() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(3)
            seen.append("endless")

    background.start(short)
    background.start(endless)
    await anyio.sleep(2)
    assert seen == ["short"]
    began = anyio.current_time()
    await background.stop()
    assert seen == ["short", "endless"]
    assert anyio.current_time() - began == pytest.approx(3)
    assert (background.nursery is not None) == on_trio()


@pytest.mark.parametrize("busy", [False, True])
async def test_a_background_is_stopped_also_while_its_owner_is_cancelled(busy: bool) -> None:
    """What is cancelled with its owner has come to its end before the owner goes on, and the cancellation goes on."""
    seen: list[str] = []

    async def endless() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            seen.append("ended")

    with anyio.CancelScope() as scope:
        background = Background()
        await background.begin()
        try:
            if busy:
                background.start(endless)
            await anyio.sleep(1)
            scope.cancel()
            await anyio.sleep_forever()
        finally:
            await background.stop()
            seen.append("stopped")
    assert scope.cancelled_caught
    assert seen == ["ended"] * busy + ["stopped"]
