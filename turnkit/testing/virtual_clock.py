"""Virtual time: a clock that jumps to the next timer whenever everybody waits, on asyncio and on trio.

Only what waits for timers is sped up. Virtual time stands still while a worker thread runs, as those of `to_thread` and
of the loop's executors are; a real socket, or a thread made by hand, lives on the real clock, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext, suppress
from contextvars import Context
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Literal, TypeAlias, TypeVar, TypeVarTuple

import anyio

from ..errors import ConfigError, LocalProtocolError
from ..timers import on_trio
from .failure import RehearsalFailed
from .requirements import need
from .worker_threads import LoopThreads, hold_while_threads_work, threads_of_trio

Backend: TypeAlias = Literal["asyncio", "trio"]
T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
_LOOK_SECONDS = 0.05  # of real time: how often the guard looks while threads are at work


class _JumpingSelector(selectors.DefaultSelector):
    """Where a loop would wait for time to pass, time passes at once."""

    now = 0.0
    each_round: Callable[[], object] | None = None
    threads: LoopThreads

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.each_round is not None:
            self.each_round()
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.threads.at_work():
            return super().select(_LOOK_SECONDS)
        if timeout is None:
            # Nothing but the outside world can go on.
            return super().select(None)
        self.now += max(timeout, 1e-9)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock, at 0 in the beginning, jumps to the next timer whenever all tasks wait.

    While a worker thread runs it stands still.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        self._threads = self._jumping.threads = LoopThreads(self)
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._jumping.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], T], *args: *Arguments
    ) -> asyncio.Future[T]:
        """Run a function in a thread, or whatever the executor has; time stands still until it is done.

        Args:
            executor: what runs it; None for the loop's own threads.
            func: the function.
            args: what it is called with.
        """
        job, bound = self._threads.job(executor, func, *args)
        future = super().run_in_executor(executor, bound)
        self._threads.begin(job, future)
        return future

    def call_soon_threadsafe(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Call something soon, asked by any thread; while a task that it begins runs, the thread is not at work.

        Args:
            callback: what is called.
            args: what it is called with.
            context: the context variables that it sees; None for those of now.
        """
        return super().call_soon_threadsafe(self._threads.asking(callback, *args), context=context)

    def create_task(self, *args: Any, **options: Any) -> asyncio.Task[Any]:
        """Begin a task.

        Args:
            args: those of the loop's own `create_task`: the coroutine.
            options: likewise: a name, a context.
        """
        task = super().create_task(*args, **options)
        self._threads.begun(task)
        return task

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

    clock = MockClock(autojump_threshold=0)
    return backend, {"clock": clock, "instruments": [hold_while_threads_work(clock)]}


def run(
    function: Callable[..., Awaitable[T]],
    *args: Any,
    backend: Backend = "asyncio",
    limit: float = 3600.0,
    guard: float = 20.0,
    seed: int = 0,
) -> T:
    """Run an async function on virtual time, from plain code; the same run every time, also on trio, for one `seed`.

    A function that blocks the loop itself cannot be stopped by either limit, nor can a thread.

    Args:
        function: The function.
        args: Its arguments.
        backend: `asyncio`, the default, or `trio`.
        limit: Seconds of virtual time after which it must be over. Default 3600; they pass at once if nobody can go on
            and no timer is set.
        guard: Seconds of real time after which it must be over, as tasks that go round and round, and worker threads,
            let no virtual time pass. Default 20.
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
            with scope, _at_each_round(look, self._guard):
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
        if threads := _threads_at_work():
            self._stuck += f"\nand virtual time waits for {threads} worker thread{'s' * (threads > 1)}"
        scope.cancel()


@contextmanager
def _at_each_round(function: Callable[[], None], guard: float) -> Iterator[None]:
    """Call the function whenever the loop has run what was ready; where threads keep it waiting, after `guard` too."""
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

    token = trio.lowlevel.current_trio_token()

    def ring() -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(function)

    alarm = threading.Timer(guard, ring)
    alarm.daemon = True

    class Rounds(trio.abc.Instrument):
        def before_io_wait(self, timeout: float) -> None:
            function()
            if timeout > 0 and alarm.ident is None:
                alarm.start()

    rounds = Rounds()
    trio.lowlevel.add_instrument(rounds)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(rounds)
        alarm.cancel()


def _threads_at_work() -> int:
    if on_trio():
        return threads_of_trio()
    loop = asyncio.get_running_loop()
    return loop._threads.at_work() if isinstance(loop, VirtualTimeLoop) else 0


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
