"""The bots that are judged: how each is started, and how it is called."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, socket

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0


class Bot:
    """A bot that can be called.

    Attributes:
        name: For the table.
        python: The interpreter that has what it needs, and voicebench.
        command: What starts it; `{port}` is where.
        adapter: How voicebench calls it, and at which path.
    """

    def __init__(self, name: str, python: str, command: list[str], adapter: tuple[str, str]) -> None:
        self.name = name
        self.python = python
        self.command = command
        self.adapter = adapter


TURNKIT = {
    "quick": ("listening", "quick"),
    "immediate": ("immediate", "voice"),
    "patient": ("patient", "voice"),
    "words": ("listening", "sphinx"),
}
"""By name, the session of `turnkit_bot` and the ear that it is judged with."""


def turnkit_bot(name: str) -> Bot:
    """The one of this name in `TURNKIT`, in this environment."""
    session, ear = TURNKIT[name]
    serve = f"-m turnkit serve benchmarks.judges.turnkit_bot:{session} --simulate --ear {ear} --port {{port}}"
    serve += " --max-lag 2"  # all callers start at once, on the same machine
    page = "benchmarks.judges.page_adapter:PageAdapter", "/call"
    return Bot(f"turnkit, {name}", sys.executable, serve.split(), page)


@contextmanager
def running(bot: Bot, log: Path) -> Iterator[int]:
    """The bot, and its port once it listens there."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [bot.python, *(part.format(port=port) for part in bot.command)]
    with log.open("wb") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out) as process:
        try:
            _listens(process, port, log)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)  # a process of its own tells nobody when it listens
        else:
            return
    raise SystemExit(f"the bot does not listen:\n{log.read_text(errors='replace')[-2000:]}")
