"""Virtual time: no waiting, and no hanging."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from turnkit import Session
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.testing import NotInstalled, RehearsalFailed, rehearse, run, virtual_time
from turnkit.testing.virtual_clock import Backend
from turnkit.timers import on_trio

BACKENDS: list[Backend] = ["asyncio", "trio"]
both = pytest.mark.parametrize("backend", BACKENDS)


@both
def test_an_hour_takes_no_time(backend: Backend) -> None:
    """Sleeping moves the clock, nothing else; the result comes back."""

    async def hour(begin: float) -> float:
        assert on_trio() == (backend == "trio")
        await anyio.sleep(3000.0)
        return anyio.current_time() - begin

    began = time.monotonic()
    assert run(hour, 0.0, backend=backend) == 3000.0
    assert time.monotonic() - began < 40.0


@both
def test_it_fits_anyio_itself(backend: Backend) -> None:
    """`virtual_time` gives what `anyio.run` takes, anew each time."""
    for _ in range(2):
        name, options = virtual_time(backend)
        anyio.run(anyio.sleep, 1000.0, backend=name, backend_options=options)


async def _forgotten() -> None:
    await anyio.Event().wait()


async def _forgotten_by_two() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_forgotten)
        await anyio.Event().wait()


@both
@pytest.mark.parametrize("function", [_forgotten, _forgotten_by_two])
def test_a_deadlock_fails_and_says_where_it_waits(backend: Backend, function: Callable[[], Awaitable[None]]) -> None:
    """Everybody waits and no timer is set: no hanging, but the lines where the tasks wait."""
    began = time.monotonic()
    with pytest.raises(
        RehearsalFailed, match=r"after 3600 s of virtual time(?s:.*)test_virtual_clock\.py:\d+ in "
    ) as info:
        run(function, backend=backend)
    assert "in _forgotten" in str(info.value)
    assert time.monotonic() - began < 40.0


@both
def test_tasks_that_go_round_fail_too(backend: Backend) -> None:
    """Virtual time stands still while somebody is always ready; the real clock ends it."""

    async def round_and_round() -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    with pytest.raises(RehearsalFailed, match=r"after 0\.05 s of real time(?s:.*)in .*round_and_round"):
        run(round_and_round, backend=backend, guard=0.05)


@both
def test_what_the_function_raises_comes_out_as_it_is(backend: Backend) -> None:
    """Not wrapped in a group, also what is no Exception, such as pytest's own outcomes."""

    async def fails(error: BaseException) -> None:
        await anyio.sleep(1.0)
        raise error

    for error in (KeyError("x"), pytest.fail.Exception("failed"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as info:
            run(fails, error, backend=backend)
        assert info.value is error


@both
def test_the_same_run_every_time(backend: Backend) -> None:
    """Also where two tasks are ready at once, which trio shuffles: by the seed, and the global dice are left alone."""

    async def race() -> list[int]:
        order: list[int] = []

        async def runner(number: int) -> None:
            for _ in range(5):
                await anyio.sleep(1.0)
                order.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(runner, number)
        return order

    assert run(race, backend=backend, seed=3) == run(race, backend=backend, seed=3)
    if backend == "trio":
        assert len({tuple(run(race, backend=backend, seed=seed)) for seed in range(8)}) > 1


@pytest.mark.anyio
async def test_in_async_code_it_says_what_to_do() -> None:
    """A loop in a loop does not run; `converse` is to be awaited there."""
    with pytest.raises(LocalProtocolError, match=r"an event loop runs here already; .* await converse"):
        run(anyio.sleep, 1.0)
    with pytest.raises(LocalProtocolError, match="an event loop runs here already"):
        rehearse(Session(), "1.0 Hello")


def test_settings_that_cannot_work_are_refused() -> None:
    """The backend, the limit and the guard; nothing is started."""
    wrong: Any = "curio"
    with pytest.raises(ConfigError, match="backend='curio': must be 'asyncio' or 'trio'"):
        virtual_time(wrong)
    for setting in ({"limit": 0.0}, {"guard": -1.0}, {"limit": float("nan")}):
        with pytest.raises(ConfigError, match="must be a positive number of seconds"):
            run(anyio.sleep, 1.0, **setting)  # type: ignore[arg-type]


def test_without_trio_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence; an ImportError, so that it can be skipped over as usual."""
    monkeypatch.setattr("turnkit.testing.requirements.find_spec", lambda name: None)
    with pytest.raises(NotInstalled, match=r"virtual_time\('trio'\) needs trio.*pip install 'turnkit\[testing\]'"):
        virtual_time("trio")
    assert issubclass(NotInstalled, ImportError)
    assert virtual_time("asyncio")[0] == "asyncio"
