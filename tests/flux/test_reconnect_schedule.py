"""When a lost connection is tried again, and when it is given up."""

from __future__ import annotations

from random import Random
from typing import Any

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import DOWN, Link, flux_peer, hanging_up_at_once, in_turn
from tests.support.kinds import kinds
from tests.support.streams import connect_by, everything, opened, take
from turnkit.errors import ConfigError, ConnectionFailed, FluxError, RemoteProtocolError
from turnkit.flux import connect
from turnkit.flux.bounds import Bounds
from turnkit.flux.reconnecting import Retries, is_permanent
from turnkit.turns.events import StreamRestored

pytestmark = pytest.mark.anyio


async def test_the_pauses_grow_and_are_random_by_half() -> None:
    """At once, then a random half to the whole of 0.5, 1, 2, 4, 8, 8 ... s, from the moment the attempt failed."""
    times: list[float] = []

    def refuse(number: int) -> Any:
        times.append(anyio.current_time())
        return DOWN if number else None

    async with (
        flux_peer(hanging_up_at_once, refuse=refuse) as peer,
        connect_by(Random(7), url=peer.url, reconnect_timeout=30) as stream,
    ):
        await take(stream, 2)
        lost = anyio.current_time()
        with pytest.raises(ConnectionFailed):
            await anext(stream)
        gave_up = anyio.current_time() - lost
    dice = Random(7)
    pauses = [0.0] + [min(8.0, 0.5 * 2**n) * dice.uniform(0.5, 1.0) for n in range(20)]
    expected = [sum(pauses[: n + 1]) for n in range(len(pauses)) if sum(pauses[: n + 1]) < 30]
    assert [at - lost for at in times[1:]] == pytest.approx(expected, abs=0.01)
    assert gave_up == pytest.approx(expected[-1], abs=0.01)  # the next one would be too late: why wait for it


async def test_giving_up_carries_every_attempt() -> None:
    """ConnectionFailed says how long it tried and what came last; its attempts begin with the loss itself."""

    async def second(link: Link) -> None:
        await link.close(1011, "warming up")

    def refuse(number: int) -> Any:
        return (429, b"", {}) if number == 1 else DOWN if number > 2 else None

    async with (
        flux_peer(in_turn(hanging_up_at_once, second), refuse=refuse) as peer,
        connect(url=peer.url, reconnect_timeout=3) as stream,
    ):
        await take(stream, 2)
        with pytest.raises(ConnectionFailed, match=r"within 3 s \(reconnect_timeout, \d attempts\).*HTTP 503") as gone:
            await anext(stream)
        assert await everything(stream) == []
        assert stream.lost_audio_seconds == 0
    attempts = gone.value.attempts
    assert [type(attempt) for attempt in attempts[:3]] == [ConnectionFailed, FluxError, ConnectionFailed]
    assert "1006" in str(attempts[0])
    assert "warming up" in str(attempts[2])
    assert len(attempts) == len(peer.requests) == int(str(gone.value).split(", ")[1].split()[0]) + 1


async def test_an_attempt_that_hangs_is_cut_off_in_time() -> None:
    """The bound holds also where connect_timeout is longer."""

    async def silent(link: Link) -> None:
        await link.gone()

    async with opened(in_turn(hanging_up_at_once, silent), reconnect_timeout=3, connect_timeout=1000) as (stream, _):
        await take(stream, 2)
        began = anyio.current_time()
        with pytest.raises(ConnectionFailed, match=r"reconnect_timeout, 1 attempts.*before reconnect_timeout was over"):
            await anext(stream)
        assert anyio.current_time() - began == pytest.approx(3, abs=0.01)


async def test_a_server_that_hangs_up_at_once_each_time_is_not_stormed() -> None:
    """Connections that do not hold are one outage: the pauses grow, and in the end it is given up."""
    async with opened(hanging_up_at_once, reconnect_timeout=30, dice=Random(1)) as (stream, peer):
        seen: list[str] = []

        async def iterate() -> None:
            async for item in stream:
                seen.append(type(item).__name__)  # noqa: PERF401 - it is looked at after the error

        with pytest.raises(ConnectionFailed) as gone:
            await iterate()
    assert 5 < len(peer.requests) < 12
    assert seen[:3] == ["Connected", "StreamLost", "StreamRestored"]
    assert seen == (seen[:3] * len(seen))[: len(seen)]
    assert len(gone.value.attempts) == len(peer.requests)


async def test_a_connection_that_has_held_is_a_new_outage_when_it_is_lost() -> None:
    """A night may have any number of outages: after each one the first attempt comes at once."""

    async def for_a_while(link: Link) -> None:
        await link.connected()
        await anyio.sleep(8)
        await link.drop()

    async with opened(for_a_while, reconnect_timeout=1, backoff_max=8) as (stream, _):
        for _ in range(50):
            assert kinds(await take(stream, 2)) == ["Connected", "StreamLost"]
            lost = anyio.current_time()
            assert await anext(stream) == StreamRestored("connected again (1 attempt)")
            assert anyio.current_time() - lost < 0.01


def test_pauses_stay_bounded_for_ever() -> None:
    """Ten thousand attempts overflow nothing."""
    retries = Retries(Bounds(reconnect_timeout=1e9), Random(0))
    retries.lost(ConnectionFailed("x"), 0.0)
    for _ in range(10_000):
        retries.failed(ConnectionFailed("x"), 5.0)
        assert 0.25 <= retries.next_at - 5.0 <= 8.0


def test_permanent_is_what_only_a_person_can_mend() -> None:
    """Credential, parameters, credit, access, and a command that the host does not know."""
    assert all(is_permanent(FluxError(status=status)) for status in (400, 401, 402, 403))
    assert is_permanent(FluxError("UNPARSABLE_CLIENT_MESSAGE"))
    assert is_permanent(ConfigError("token"))
    assert not any(map(is_permanent, (FluxError("INTERNAL_SERVER_ERROR"), FluxError(status=429))))
    assert not any(map(is_permanent, (ConnectionFailed("x"), RemoteProtocolError("x"))))
