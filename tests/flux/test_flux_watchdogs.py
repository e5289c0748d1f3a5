"""What only time can tell: a Flux that falls silent, sends that block, pings without pongs, audio that stops."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import anyio
import anyio.abc
import pytest
import trio

from tests.support.flux_peer import (
    Link,
    everything,
    flux_peer,
    in_turn,
    opened,
    polite,
    read_by_another,
    settle,
    tcp_peer,
    until,
)
from turnkit.errors import ConnectionFailed
from turnkit.flux import FluxStream, StreamItem, connect
from turnkit.session import Session
from turnkit.timers import on_trio
from turnkit.turns.events import BargeIn, Commit, NoteKind, StartOfTurn, StreamLost, StreamRestored, TurnStalled, Update
from turnkit.wire import FluxOptions, TurnInfo

pytestmark = pytest.mark.anyio

FRAME = 2560  # bytes of 80 ms at 16 kHz linear16
SPEECH = b"\x01\x02" * (FRAME // 2)
SILENCE = bytes(FRAME)


async def speak(stream: FluxStream, seconds: float, piece: bytes = SPEECH, length: float = 0.08) -> None:
    """Audio in real time."""
    began = anyio.current_time()
    for number in range(round(seconds / length)):
        await anyio.sleep_until(began + number * length)
        await stream.send_audio(piece)


async def mute(link: Link) -> None:
    """Connected, and then never a word, though it listens."""
    await link.connected()
    await link.hang_up()


async def talkative(link: Link) -> None:
    """An Update for every third frame, until it is closed."""
    await link.connected()
    while True:
        for _ in range(3):
            heard = await link.hear()
            if isinstance(heard, dict):
                return await link.close(None)
        await link.turn("Update", audio_window_end=len(link.audio) / 32000)


# No message while audio flows -------------------------------------------------------------------------------------


async def test_a_flux_that_says_nothing_while_audio_flows_is_lost() -> None:
    """message_timeout after the first audio; each connection has as long."""
    at: list[float] = []
    script = in_turn(mute, mute, polite)
    async with opened(script, reconnect_timeout=60) as (stream, _), anyio.create_task_group() as tasks:
        await anext(stream)
        with anyio.move_on_after(30) as scope:  # without audio there is nothing to say
            await anext(stream)
        assert scope.cancelled_caught
        began = anyio.current_time()
        tasks.start_soon(speak, stream, 25)
        for _ in range(2):
            lost = await anext(stream)
            at.append(anyio.current_time() - began)
            assert isinstance(lost, StreamLost)
            assert "sent no message for 10.0 s of audio (message_timeout)" in lost.reason
            assert isinstance(await anext(stream), StreamRestored)
            await anext(stream)
    assert at == pytest.approx([10, 20], abs=0.1)


async def test_without_reconnecting_a_silent_flux_is_a_failed_connection() -> None:
    """It is raised to whoever reads."""
    async with opened(mute, message_timeout=2) as (stream, _), anyio.create_task_group() as tasks:
        tasks.start_soon(speak, stream, 1.6)
        with pytest.raises(ConnectionFailed, match="message_timeout"):
            await everything(stream)


async def test_a_flux_that_talks_is_never_suspected() -> None:
    """Nor is one that has nothing to say because no audio comes."""
    async with (
        opened(talkative, message_timeout=1, reconnect_timeout=5) as (stream, _),
        read_by_another(stream) as read,
    ):
        for _ in range(3):
            await speak(stream, 20)
            await anyio.sleep(10)
    assert not any(isinstance(item, StreamLost) for item in read)


async def test_a_consumer_that_is_busy_is_not_taken_for_a_silent_flux() -> None:
    """Messages lie there, nobody takes them: that is not Flux's fault, and none of them is lost."""
    async with opened(talkative, message_timeout=1, reconnect_timeout=5) as (stream, _):
        await anext(stream)
        await speak(stream, 30)
        items = [await anext(stream) for _ in range(125)]
        await speak(stream, 0.96)
        items += [await anext(stream) for _ in range(4)]
    assert all(isinstance(item, TurnInfo) for item in items)


