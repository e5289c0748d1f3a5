"""Random outages at random moments: whatever happens, audio is offered again or counted, and time never goes back."""

from __future__ import annotations

import asyncio
import struct
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from websockets import exceptions as ws
from websockets.datastructures import Headers
from websockets.http11 import Response

from tests.support.effort import tries
from tests.support.streams import connect_by
from tests.support.waiting import settle
from turnkit.flux import FluxStream, StreamItem
from turnkit.flux import connecting as line
from turnkit.turns.events import StreamLost, StreamRestored
from turnkit.wire import Connected, FluxOptions, TurnInfo

pytestmark = pytest.mark.anyio

RATE = 32000  # bytes a second of 8 kHz linear32, whose samples here are numbers that count up
OPTIONS = FluxOptions(encoding="linear32", sample_rate=8000)


class Socket:
    """A websocket to a Flux in the same room: what it hears it keeps, what it says it is told to."""

    response = Response(101, "", Headers())

    def __init__(self) -> None:
        self.stream = self  # of which the stream drops the connection, as of a trio websocket
        self.heard = bytearray()
        self.says = [b'{"type": "Connected", "sequence_id": 0}']
        self.said = 1
        self.window = 0.0
        self.gone = False
        self.news = anyio.Event()

    async def __aenter__(self) -> Socket:
        await anyio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.drop()

    async def recv(self, _: bool) -> bytes:
        while not self.says:
            if self.gone:
                raise ws.ConnectionClosedError(None, None)
            await self.news.wait()
        await settle()
        return self.says.pop(0)

    async def send(self, frame: str | bytes) -> None:
        await settle()
        if self.gone:
            raise ws.ConnectionClosedError(None, None)
        if isinstance(frame, bytes):
            self.heard += frame
        elif "CloseStream" in frame:
            self.drop()

    def cover(self, share: float) -> None:
        """Say that this share of what is not covered yet is covered now: a word ended there."""
        if self.gone:
            return
        samples = int((len(self.heard) / RATE - self.window) * share * 8000)
        self.window += samples / 8000
        self.says.append(
            b'{"type": "TurnInfo", "event": "Update", "turn_index": 0, "audio_window_end": %f, "sequence_id": %d, '
            b'"transcript": "well", "words": [{"word": "well", "end": %f}]}' % (self.window, self.said, self.window)
        )
        self.said += 1
        self._wake()

    def drop(self) -> None:
        self.gone = True
        self._wake()

    def _wake(self) -> None:
        news, self.news = self.news, anyio.Event()
        news.set()

    async def aclose(self) -> None:
        self.drop()

    async def wait_closed(self) -> None:
        while not self.gone:
            await self.news.wait()


class Host:
    """Where these Fluxes live; it may be down."""

    def __init__(self) -> None:
        self.up = True
        self.sockets: list[Socket] = []

    def open(self, *_: object) -> Any:
        if not self.up:
            return Closed()
        self.sockets.append(Socket())
        return self.sockets[-1]


class Closed:
    """An attempt at a host that is down."""

    async def __aenter__(self) -> Socket:
        raise ConnectionRefusedError

    async def __aexit__(self, *_: object) -> None:
        pass


class Call:
    """A stream in use: one task reads it, another speaks; `play` takes the steps."""

    def __init__(self, stream: FluxStream, host: Host) -> None:
        self.stream = stream
        self.host = host
        self.given = 0  # samples
        self.items: list[StreamItem] = []
        self.scope = anyio.CancelScope()

    async def read(self) -> None:
        while True:
            with anyio.CancelScope() as self.scope:
                try:
                    item = await anext(self.stream)
                except StopAsyncIteration:
                    return
                self.items.append(item)

    async def play(self, step: tuple[str, float]) -> None:
        name, amount = step
        if name == "speak":
            count = int(amount * 4000)
            data = b"".join(struct.pack("<I", self.given + number) for number in range(count))
            self.given += count
            await self.stream.send_audio(data)
        elif name == "cover":
            self.host.sockets[-1].cover(amount)
        elif name == "drop":
            self.host.sockets[-1].drop()
        elif name == "down":
            self.host.up = False
            self.host.sockets[-1].drop()
        elif name == "up":
            self.host.up = True
        elif name == "cancel":
            self.scope.cancel()
        elif name == "flush":
            await self.stream.flush()
        else:
            await anyio.sleep(amount * 3)


