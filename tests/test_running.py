"""Which library runs, and what its clock says."""

from __future__ import annotations

import subprocess
import sys

import anyio
import pytest

from turnkit.running import clock, on_trio

pytestmark = pytest.mark.anyio


async def test_the_clock_is_the_running_librarys(anyio_backend_name: str) -> None:
    """It reads what anyio reads, on both, and goes on as time does."""
    assert on_trio() == (anyio_backend_name == "trio")
    now = clock()
    began = now()
    assert began == pytest.approx(anyio.current_time(), abs=0.01)
    await anyio.sleep(5)
    assert now() - began == pytest.approx(5)


def test_outside_of_either_it_is_not_trio() -> None:
    """Nothing runs here, and trio is not loaded to find that out."""
    code = "import sys; from turnkit.running import on_trio; assert not on_trio(); assert 'trio' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert not on_trio()
