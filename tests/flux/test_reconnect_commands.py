"""Settings and commands across a reconnect: in force, on their way, or refused."""

from __future__ import annotations

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import DOWN, START, Link, flux_peer, hanging_up_at_once, in_turn, turn_then_close
from tests.support.kinds import kinds
from tests.support.streams import opened, read_by_another, take
from tests.support.waiting import settle, until
from turnkit.errors import ConnectionFailed, FluxError
from turnkit.flux import FluxStream, connect
from turnkit.turns.events import StreamLost, StreamRestored
from turnkit.wire import Configure, FluxOptions, Thresholds

pytestmark = pytest.mark.anyio


async def test_settings_in_force_are_in_the_new_connections_query() -> None:
    """What Configures have changed is still changed, and a question's settings go back to what they were."""

    async def answering(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await link.configured(thresholds={"eot_threshold": 0.9, "eot_timeout_ms": 8000}, keyterms=["a"])
        await link.drop()

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await link.configured(thresholds={"eot_threshold": 0.7, "eot_timeout_ms": 5000}, keyterms=[])
        await link.hang_up()

    async with opened(in_turn(answering, second), reconnect_timeout=5) as (stream, peer), read_by_another(stream) as r:
        async with stream.configured(eot_threshold=0.9, eot_timeout_ms=8000, keyterms=("a",)):
            await until(lambda: "StreamRestored" in kinds(r))
        assert stream.options == FluxOptions(eot_threshold=0.7, eot_timeout_ms=5000)
    assert "eot_threshold=0.9&eot_timeout_ms=8000&keyterm=a" in peer.requests[1].path
    restored = {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
    assert peer.links[1].own[0] == {"type": "Configure", "thresholds": restored, "keyterms": []}


@pytest.mark.parametrize("refused", [False, True])
async def test_a_configure_on_its_way_is_sent_to_the_next_connection(refused: bool) -> None:
    """Its answer is the new connection's, and so is the time it may take."""

    async def first(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await link.drop()

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await anyio.sleep(4)
        await (link.say("ConfigureFailure", code="NO") if refused else link.configured(keyterms=["a"]))
        await link.hang_up()

    async with (
        flux_peer(in_turn(first, second), refuse=lambda n: DOWN if 0 < n < 6 else None) as peer,
        connect(url=peer.url) as stream,
        read_by_another(stream),
    ):
        if refused:
            with pytest.raises(FluxError, match="NO"):
                await stream.configure(Configure(keyterms=("a",)))
        else:
            assert (await stream.configure(Configure(keyterms=("a",)))).keyterms == ("a",)
            assert stream.options.keyterm == ("a",)
    assert [link.own[0] for link in peer.links] == [{"type": "Configure", "keyterms": ["a"]}] * 2


async def test_a_configure_while_the_stream_is_lost_waits_for_the_next_connection() -> None:
    """Calls are merged as ever; one that nobody answers there is given up after answer_timeout."""

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await link.configured(keyterms=["b"])
        await link.hear_until("Configure")
        await link.hang_up()

    async with opened(in_turn(hanging_up_at_once, second), reconnect_timeout=60) as (stream, peer):
        await take(stream, 2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.configure, Configure(keyterms=("b",)))
            await settle()
            tasks.start_soon(silent_configure, stream)
            await settle()
            assert peer.commands == []
            async for item in stream:
                if isinstance(item, StreamRestored):
                    restored = anyio.current_time()
        # Both have been answered or given up by the time the peer hung up.
    assert [command.get("keyterms") for command in peer.links[1].own[:1]] == [["b"]]
    assert anyio.current_time() - restored < 10


async def silent_configure(stream: FluxStream) -> None:
    with pytest.raises(ConnectionFailed, match="did not answer Configure"):
        await stream.configure(Configure(thresholds=Thresholds(eot_threshold=0.8)))
    await stream.close()


async def test_a_configure_waits_no_longer_than_an_outage_may_last() -> None:
    """Also if nobody iterates, so that nobody connects."""
    async with opened(hanging_up_at_once, reconnect_timeout=20, answer_timeout=2) as (stream, _):
        await take(stream, 2)
        began = anyio.current_time()
        with pytest.raises(ConnectionFailed, match="did not answer Configure"):
            await stream.configure(Configure(keyterms=("a",)))
        assert anyio.current_time() - began == pytest.approx(22, abs=0.1)


async def test_a_forced_end_on_its_way_finds_no_turn_any_more() -> None:
    """The turn was lost with the connection; while there is none, no turn can be forced either."""
    async with opened(turn_then_close(START), reconnect_timeout=5) as (stream, peer):
        forced: list[bool] = []

        async def force() -> None:
            forced.append(await stream.force_end_turn())

        async with anyio.create_task_group() as tasks:
            await take(stream, 2)
            tasks.start_soon(force)
            await until(lambda: len(stream._protocol.requests.forced_ends) == 1)
            await peer.links[0].drop()
            assert isinstance(await anext(stream), StreamLost)
        assert forced == [False]
        assert await stream.force_end_turn() is False
        assert await stream.send_force_end_turn() is False


async def refusing_forces(link: Link) -> None:
    await link.connected()
    await link.turn("StartOfTurn", "hello")
    await link.hear_until("ForceEndTurn")
    await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
    await link.close(None)


async def test_a_host_without_forced_ends_is_asked_once() -> None:
    """It hangs up; the stream connects again, knows better, and ends no turn by force, not even on closing."""
    async with opened(in_turn(refusing_forces, turn_then_close(START)), reconnect_timeout=5) as (stream, peer):
        await take(stream, 2)
        assert await stream.send_force_end_turn() is True
        assert kinds(await take(stream, 4)) == ["StreamLost", "StreamRestored", "Connected", "TurnInfo"]
        assert await stream.send_force_end_turn() is False
        assert await stream.force_end_turn() is False
    assert [command["type"] for command in peer.commands] == ["ForceEndTurn", "CloseStream"]


async def test_an_end_without_a_trigger_shows_that_a_host_is_too_old_to_be_asked() -> None:
    """`trigger` and ForceEndTurn came to Flux together."""
    old_end = {"event": "EndOfTurn", "transcript": "hello"}
    async with opened(turn_then_close(START, old_end, START)) as (stream, peer):
        await take(stream, 4)
        assert await stream.send_force_end_turn() is False
    assert [command["type"] for command in peer.commands] == ["CloseStream"]


async def test_a_host_that_has_forced_ends_and_refuses_one_is_not_forgiven() -> None:
    """Then something else is wrong with what was sent, and would be again."""

    async def play(link: Link) -> None:
        await link.connected()
        await link.turn("EndOfTurn", "hello", trigger="model")
        await link.hear_until("ForceEndTurn")
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    async with opened(play, reconnect_timeout=5) as (stream, _):
        await take(stream, 2)
        await stream.send_force_end_turn()
        with pytest.raises(FluxError, match="UNPARSABLE"):
            await anext(stream)
