"""An error that ends a call comes out of `connect` as itself, where a task group shares the `async with`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import anyio
import pytest

from tests.support.flux_peer import Link, Peer, flux_peer
from tests.support.streams import KEY
from turnkit.errors import ConnectionFailed, FluxError, TurnkitError
from turnkit.flux import FluxStream, connect
from turnkit.session import Session
from turnkit.wire import FluxOptions

pytestmark = pytest.mark.anyio


async def broken(link: Link) -> None:
    """Flux says an error in the midst of a turn, and hangs up."""
    await link.connected()
    await link.turn("StartOfTurn", "hello")
    await link.say("Error", code="INTERNAL_SERVER_ERROR", description="It is broken")


async def silent(link: Link) -> None:
    """Connected, and then nothing until the stream is left."""
    await link.connected()
    await link.hear_until("CloseStream")


async def dropped(link: Link) -> None:
    """The connection is gone."""
    await link.connected()
    await link.drop()


def connecting(peer: Peer) -> AbstractAsyncContextManager[FluxStream]:
    """The stream alone: the peer has task groups of its own, and takes groups apart."""
    return connect(FluxOptions(), api_key=KEY, url=peer.url, reconnect_timeout=0)


async def test_of_a_call_beside_a_microphone_the_error_is_itself() -> None:
    """`connect`, a task group and `session.run` in one `async with`, as a bot has them."""

    async def call(peer: Peer) -> None:
        async with connecting(peer) as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, 3600)
            await Session(lost_turn_grace=0).run(stream)

    async with flux_peer(broken) as peer:
        with pytest.raises(FluxError) as caught:
            await call(peer)
    assert caught.value.code == "INTERNAL_SERVER_ERROR"
    assert caught.value.__suppress_context__, "the group is not shown as what happened before"


async def test_what_a_task_that_reads_is_told_comes_out_as_itself() -> None:
    """The connection is gone, and whoever opened the stream was waiting for something else."""

    async def read(stream: FluxStream) -> None:
        async for _ in stream:
            pass

    async def call(peer: Peer) -> None:
        async with connecting(peer) as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(read, stream)
            await anyio.sleep(3600)

    async with flux_peer(dropped) as peer:
        with pytest.raises(ConnectionFailed):
            await call(peer)


async def test_several_errors_and_those_of_others_stay_as_they_are() -> None:
    """Nothing is chosen among them, and what is not turnkit's is the caller's own."""
    mine = KeyError("mine")
    pair = [FluxError("ONE"), TurnkitError("TWO")]
    for raised in (ExceptionGroup("mine", [mine]), ExceptionGroup("both", pair), mine):
        async with flux_peer(silent) as peer:
            with pytest.raises(type(raised)) as caught:
                async with connecting(peer):
                    raise raised
        assert caught.value is raised


async def test_a_run_in_a_group_of_the_hosts_raises_one_error_in_that_group() -> None:
    """And not in one of ours inside of it."""

    async def call(peer: Peer) -> None:
        async with anyio.create_task_group() as tasks, connecting(peer) as stream:
            tasks.start_soon(anyio.sleep, 3600)
            await Session(lost_turn_grace=0).run(stream)

    async with flux_peer(broken) as peer:
        with pytest.raises(ExceptionGroup) as caught:
            await call(peer)
    (error,) = caught.value.exceptions
    assert isinstance(error, FluxError)
