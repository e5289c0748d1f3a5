"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.fixture(params=["asyncio", "trio", "trio-virtual"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]] | str:
    """Every async test runs on asyncio, on trio, and on trio with a clock that jumps whenever all tasks wait."""
    if request.param != "trio-virtual":
        return str(request.param)
    from trio.testing import MockClock

    return "trio", {"clock": MockClock(autojump_threshold=0)}
