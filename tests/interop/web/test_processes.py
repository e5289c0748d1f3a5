"""The server in processes of its own: SIGTERM while calls go on, and a worker that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.web_server import ServerProcess, comes_true, heard
from turnkit.simulator import Script, serve
from turnkit.testing import FakePhone

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")

CALLER = "0.3 Hello there, please."


def run(recordings: Path, test: Callable[[ServerProcess], Awaitable[None]], **settings: Any) -> None:
    async def bounded() -> None:
        async with serve(Script.parse(CALLER)) as flux:
            # On a busy machine too, calls are let in.
            server = ServerProcess(recordings, url=flux.url, max_lag=60.0, **settings)
            try:
                with anyio.fail_after(120):
                    await server.until(calls=0)
                    await test(server)
            finally:
                server.stop()

    anyio.run(bounded)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm(tmp_path: Path, workers: int) -> None:
    """Nobody is let in any more, who hangs up in time does so, the others are hung up on; all recordings are whole."""

    async def test(server: ServerProcess) -> None:
        phones = [FakePhone(parameters={"number": str(number)}) for number in range(6)]
        async with anyio.create_task_group() as tasks:
            for phone in phones:
                tasks.start_soon(server.dial, phone)
            await heard(phones)
            began = anyio.current_time()
            server.process.send_signal(signal.SIGTERM)
            await server.until("/ready", reason="draining")
            await server.until(status="draining")
            assert await server.refused() == (503, '{"refused":"draining"}')
            assert "All lines are busy" in (await server.get("/answer", post=""))[1]
            before = [phone.heard_seconds for phone in phones]
            phones[0].hang_up()
            await heard(phones[1:], max(before[1:]) + 0.3)  # they go on
            await server.ended(within=60)
            assert 3.0 <= anyio.current_time() - began < 3.0 + 30
        assert phones[0].ended == "caller"
        assert {phone.ended for phone in phones[1:]} == {"bot"}
        assert server.whole() == set("012345")
        assert (await server.get("/health"))[0] == 0

    run(tmp_path, test, workers=workers, drain=3.0)


def test_sigterm_ends_as_soon_as_the_calls_do(tmp_path: Path) -> None:
    """The bound is waited for only by calls that reach it; a second SIGTERM changes nothing, a SIGINT ends it."""

    async def test(server: ServerProcess) -> None:
        phone = FakePhone(parameters={"number": "0"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.dial, phone)
            await heard([phone])
            server.process.send_signal(signal.SIGTERM)
            await server.until(status="draining")
            server.process.send_signal(signal.SIGTERM)
            await heard([phone], phone.heard_seconds + 0.5)
            phone.hang_up()
            await server.ended(within=60)
        assert server.whole() == {"0"}

    run(tmp_path, test, drain=600.0)


def test_workers_whose_supervisor_is_killed(tmp_path: Path) -> None:
    """They hold no port without anybody over them: they end as at SIGTERM, and their recordings are whole."""

    async def test(server: ServerProcess) -> None:
        phones = [FakePhone(parameters={"number": str(number)}) for number in range(4)]
        async with anyio.create_task_group() as tasks:
            for phone in phones:
                tasks.start_soon(server.dial, phone)
            await heard(phones)
            server.process.kill()
            await server.until(status="draining")
        assert {phone.ended for phone in phones} == {"bot"}
        assert server.whole() == set("0123")
        with anyio.fail_after(30):
            while (await server.get("/health"))[0]:  # noqa: ASYNC110  # of another process
                await anyio.sleep(0.05)

    run(tmp_path, test, workers=2, drain=1.0)


def test_sigterm_while_others_knock(tmp_path: Path) -> None:
    """Who is refused, who has sent half a request, and who waits for a session that never comes hold up nothing."""

    async def test(server: ServerProcess) -> None:
        stuck = FakePhone(parameters={"session": "never"})
        told: list[tuple[int, str]] = []

        async def knock() -> None:
            with suppress(Exception):  # until there is no server any more
                while True:
                    told.append(await server.refused())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.dial, stuck)
            await server.until(calls=1)
            for _ in range(5):
                tasks.start_soon(knock)
            await comes_true(lambda: len(told) > 20)
            async with await anyio.connect_tcp("127.0.0.1", server.port) as half:
                await half.send(b"GET /twilio HTTP/1.1\r\nHost: bot\r\nUpgrade: webso")
                for _ in range(3):
                    server.process.send_signal(signal.SIGTERM)
                await server.ended(within=1.0 + 5.0 + 10.0 + 10.0)  # with its own bounds, on a busy machine
        assert stuck.ended == "bot"
        assert {(503, '{"refused":"full"}'), (503, '{"refused":"draining"}')} <= set(told)

    run(tmp_path, test, max_calls=1, drain=1.0)


def test_ctrl_c_twice_waits_for_nobody(tmp_path: Path) -> None:
    """And still leaves recordings that are whole."""

    async def test(server: ServerProcess) -> None:
        phone = FakePhone(parameters={"number": "0"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.dial, phone)
            await heard([phone])
            server.process.send_signal(signal.SIGINT)
            await server.until(status="draining")
            server.process.send_signal(signal.SIGINT)
            await server.ended(within=60)
        assert server.whole() == {"0"}

    run(tmp_path, test, drain=600.0)


def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    """Its calls are lost, and no others; another takes its place."""

    async def test(server: ServerProcess) -> None:
        phones: dict[str, FakePhone] = {}
        async with anyio.create_task_group() as tasks:

            async def ring_until(processes: int, calls: int) -> None:
                """One after the other: the system deals them out, and a burst may go to one process."""
                while len(server.numbers()) < processes or min(map(len, server.numbers().values())) < calls:
                    number = str(len(phones))
                    phones[number] = FakePhone(parameters={"number": number})
                    tasks.start_soon(server.dial, phones[number])
                    await comes_true(lambda: sum(map(len, server.numbers().values())) == len(phones))

            await ring_until(2, 3)
            await heard(phones.values())
            (victim, lost), (_, others) = sorted(server.numbers().items())
            os.kill(victim, signal.SIGKILL)
            await comes_true(lambda: all(phones[number].ended for number in lost))
            at = max(phones[number].heard_seconds for number in others)
            await heard([phones[number] for number in others], at + 1.0)  # those of the other go on
            assert {phones[number].ended for number in others} == {None}
            await ring_until(3, 1)
            await heard(phones[number] for number in phones if number not in lost)
            for phone in phones.values():
                phone.hang_up()
        await comes_true(lambda: server.whole() == set(phones) - lost)

    run(tmp_path, test, workers=2, drain=3.0)
