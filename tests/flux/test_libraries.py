"""What the running library asks of websockets."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

import anyio
import pytest

from turnkit.errors import ConfigError
from turnkit.flux import connect
from turnkit.simulator import Script, serve


async def calling() -> None:
    async with connect(url="ws://127.0.0.1:9"):
        pass


async def serving() -> None:
    async with serve(Script.parse("1.0 Hello.")):
        pass


@pytest.mark.parametrize("use", [calling, serving])
def test_trio_with_an_old_websockets_is_refused_with_what_to_do(
    use: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only websockets 17 brought sockets for trio; asyncio does with an older one, and so does turnkit's own bound."""
    for module in ("websockets.trio.client", "websockets.trio.server"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"trio: needs websockets 17 or newer; pip install 'turnkit\[trio\]'"):
        anyio.run(use, backend="trio")
