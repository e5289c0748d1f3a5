"""What was said as a connection was opened is not kept with it: it is kilobytes a call, and holds the credential."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from tests.support.flux_peer import Link
from tests.support.streams import opened

pytestmark = pytest.mark.anyio


def client_connections() -> list[Any]:
    """The client's connections that there are in this process, whatever library they are of."""
    names = ["websockets.asyncio.client.ClientConnection", "turnkit.flux.picows_socket.PicowsSocket"]
    kinds = [loaded for name in [*names, "websockets.trio.client.ClientConnection"] if (loaded := loaded_class(name))]
    found: list[Any] = gc.get_objects()
    connections = [one for one in found if isinstance(one, tuple(kinds))]
    transport = loaded_class("picows.WSTransport")
    return connections + [one for one in found if type(one) is transport and one.is_client_side]


def loaded_class(name: str) -> Any:
    """The class of this name, if its module is loaded: what is not has no connections."""
    module, _, attribute = name.rpartition(".")
    return getattr(sys.modules.get(module), attribute, None)


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
