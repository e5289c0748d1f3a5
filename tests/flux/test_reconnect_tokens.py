"""Temporary tokens: a fresh one for each connection."""

from __future__ import annotations

from typing import Any, cast

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import flux_peer, hanging_up_at_once, in_turn, polite
from tests.support.streams import KEY, take
from turnkit.errors import ConfigError, ConnectionFailed
from turnkit.flux import connect
from turnkit.turns.events import StreamRestored

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_fresh_token_is_got_for_each_connection(asynchronous: bool) -> None:
    """A temporary token has expired by the time the stream connects again."""
    given: list[str] = []

    def token() -> str:
        given.append(f"jwt-{len(given)}")
        return given[-1]

    async def later() -> str:
        await anyio.sleep(0.1)
        return token()

    async with (
        flux_peer(in_turn(hanging_up_at_once, polite)) as peer,
        connect(token=later if asynchronous else token, url=peer.url) as stream,
    ):
        await take(stream, 4)
    assert [request.headers["Authorization"] for request in peer.requests] == ["Bearer jwt-0", "Bearer jwt-1"]


async def test_a_token_that_cannot_be_got_is_an_attempt_that_failed() -> None:
    """At first it is raised; later it is tried again. What it raised is the cause, and its message is not quoted."""
    failing = [False, True, True, False]

    def token() -> str:
        if failing.pop(0):
            raise KeyError(KEY)
        return "jwt"

    async with flux_peer(in_turn(hanging_up_at_once, polite)) as peer:
        async with connect(token=token, url=peer.url) as stream:
            items = await take(stream, 4)
        assert cast(StreamRestored, items[2]).reason == "connected again (3 attempts)"
        failing[:] = [True]
        with pytest.raises(ConnectionFailed, match="raised KeyError") as failed:
            async with connect(token=token, url=peer.url):
                pass
        assert isinstance(failed.value.__cause__, KeyError)
        assert KEY not in str(failed.value)


async def test_a_token_that_is_none_is_refused() -> None:
    """A function that gives what cannot travel in a header is the caller's mistake, and is not tried again."""
    given: list[Any] = ["jwt", f"{KEY}\n"]
    async with flux_peer(hanging_up_at_once) as peer, connect(token=lambda: given.pop(0), url=peer.url) as stream:
        await take(stream, 2)
        with pytest.raises(ConfigError, match="token: must be the bare credential") as refused:
            await anext(stream)
        assert KEY not in str(refused.value)


async def test_a_token_that_never_comes_is_given_up() -> None:
    """Getting it is bounded by connect_timeout."""

    async def never() -> str:
        await anyio.sleep_forever()
        return "jwt"

    async with flux_peer(polite) as peer:
        with pytest.raises(ConnectionFailed, match="raised TimeoutError"):
            async with connect(token=never, url=peer.url, connect_timeout=1):
                pass
