"""Which library runs, and what its clock says."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import anyio
import pytest

from turnkit.running import Alarm, clock, on_trio

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
    code = "import sys; from turnkit.running import on_trio; assert not on_trio(); assert 'trio' not in sys.modules"
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
