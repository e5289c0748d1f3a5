"""What counts as the loss of a connection, and what is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from tests.support.audio import FRAME
from tests.support.flux_peer import DOWN, Link, flux_peer, hanging_up_at_once, in_turn, polite
from tests.support.kinds import kinds
from tests.support.streams import KEY, everything, opened, take
from turnkit.errors import ConnectionFailed, FluxError
from turnkit.flux import connect
from turnkit.turns.events import StreamLost, StreamRestored

pytestmark = pytest.mark.anyio


async def erroneous(link: Link) -> None:
    await link.say("Error", code="INTERNAL_SERVER_ERROR", description="no engine")
    await link.close(None)


async def oversized(link: Link) -> None:
    await link.send("x" * (2**20 + 1))
    await link.gone()


FAULTS: dict[str, tuple[Callable[[Link], Awaitable[None]], str]] = {
    "a drop": (lambda link: link.drop(), "code 1006"),
    "1005": (lambda link: link.close(None), "code 1005"),
    "1000": (lambda link: link.close(1000), "code 1000"),
    "1001": (lambda link: link.close(1001, "going away"), "code 1001, 'going away'"),
    "1008": (lambda link: link.close(1008, "DATA-0000"), "code 1008, 'DATA-0000'"),
    "1011": (lambda link: link.close(1011, "NET-0001"), "code 1011, 'NET-0001'"),
    "an Error": (erroneous, "INTERNAL_SERVER_ERROR: no engine"),
    "a frame beyond all bounds": (oversized, "no message of Flux: 1009"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_loss_is_told_and_mended(fault: str) -> None:
    """The iteration yields StreamLost with the reason, StreamRestored, and then the new connection's messages."""
    fail, said = FAULTS[fault]

    async def first(link: Link) -> None:
        await link.connected()
        await link.turn("Update", "before")
        await fail(link)

    async def second(link: Link) -> None:
        link.request_id = "req-2"
        await link.connected()
        await link.turn("Update", "after")
        await link.hang_up()

    async with opened(in_turn(first, second), reconnect_timeout=5) as (stream, peer):
        before = await take(stream, 2)
        lost = await anext(stream)
        assert isinstance(lost, StreamLost)
        assert said in lost.reason
        assert repr(stream).startswith("<FluxStream lost ")
        after = await take(stream, 3)
        assert repr(stream).startswith("<FluxStream open ")
        assert stream.request_id == "req-2"
        assert kinds(before) + kinds(after) == ["Connected", "TurnInfo", "StreamRestored", "Connected", "TurnInfo"]
        assert after[0] == StreamRestored("connected again (1 attempt)")
        assert stream.missed_messages == 0
    assert len(peer.requests) == 2
    assert peer.requests[0].path == peer.requests[1].path
    assert peer.requests[1].headers["Authorization"] == f"Token {KEY}"


async def test_a_command_that_flux_cannot_read_is_raised() -> None:
    """It would be sent again, and refused again."""

    async def fail(link: Link) -> None:
        await link.connected()
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    async with opened(fail, reconnect_timeout=5) as (stream, peer):
        await anext(stream)
        with pytest.raises(FluxError, match="UNPARSABLE"):
            await anext(stream)
        assert await everything(stream) == []
    assert len(peer.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403])
async def test_a_refusal_that_will_not_change_is_not_tried_again(status: int) -> None:
    """It is raised as Flux's own, at the first attempt, and then the stream is over."""
    async with (
        flux_peer(hanging_up_at_once, refuse=lambda n: (status, b"", {"dg-error": "no"}) if n else None) as peer,
        connect(api_key=KEY, url=peer.url) as stream,
    ):
        assert kinds(await take(stream, 2)) == ["Connected", "StreamLost"]
        with pytest.raises(FluxError) as refused:
            await anext(stream)
        assert refused.value.status == status
        assert await everything(stream) == []
        with pytest.raises(ConnectionFailed, match="has ended"):
            await stream.send_audio(bytes(FRAME))
    assert len(peer.requests) == 2


async def test_the_first_connection_is_not_tried_again() -> None:
    """Whoever opens a stream learns at once that the host is down."""
    async with flux_peer(refuse=DOWN) as peer:
        with pytest.raises(ConnectionFailed):
            async with connect(url=peer.url):
                pass
    assert len(peer.requests) == 1


@pytest.mark.parametrize("status", [200, 404, 408, 429, 500, 502, 503, 504])
async def test_a_refusal_that_may_change_is_tried_again(status: int) -> None:
    """A gateway between us and Flux says many things while Flux is replaced."""
    async with (
        flux_peer(in_turn(hanging_up_at_once, polite), refuse=lambda n: (status, b"", {}) if 0 < n < 3 else None) as p,
        connect(url=p.url) as stream,
    ):
        items = await take(stream, 4)
    assert kinds(items) == ["Connected", "StreamLost", "StreamRestored", "Connected"]
    assert cast(StreamRestored, items[2]).reason == "connected again (3 attempts)"
