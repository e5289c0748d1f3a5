"""What carries the frames in the tests of the client: each of them runs over every transport there is."""

from __future__ import annotations

from typing import Any

import pytest

from turnkit.flux import transports
from turnkit.testing import virtual_time


@pytest.fixture(params=["asyncio-websockets", "asyncio-picows", "trio"])
def anyio_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any]]:
    """Every async test runs on asyncio, over websockets and over picows, and on trio, on a clock that jumps."""
    backend, _, transport = request.param.partition("-")
    if transport == "picows" and not transports.picows_release():
        pytest.skip("picows, of turnkit[fast], is not installed")
    if transport == "websockets":
        monkeypatch.setattr(transports, "picows_release", str)  # as where it is not installed
    return virtual_time(backend)
