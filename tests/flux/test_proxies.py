"""Proxies that the environment names: never for this machine, elsewhere for TLS only, and then as a tunnel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.abc
import pytest

from tests.support.flux_peer import flux_peer, polite, tcp_peer
from tests.support.streams import KEY, TWO_SECONDS
from turnkit.errors import ConfigError, ConnectionFailed
from turnkit.flux import connect

pytestmark = pytest.mark.anyio

NAMES = ["HTTPS_PROXY", "HTTP_PROXY", "WS_PROXY", "WSS_PROXY", "ALL_PROXY", "SOCKS_PROXY", "https_proxy", "ws_proxy"]


@pytest.fixture(autouse=True)
def no_other_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine itself asks for is not what is tested."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@asynccontextmanager
async def proxy(answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that answers so, and what it heard: what it was asked, and what then goes through the tunnel."""
    heard: list[bytes] = []

    async def serve(stream: anyio.abc.SocketStream) -> None:
        heard.append(await stream.receive())
        await stream.send(answer)
        heard.append(await stream.receive())
        await stream.send(b"\x15\x03\x03\x00\x02\x02\x28")  # TLS's own way of saying that there was no handshake

    async with tcp_peer(serve) as host:
        yield host, heard


@pytest.mark.parametrize("name", NAMES)
async def test_this_machine_is_reached_without_a_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to loopback would leave the machine, with the key in clear, and come back or not."""
    async with proxy() as (host, heard), flux_peer(polite) as peer:
        monkeypatch.setenv(name, f"http://{host}")
        async with connect(api_key=KEY, url=peer.url) as stream:
            await stream.send_audio(TWO_SECONDS)
    assert heard == []
    assert b"".join(peer.audio) == TWO_SECONDS


@pytest.mark.parametrize(
    "url", ["wss://127.0.0.1:9", "wss://[::1]:9", "wss://[::ffff:127.0.0.1]:9", "ws://127.8.8.8:9"]
)
async def test_loopback_by_any_address_needs_no_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the scheme: this machine is not reached from elsewhere."""
    async with proxy() as (host, heard):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{host}")
        with pytest.raises(ConnectionFailed):
            async with connect(api_key=KEY, url=url):
                pass
    assert heard == []


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_not_encrypted_goes_through_no_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`allow_unencrypted` speaks of the network in between, and not of whoever runs a proxy."""
    async with proxy() as (host, heard):
        monkeypatch.setenv(name, f"http://{host}")
        with pytest.raises(ConnectionFailed):
            async with connect(api_key=KEY, url="ws://192.0.2.1:9", allow_unencrypted=True, connect_timeout=1):
                pass
    assert heard == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "WSS_PROXY"])
async def test_tls_goes_through_a_tunnel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is told where to, and nothing else: what follows is TLS with the host itself."""
    async with proxy() as (host, heard):
        monkeypatch.setenv(name, f"http://{host}")
        with pytest.raises(ConnectionFailed):
            async with connect(api_key=KEY, url="wss://flux.example:8443"):
                pass
    asked, first = heard
    assert asked.startswith(b"CONNECT flux.example:8443 HTTP/1.1\r\n")
    assert b"Authorization" not in asked
    assert first.startswith(b"\x16\x03")  # the first record of a TLS handshake
    assert KEY.encode() not in asked + first


async def test_hosts_that_need_no_proxy_are_reached_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY holds as everywhere."""
    async with proxy() as (host, heard):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{host}")
        monkeypatch.setenv("NO_PROXY", "192.0.2.1")
        with pytest.raises(ConnectionFailed):
            async with connect(api_key=KEY, url="wss://192.0.2.1:9", connect_timeout=1):
                pass
    assert heard == []


async def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads it looks at the proxy and not at Flux."""
    async with proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (host, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{host}")
        with pytest.raises(ConnectionFailed, match=r"the proxy on the way to flux\.example refused.*407"):
            async with connect(api_key=KEY, url="wss://flux.example"):
                pass


@pytest.mark.parametrize("address", ["ftp://user:hunter2@h", "http://user:hunter2@h/path", "http://hunter2@h"])
async def test_the_password_of_a_proxy_is_not_quoted(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the address, which is why no error quotes that."""
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(ConfigError, match="the proxy that the environment asks for") as refused:
        async with connect(api_key=KEY, url="wss://flux.example"):
            pass
    cause = refused.value.__cause__
    assert "hunter2" not in f"{refused.value} {cause} {cause!r} {vars(cause)}"


def test_the_demo_needs_no_network() -> None:
    """Also where the environment names a proxy, which nobody answers for here."""
    environment = {**os.environ, **dict.fromkeys(NAMES, "http://127.0.0.1:9")}
    command = [sys.executable, "-m", "turnkit", "demo", "--speed", "50"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
