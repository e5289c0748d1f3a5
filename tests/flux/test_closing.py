"""Closing a Flux stream and leaving it: the open turn, codes, bounds, cancellation."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import START, Link, flux_peer, polite, tcp_peer, turn_then_close
from tests.support.streams import KEY, everything, opened, read_by_another
from tests.support.waiting import settle, until
from turnkit.errors import ConnectionFailed, FluxError
from turnkit.flux import FluxStream, connect
from turnkit.wire import FluxOptions, TurnInfo

pytestmark = pytest.mark.anyio

END = {"event": "EndOfTurn", "transcript": "hello", "trigger": "model"}
OLD_END = {"event": "EndOfTurn", "transcript": "hello"}


@pytest.mark.parametrize(
    ("events", "commands"),
    [
        ([], ["CloseStream"]),
        ([{"event": "Update", "transcript": "he"}], ["CloseStream"]),
        ([START, {"event": "Update"}], ["ForceEndTurn", "CloseStream"]),
        ([{"event": "EagerEndOfTurn"}], ["ForceEndTurn", "CloseStream"]),
        ([START, END], ["CloseStream"]),
        ([START, END, START], ["ForceEndTurn", "CloseStream"]),
        ([START, OLD_END, START], ["CloseStream"]),
    ],
)
async def test_closing_ends_the_open_turn_first(events: list[dict[str, Any]], commands: list[str]) -> None:
    """ForceEndTurn goes before CloseStream if a turn is open and the host is not known to be too old for it."""
    async with opened(turn_then_close(*events)) as (stream, peer):
        for _ in range(1 + len(events)):
            await anext(stream)
        await stream.send_audio(bytes(2560 + 101))
        await stream.close()
        await stream.close()
    assert [command["type"] for command in peer.commands] == commands
    assert [len(frame) for frame in peer.audio] == [2560, 100]


async def test_closing_is_not_spoilt_by_a_host_without_forced_ends() -> None:
    """The Error it answers our ForceEndTurn with ends the iteration like any close."""

    async def refuse(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.hear_until("ForceEndTurn")
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    for iterated in (True, False):
        async with opened(refuse) as (stream, _):
            await anext(stream)
            await anext(stream)
            await stream.close()
            if iterated:
                assert await everything(stream) == []
        assert await everything(stream) == []


async def test_other_errors_after_close_are_told() -> None:
    """Losing the last words to a failure of Flux's is not hidden from whoever still reads."""

    async def fail(link: Link) -> None:
        await link.connected()
        await link.hear_until("CloseStream")
        await link.say("Error", code="INTERNAL_SERVER_ERROR", description="")
        await link.close(1011)

    async with opened(fail) as (stream, _):
        await stream.close()
        with pytest.raises(FluxError, match="INTERNAL_SERVER_ERROR"):
            await everything(stream)


@pytest.mark.parametrize("code", [1000, 1001, None, 1006])
async def test_after_close_these_codes_end_the_iteration(code: int | None) -> None:
    """What still comes is read first."""

    async def leave(link: Link) -> None:
        await link.connected()
        await link.hear_until("CloseStream")
        await link.turn("Update", "last words")
        await (link.drop() if code == 1006 else link.close(code))

    async with opened(leave) as (stream, _):
        await stream.close()
        read = await everything(stream)
    # A connection that is torn down may take the last words with it.
    assert len(read) == 2 or code == 1006


async def test_after_close_another_code_is_still_a_failure() -> None:
    """1011 means that Flux could not finish."""

    async def leave(link: Link) -> None:
        await link.connected()
        await link.hear_until("CloseStream")
        await link.close(1011, "NET-0000")

    async with opened(leave) as (stream, _):
        await stream.close()
        with pytest.raises(ConnectionFailed, match="1011"):
            await everything(stream)


async def test_closing_a_connection_that_is_gone_is_no_error() -> None:
    """Neither before nor after the iteration has seen the end."""

    async def drop(link: Link) -> None:
        await link.connected()
        await link.drop()

    async with opened(drop) as (stream, _):
        await anext(stream)
        await stream.close()
    async with opened(drop) as (stream, _):
        await anext(stream)
        with pytest.raises(ConnectionFailed):
            await anext(stream)
        await stream.close()


