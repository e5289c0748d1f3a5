"""Reading a Flux stream: messages in order, frames that cannot be read, and how it ends."""

from __future__ import annotations

from typing import cast

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import Link, flux_peer, polite
from tests.support.streams import KEY, TWO_SECONDS, everything, opened, read_by_another
from tests.support.waiting import until
from turnkit.errors import ConnectionFailed, FluxError, LocalProtocolError, RemoteProtocolError
from turnkit.flux import connect
from turnkit.flux import connecting as line
from turnkit.wire import Connected, TurnInfo, Unknown, WarningMessage

pytestmark = pytest.mark.anyio


async def test_messages_come_in_order_and_connected_is_the_first() -> None:
    """Every message is yielded, decoded; the iteration ends after close()."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("Update")
        await link.turn("StartOfTurn", "hello")
        await link.say("Warning", code="SOMETHING", description="odd")
        await link.say("Newcomer", detail=1)
        await link.hang_up()

    async with opened(speak) as (stream, _):
        read = [await anext(stream) for _ in range(5)]
        await stream.close()
        assert await everything(stream) == []
    assert [type(message) for message in read] == [Connected, TurnInfo, TurnInfo, WarningMessage, Unknown]
    assert cast(TurnInfo, read[2]).transcript == "hello"
    assert stream.missed_messages == 0


@pytest.mark.parametrize(
    "frame", [b"", b"\x00\xff", b"not json", b"[1]", b'{"type": "TurnInfo"}', b"{}", b'{"type": "Upd', b"\xff"]
)
@pytest.mark.parametrize("binary", [True, False])
async def test_a_frame_that_cannot_be_read_does_not_end_the_stream(frame: bytes, binary: bool) -> None:
    """It is yielded as Unknown, with its problem and its bytes; what follows comes as ever."""

    async def speak(link: Link) -> None:
        await link.connected()
        await (link.send(frame) if binary else link.send_text_bytes(frame))
        await link.turn("StartOfTurn", "hello")
        await link.hang_up()

    async with opened(speak) as (stream, _):
        _, broken, after = [await anext(stream) for _ in range(3)]
    assert isinstance(broken, Unknown)
    assert broken.problem
    assert broken.raw == frame
    assert cast(TurnInfo, after).transcript == "hello"


async def test_a_frame_of_one_mebibyte_passes_and_one_byte_more_does_not() -> None:
    """Frames beyond 1 MiB are not Flux's: the connection ends with a RemoteProtocolError."""
    empty = len('{"type": "TurnInfo", "event": "Update", "turn_index": 0, "transcript": ""}')
    frame = '{"type": "TurnInfo", "event": "Update", "turn_index": 0, "transcript": "%s"}'

    async def speak(link: Link) -> None:
        await link.connected()
        await link.send(frame % ("x" * (2**20 - empty)))
        await link.send(frame % ("x" * (2**20 - empty + 1)))
        await link.gone()

    async with opened(speak) as (stream, _):
        _, large = [await anext(stream) for _ in range(2)]
        assert len(cast(TurnInfo, large).transcript) == 2**20 - empty
        with pytest.raises(RemoteProtocolError, match="1009"):
            await anext(stream)
        assert await everything(stream) == []


@pytest.mark.parametrize("code", [1000, 1001, None, 1008, 1011])
async def test_a_close_that_nobody_asked_for_is_a_failed_connection(code: int | None) -> None:
    """Also a polite one: it raises once, with code and reason, and then the iteration is over."""

    async def leave(link: Link) -> None:
        await link.connected()
        await link.close(code, "NET-0001" if code else "")

    async with opened(leave) as (stream, _):
        await anext(stream)
        with pytest.raises(ConnectionFailed, match=f"unasked .code {code or 1005}") as failed:
            await anext(stream)
        assert ("NET-0001" in str(failed.value)) == bool(code)
        assert await everything(stream) == []
        with pytest.raises(ConnectionFailed, match="has ended"):
            await stream.send_audio(TWO_SECONDS)


async def test_a_lost_connection_is_a_failed_connection() -> None:
    """Without a close frame, it is 1006."""

    async def drop(link: Link) -> None:
        await link.connected()
        await link.drop()

    async with opened(drop) as (stream, _):
        await anext(stream)
        with pytest.raises(ConnectionFailed, match="code 1006"):
            await anext(stream)


async def test_an_error_of_flux_surfaces_once() -> None:
    """Error raises FluxError, and the close that follows it is not raised again."""

    async def fail(link: Link) -> None:
        await link.connected()
        await link.turn("Update", "before")
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    async with opened(fail) as (stream, _):
        await anext(stream)
        assert cast(TurnInfo, await anext(stream)).transcript == "before"
        with pytest.raises(FluxError) as failed:
            await anext(stream)
        assert (failed.value.code, failed.value.request_id) == ("UNPARSABLE_CLIENT_MESSAGE", "req-1")
        assert "does not know a command" in failed.value.advice
        assert await everything(stream) == []


async def test_only_one_task_reads_at_a_time() -> None:
    """A second iteration is the caller's mistake and changes nothing."""
    async with opened(polite) as (stream, _), read_by_another(stream) as read:
        await until(lambda: read)
        with pytest.raises(LocalProtocolError, match="only one task"):
            await anext(stream)
    assert [type(message) for message in read] == [Connected]


async def test_missing_numbers_are_counted() -> None:
    """A gap in sequence_id is lost input; messages without a number, or unreadable, forgive one each."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("Update", sequence_id=1)
        await link.turn("Update", sequence_id=4)
        await link.send("garbage")
        await link.say("Warning", numbered=False, code="W")
        await link.turn("Update", sequence_id=7)
        await link.turn("Update", sequence_id=7)
        await link.say("Newcomer", sequence_id=8)
        await link.turn("Update", sequence_id=10)
        await link.hang_up()

    async with opened(speak) as (stream, _):
        read = [await anext(stream) for _ in range(9)]
    assert len(read) == 9
    assert stream.missed_messages == 3


async def test_a_consumer_that_is_busy_does_not_cost_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pings are answered, and pongs seen, while hundreds of messages wait for the consumer."""
    monkeypatch.setattr(line, "PING", 0.05)

    async def speak(link: Link) -> None:
        await link.connected()
        for number in range(500):
            await link.turn("Update", str(number))
        await link.hang_up()

    async with (
        flux_peer(speak, ping_interval=0.05, ping_timeout=0.05) as peer,
        connect(api_key=KEY, url=peer.url) as stream,
    ):
        await anyio.sleep(0.25)  # as long as several pings and their deadlines: the fact needs the time
        read = [await anext(stream) for _ in range(501)]
    assert cast(TurnInfo, read[-1]).transcript == "499"
