"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from turnkit.testing import VirtualTimeLoop, virtual_time

__all__ = ["VirtualTimeLoop"]  # for the tests that run loops of their own

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


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Every async test runs on asyncio and on trio, both on a clock that jumps whenever all tasks wait."""
    return virtual_time(request.param)


@pytest.fixture(autouse=True)
def logging_as_found() -> Iterator[None]:
    """A test that configures structlog, or captures its entries, leaves no trace for the next."""
    yield
    structlog.reset_defaults()
