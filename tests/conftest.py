"""What every test may ask for."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from trio.testing import MockClock

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"


@pytest.fixture
def preamble() -> Path:
    """The server frames of one real Flux session, a JSON object a line."""
    return _trace("preamble.jsonl")


@pytest.fixture
def preamble_wav() -> Path:
    """The audio of that session: 19.1 s of 16 kHz mono linear16."""
    return _trace("preamble-16k.wav")


def _trace(name: str) -> Path:
    path = TRACES / name
    if not path.exists():
        pytest.skip(f"the recorded Flux session {name} is not part of the repository and is not beside it")
    return path


class _JumpingSelector(selectors.DefaultSelector):
    """Where a loop would wait for time to pass, time passes at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # Nothing but the outside world can go on.
            return super().select(None)
        self.now += max(timeout, 1e-9)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock jumps to the next timer whenever there is nothing else to do."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        # Threads run on the real clock: a bound on this one would be over at once.
        await super().shutdown_default_executor()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Every async test runs on asyncio and on trio, both on a clock that jumps whenever all tasks wait."""
    if request.param == "asyncio":
        return "asyncio", {"loop_factory": VirtualTimeLoop}
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture(autouse=True)
def logging_as_found() -> Iterator[None]:
    """A test that configures structlog, or captures its entries, leaves no trace for the next."""
    yield
    structlog.reset_defaults()
