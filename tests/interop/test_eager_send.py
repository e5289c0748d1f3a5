"""The frame that silences the peer is written in the step that decides on it, where the websocket has room."""

from __future__ import annotations

import anyio
import pytest

from tests.support.far_speaker import RATE, FarDialect
from turnkit.errors import ConnectionFailed
from turnkit.interop.network_sink import Frame, NetworkSink
from turnkit.interop.websocket import Adapted, adapted
from turnkit.timers import on_trio

HALF = bytes(RATE)


class Peer:
    """A websocket that keeps what was sent; it has room, or waits for it, or is gone."""

    def __init__(self) -> None:
        self.frames: list[str] = []
        self.room = anyio.Event()
        self.room.set()
        self.gone = False

    async def receive(self) -> str | bytes | None:
        return None

    async def send(self, message: Frame, /) -> None:
        if self.gone:
            raise OSError("gone")
        if not self.room.is_set():
            await self.room.wait()
        self.frames.append(str(message).split()[0])

    async def close(self) -> None:
        return


async def speaking(peer: Peer, tasks: anyio.abc.TaskGroup, raised: list[BaseException]) -> NetworkSink:
    """A sink that is in the middle of a reply."""
    sink, websocket = NetworkSink(FarDialect(), sample_rate=RATE), adapted(peer)

    async def write() -> None:
        try:
            await sink.write(websocket.send, websocket.begin)
        except ConnectionFailed as error:
            raised.append(error)

    tasks.start_soon(write)
    sink.begin(0)
    await sink.play(HALF)
    await anyio.sleep(0.01)
    return sink


@pytest.mark.anyio
async def test_it_is_written_at_once() -> None:
    """On trio by the writer, as soon as it runs."""
    async with anyio.create_task_group() as tasks:
        peer = Peer()
        sink = await speaking(peer, tasks, [])
        sink.post("posted")
        sink.clear()
        assert (peer.frames[-1] == "clear") != on_trio()
        await anyio.sleep(0.01)
        assert peer.frames[-2:] == ["clear", "posted"]
        sink.close()


@pytest.mark.anyio
async def test_what_waits_for_room_is_finished_first() -> None:
    """In its order: no other frame gets between, however much is told to the sink meanwhile."""
    async with anyio.create_task_group() as tasks:
        peer = Peer()
        sink = await speaking(peer, tasks, [])
        peer.room = anyio.Event()
        sink.clear()
        sink.begin(1)
        sink.post("posted")
        sink.clear()
        await anyio.sleep(1)
        assert "clear" not in peer.frames
        peer.room.set()
        await anyio.sleep(0.01)
        assert peer.frames[-2:] == ["clear", "posted"]
        sink.close()


@pytest.mark.anyio
@pytest.mark.parametrize("room", [True, False])
async def test_a_peer_that_is_gone_is_told_by_the_writer(room: bool) -> None:
    """Whoever clears the sink is not the one to be told, also if it is gone while it is waited for."""
    raised: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        peer = Peer()
        sink = await speaking(peer, tasks, raised)
        if room:
            peer.gone = True
            sink.pause()
        else:
            peer.room = anyio.Event()
            sink.pause()
            await anyio.sleep(6)
        await anyio.sleep(0.01)
        assert [type(error) for error in raised] == [ConnectionFailed]
        with pytest.raises(ConnectionFailed):
            await sink.play(HALF)


@pytest.mark.anyio
async def test_cancelled_while_it_waits() -> None:
    """The rest is given up, without a warning."""
    async with anyio.create_task_group() as tasks:
        peer = Peer()
        sink = await speaking(peer, tasks, [])
        peer.room = anyio.Event()
        sink.clear()
        await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()
    assert "clear" not in peer.frames


@pytest.mark.anyio
async def test_an_adapted_websocket_never_raises_anything_else() -> None:
    """Neither on receiving nor on closing."""

    class Broken(Peer):
        async def receive(self) -> str | bytes | None:
            raise RuntimeError("no")

        async def close(self) -> None:
            raise RuntimeError("no")

    websocket: Adapted = adapted(Broken())
    assert await websocket.receive() is None
    assert await websocket.receive() is None
    await websocket.close()
