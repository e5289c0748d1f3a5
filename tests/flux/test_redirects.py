"""Redirects: audio goes where the url says and nowhere else."""

from __future__ import annotations

import anyio.abc
import pytest

from tests.support.flux_peer import flux_peer, hanging_up_at_once, polite, tcp_peer
from tests.support.streams import KEY, TWO_SECONDS, everything
from turnkit.errors import ConnectionFailed, RemoteProtocolError
from turnkit.flux import connect

pytestmark = pytest.mark.anyio

STATUSES = [300, 301, 302, 303, 307, 308]


async def send_audio(url: str, reconnect_timeout: float = 0) -> None:
    async with connect(api_key=KEY, url=url, reconnect_timeout=reconnect_timeout) as stream:
        await stream.send_audio(TWO_SECONDS)
        if reconnect_timeout:
            await everything(stream)


@pytest.mark.parametrize("status", STATUSES)
async def test_a_redirect_is_not_followed(status: int) -> None:
    """The host it names is told, to be given as the url by whoever trusts it, and gets no connection."""
    async with flux_peer(polite) as thief, flux_peer(refuse=(status, b"", {"Location": f"{thief.url}/x?y"})) as peer:
        with pytest.raises(RemoteProtocolError) as refused:
            await send_audio(peer.url)
    assert f"HTTP {status}" in str(refused.value)
    assert f"redirects to '{thief.url}', which is not followed" in str(refused.value)
    assert thief.requests == []
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "location", ["/v2/elsewhere", "?x", "http://[", "//", "javascript:alert(1)", "wss://u:p@h.example/k"]
)
async def test_a_redirect_to_anything_is_not_followed(location: str) -> None:
    """Nor one within the host, nor one that names no host; of an address only scheme and host are quoted."""
    async with flux_peer(refuse=(302, b"", {"Location": location})) as peer:
        with pytest.raises(RemoteProtocolError, match=r"HTTP 302.*which is not followed") as refused:
            await send_audio(peer.url)
    assert "u:p" not in str(refused.value)
    assert "/k" not in str(refused.value)
    assert len(peer.requests) == 1


async def test_a_redirect_without_an_address_is_no_flux() -> None:
    """There is nothing to tell but that the url is wrong."""
    async with flux_peer(refuse=(302, b"", {})) as peer:
        with pytest.raises(RemoteProtocolError, match=r"HTTP 302 instead of opening a WebSocket; check the url"):
            await send_audio(peer.url)


async def test_a_host_that_redirects_after_an_outage_does_not_get_rid_of_the_audio() -> None:
    """The stream tries again, as with any host that came back as something else, and never goes elsewhere."""
    async with flux_peer(polite) as thief:
        moved = (307, b"", {"Location": thief.url})
        async with flux_peer(hanging_up_at_once, refuse=lambda nth: moved if nth else None) as peer:
            with pytest.raises(ConnectionFailed, match="redirects to"):
                await send_audio(peer.url, reconnect_timeout=4)
    assert thief.requests == []
    assert len(peer.requests) > 2


async def test_no_control_characters_of_a_redirect_are_quoted() -> None:
    """A location with control characters reaches no message as it is."""

    async def answer(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 302 Found\r\nLocation: wss://\x1b[2Jx.example/\r\nContent-Length: 0\r\n\r\n")

    async with tcp_peer(answer) as host:
        with pytest.raises(RemoteProtocolError) as refused:
            await send_audio(f"ws://{host}")
    assert str(refused.value).isprintable()
