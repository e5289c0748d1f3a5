"""turnkit's stream over the connections of Deepgram's own asynchronous client, the real one, on the simulator."""

from __future__ import annotations

import logging
import traceback
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import anyio
import msgspec
import pytest

from tests.support.deepgram_clients import KEY, NOISE, async_client
from turnkit import (
    Commit,
    ConfigError,
    ConnectionFailed,
    FluxError,
    FluxOptions,
    FluxStream,
    Session,
    StreamLost,
    StreamRestored,
    connect,
)
from turnkit.simulator import Script, marked_silence, say, serve
from turnkit.testing import virtual_time
from turnkit.wire import Configure, Thresholds, TurnInfo, Unknown

pytest.importorskip("deepgram", reason="Deepgram's SDK is tested in an environment of its own: .ci/interop")

pytestmark = [pytest.mark.anyio, *map(pytest.mark.filterwarnings, NOISE)]

EAGER = FluxOptions(eager_eot_threshold=0.4)
CALL = Script((say("Good morning. I'd like to know (0.9) when you open.", at=1.0), say("At eight.", at=8.0)), seed=1)
QUIET = Script((say("Hello there.", at=60.0),), seed=1)
SAID = "i would like to book a table for two people please"
TALK = Script((say(SAID, at=0.5),), seed=3)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The SDK runs on asyncio only; on a clock that jumps here too."""
    return virtual_time("asyncio")


async def speak(stream: FluxStream, seconds: float, *, marked: bool = False) -> None:
    """Send so much audio, in real time, and close."""
    for frame in range(round(seconds / 0.08)):
        await anyio.sleep(0.08)
        await stream.send_audio(marked_silence(0.08, start=frame * 0.08) if marked else bytes(2560))
    await stream.close()


async def heard(stream: FluxStream, seconds: float) -> list[Any]:
    """What comes of so much audio."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(speak, stream, seconds)
        items = [item async for item in stream]
    return items


async def test_it_gives_what_turnkits_own_client_gives() -> None:
    """Message for message, and all five events are among them."""
    from turnkit.interop.deepgram import flux

    async with serve(CALL, api_key=KEY) as simulator:
        async with flux(async_client(simulator), EAGER) as stream:
            theirs = await heard(stream, 11.0)
        async with connect(EAGER, api_key=KEY, url=simulator.url) as stream:
            ours = await heard(stream, 11.0)
    assert [msgspec.structs.replace(one, request_id="") for one in theirs] == [
        msgspec.structs.replace(one, request_id="") for one in ours
    ]
    events = {one.event for one in theirs if isinstance(one, TurnInfo)}
    assert events == {"StartOfTurn", "Update", "EagerEndOfTurn", "TurnResumed", "EndOfTurn"}
    assert [one.words for one in theirs if isinstance(one, TurnInfo)] == [
        one.words for one in ours if isinstance(one, TurnInfo)
    ]


async def test_every_option_reaches_flux() -> None:
    """Also those that the version has no name for, and several values of one; the simulator refuses what is unknown."""
    from turnkit.interop.deepgram import flux

    options = FluxOptions(
        model="flux-general-multi",
        encoding="mulaw",
        sample_rate=8000,
        eot_threshold=0.8,
        eager_eot_threshold=0.6,
        eot_timeout_ms=7000,
        keyterm=("crème brûlée", "a,b"),
        language_hint=("en", "fr"),
        profanity_filter=True,
        numerals=True,
        redact="numbers",
        mip_opt_out=True,
        tag=("a", "b"),
    )
    async with serve(QUIET, api_key=KEY) as simulator, flux(async_client(simulator), options) as stream:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak, stream, 0.8)
            got = await configured_while_read(stream, Configure(thresholds=Thresholds(eot_timeout_ms=7001)))
        assert got.thresholds == Thresholds(0.8, 0.6, 7001)
        assert got.keyterms == ("crème brûlée", "a,b")
        assert got.language_hints == ("en", "fr")
        assert got.profanity_filter is got.numerals is True
        assert stream.options == msgspec.structs.replace(options, eot_timeout_ms=7001)
    assert simulator.connections[0].audio_seconds == pytest.approx(3.2)  # 8,000 bytes a second


async def configured_while_read(stream: FluxStream, command: Configure) -> Any:
    """The answer to a Configure, while another task reads."""
    answers = []
    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            answers.append(await stream.configure(command))

        tasks.start_soon(ask)
        async for _ in stream:
            pass
    return answers[0]