async def test_a_program_that_stood_still_does_not_blame_flux() -> None:
    """After a blocked event loop the timers are late, and the messages not read yet."""
    async with (
        opened(talkative, message_timeout=10, reconnect_timeout=5) as (stream, _),
        read_by_another(stream) as read,
    ):
        await speak(stream, 2.4)
        for _ in range(5):
            await speak(stream, 0.24)
            pass_time(12)
            await settle()
            await anyio.sleep(0.5)
    assert not any(isinstance(item, StreamLost) for item in read)


def pass_time(seconds: float) -> None:
    """The clock goes on, and nobody can do anything meanwhile."""
    if on_trio():
        trio.lowlevel.current_clock().jump(seconds)  # type: ignore[attr-defined]
    else:
        asyncio.get_running_loop()._jumping.now += seconds  # type: ignore[attr-defined]


async def test_the_watchdog_can_be_switched_off() -> None:
    """With message_timeout=inf a Flux may be silent for ever."""
    async with (
        opened(mute, message_timeout=float("inf"), reconnect_timeout=5) as (stream, peer),
        read_by_another(stream),
    ):
        await speak(stream, 60)
    assert len(peer.requests) == 1


# Sends that block, pings without pongs ----------------------------------------------------------------------------


async def test_a_peer_that_stops_reading_is_lost_and_what_it_did_not_take_is_sent_again() -> None:
    """A frame that does not leave within send_timeout costs the connection, not the call, and not its audio."""
    over = anyio.Event()

    async def deaf(link: Link) -> None:
        await link.connected()
        await over.wait()

    options = FluxOptions(encoding="linear32", sample_rate=48000)
    async with opened(
        in_turn(deaf, polite), options, send_timeout=1, reconnect_timeout=5, replay_seconds=1000, message_timeout=1000
    ) as (stream, peer):
        audio = bytes(range(256)) * 100_000
        await stream.send_audio(audio)
        items = [await anext(stream) for _ in range(4)]
        assert [type(item).__name__ for item in items] == ["Connected", "StreamLost", "StreamRestored", "Connected"]
        assert "took no data for 1 s (send_timeout)" in items[1].reason  # type: ignore[union-attr]
        over.set()
    assert peer.links[1].audio == audio
    assert stream.lost_audio_seconds == 0


