"""What was said as a connection was opened is not kept with it: it is kilobytes a call, and holds the credential."""

from __future__ import annotations

import gc
import importlib
from typing import Any

import pytest

from tests.support.flux_peer import Link
from tests.support.streams import opened

pytestmark = pytest.mark.anyio

CONNECTIONS = ("websockets.asyncio.client", "websockets.trio.client")


def client_connections() -> list[Any]:
    """The client's connections that there are in this process, whatever library they are of."""
    kinds: list[type] = [importlib.import_module(name).ClientConnection for name in CONNECTIONS]
    transports: tuple[type, ...] = ()
    try:
        picows = importlib.import_module("picows")
    except ImportError:
        pass
    else:
        transports = (picows.WSTransport,)
        kinds.append(importlib.import_module("turnkit.flux.picows_socket").PicowsSocket)
    found: list[Any] = gc.get_objects()
    connections = [one for one in found if isinstance(one, tuple(kinds))]
    return connections + [one for one in found if type(one) in transports and one.is_client_side]


async def test_the_headers_of_the_opening_are_let_go() -> None:
    """Those of the request and of its answer, wherever the library keeps them."""
    gc.collect()  # those of tests before

    async def stay(link: Link) -> None:
        await link.connected()
        await link.hang_up()

    async with opened(stay):
        heads = [
            getattr(one, name).headers
            for one in client_connections()
            for name in ("request", "response")
            if getattr(one, name, None) is not None
        ]
        assert heads
        assert [dict(head) for head in heads if len(head)] == []
