"""Which library carries the frames: the fastest that is there, or the one that is named."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.flux_peer import flux_peer, polite
from tests.support.streams import opened
from turnkit.errors import ConfigError
from turnkit.flux import connect
from turnkit.flux.transports import checked_transport, chosen_transport, picows_release
from turnkit.timers import on_trio

pytestmark = pytest.mark.anyio


async def test_the_stream_names_what_carries_it(request: pytest.FixtureRequest) -> None:
    """Without being told, picows where it is installed and the loop is asyncio, else websockets."""
    asked = request.node.callspec.params["anyio_backend"]
    async with opened(polite) as (stream, _):
        assert stream.transport == ("picows" if asked == "asyncio-picows" else "websockets")
    async with opened(polite, transport="websockets") as (stream, _):
        assert stream.transport == "websockets"


async def test_picows_is_asyncios_only() -> None:
    """On trio, naming it is a mistake in the settings; on asyncio it is taken, if it is there."""
    if not on_trio():
        return await _taken_or_missed()
    async with flux_peer(polite) as peer:
        with pytest.raises(ConfigError, match="transport='picows': works on asyncio only, and this is trio"):
            async with connect(url=peer.url, transport="picows"):
                pass
    assert peer.requests == []


async def _taken_or_missed() -> None:
    if chosen_transport(None) == "picows":
        async with opened(polite, transport="picows") as (stream, _):
            assert stream.transport == "picows"
    else:
        with pytest.raises(ConfigError, match=r"transport='picows': needs picows from .*'turnkit\[fast\]'"):
            connect(url="ws://127.0.0.1:9", transport="picows")


@pytest.mark.parametrize("name", ["", "Picows", "aiohttp", 1, True, b"picows"])
def test_other_names_are_refused(name: object) -> None:
    """Before the network is touched."""
    with pytest.raises(ConfigError, match=r"transport=.*: must be 'websockets', 'picows' or None"):
        connect(url="ws://127.0.0.1:9", transport=name)  # type: ignore[arg-type]


@pytest.fixture
def asked_anew() -> Iterator[None]:
    """What is installed is asked for once in a process, and in these tests once in each."""
    picows_release.cache_clear()
    yield
    picows_release.cache_clear()


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("release", ["1.20.0", "2.4.0", "3.0", "odd", None])
def test_a_release_that_turnkit_does_not_know_is_not_taken(
    release: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one that is not installed: websockets is there, and whoever names picows is told."""

    def version(_: str) -> str:
        if release is None:
            raise importlib.metadata.PackageNotFoundError
        return release

    monkeypatch.setattr("turnkit.flux.transports.version", version)
    assert picows_release() == ""
    assert checked_transport(None) is None
    with pytest.raises(ConfigError, match="needs picows"):
        checked_transport("picows")


LOADED = """
import anyio, sys
from turnkit.flux import connect
from turnkit.errors import ConnectionFailed

async def main():
    try:
        async with connect(url="ws://127.0.0.1:9", transport="websockets"):
            pass
    except ConnectionFailed:
        print("picows" in sys.modules)

anyio.run(main)
"""


def test_picows_is_loaded_only_where_it_is_used() -> None:
    """Whoever names websockets does not pay for it."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.split() == ["False"], done.stderr