async def test_a_peer_that_answers_no_ping_is_lost() -> None:
    """After 20 s a ping, 20 s later it is due, and two seconds go to the closing handshake that is not answered."""

    async def pongless(tcp: anyio.abc.SocketStream) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await tcp.receive()
        (key,) = [
            line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        ]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        await tcp.send(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        greeting = b'{"type": "Connected", "sequence_id": 0}'
        await tcp.send(bytes([0x81, len(greeting)]) + greeting)
        await anyio.sleep_forever()

    async with tcp_peer(pongless) as host, connect(url=f"ws://{host}") as stream:
        await anext(stream)
        began = anyio.current_time()
        lost = await anext(stream)
        assert anyio.current_time() - began == pytest.approx(42, abs=0.1)
    assert isinstance(lost, StreamLost)
    assert "did not answer a ping within 20.0 s" in lost.reason


# Audio that stops inside a turn -----------------------------------------------------------------------------------


class Timed:
    """A Flux with an open turn, which ends it once it has heard `enough` seconds; when what came is noted."""

    def __init__(self, enough: float, rate: int = 32000) -> None:
        self.enough = enough
        self.rate = rate
        self.times: list[float] = []

    async def __call__(self, link: Link) -> None:
        await link.connected()
        await link.hear()
        self.times.append(anyio.current_time())
        await link.turn("StartOfTurn", "hello", audio_window_end=0.08)
        while len(link.audio) / self.rate < self.enough:
            if isinstance(await link.hear(), dict):
                return await link.close(None)
            self.times.append(anyio.current_time())
        await link.turn("EndOfTurn", "hello", trigger="timeout", audio_window_end=self.enough)
        await link.hang_up()


@pytest.mark.parametrize(
    ("encoding", "silence", "rate"),
    [("linear16", b"\0", 32000), ("linear32", b"\0", 64000), ("mulaw", b"\xff", 16000), ("alaw", b"\xd5", 16000)],
)
async def test_audio_that_stops_inside_a_turn_goes_on_as_silence(encoding: str, silence: bytes, rate: int) -> None:
    """Half a second later, 80 ms every 80 ms, until the turn has ended, and not a frame more; it counts as audio."""
    speech = b"\x01" * (rate * 80 // 1000)
    flux = Timed(4.0, rate)
    options = FluxOptions(encoding=encoding, sample_rate=16000)
    async with opened(flux, options) as (stream, peer), read_by_another(stream) as read:
        await speak(stream, 0.8, speech)
        await anyio.sleep(60)
        assert stream.audio_sent == pytest.approx(4.0)
    assert b"".join(peer.audio) == speech * 10 + silence * (40 * len(speech))
    pauses = [after - before for before, after in zip(flux.times, flux.times[1:], strict=False)]
    assert pauses == pytest.approx([0.08] * 9 + [0.5] + [0.08] * 39, abs=0.01)
    assert [type(item).__name__ for item in read] == ["Connected", "TurnInfo", "TurnInfo"]


async def test_pieces_may_be_as_far_apart_as_they_are_long() -> None:
    """Twice the last piece is waited for, if that is more: a second of audio every second is no pause."""
    flux = Timed(7.0)
    async with opened(flux) as (stream, peer), read_by_another(stream):
        await speak(stream, 4, b"\x01" * 32000, 1.0)
        assert b"\0" not in b"".join(peer.audio)
        await anyio.sleep(60)
    silent = next(number for number, frame in enumerate(peer.audio) if b"\0" in frame)
    assert flux.times[silent] - flux.times[silent - 1] == pytest.approx(2.0, abs=0.01)
    assert len(b"".join(peer.audio).lstrip(b"\x01")) == pytest.approx(3 * 32000, abs=FRAME)


async def test_audio_that_comes_back_ends_the_silence() -> None:
    """Nothing of it is lost or cut, and the next pause is waited for anew."""
    flux = Timed(1000)
    async with opened(flux) as (stream, peer), read_by_another(stream):
        for _ in range(3):
            await speak(stream, 0.8)
            await anyio.sleep(1.0)
        await settle()
    frames = peer.audio
    assert set(frames) == {SPEECH, SILENCE}
    assert frames[:10] == [SPEECH] * 10
    assert frames.count(SPEECH) == 30
    assert 18 <= frames.count(SILENCE) <= 24  # each time at 0.5, 0.58 ... 1.06 s after the last frame


async def test_silence_does_not_come_between_the_bytes_of_a_sample() -> None:
    """What is there of a sample waits until the rest comes."""
    flux = Timed(2.0)
    async with opened(flux) as (stream, peer), read_by_another(stream):
        await stream.send_audio(SPEECH + b"\x07\x07\x01")
        await anyio.sleep(30)
        await stream.send_audio(b"\x02" + SPEECH)
        await stream.flush()
    heard = b"".join(peer.audio)
    assert heard[: FRAME + 2] == SPEECH + b"\x07\x07"
    assert heard[FRAME + 2 :].lstrip(b"\0") == b"\x01\x02" + SPEECH
    assert len(heard) % 2 == 0


@pytest.mark.parametrize(
    ("options", "given", "turn"),
    [
        (FluxOptions(), {}, False),
        (FluxOptions(), {"silence_after": float("inf")}, True),
        (FluxOptions(encoding="opus", sample_rate=48000), {}, True),
        (FluxOptions(encoding=None, sample_rate=None), {}, True),
    ],
)
async def test_where_silence_is_not_wanted_none_is_sent(options: FluxOptions, given: Any, turn: bool) -> None:
    """Outside of turns, where it is switched off, and where its bytes are not known."""

    async def play(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.turn("StartOfTurn" if turn else "Update", "hello")
        await link.hang_up()

    async with opened(play, options, **given) as (stream, peer), read_by_another(stream):
        await stream.send_audio(SPEECH)
        await anyio.sleep(60)
    assert peer.audio == [SPEECH]


async def test_without_any_audio_there_is_no_silence_either() -> None:
    """A stream that is only listened to stays that way."""

    async def play(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.hang_up()

    async with opened(play) as (stream, peer), read_by_another(stream):
        await anyio.sleep(60)
    assert peer.audio == []


async def test_silence_ends_with_the_connection_and_with_the_stream() -> None:
    """The turn was lost with it; and what of the silence Flux had not covered is sent again like all audio."""

    async def first(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.turn("StartOfTurn", "hello", audio_window_end=0.08)
        await link.hear_audio(1.6)
        await link.drop()

    async with (
        opened(in_turn(first, Timed(1000)), reconnect_timeout=5) as (stream, peer),
        read_by_another(stream) as read,
    ):
        await stream.send_audio(SPEECH)
        await anyio.sleep(10)
        await stream.close()
        await anyio.sleep(10)
    assert [type(item).__name__ for item in read].count("StreamLost") == 1
    assert set(peer.links[1].own[:-1][:19]) == {SILENCE}


# Backpressure -----------------------------------------------------------------------------------------------------


async def test_a_consumer_that_sleeps_through_pings_loses_nothing() -> None:
    """A minute and more of messages waits for it, while pings are answered and pongs seen."""

    async def chatty(link: Link) -> None:
        await link.connected()
        for number in range(900):
            await anyio.sleep(0.08)
            await link.turn("Update", str(number))
        await link.hang_up()

    async with (
        flux_peer(chatty, ping_interval=5, ping_timeout=5) as peer,
        connect(url=peer.url, reconnect_timeout=5) as stream,
    ):
        await anyio.sleep(75)
        items: list[StreamItem] = [await anext(stream) for _ in range(901)]
    assert [item.transcript for item in items if isinstance(item, TurnInfo)] == [str(number) for number in range(900)]
    assert stream.missed_messages == 0


# A session on it --------------------------------------------------------------------------------------------------


async def stalling(link: Link) -> None:
    """A turn that makes no progress until it is forced to end."""
    await link.connected()
    await link.turn("StartOfTurn", "hello")
    await link.hear_until("ForceEndTurn")
    await link.turn("EndOfTurn", "hello", trigger="manual")
    await link.hang_up()


async def test_a_session_forces_the_end_of_a_turn_that_stalls() -> None:
    """The source is told, and the turn is committed as Flux ends it."""
    session = Session(stall_timeout=8, stall_grace=2)
    commits: list[Commit] = []
    async with opened(stalling) as (stream, peer):

        @session.on(Commit)
        async def commit(signal: Commit) -> None:
            commits.append(signal)
            await stream.close()

        await session.run(stream)
    assert [(signal.trigger, signal.transcript) for signal in commits] == [("manual", "hello")]
    assert [command["type"] for command in peer.commands] == ["ForceEndTurn", "CloseStream"]
    assert not session.notes


async def stuck(link: Link) -> None:
    """A turn that has two words in its first second, and from then on nothing but blank Updates."""
    await link.connected()
    await link.hear_audio(0.8)
    await link.turn("StartOfTurn", "hello", audio_window_end=0.8)
    await link.hear_audio(1.04)
    await link.turn("Update", "hello there", audio_window_end=1.04)
    for count in range(1, 100):
        end = round(1.04 + 0.24 * count, 2)
        await link.hear_audio(end)
        await link.turn("Update", "", audio_window_end=end)


async def test_a_turn_that_gets_nowhere_and_cannot_be_forced_costs_the_connection() -> None:
    """Blank Updates satisfy no watchdog: what was said since the last new words is sent again."""
    audio = Random(1).randbytes(12 * 32000)

    async def healthy(link: Link) -> None:
        await link.connected()
        await link.hear_audio(4.0)
        await link.hang_up()

    async with opened(in_turn(stuck, healthy), answer_timeout=2, reconnect_timeout=5) as (stream, peer):
        items: list[object] = []
        async with anyio.create_task_group() as group:

            async def speak() -> None:
                for start in range(0, len(audio), 2560):
                    if start == 4 * 32000:
                        assert await stream.send_force_end_turn()
                    await stream.send_audio(audio[start : start + 2560])
                    await anyio.sleep(0.08)
                    if len(peer.links) == 2 and len(peer.links[1].audio) > 5 * 32000:
                        return await stream.close()

            group.start_soon(speak)
            items += [item async for item in stream]
        (lost,) = [item for item in items if isinstance(item, StreamLost)]
        assert "did not end a turn that got nowhere within 2 s (answer_timeout)" in lost.reason
        start = round(1.04 * 32000)
        assert peer.links[1].audio[: 4 * 32000] == audio[start : start + 4 * 32000]
        assert stream.lost_audio_seconds == 0


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_forced_end_that_is_late_costs_nothing_while_there_is_progress(goes_on: bool) -> None:
    """New words, or a turn that ended by itself, show that Flux is there."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.hear_until("ForceEndTurn")
        if goes_on:
            await link.turn("Update", "hello there", audio_window_end=1.04)
        else:
            await link.turn("EndOfTurn", "hello", trigger="model")
        await link.hang_up()

    async with (
        opened(speak, answer_timeout=2, reconnect_timeout=5) as (stream, peer),
        anyio.create_task_group() as group,
    ):
        items: list[object] = []

        async def read() -> None:
            items.extend([item async for item in stream])

        group.start_soon(read)
        await settle()
        with pytest.raises(ConnectionFailed, match="did not answer ForceEndTurn"):
            await stream.force_end_turn()
        await anyio.sleep(1)
        await stream.close()
    assert not [item for item in items if isinstance(item, StreamLost)]
    assert len(peer.requests) == 1


class Source:
    """A source that says a turn began, and chatters on without progress."""

    def __init__(self, failing: bool = False) -> None:
        self.forced = 0
        self.failing = failing

    async def send_force_end_turn(self) -> None:
        self.forced += 1
        if self.failing:
            raise ConnectionFailed("gone")
        await anyio.sleep_forever()

    async def __aiter__(self) -> AsyncIterator[object]:
        yield StartOfTurn(0, "hello", 0.5, 0.5)
        for second in range(12):
            await anyio.sleep(1)
            yield Update(0, "hello", 0.5, 0.5 + second)


@pytest.mark.parametrize("failing", [False, True])
async def test_a_source_that_cannot_end_the_turn_holds_nobody_up(failing: bool) -> None:
    """The reader reads on, the machine ends the turn by itself, and a failure is a Note."""
    source = Source(failing)
    session = Session(stall_timeout=8, stall_grace=2)
    seen: list[tuple[str, float]] = []
    began = anyio.current_time()
    for kind in (TurnStalled, Commit, BargeIn):
        session.on(kind, lambda signal: seen.append((type(signal).__name__, round(signal.at - began))))
    session.on(Commit, lambda signal: seen.append((signal.trigger, 0)))
    await session.run(source, drain=False)
    assert seen == [("TurnStalled", 8), ("Commit", 10), ("stalled", 0)]
    assert source.forced == 1
    assert session.notes[NoteKind.CALLBACK_FAILED] == failing


async def test_a_source_that_knows_nothing_of_it_is_left_alone() -> None:
    """A plain generator has no end to force."""
    session = Session(stall_timeout=8, stall_grace=2)
    commits: list[str] = []
    session.on(Commit, lambda signal: commits.append(signal.trigger))

    async def plain() -> AsyncIterator[object]:
        async for item in Source():
            yield item

    await session.run(plain())
    assert commits == ["stalled"]
    assert not session.notes


async def test_a_session_lives_through_an_outage() -> None:
    """The turn that was open is answered on its words, and the next one is an ordinary one; nothing surprises it."""

    async def first(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.drop()

    async def second(link: Link) -> None:
        await link.connected()
        await anyio.sleep(5)
        await link.turn("StartOfTurn", "again")
        await link.turn("EndOfTurn", "again", trigger="model")
        await link.hang_up()

    session = Session(lost_turn_grace=2)
    commits: list[tuple[str, str]] = []
    async with opened(in_turn(first, second), reconnect_timeout=5) as (stream, _):

        @session.on(Commit)
        async def commit(signal: Commit) -> None:
            commits.append((signal.trigger, signal.transcript))
            session.playback_started(signal.reply)
            session.playback_finished(signal.reply)
            if signal.trigger == "model":
                await stream.close()

        await session.run(stream)
    assert commits == [("stream_lost", "hello"), ("model", "again")]
    assert not session.notes


async def test_a_session_hears_of_one_restoring_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connected after StreamRestored is no second one."""
    restored: list[object] = []
    session = Session()
    feed = session._dispatcher.feed

    def spy(event: Any, *rest: Any) -> Any:
        if isinstance(event, (StreamLost, StreamRestored)):
            restored.append(event)
        return feed(event, *rest)

    monkeypatch.setattr(type(session._dispatcher), "feed", lambda _, *given: spy(*given))

    async def first(link: Link) -> None:
        await link.connected()
        await link.drop()

    async with (
        opened(in_turn(first, polite), reconnect_timeout=5) as (stream, peer),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(session.run, stream)
        await until(lambda: len(peer.links) == 2)
        await until(lambda: len(restored) == 2)
        await settle()
        await stream.close()
    assert [type(event).__name__ for event in restored] == ["StreamLost", "StreamRestored"]