NAMES = ("speak", "speak", "speak", "cover", "cover", "drop", "down", "up", "wait", "cancel", "flush")
STEPS = st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0, 1)), max_size=40)


def check(call: Call, kept: float) -> None:
    """What has to be true of any call, once it is over."""
    times = [item.audio_window_end for item in call.items if isinstance(item, TurnInfo)]
    assert times == sorted(times)
    changes = [type(item) for item in call.items if not isinstance(item, TurnInfo)]
    cycle = [Connected, *[StreamLost, StreamRestored, Connected] * len(changes)]
    assert changes == cycle[: len(changes)]
    covered = lost = end = 0
    heard_last = call.host.sockets[-1].heard
    for socket in call.host.sockets:
        numbers = [number for (number,) in struct.iter_unpack("<I", socket.heard)]
        if not numbers:
            continue
        end = numbers[-1] + 1
        assert numbers == list(range(numbers[0], end)), "in order and without a gap"
        assert numbers[0] >= covered, "what was covered is not sent again"
        lost += numbers[0] - covered
        covered = numbers[0] + round(socket.window * 8000)
    if not heard_last:
        lost += call.given - covered  # nothing was left to offer it
    else:
        assert end == call.given, "everything was offered in the end"
    assert call.stream.lost_audio_seconds == pytest.approx(lost / 8000)
    assert lost == 0 or call.given / 8000 > kept, "what there is room for is kept"
    if heard_last and call.host.sockets[-1].said > 1:
        assert times[-1] == pytest.approx(covered / 8000), "the stream's time is that of what was given"


async def held(steps: list[tuple[str, float]], kept: float, *, settled: bool = True) -> Call:
    """A call with these steps, which is closed in the end, or left as it is if it need not have settled."""
    host = Host()
    with pytest.MonkeyPatch.context() as patch, capture_logs():
        patch.setattr(line, "websocket", host.open)
        off = float("inf")
        bounds: dict[str, Any] = {"reconnect_timeout": 1e6, "replay_seconds": kept, "message_timeout": off}
        async with connect_by(Random(0), OPTIONS, url="ws://127.0.0.1:9", **bounds) as stream:
            call = Call(stream, host)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call.read)
                for step in steps:
                    await call.play(step)
                    await settle()
                if not settled:
                    break_off = anyio.current_time()
                    tasks.cancel_scope.cancel()
                else:
                    host.up = True
                    await anyio.sleep(20)
                    await stream.close()
        if not settled:
            assert anyio.current_time() - break_off <= 2.1, "no longer than close_timeout"
    return call


RULES = settings(max_examples=tries(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@RULES
@given(steps=STEPS, kept=st.sampled_from([0.0, 0.5, 15.0]))
async def test_no_outage_loses_what_is_not_counted(steps: list[tuple[str, float]], kept: float) -> None:
    """In order, from the last covered sample on or counted as lost; no time goes back, and no task stays."""
    before = tasks_of_asyncio()
    check(await held(steps, kept), kept)
    assert tasks_of_asyncio() == before


@RULES
@given(steps=STEPS)
async def test_a_call_can_be_left_at_any_moment(steps: list[tuple[str, float]]) -> None:
    """Whatever state it is in: in time, without an error, and no task or connection stays."""
    before = tasks_of_asyncio()
    call = await held(steps, 15.0, settled=False)
    assert tasks_of_asyncio() == before
    assert all(socket.gone for socket in call.host.sockets if socket.heard)
    assert repr(call.stream).startswith("<FluxStream closed ")


def tasks_of_asyncio() -> int:
    """How many there are; trio's cannot outlive their nursery."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0
