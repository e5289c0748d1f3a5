"""What carries the frames of a stream, for the tests of what must be the same over all of them."""

from __future__ import annotations

from typing import Any

import pytest

from turnkit.flux import transports
from turnkit.testing import virtual_time


@pytest.fixture(params=["asyncio-websockets", "asyncio-picows", "trio"])
def anyio_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any]]:
    """Every async test runs on asyncio, over websockets and over picows, and on trio, on a clock that jumps.

    Tests that do not ask for it use what turnkit would take: on asyncio picows, where it is installed.
    """
    backend, _, transport = request.param.partition("-")
    if transport == "websockets":
        monkeypatch.setattr(transports, "picows_release", str)  # as where it is not installed
    elif transport == "picows" and not transports.picows_release():
        pytest.skip("picows, of turnkit[fast], is not installed")
    return virtual_time("trio" if backend == "trio" else "asyncio")