@pytest.mark.parametrize("when", ["waiting", "while draining", "after leaving"])
async def test_leaving_drains_for_a_reader_that_is_still_there(when: str) -> None:
    """Whoever iterates in an outer task sees the last words, whether it waits for them or comes back late."""
    late = anyio.Event()
    read: list[str] = []

    async def last_words(link: Link) -> None:
        await link.connected()
        await link.hear_until("CloseStream")
        if when == "while draining":
            late.set()
            await settle()
        await link.turn("Update", "last words")
        await link.close(None)

    async def iterate(stream: FluxStream) -> None:
        async for message in stream:
            if when != "waiting":
                await late.wait()
            if isinstance(message, TurnInfo):
                read.append(message.transcript)

    async with anyio.create_task_group() as tasks:
        async with opened(last_words) as (stream, _):
            tasks.start_soon(iterate, stream)
            await settle()
        late.set()
    assert read == ["last words"]


async def test_leaving_waits_for_a_silent_flux_no_longer_than_close_timeout() -> None:
    """Then the socket is dropped; a reader's iteration ends as after any close."""
    gone = anyio.Event()

    async def stay(link: Link) -> None:
        await link.connected()
        await link.gone()
        gone.set()

    async with flux_peer(stay) as peer:
        async with connect(api_key=KEY, url=peer.url, close_timeout=0.05) as stream:
            pass
        assert len(await everything(stream)) == 1
        await gone.wait()


async def test_after_close_a_silent_flux_holds_the_reader_no_longer_than_close_timeout() -> None:
    """Also where nobody leaves: the iteration ends, and what Flux had not covered is told to be lost, once."""

    async def stay(link: Link) -> None:
        await link.connected()
        await link.turn("Update", audio_window_end=0.4)
        await link.gone()

    async with opened(stay, close_timeout=2) as (stream, _):
        await stream.send_audio(bytes(32000))
        began = anyio.current_time()
        kinds = []
        async for item in stream:
            kinds.append(type(item).__name__)
            if isinstance(item, TurnInfo):
                await stream.close()
        assert kinds == ["Connected", "TurnInfo"]
        assert anyio.current_time() - began == pytest.approx(2, abs=0.3)
        assert stream.lost_audio_seconds == pytest.approx(0.6)
    assert stream.lost_audio_seconds == pytest.approx(0.6)


async def test_leaving_by_cancellation_is_prompt() -> None:
    """Nothing is finalised and nobody is waited for, whatever the timeouts."""
    gone = anyio.Event()

    async def stay(link: Link) -> None:
        await link.connected()
        await link.gone()
        gone.set()

    async with flux_peer(stay) as peer:
        started = anyio.current_time()
        with anyio.CancelScope() as scope:
            async with (
                connect(api_key=KEY, url=peer.url, close_timeout=1000.0, answer_timeout=1000.0) as stream,
                read_by_another(stream),
            ):
                await until(lambda: stream.request_id)
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        await gone.wait()
        assert anyio.current_time() - started < 5
    assert peer.heard == []


async def test_leaving_by_cancellation_is_prompt_while_a_send_is_blocked() -> None:
    """A peer that does not read cannot hold up the cancellation either."""
    over = anyio.Event()
    poured: list[int] = []

    async def deaf(link: Link) -> None:
        await link.connected()
        await over.wait()

    async def pour(stream: FluxStream) -> None:
        while True:
            poured.append(1)
            await stream.send_audio(bytes(2**20))

    async def until_blocked() -> None:
        before = -1
        while len(poured) != before:
            before = len(poured)
            for _ in range(10):
                await settle()

    options = FluxOptions(encoding=None, sample_rate=None)
    async with flux_peer(deaf) as peer:
        with anyio.CancelScope() as scope:
            async with (
                connect(options, api_key=KEY, url=peer.url, send_timeout=1000.0) as stream,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(pour, stream)
                await until_blocked()
                scope.cancel()
        assert scope.cancelled_caught
        over.set()


async def test_connecting_can_be_cancelled() -> None:
    """While the handshake hangs, and while Connected is awaited."""

    async def silence(stream: anyio.abc.SocketStream) -> None:
        await anyio.sleep_forever()

    async def swallow(link: Link) -> None:
        await link.gone()

    async with tcp_peer(silence) as host, flux_peer(swallow) as peer:
        for url in (f"ws://{host}", peer.url):
            with anyio.move_on_after(0.02) as scope:
                async with connect(url=url, connect_timeout=1000.0):
                    pytest.fail("Connected never came")
            assert scope.cancelled_caught


async def test_what_the_body_raises_comes_out_as_it_is() -> None:
    """Also where it is an OSError or a group, which are not the connection's; Flux is told to close all the same."""
    for raised in (OSError("mine"), ExceptionGroup("ours", [ValueError(), KeyError()]), KeyboardInterrupt()):
        with pytest.raises(type(raised)) as caught:
            async with opened(polite) as (_, peer):
                raise raised
        assert [command["type"] for command in peer.commands] == ["CloseStream"] * isinstance(raised, Exception)
        assert caught.value.args == raised.args