async def test_a_configure_that_flux_refuses_says_so() -> None:
    """As over turnkit's own connection."""
    from turnkit.interop.deepgram import flux

    async with (
        serve(QUIET, faults=["configure_refused"]) as simulator,
        flux(async_client(simulator)) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(heard, stream, 0.8)
        with pytest.raises(FluxError, match="The old values stay"):
            await stream.configure(Configure(keyterms=["Smith"]))


async def test_a_turn_is_ended_on_request() -> None:
    """True with the manual end."""
    from turnkit.interop.deepgram import flux

    async with serve(TALK) as simulator, flux(async_client(simulator)) as stream:
        ends: list[TurnInfo] = []
        forced: list[bool] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak, stream, 3.0)
            async for item in stream:
                if isinstance(item, TurnInfo) and item.event == "StartOfTurn" and item.turn_index == 0:

                    async def force() -> None:
                        forced.append(await stream.force_end_turn())

                    tasks.start_soon(force)
                elif isinstance(item, TurnInfo) and item.event == "EndOfTurn":
                    ends.append(item)
    assert forced == [True]
    assert ends[0].trigger == "manual"
    assert SAID.startswith(ends[0].transcript)


async def test_leaving_finalises_and_closes() -> None:
    """CloseStream is sent, the connection is closed, and what is sent after that is refused."""
    from turnkit import LocalProtocolError
    from turnkit.interop.deepgram import flux

    async with serve(QUIET) as simulator:
        async with flux(async_client(simulator)) as stream:
            await stream.send_audio(bytes(100))
        assert simulator.connections[0].commands[-1] == "CloseStream"
        assert simulator.connections[0].audio_seconds > 0
        with pytest.raises(LocalProtocolError):
            await stream.send_audio(bytes(100))
    assert not simulator.connections[0].open


async def test_a_wrong_key_is_refused_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    """FluxError with status and request id; the SDK's own error would print the header with the key."""
    from turnkit.interop.deepgram import flux

    wrong = "not-the-key-at-all"
    caplog.set_level(logging.INFO)
    async with serve(QUIET, api_key=KEY) as simulator:
        with pytest.raises(FluxError) as refused:
            async with flux(async_client(simulator, wrong)):
                pass
    assert refused.value.status == 401
    assert "Invalid credentials" in str(refused.value)
    assert refused.value.request_id
    shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value.__context__.__dict__)
    assert wrong not in shown
    assert wrong not in caplog.text


async def test_a_temporary_token_travels_as_bearer() -> None:
    """As the SDK's `access_token`."""
    from deepgram import AsyncDeepgramClient

    from turnkit.interop.deepgram import flux

    async with serve(QUIET, token="a-jwt-of-sixteen") as simulator:
        client = async_client(simulator, access_token="a-jwt-of-sixteen")
        assert isinstance(client, AsyncDeepgramClient)
        async with flux(client) as stream:
            assert stream.connected


