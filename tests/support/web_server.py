"""Servers of calls for tests: one in this event loop, and one of processes of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support import web_bot
from tests.support.package_source import ROOT
from turnkit.simulator import Script, serve
from turnkit.testing import FakePhone
from turnkit.trace import read

PATIENT = 30.0  # seconds that the loop may be late: a busy machine is not what most tests of the server are about
_SERVE = """
import json, socket, sys
from turnkit.interop.web import serving
if __name__ == "__main__":
    serving.serve("tests.support.web_bot:session", socket.socket(fileno=int(sys.argv[1])), **json.loads(sys.argv[2]))
"""


async def comes_true(condition: Callable[[], bool]) -> None:
    """Wait until it holds, by the real clock: what it is about happens in other processes."""
    while not condition():  # noqa: ASYNC110
        await anyio.sleep(0.02)


async def heard(phones: Iterable[FakePhone], seconds: float = 0.2) -> None:
    """Wait until so much was heard on each."""
    waited_for = list(phones)
    await comes_true(lambda: all(phone.heard_seconds >= seconds for phone in waited_for))


class Address:
    """Where a server is, and who calls there."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def get(self, path: str, *headers: str, post: str | None = None) -> tuple[int, str]:
        """The status and the body of an answer; (0, "") if nobody answers."""
        method = "GET" if post is None else "POST"
        body = post or ""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Connection: close", *headers]
        request = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        answer = b""
        try:
            async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
                await stream.send(request.encode())
                async for piece in stream:
                    answer += piece
        except (OSError, anyio.BrokenResourceError):
            pass
        head, _, text = answer.decode().partition("\r\n\r\n")
        return int(head.split(" ")[1]) if head else 0, text

    async def figures(self, path: str = "/health") -> dict[str, Any]:
        """What a probe says, as JSON; empty if nobody answers."""
        _, text = await self.get(path)
        figures: dict[str, Any] = json.loads(text) if text else {}
        return figures

    async def dial(self, phone: FakePhone, path: str = "/twilio") -> None:
        """Hold a phone's call."""
        async with connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None) as client:
            await phone.call(client)

    async def refused(self, path: str = "/twilio", **settings: Any) -> tuple[int, str]:
        """The status and the body with which a websocket is refused; (101, "") if it is not."""
        try:
            async with connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None, **settings):
                return 101, ""
        except InvalidStatus as error:
            return error.response.status_code, bytes(error.response.body or b"").decode()

    async def until(self, path: str = "/health", **figures: object) -> None:
        """Wait until a probe says so."""
        with anyio.fail_after(60):
            while True:
                told = await self.figures(path)
                if all(told.get(name) == value for name, value in figures.items()):
                    return
                await anyio.sleep(0.05)


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[Address]:
    """An application on uvicorn in this event loop."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=5))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listening])
            address = Address(listening.getsockname()[1])
            await address.until(calls=0)
            try:
                yield address
            finally:
                server.should_exit = True


class ServerProcess(Address):
    """A server in processes of its own.

    Args:
        recordings: where its calls are recorded.
        settings: those of `serving.serve`.
    """

    def __init__(self, recordings: Path, **settings: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            super().__init__(listening.getsockname()[1])
            number = listening.fileno()
            self.recordings = recordings
            self.process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(number), json.dumps({"max_lag": PATIENT, **settings})],
                cwd=ROOT,
                env={**os.environ, "TURNKIT_TEST_RECORDINGS": str(recordings)},
                pass_fds=[number],
                start_new_session=True,  # a group of its own, with its workers
            )

    def numbers(self) -> dict[int, set[str]]:
        """The numbers of the phones whose calls are recorded, by the process that holds them."""
        found: dict[int, set[str]] = {}
        for path in self.recordings.glob("*/*.jsonl"):
            found.setdefault(int(path.parent.name), set()).add(path.stem)
        return found

    def whole(self) -> set[str]:
        """The numbers of the phones whose recordings have their last line, and can be read."""
        found = set()
        for path in self.recordings.glob("*/*.jsonl"):
            lines = path.read_text().splitlines()
            if lines and '"end":"closed"' in lines[-1] and any('"ReplyEnded"' in line for line in lines):
                read(path)
                found.add(path.stem)
        return found

    async def ended(self, within: float) -> int:
        """Wait for its end; gives the exit code."""
        with anyio.fail_after(within):
            await comes_true(lambda: self.process.poll() is not None)
        return self.process.returncode

    def stop(self) -> None:
        """End it and its workers, however far they are."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def run(test: Callable[[], Awaitable[None]], seconds: float = 90) -> None:
    """Run a test of a server, by the real clock; so many seconds are for one that hangs."""

    async def bounded() -> None:
        with anyio.fail_after(seconds):
            await test()

    anyio.run(bounded)


@asynccontextmanager
async def bot_server(make_session: Any = web_bot.session, **settings: Any) -> AsyncIterator[Address]:
    """A server in this loop, whose callers say one sentence.

    It lets calls in however late a busy machine makes the loop, in which everybody is, callers too.
    """
    from turnkit.interop.web import application

    async with (
        serve(Script.parse("0.3 Hello there, please.")) as flux,
        served(application(make_session, url=flux.url, **{"max_lag": PATIENT, **settings})) as address,
    ):
        yield address
