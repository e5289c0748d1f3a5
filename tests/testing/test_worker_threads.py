"""Virtual time waits for worker threads, whoever makes them; what a thread asks of the loop may take its time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio

from turnkit import Session
from turnkit.session import Reply
from turnkit.testing import RehearsalFailed, ScriptedVoice, rehearse, run
from turnkit.testing.virtual_clock import Backend

InThread = Callable[..., Awaitable[Any]]
WAYS: list[tuple[Backend, InThread]] = [
    ("asyncio", anyio.to_thread.run_sync),
    ("asyncio", asyncio.to_thread),
    ("asyncio", lambda function: asyncio.get_running_loop().run_in_executor(None, function)),
    ("trio", anyio.to_thread.run_sync),
    ("trio", trio.to_thread.run_sync),
]
every_way = pytest.mark.parametrize(
    ("backend", "in_thread"), WAYS, ids=["anyio", "to_thread", "executor", "anyio-trio", "trio"]
)


@every_way
def test_time_stands_still_while_a_thread_runs(backend: Backend, in_thread: InThread) -> None:
    """A timer that is set meanwhile does not go off, and goes off once the thread is done."""

    async def call() -> tuple[bool, float, float]:
        jumped = threading.Event()

        async def jump() -> None:
            await anyio.sleep(1.0)
            jumped.set()

        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(jump)
            too_early = await in_thread(lambda: jumped.wait(0.1))
            took = anyio.current_time() - began
        return too_early, took, anyio.current_time() - began

    for _ in range(2):
        assert run(call, backend=backend) == (False, 0.0, 1.0)


@every_way
def test_a_bot_whose_client_makes_a_thread_answers(backend: Backend, in_thread: InThread) -> None:
    """As clients of LLMs do at their first request; not a second of the call passes by it."""
    waited = threading.Event()

    async def respond(reply: Reply) -> None:
        await in_thread(lambda: waited.wait(0.1))
        await reply.say("We are open.")

    call = rehearse(Session(respond=respond, speak=ScriptedVoice()), "1.0 When? [end 0]", backend=backend)
    call.assert_heard("We are open.")
    call.assert_keeps_the_rules()
    assert call.sounds[0][0] < 2.0


@every_way
def test_what_a_thread_asks_of_the_loop_takes_virtual_time(backend: Backend, in_thread: InThread) -> None:
    """The thread waits then, and does no work; so time goes on, as it could never come back otherwise."""

    async def call() -> float:
        loop = asyncio.get_running_loop() if backend == "asyncio" else None

        def work() -> None:
            if in_thread is anyio.to_thread.run_sync:
                anyio.from_thread.run(anyio.sleep, 50.0)
            elif loop is None:
                trio.from_thread.run(trio.sleep, 50.0)
            else:
                asyncio.run_coroutine_threadsafe(asyncio.sleep(50.0), loop).result()

        began = anyio.current_time()
        await in_thread(work)
        return anyio.current_time() - began

    began = time.monotonic()
    assert run(call, backend=backend) == 50.0
    assert time.monotonic() - began < 40.0


@pytest.mark.anyio
async def test_time_stands_still_in_async_tests_too() -> None:
    """With the fixture of `virtual_time`, as with `run`."""
    jumped = threading.Event()

    async def jump() -> None:
        await anyio.sleep(1.0)
        jumped.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(jump)
        began = anyio.current_time()
        assert not await anyio.to_thread.run_sync(jumped.wait, 0.1)
        assert anyio.current_time() == began
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_thread_that_never_ends_fails_and_is_named(backend: Backend) -> None:
    """By the guard, which is of real time."""
    release = threading.Event()

    async def call() -> None:
        try:
            await anyio.to_thread.run_sync(release.wait, abandon_on_cancel=True)
        finally:
            release.set()

    with pytest.raises(RehearsalFailed, match=r"after 0\.05 s of real time(?s:.*)for 1 worker thread"):
        run(call, backend=backend, guard=0.05)