async def test_a_connection_that_is_lost_is_made_again_and_nothing_is_lost() -> None:
    """TCP is cut in mid-turn: the client connects again, and the audio that was not covered is sent again."""
    from turnkit.interop.deepgram import flux

    commits: list[str] = []
    session = Session()
    session.on(Commit, lambda commit: commits.append(" ".join((*commit.unanswered, commit.transcript))))
    async with (
        serve(TALK, faults=["drop@2.0s/1"], continues=True, api_key=KEY) as simulator,
        flux(async_client(simulator), EAGER) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(partial(speak, stream, 7.0, marked=True))
        await session.run(stream)
    words = " ".join(commits).lower()
    assert all(
        word in words for word in ["i", "would", "like", "to", "book", "a", "table", "for", "two", "people", "please"]
    )
    assert len(simulator.connections) == 2
    assert stream.lost_audio_seconds == 0.0


async def test_refused_while_connecting_again_it_ends() -> None:
    """As with a token that has expired meanwhile: FluxError, at once."""
    from turnkit.interop.deepgram import flux

    items: list[object] = []
    async with serve(TALK, faults=["drop@2.0s/1", "refuse:401@connect/2"], continues=True) as simulator:
        with pytest.raises(FluxError, match="401"):
            await read_while_sending(flux(async_client(simulator)), items)
    assert any(isinstance(item, StreamLost) for item in items)
    assert not any(isinstance(item, StreamRestored) for item in items)


async def read_while_sending(opening: AbstractAsyncContextManager[FluxStream], items: list[object]) -> None:
    """Read a stream to its end into `items`, with audio in real time."""
    async with opening as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(send_for_ever, stream)
        async for item in stream:
            items.append(item)  # noqa: PERF401  # also what came before it raised


async def send_for_ever(stream: FluxStream) -> None:
    """Audio in real time."""
    while True:
        await anyio.sleep(0.08)
        await stream.send_audio(bytes(2560))


@pytest.mark.parametrize("fault", ["stall@2.0s/1", "deaf:60@2.0s/1"])
async def test_a_host_that_falls_silent_is_given_up(fault: str) -> None:
    """The SDK would wait for ever: the watchdogs are turnkit's, and so is what comes after."""
    from turnkit.interop.deepgram import flux

    items: list[object] = []
    async with (
        serve(TALK, faults=[fault], continues=True) as simulator,
        flux(async_client(simulator), message_timeout=3.0, send_timeout=1.0) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(send_for_ever, stream)
        async for item in stream:
            items.append(item)
            if isinstance(item, StreamRestored):
                break
        tasks.cancel_scope.cancel()
    assert [type(item) for item in items if not isinstance(item, TurnInfo)][1:] == [StreamLost, StreamRestored]


async def test_without_reconnecting_a_loss_is_raised() -> None:
    """`reconnect_timeout=0`, as over turnkit's own connection."""
    from turnkit.interop.deepgram import flux

    async with serve(TALK, faults=["drop@2.0s"]) as simulator:
        with pytest.raises(ConnectionFailed, match="1006"):
            await read_while_sending(flux(async_client(simulator), reconnect_timeout=0), [])


async def test_nobody_there_is_told_as_ever() -> None:
    """ConnectionFailed, without a second attempt."""
    from turnkit.interop.deepgram import flux

    async with serve(QUIET) as simulator:
        client = async_client(simulator)
    with pytest.raises(ConnectionFailed, match="could not be reached"):
        async with flux(client):
            pass


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"TurnInfo","sequence_id":1',
        "[1]",
        '"words"',
        "null",
        "1e999",
        '{"type":"TurnInfo","event":["StartOfTurn"],"turn_index":"x","transcript":{"a":1}}',
        '{"type":"Tomorrow","request_id":"r","sequence_id":1}',
        '{"type":[]}',
        "[" * 100_000,
        b"\xff\x00binary",
    ],
)
async def test_garbage_is_unknown_and_the_stream_goes_on(frame: str | bytes) -> None:
    """Whatever the SDK makes of it, or does not."""
    from turnkit.interop.deepgram import flux

    async with garbage(frame) as simulator, flux(async_client(simulator), reconnect_timeout=0) as stream:
        items = []
        async for item in stream:
            items.append(item)
            if len(items) == 3:
                break
    assert type(items[1]) is Unknown
    assert isinstance(items[2], TurnInfo)
    assert items[2].transcript == "Hello"


def garbage(frame: str | bytes) -> Any:
    """A host that says Connected, the frame, and a turn."""
    from contextlib import asynccontextmanager
    from types import SimpleNamespace

    from websockets.asyncio.server import serve as serve_frames

    async def talk(socket: Any) -> None:
        await socket.send('{"type":"Connected","request_id":"r","sequence_id":0}')
        await socket.send(frame)
        await socket.send(
            '{"type":"TurnInfo","request_id":"r","sequence_id":2,"event":"StartOfTurn","turn_index":0,'
            '"audio_window_start":0,"audio_window_end":1,"transcript":"Hello","words":[],"end_of_turn_confidence":0.1}'
        )
        await socket.wait_closed()

    @asynccontextmanager
    async def listening() -> Any:
        async with serve_frames(talk, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            yield SimpleNamespace(url=f"ws://127.0.0.1:{port}")

    return listening()


def test_on_trio_it_says_that_the_sdk_cannot() -> None:
    """And what can."""
    import trio

    from turnkit.interop.deepgram import flux

    async def enter() -> None:
        async with serve(QUIET) as simulator:
            with pytest.raises(ConfigError, match=r"trio: .* asyncio only; turnkit.connect runs on both"):
                async with flux(async_client(simulator)):
                    pass

    trio.run(enter)


async def test_what_cannot_work_is_refused_at_once() -> None:
    """Before the network is touched, and with the way out."""
    from tests.support.deepgram_clients import sync_client
    from turnkit.interop.deepgram import flux

    async with serve(QUIET) as simulator:
        good = async_client(simulator)
        with pytest.raises(ConfigError, match=r"AsyncDeepgramClient, not DeepgramClient; .*listen"):
            flux(sync_client(simulator))
        with pytest.raises(ConfigError, match="options: must be FluxOptions"):
            flux(good, {"model": "flux-general-en"})  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="send_timout: no such setting"):
            flux(good, send_timout=1.0)
        with pytest.raises(ConfigError, match="send_timeout"):
            flux(good, send_timeout=-1.0)
    assert simulator.connections == []
