"""Virtual time: a clock that jumps to the next timer whenever everybody waits, on asyncio and on trio.

Only what waits for timers is sped up. A thread or a real socket lives on the real clock, and virtual time does not
wait for it.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Literal, TypeAlias, TypeVar

import anyio

from ..errors import ConfigError, LocalProtocolError
from ..timers import on_trio
from .failure import RehearsalFailed
from .requirements import need

Backend: TypeAlias = Literal["asyncio", "trio"]
T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Where a loop would wait for time to pass, time passes at once."""

    now = 0.0
    each_round: Callable[[], object] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.each_round is not None:
            self.each_round()
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # Nothing but the outside world can go on.
            return super().select(None)
        self.now += max(timeout, 1e-9)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock, at 0 in the beginning, jumps to the next timer whenever all tasks wait."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._jumping.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads, without a bound: they run on the real clock, and one on this would be over at once."""
        await super().shutdown_default_executor()


def virtual_time(backend: Backend = "asyncio") -> tuple[str, dict[str, Any]]:
    """Choose a backend with a clock that jumps, for `anyio.run` or for the fixture of async tests.

        @pytest.fixture(params=["asyncio", "trio"])
        def anyio_backend(request):
            return virtual_time(request.param)

    With it alone, tasks that all wait for each other wait for ever, as they do in real time; `run` and `converse`
    have limits.

    Args:
        backend: `asyncio`, the default, or `trio`.

    Returns:
        `backend` and `backend_options` of `anyio.run`.

    Raises:
        ConfigError: There is no such backend.
        NotInstalled: It is trio, which is not installed.
    """
    if backend == "asyncio":
        return backend, {"loop_factory": VirtualTimeLoop}
    if backend != "trio":
        raise ConfigError(f"backend={backend!r}: must be 'asyncio' or 'trio'")
    need("trio", "virtual_time('trio')")
    from trio.testing import MockClock

    return backend, {"clock": MockClock(autojump_threshold=0)}


def run(
    function: Callable[..., Awaitable[T]],
    *args: Any,
    backend: Backend = "asyncio",
    limit: float = 3600.0,
    guard: float = 20.0,
    seed: int = 0,
) -> T:
    """Run an async function on virtual time, from plain code; the same run every time, also on trio, for one `seed`.

    A function that blocks the loop itself cannot be stopped by either limit.

    Args:
        function: The function.
        args: Its arguments.
        backend: `asyncio`, the default, or `trio`.
        limit: Seconds of virtual time after which it must be over. Default 3600; they pass at once if nobody can go on
            and no timer is set.
        guard: Seconds of real time after which it must be over, as tasks that go round and round let no virtual time
            pass. Default 20.
        seed: What trio shuffles its tasks by. Default 0.

    Returns:
        What the function returns.

    Raises:
        RehearsalFailed: It is not over in time; with the lines where its tasks wait.
        ConfigError: A limit or guard is no positive number.
        LocalProtocolError: It is called from async code.
    """
    for name, seconds in (("limit", limit), ("guard", guard)):
        if not seconds > 0:
            raise ConfigError(f"{name}={seconds!r}: must be a positive number of seconds")
    if _is_running():
        raise LocalProtocolError("run(): an event loop runs here already; in async code, await converse(...) instead")
    name, options = virtual_time(backend)
    watch = _Watch(limit, guard)
    with _orderly_trio(seed) if backend == "trio" else nullcontext():
        return anyio.run(watch.run, function, args, backend=name, backend_options=options)


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return on_trio()
    return True


class _Watch:
    """Runs a function, and ends it when virtual or real time is up."""

    def __init__(self, limit: float, guard: float) -> None:
        self._limit = limit
        self._guard = guard
        self._stuck = ""

    async def run(self, function: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> T:
        results: list[T] = []
        raised: BaseException | None = None
        scope = anyio.CancelScope()
        until = time.monotonic() + self._guard

        def look() -> None:
            if time.monotonic() >= until and not self._stuck:
                self._stop(scope, f"{self._guard:g} s of real time")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._wait, scope)
            with scope, _at_each_round(look):
                try:
                    results.append(await function(*args))
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as error:
                    # Raised on outside of the task group, which would wrap it up.
                    raised = error
            tasks.cancel_scope.cancel()
        if self._stuck:
            raise RehearsalFailed(self._stuck) from raised
        if raised is not None:
            raise raised
        return results[0]

    async def _wait(self, scope: anyio.CancelScope) -> None:
        await anyio.sleep(self._limit)
        self._stop(scope, f"{self._limit:g} s of virtual time")

    def _stop(self, scope: anyio.CancelScope, after: str) -> None:
        waiting = "".join(f"\n  {where}" for where in _waiting())
        self._stuck = f"after {after} the test is not over; its tasks wait at{waiting or ' no line that is known'}"
        scope.cancel()


@contextmanager
def _at_each_round(function: Callable[[], None]) -> Iterator[None]:
    """Call the function whenever the loop has run what was ready: often, and in no thread of its own."""
    if not on_trio():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop._jumping.each_round = function
        try:
            yield
        finally:
            loop._jumping.each_round = None
        return
    import trio

    class Rounds(trio.abc.Instrument):
        def before_io_wait(self, timeout: float) -> None:
            function()

    rounds = Rounds()
    trio.lowlevel.add_instrument(rounds)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(rounds)


@contextmanager
def _orderly_trio(seed: int) -> Iterator[None]:
    """Let trio, which shuffles tasks on purpose, shuffle them by the seed; where it cannot be told, as it likes."""
    core: Any = sys.modules.get("trio._core._run")
    dice = getattr(core, "_r", None)
    if dice is None or not hasattr(core, "_ALLOW_DETERMINISTIC_SCHEDULING"):
        yield
        return
    before, state = core._ALLOW_DETERMINISTIC_SCHEDULING, dice.getstate()
    core._ALLOW_DETERMINISTIC_SCHEDULING = True
    dice.seed(seed)
    try:
        yield
    finally:
        core._ALLOW_DETERMINISTIC_SCHEDULING = before
        dice.setstate(state)


# Where tasks wait -------------------------------------------------------------------------------------------------


def _waiting() -> list[str]:
    """Of each task that waits, the innermost line that is neither the library's nor this module's."""
    found = {_line(coroutine) for coroutine in _coroutines()}
    return sorted(line for line in found if line)


def _coroutines() -> Iterator[Any]:
    if not on_trio():
        yield from (task.get_coro() for task in asyncio.all_tasks() if task is not asyncio.current_task())
        return
    import trio

    root = trio.lowlevel.current_root_task()
    tasks = [] if root is None else [root]
    while tasks:
        task = tasks.pop()
        yield task.coro
        for nursery in task.child_nurseries:
            tasks += nursery.child_tasks


def _line(coroutine: Any) -> str:
    line = ""
    while coroutine is not None:
        frame: FrameType | None = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is not None and not _is_library(frame.f_code):
            line = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return line


def _is_library(code: CodeType) -> bool:
    path = Path(code.co_filename)
    return bool({"site-packages", "asyncio", "anyio", "trio"} & set(path.parts)) or path == Path(__file__)
